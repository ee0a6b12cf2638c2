"""Marks of a turn: what rules say of it, one bit each; the higher bits hold the days it tells of, see told.py."""

INSTRUCTION = 1
PREFERENCE = 2
REMINDER = 4
SUSPECT = 16
ASKS = 32

STANDING = INSTRUCTION | PREFERENCE | REMINDER
"""What holds beyond its moment."""

MARK_BITS = 8
