"""Records with the turns they cite, as recall needs them: whole rows only, and no more trusted than their sources."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from memspan.core.errors import DamagedFile
from memspan.core.records import ROLES, Record, Role
from memspan.text.safety.trust import AGENT, source_of, trust_of
from memspan.text.store import record_rows, rows, state_rows
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.turn_rows import batches, marks


@dataclass(frozen=True, slots=True)
class Cited:
    """A record as it was written, and what it stands on.

    seq, crc: of its row;  turns: seqs of the turns it cites;  role: of the least trusted of them
    record.trust is no more than that of any of them; where it is less than the assistant's, record.payload["source"]
    tells where the text came from
    """

    seq: int
    crc: int
    record: Record
    turns: tuple[int, ...]
    role: Role


def seqs(store: SqliteStore, scope: str, recipe: str, *, made_by: bool) -> list[int]:
    """Rows of all records that a recipe made, or of all others."""
    key = store.scope_key(scope)
    same = "=" if made_by else "<>"
    query = f"SELECT seq FROM record WHERE scope = ? AND recipe {same} ? ORDER BY seq"
    with store.snapshot() as connection:
        return [row[0] for row in connection.execute(query, (key, recipe))]


def renewed(store: SqliteStore, scope: str) -> dict[int, float]:
    """When records were last derived anew [s], by seq."""
    key = store.scope_key(scope)
    query = "SELECT first, max(at) FROM change WHERE scope = ? AND kind = 'record' AND op = 'renew' GROUP BY first"
    with store.snapshot() as connection:
        found: list[Any] = connection.execute(query, (key,)).fetchall()  # Any: SQLite's own types
    return dict(found)


def read(store: SqliteStore, scope: str, wanted: Sequence[int]) -> dict[int, Cited]:
    """Records by seq; one whose checksum fails is left out and reported as a warning."""
    key = store.scope_key(scope)
    found: dict[int, Cited] = {}
    with store.snapshot() as connection:
        for some in batches(wanted):
            sources: dict[int, list[Any]] = {}
            for row in connection.execute(_SOURCES.format(marks(some)), (key, *some)):
                sources.setdefault(row[0], []).append(row[1:])
            query = f"SELECT {record_rows.COLUMNS} FROM record WHERE scope = ? AND seq IN ({marks(some)})"
            one: Any  # SQLite's own types
            for one in connection.execute(query, (key, *some)).fetchall():
                try:
                    found[one[0]] = _cited(store, one, sources.get(one[0], []))
                except DamagedFile as damage:
                    warnings.warn(str(damage), stacklevel=4)
    return found


_SOURCES = """
SELECT record, seq, id, role, speaker, meta FROM source JOIN turn ON turn.seq = source.turn
WHERE source.scope = ? AND record IN ({}) ORDER BY record, seq
"""


def _cited(store: SqliteStore, row: Any, sources: Sequence[Any]) -> Cited:  # Any: SQLite's own types
    record = record_rows.record_of(row, [(seq, id) for seq, id, *_ in sources], state_rows.BORN, store.path)
    told = [(ROLES[role], speaker, rows.parse(meta)) for *_, role, speaker, meta in sources]
    role, speaker, meta = min(told, key=lambda turn: trust_of(turn[0], turn[2]))
    trust = min(record.trust, trust_of(role, meta))
    if trust < AGENT and not record.payload.get("source"):
        record = replace(record, payload={**record.payload, "source": source_of(role, speaker, meta)})
    if trust != record.trust:
        record = replace(record, trust=trust)
    return Cited(row[0], row[-1], record, tuple(seq for seq, *_ in sources), role)
