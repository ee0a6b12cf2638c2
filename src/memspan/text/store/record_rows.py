"""Rows of records, their sources and their links."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from memspan.core.errors import DamagedFile, DuplicateId, UnknownId
from memspan.core.records import Link, Record
from memspan.text.store import rows

_COLUMNS = (
    "seq, scope, id, kind, text, keys, entities, valid_from, valid_to, recorded_at, retired_at, confidence, trust, "
    "strength, uses, status, recipe, payload, crc"
)


def add(connection: apsw.Connection, scope: int, records: Sequence[Record], now: float) -> tuple[int, int]:
    """Write records and what they cite; their first and last seq. Raises UnknownId or DuplicateId."""
    before = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").get or 0
    for seq, record in enumerate(records, start=before + 1):
        sources = sorted(_seq_of(connection, scope, turn) for turn in set(record.sources))
        row = _row(seq, scope, record, now)
        try:
            connection.execute(
                f"INSERT INTO record ({_COLUMNS}) VALUES ({','.join('?' * 19)})", (*row, rows.checksum(*row, *sources))
            )
        except apsw.ConstraintError:
            raise DuplicateId(record.id) from None
        connection.executemany(
            "INSERT INTO source (scope, record, turn) VALUES (?, ?, ?)", [(scope, seq, turn) for turn in sources]
        )
    return before + 1, before + len(records)


def add_links(connection: apsw.Connection, scope: int, links: Sequence[Link]) -> None:
    """Write links; the same edge again takes the new weight."""
    for link in links:
        columns = (scope, link.source, link.kind, link.target, float(link.weight))
        connection.execute(
            "INSERT INTO link (scope, source, kind, target, weight, crc) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET weight = excluded.weight, crc = excluded.crc",
            (*columns, rows.checksum(*columns)),
        )


def read(connection: apsw.Connection, scope: int | None, path: Path) -> list[Record]:
    """All records of a scope with the ids of their sources. Raises DamagedFile where a checksum fails."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM record WHERE scope = ? ORDER BY seq", (scope,)).fetchall()
    return [_record(connection, row, path) for row in found]


def read_links(connection: apsw.Connection, scope: int | None, path: Path) -> list[Link]:
    """All links of a scope, sorted. Raises DamagedFile where a checksum fails."""
    query = "SELECT scope, source, kind, target, weight, crc FROM link WHERE scope = ? ORDER BY source, kind, target"
    links = []
    for row in connection.execute(query, (scope,)):
        if not rows.intact(row):
            raise DamagedFile(path, f"link {row[1]!r} -> {row[3]!r} fails its checksum")
        links.append(Link(source=row[1], kind=row[2], target=row[3], weight=row[4]))
    return links


def _seq_of(connection: apsw.Connection, scope: int, turn: str) -> int:
    seq: int | None = connection.execute("SELECT seq FROM turn WHERE scope = ? AND id = ?", (scope, turn)).get
    if seq is None:
        raise UnknownId(turn)
    return seq


def _row(seq: int, scope: int, record: Record, now: float) -> tuple[object, ...]:
    keys, entities = (json.dumps(list(texts), ensure_ascii=False) for texts in (record.keys, record.entities))
    recorded = now if record.recorded_at is None else record.recorded_at
    return (
        *(seq, scope, record.id, record.kind, record.text, keys, entities, record.valid_from, record.valid_to),
        *(float(recorded), record.retired_at, float(record.confidence), float(record.trust), float(record.strength)),
        *(record.uses, record.status, record.recipe, rows.dump(record.payload)),
    )


def _record(connection: apsw.Connection, row: tuple[Any, ...], path: Path) -> Record:  # Any: SQLite's own types
    query = "SELECT turn, id FROM source JOIN turn ON turn.seq = source.turn WHERE source.scope = ? AND record = ?"
    sources = sorted(connection.execute(query, (row[1], row[0])))
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
        valid_to=row[8],
        recorded_at=row[9],
        retired_at=row[10],
        confidence=row[11],
        trust=row[12],
        strength=row[13],
        uses=row[14],
        status=row[15],
        recipe=row[16],
        payload=rows.parse(row[17]),
    )
