"""Rows of turns and of what is derived from them."""

from collections.abc import Collection, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TypeVar

from memspan.core.errors import DuplicateId
from memspan.core.records import Turn
from memspan.text.store import rows
from memspan.text.store.rows import Derived
from memspan.text.store.sql import Connection

Item = TypeVar("Item")
VECTOR = rows.upsert("vector", "scope, embedder, turn, half, crc", "scope, embedder, turn")
UNIT = rows.upsert("unit", "scope, turn, bag, head, marks, chars, slot, value, crc", "scope, turn")


@dataclass(frozen=True, slots=True)
class Applied:
    """What a transaction did with the turns given.

    added: (seq, id) of those that are new;  known: seqs of those that were there
    refused: ids of those whose words were forgotten here
    """

    added: tuple[tuple[int, str], ...]
    known: tuple[int, ...]
    refused: tuple[str, ...] = ()


def marks(some: Sized) -> str:
    """As many question marks, for an IN list."""
    return ",".join("?" * len(some))


def batches(items: Sequence[Item], most: int = 500) -> Iterator[Sequence[Item]]:
    """The items in runs of at most `most`."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def vector_rows(
    scope: int, entries: Sequence[tuple[int, Derived]], embedders: Sequence[int]
) -> Iterator[tuple[object, ...]]:
    """Rows of the vectors of turns."""
    for seq, part in entries:
        for embedder, half in zip(embedders, part.halves, strict=True):
            yield scope, embedder, seq, rows.Half(half), rows.vector_crc(scope, embedder, seq, half)


def add(
    connection: Connection,
    scope: int,
    turns: Sequence[Turn],
    parts: Sequence[Derived | None],
    embedders: Sequence[int],
    buried: Collection[str] = (),
) -> Applied:
    """Write those turns that are not there yet, with what was derived from them. Raises DuplicateId.

    buried: ids of those whose words were forgotten here
    """
    seqs = _present(connection, scope, turns)
    known = tuple(seqs.values())
    following = 1 + connection.last_seq("turn", scope)
    fresh: list[tuple[int, Turn, Derived]] = []
    refused: list[str] = []
    for turn, part in zip(turns, parts, strict=True):
        if turn.id in seqs:
            continue
        if turn.id in buried:
            refused.append(turn.id)
            continue
        assert part is not None
        seqs[turn.id] = following + len(fresh)
        fresh.append((seqs[turn.id], turn, part))
    connection.took("turn", scope, following + len(fresh) - 1)
    connection.executemany(
        f"INSERT INTO turn ({rows.TURN_COLUMNS}) VALUES ({marks(range(11))})",
        (rows.turn_row(seq, scope, turn) for seq, turn, _ in fresh),
    )
    connection.executemany(UNIT, (rows.unit_row(scope, seq, part) for seq, _, part in fresh))
    connection.executemany(VECTOR, vector_rows(scope, [(seq, part) for seq, _, part in fresh], embedders))
    return Applied(tuple((seq, turn.id) for seq, turn, _ in fresh), known, tuple(refused))


def _present(connection: Connection, scope: int, turns: Sequence[Turn]) -> dict[str, int]:
    """Seqs of the turns that are there already. Raises DuplicateId where one has other content."""
    wanted: dict[str, Turn] = {}
    for turn in turns:
        if not _same(wanted.setdefault(turn.id, turn), turn):
            raise DuplicateId(turn.id)
    seqs: dict[str, int] = {}
    for some in batches(list(wanted)):
        query = f"SELECT id, seq, session, speaker, at, text FROM turn WHERE scope = ? AND id IN ({marks(some)})"
        for found, seq, *content in connection.execute(query, (scope, *some)):
            turn = wanted[found]
            if content != [turn.session, turn.speaker, turn.at, turn.text]:
                raise DuplicateId(found)
            seqs[found] = seq
    return seqs


def _same(one: Turn, other: Turn) -> bool:
    return (one.session, one.speaker, one.at, one.text) == (other.session, other.speaker, other.at, other.text)
