"""What fits where: cost models as pure functions of measured figures."""
