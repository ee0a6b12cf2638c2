"""Safety on the way in and out: trust, secrets, instruction-like text, echoes. See docs/SECURITY.md."""
