"""Records with the turns they cite, as recall needs them: whole rows only, and no more trusted than their sources."""

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memspan.core.errors import DamagedFile
from memspan.core.records import ROLES, Json, Role
from memspan.text.safety.trust import AGENT, source_of, trust_of
from memspan.text.store import record_rows, rows
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.turn_rows import batches, marks

_WORD = re.compile(r"\w+")
_MOST_SIGNS = 40  # no more of them are taken for nothing


class Cited(NamedTuple):
    """A record as it was written, and what it stands on.

    seq, crc: of its row;  keys: JSON;  sources: ids of the turns it cites;  role: of the least trusted of them
    trust: no more than that of any of them; where it is less than the assistant's, payload["source"] tells where the
        text came from
    same: seq of a turn it cites that has the same words, 0 where none has
    """

    seq: int
    crc: int
    id: str
    kind: str
    text: str
    keys: str
    valid_from: float | None
    valid_to: float | None
    recorded_at: float
    recipe: str
    payload: Mapping[str, Json]
    sources: tuple[str, ...]
    role: Role
    trust: float
    same: int

    @property
    def searched(self) -> str:
        """Text and keys."""
        return "\n".join((self.text, *json.loads(self.keys)))


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
            query = f"SELECT {record_rows.COLUMNS} FROM record WHERE seq IN ({marks(some)})"
            one: Any  # SQLite's own types
            for one in connection.execute(query, tuple(some)).fetchall():
                if one[1] != key:
                    continue
                told = sources.get(one[0], [])
                if rows.checksum(*one[:-1], *(turn[0] for turn in told)) == one[-1]:
                    found[one[0]] = _cited(one, told)
                else:
                    warnings.warn(str(DamagedFile(store.path, f"record {one[2]!r} fails its checksum")), stacklevel=4)
    return found


_SOURCES = """
SELECT record, seq, id, role, speaker, meta, text FROM source JOIN turn ON turn.seq = source.turn
WHERE source.scope = ? AND record IN ({}) ORDER BY record, seq
"""


def _cited(row: Sequence[Any], sources: Sequence[Any]) -> Cited:  # Any: SQLite's own types
    seq, _, wanted, kind, text, keys, _, valid_from, valid_to, recorded, _, trust, _, recipe, payload, crc = row
    told = [(ROLES[role], speaker, rows.parse(meta)) for _, _, role, speaker, meta, _ in sources]
    role, speaker, meta = told[0] if len(told) == 1 else min(told, key=lambda turn: trust_of(turn[0], turn[2]))
    trust = min(trust, trust_of(role, meta))
    known = rows.parse(payload)
    if trust < AGENT and not known.get("source"):
        known = {**known, "source": source_of(role, speaker, meta)}
    same = next((source[0] for source in sources if _same_words(source[-1], text)), 0)
    ids = tuple(source[1] for source in sources)
    return Cited(
        *(seq, crc, wanted, kind, text, keys, valid_from, valid_to, recorded, recipe, known, ids, role, trust, same)
    )


def _same_words(one: str, other: str) -> bool:
    """Whether two texts differ in case and signs only.

    >>> _same_words("We moved; to Lisbon!", "we moved to Lisbon"), _same_words("We moved.", "He moved.")
    (True, False)
    """
    if one == other:
        return True
    first, there = _WORD.search(one), _WORD.search(other)
    if abs(len(one) - len(other)) > _MOST_SIGNS or not first or not there or first[0].lower() != there[0].lower():
        return False  # most pairs, at a tenth of the time
    return _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())
