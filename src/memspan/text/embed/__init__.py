"""Embedders: a text becomes a unit vector. One method a file."""
