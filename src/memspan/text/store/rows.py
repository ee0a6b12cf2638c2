"""Rows and their checksums: every row carries a CRC-32 over all its columns.

SQLite's own integrity check does not see a flipped bit inside a value; these do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zlib import crc32

from memspan.core.records import ROLES, Json, Turn, stored_turn

TURN_COLUMNS = "seq, scope, id, session, speaker, role, at, seen_at, text, meta, crc"
TurnRow = tuple[int, int, str, str, str, int, float | None, float, str, str | None, int]
UnitRow = tuple[
    int, str, str, int, float | None, bytes | None, str | None, int | None, int | None, float, int | None, int | None
]
"""seq, session, speaker, role, at, bag, head, marks, chars, seen_at, slot, value: what the index needs of a turn."""

_NOTHING: Mapping[str, Json] = MappingProxyType({})


class Half(bytes):
    """A float16 vector, little endian, on its way into a row: to a database with vectors it is one, not a blob."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What is computed from a turn when it is written.

    bag: its words, see index/words.py;  head: its head entity, plain words;  marks: standing-instruction bits
    chars: length of its text;    halves: one float16 vector per active embedder, little endian
    slot, value: hashes of what it states of what, where it states what can have one value at a time
    """

    bag: bytes
    head: str | None
    marks: int
    chars: int
    halves: tuple[bytes, ...]
    slot: int | None = None
    value: int | None = None


def checksum(*columns: object) -> int:
    """CRC-32 over all columns of a row.

    >>> checksum(1, "a", None) == checksum(1, "a", None) != checksum(1, "b", None)
    True
    """
    return crc32(repr(columns).encode())


def upsert(table: str, columns: str, key: str) -> str:
    """The statement that puts a row there, in the place of the one with its key.

    >>> upsert("job", "id, at", "id")
    'INSERT INTO job (id, at) VALUES (?,?) ON CONFLICT (id) DO UPDATE SET at = excluded.at'
    """
    names = columns.split(", ")
    taken = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key.split(", "))
    places = ",".join("?" * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT ({key}) DO UPDATE SET {taken}"


def dump(meta: Mapping[str, Json]) -> str | None:
    """JSON with sorted keys; None of nothing."""
    return json.dumps(dict(meta), ensure_ascii=False, sort_keys=True, separators=(",", ":")) if meta else None


def parse(raw: str | None) -> Mapping[str, Json]:
    """What `dump` wrote, read-only."""
    return MappingProxyType(json.loads(raw)) if raw else _NOTHING


def turn_row(seq: int, scope: int, turn: Turn) -> TurnRow:
    """The row of a turn, its checksum last."""
    assert turn.seen_at is not None
    columns = (
        seq,
        scope,
        turn.id,
        turn.session,
        turn.speaker,
        ROLES.index(turn.role),
        turn.at,
        turn.seen_at,
        turn.text,
        dump(turn.meta),
    )
    return (*columns, checksum(*columns))


def intact(row: tuple[object, ...]) -> bool:
    """True where a row's last column is the checksum of the others."""
    return crc32(repr(row[:-1]).encode()) == row[-1]


def turn_of(row: TurnRow, scope: str) -> Turn:
    """The turn of a row."""
    return stored_turn(row[8], row[4], ROLES[row[5]], row[3], row[6], row[7], parse(row[9]), row[2], scope)


def unit_row(scope: int, turn: int, part: Derived) -> tuple[object, ...]:
    """The row of what is derived from a turn but its vectors, its checksum last."""
    columns = (scope, turn, part.bag, part.head, part.marks, part.chars, part.slot, part.value)
    return (*columns, checksum(*columns))


def vector_crc(scope: int, embedder: int, turn: int, half: bytes) -> int:
    """Checksum of a vector's row."""
    return crc32(half, crc32(f"{scope},{embedder},{turn}".encode()))
