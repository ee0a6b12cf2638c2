"""Records with the turns they cite, as recall needs them: whole rows only, and no more trusted than their sources."""

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memspan.core.errors import DamagedFile
from memspan.core.records import ROLES, Json, Role
from memspan.text.safety.trust import AGENT, UNKNOWN, source_of, trust_of
from memspan.text.store import record_rows, rows
from memspan.text.store.store import Store
from memspan.text.store.turn_rows import batches, marks

_WORD = re.compile(r"\w+")
_MOST_SIGNS = 40  # no more of them are taken for nothing


class Ground(NamedTuple):
    """What a record stands on: turns, which never change.

    turns, ids: of those it cites;  role, source, trust: of the least trusted of them
    same: seq of the one that has the record's words, 0 where none has
    """

    turns: tuple[int, ...]
    ids: tuple[str, ...]
    role: Role
    source: str
    trust: float
    same: int


class Cited(NamedTuple):
    """A record as it was written, and what it stands on.

    seq, crc: of its row;  keys: JSON
    trust: no more than that of any turn it cites; where it is less than the assistant's, payload["source"] tells where
        the text came from
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
    trust: float
    ground: Ground

    @property
    def searched(self) -> str:
        """Text and keys."""
        return "\n".join((self.text, *json.loads(self.keys)))


def seqs(store: Store, scope: str, recipe: str, *, made_by: bool) -> list[int]:
    """Rows of all records that a recipe made, or of all others."""
    key = store.scope_key(scope)
    same = "=" if made_by else "<>"
    query = f"SELECT seq FROM record WHERE scope = ? AND recipe {same} ? ORDER BY seq"
    with store.snapshot(scope) as connection:
        return [row[0] for row in connection.execute(query, (key, recipe))]


def renewed(store: Store, scope: str) -> dict[int, float]:
    """When records were last derived anew [s], by seq."""
    key = store.scope_key(scope)
    query = "SELECT first, max(at) FROM change WHERE scope = ? AND kind = 'record' AND op = 'renew' GROUP BY first"
    with store.snapshot(scope) as connection:
        found: list[Any] = connection.execute(query, (key,)).fetchall()  # Any: the engine's own types
    return dict(found)


def read(
    store: Store, scope: str, wanted: Sequence[int], grounds: Mapping[int, Ground] | None = None
) -> dict[int, Cited]:
    """Records by seq; one whose checksum fails is left out and reported as a warning.

    grounds: of each of them, as read before; None = read them too
    """
    key = store.scope_key(scope)
    found: dict[int, Cited] = {}
    with store.snapshot(scope) as connection:
        for some in batches(wanted):
            query = f"SELECT {record_rows.COLUMNS} FROM record WHERE scope = ? AND seq IN ({marks(some)})"
            records: list[Any] = connection.execute(query, (key, *some)).fetchall()  # Any: the engine's own types
            if (known := grounds) is None:
                query = _SOURCES.format(marks(some))
                known = _grounds(records, connection.execute(query, (key, *some)).fetchall())
            for row in records:
                ground = known.get(row[0], _NOWHERE)
                if rows.checksum(*row[:-1], *ground.turns) == row[-1]:
                    found[row[0]] = _cited(row, ground)
                else:
                    warnings.warn(str(DamagedFile(store.path, f"record {row[2]!r} fails its checksum")), stacklevel=4)
    return found


_SOURCES = """
SELECT record, seq, id, role, speaker, meta, text FROM source
JOIN turn ON turn.scope = source.scope AND turn.seq = source.turn
WHERE source.scope = ? AND record IN ({}) ORDER BY record, seq
"""


_NOWHERE = Ground((), (), "tool", "", UNKNOWN, 0)


def _grounds(records: Sequence[Any], sources: Sequence[Any]) -> dict[int, Ground]:  # Any: the engine's own types
    texts = {row[0]: row[4] for row in records}
    cited: dict[int, list[Any]] = {}
    for row in sources:
        cited.setdefault(row[0], []).append(row[1:])
    return {seq: _ground(texts.get(seq, ""), turns) for seq, turns in cited.items()}


def _ground(text: str, turns: Sequence[Any]) -> Ground:
    told = [(ROLES[role], speaker, rows.parse(meta)) for _, _, role, speaker, meta, _ in turns]
    role, speaker, meta = min(told, key=lambda turn: trust_of(turn[0], turn[2]))
    return Ground(
        turns=tuple(turn[0] for turn in turns),
        ids=tuple(turn[1] for turn in turns),
        role=role,
        source=source_of(role, speaker, meta),
        trust=trust_of(role, meta),
        same=next((turn[0] for turn in turns if _same_words(turn[-1], text)), 0),
    )


def _cited(row: Sequence[Any], ground: Ground) -> Cited:  # Any: the engine's own types
    seq, _, wanted, kind, text, keys, _, valid_from, valid_to, recorded, _, trust, _, recipe, raw, crc = row
    trust = min(trust, ground.trust)
    payload = rows.parse(raw)
    if trust < AGENT and not payload.get("source"):
        payload = {**payload, "source": ground.source}
    return Cited(seq, crc, wanted, kind, text, keys, valid_from, valid_to, recorded, recipe, payload, trust, ground)


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
