"""Other systems, measured beside ours: each in its own environment and process, with the same vectors."""
