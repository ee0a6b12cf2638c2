"""Marks of a turn: what rules say of it, one bit each."""

INSTRUCTION = 1
PREFERENCE = 2
REMINDER = 4
SUSPECT = 16

STANDING = INSTRUCTION | PREFERENCE | REMINDER
"""What holds beyond its moment."""
