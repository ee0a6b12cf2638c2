"""Attacks on memory: planted texts as data, conversations to plant them in, scores that need no model."""
