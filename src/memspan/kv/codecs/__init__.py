"""Forms in which pages of keys and values are kept, one a file."""
