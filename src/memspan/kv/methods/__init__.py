"""Published KV-cache methods, one a file."""
