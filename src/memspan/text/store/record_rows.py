"""Rows of records, their sources and their links."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from memspan.core.changes import State
from memspan.core.errors import DamagedFile, DuplicateId, UnknownId
from memspan.core.records import Link, Record
from memspan.text.store import rows, state_rows
from memspan.text.store.change_rows import Operation
from memspan.text.store.sql import Connection

COLUMNS = (
    "seq, scope, id, kind, text, keys, entities, valid_from, valid_to, recorded_at, confidence, trust, strength, "
    "recipe, payload, crc"
)


def add(connection: Connection, scope: int, records: Sequence[Record], operation: Operation) -> None:
    """Write records, what they cite and the state they come with. Raises UnknownId or DuplicateId."""
    before = connection.last_seq("record", scope)
    connection.took("record", scope, before + len(records))
    for seq, record in enumerate(records, start=before + 1):
        sources = sorted(_seq_of(connection, scope, turn) for turn in set(record.sources))
        row = _row(seq, scope, record, operation.at)
        if connection.execute("SELECT 1 FROM record WHERE scope = ? AND id = ?", (scope, record.id)).get:
            raise DuplicateId(record.id)
        connection.execute(
            f"INSERT INTO record ({COLUMNS}) VALUES ({','.join('?' * 16)})", (*row, rows.checksum(*row, *sources))
        )
        connection.executemany(
            "INSERT INTO source (scope, record, turn) VALUES (?, ?, ?)", [(scope, seq, turn) for turn in sources]
        )
    if records:
        operation.row("add", "record", before + 1, before + len(records))
    for seq, record in enumerate(records, start=before + 1):
        state = State(status=record.status, retired_at=record.retired_at, uses=record.uses)
        operation.set_state("record", seq, state_rows.BORN, state)


def renew(
    connection: Connection, scope: int, records: Sequence[Record], operation: Operation, path: str | Path
) -> None:
    """Write derived records, in the place of those with their ids; the words of the old ones are not kept."""
    for record in records:
        find = "SELECT seq, recorded_at FROM record WHERE scope = ? AND id = ?"
        found: Any = connection.execute(find, (scope, record.id)).fetchone()  # Any: the engine's own
        if found is None:
            add(connection, scope, [record], operation)
            continue
        seq, recorded = found
        sources = sorted(_seq_of(connection, scope, turn) for turn in set(record.sources))
        row = _row(seq, scope, record, recorded)
        connection.execute("DELETE FROM source WHERE scope = ? AND record = ?", (scope, seq))
        connection.execute(_RENEW, (*row[2:], rows.checksum(*row, *sources), scope, seq))
        connection.executemany(
            "INSERT INTO source (scope, record, turn) VALUES (?, ?, ?)", [(scope, seq, turn) for turn in sources]
        )
        operation.row("renew", "record", seq, seq)
        before = state_rows.read(connection, scope, "record", seq, path)
        after = replace(before, status=record.status, retired_at=None if record.status == "active" else operation.at)
        if after.status != before.status:
            operation.set_state("record", seq, before, after, "derived anew")


def add_links(connection: Connection, scope: int, links: Sequence[Link], operation: Operation) -> None:
    """Write links; the same edge again takes the new weight and is there again."""
    find = "SELECT seq, weight, retired FROM link WHERE scope = ? AND source = ? AND kind = ? AND target = ?"
    before = connection.last_seq("link", scope)
    fresh = 0
    for link in links:
        edge = (scope, link.source, link.kind, link.target)
        found: Any = connection.execute(find, edge).fetchone()  # Any: the engine's own
        if found is None:
            fresh += 1
            connection.took("link", scope, before + fresh)
            columns = (before + fresh, *edge, float(link.weight), 0)
            connection.execute(_ADD_LINK, (*columns, rows.checksum(*columns)))
        elif (found[1], found[2]) != (float(link.weight), 0):
            set_link(connection, scope, found[0], float(link.weight), retired=0, operation=operation)
    if fresh:
        operation.row("add", "link", before + 1, before + fresh)


def set_link(
    connection: Connection, scope: int, seq: int, weight: float, *, retired: int, operation: Operation
) -> None:
    """Give a link another weight, or take it away without erasing it."""
    query = f"SELECT {_LINK_COLUMNS} FROM link WHERE scope = ? AND seq = ?"
    row: Any = connection.execute(query, (scope, seq)).fetchone()  # Any: the engine's own
    if row is None:
        return
    columns = (*row[:5], weight, retired)
    connection.execute(
        "UPDATE link SET weight = ?, retired = ?, crc = ? WHERE scope = ? AND seq = ?",
        (weight, retired, rows.checksum(*columns), scope, seq),
    )
    operation.row("set", "link", seq, seq, {"before": [row[5], row[6]], "after": [weight, retired]})


def read(connection: Connection, scope: int | None, path: str | Path, kind: str | None = None) -> list[Record]:
    """All records of a scope, or those of a kind, with their states. Raises DamagedFile where a checksum fails."""
    states = dict(state_rows.every(connection, scope, "record", path))
    query = f"SELECT {COLUMNS} FROM record WHERE scope = :scope AND (kind = :kind OR :kind IS NULL) ORDER BY seq"
    found: list[Any] = connection.execute(query, {"scope": scope, "kind": kind}).fetchall()  # Any: the engine's own
    return [_record(connection, row, states.get(row[0], state_rows.BORN), path) for row in found]


def get(connection: Connection, scope: int, seq: int, path: str | Path) -> Record:
    """One record with its state. Raises DamagedFile where a checksum fails."""
    query = f"SELECT {COLUMNS} FROM record WHERE scope = ? AND seq = ?"
    row: Any = connection.execute(query, (scope, seq)).fetchone()  # Any: the engine's own
    return _record(connection, row, state_rows.read(connection, scope, "record", seq, path), path)


def read_links(connection: Connection, scope: int | None, path: str | Path, kind: str | None = None) -> list[Link]:
    """All links of a scope, or those of a kind, sorted. Raises DamagedFile where a checksum fails."""
    query = (
        f"SELECT {_LINK_COLUMNS}, crc FROM link WHERE scope = :scope AND retired = 0"
        " AND (kind = :kind OR :kind IS NULL) ORDER BY source, kind, target"
    )
    links = []
    for row in connection.execute(query, {"scope": scope, "kind": kind}):
        if not rows.intact(row):
            raise DamagedFile(path, f"link {row[2]!r} -> {row[4]!r} fails its checksum")
        links.append(Link(source=row[2], kind=row[3], target=row[4], weight=row[5]))
    return links


_RENEW = f"UPDATE record SET {', '.join(f'{name} = ?' for name in COLUMNS.split(', ')[2:])} WHERE scope = ? AND seq = ?"
_CITED = """
SELECT turn, id FROM source JOIN turn ON turn.scope = source.scope AND turn.seq = source.turn
WHERE source.scope = ? AND record = ?
"""
_LINK_COLUMNS = "seq, scope, source, kind, target, weight, retired"
_ADD_LINK = f"INSERT INTO link ({_LINK_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _seq_of(connection: Connection, scope: int, turn: str) -> int:
    seq: int | None = connection.execute("SELECT seq FROM turn WHERE scope = ? AND id = ?", (scope, turn)).get
    if seq is None:
        raise UnknownId(turn)
    return seq


def _row(seq: int, scope: int, record: Record, now: float) -> tuple[object, ...]:
    keys, entities = (json.dumps(list(texts), ensure_ascii=False) for texts in (record.keys, record.entities))
    recorded = now if record.recorded_at is None else record.recorded_at
    held = [None if when is None else float(when) for when in (record.valid_from, record.valid_to)]
    return (
        *(seq, scope, record.id, record.kind, record.text, keys, entities, *held),
        *(float(recorded), float(record.confidence), float(record.trust), float(record.strength)),
        *(record.recipe, rows.dump(record.payload)),
    )


def _record(connection: Connection, row: tuple[Any, ...], state: State, path: str | Path) -> Record:
    sources = sorted(connection.execute(_CITED, (row[1], row[0])))
    if rows.checksum(*row[:-1], *(seq for seq, _ in sources)) != row[-1]:
        raise DamagedFile(path, f"record {row[2]!r} fails its checksum")
    return Record(
        id=row[2],
        kind=row[3],
        text=row[4],
        sources=tuple(turn for _, turn in sources),
        keys=tuple(json.loads(row[5])),
        entities=tuple(json.loads(row[6])),
        valid_from=row[7],
        valid_to=row[8] if state.valid_to is None else state.valid_to,
        recorded_at=row[9],
        retired_at=state.retired_at,
        confidence=row[10],
        trust=row[11],
        strength=row[12],
        uses=state.uses,
        status=state.status,
        recipe=row[13],
        payload=rows.parse(row[14]),
    )
