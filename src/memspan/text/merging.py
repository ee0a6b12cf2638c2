"""Merging: what a branch learned since it was taken comes back, as one operation.

Three states decide of every item: the one both began with, the branch's and ours. Where only the branch changed it,
the branch's comes; where both did, ours stays and the item is named. Tombstones refuse what was forgotten here.
The merge is noted in the log of changes with how far the branch was read, so the next one begins there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from memspan.core.changes import State
from memspan.core.errors import DamagedFile, UsageError
from memspan.core.protocols import Embedder
from memspan.core.records import Link, Record, Turn
from memspan.text import branches
from memspan.text.index.entry import derive
from memspan.text.store import change_rows, record_rows, rows, state_rows, tombstones, turn_rows
from memspan.text.store.change_rows import Operation, Row
from memspan.text.store.rows import Derived
from memspan.text.store.sql import Connection
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.state_rows import KINDS, Kind

_DERIVING = "reflect"  # the verb
_LINK = "seq, scope, source, kind, target, weight, retired, crc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What merge() did.

    operation: its number, which undo() takes; 0 where the branch had nothing new
    turns, records, links, states: how many came
    conflicts: what both had changed since the fork, where ours stayed: ids, and links as "source kind target"; what
        a recipe derived is not named, since reflect() derives it anew
    refused: ids of the branch that were not taken because of what was forgotten here
    forgotten: ids that the branch has forgotten and that are still here; forget() them here too, if that is meant
    """

    operation: int = 0
    turns: int = 0
    records: int = 0
    links: int = 0
    states: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Since:
    """Up to where both logs were the same, or were merged: the last row of ours and of the branch's."""

    ours: int
    theirs: int


@dataclass(slots=True)
class _Past:
    """What the log tells of one item since then. before: None where forgetting has emptied the row"""

    before: State | None
    uses: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Edge:
    """A link of the branch.

    gone: whether it was taken away there;  fresh: whether it was made there;  derived: whether by reflect()
    """

    link: Link
    gone: bool
    fresh: bool
    derived: bool


@dataclass(slots=True)
class _Learned:
    """What a branch's scope learned since then.

    records: with whether reflect() derived them;  left: every id it has now, where it has forgotten something
    """

    head: int = 0
    turns: list[Turn] = field(default_factory=list)
    records: list[tuple[Record, bool]] = field(default_factory=list)
    links: list["_Edge"] = field(default_factory=list)
    states: dict[str, tuple[State, _Past]] = field(default_factory=dict)
    left: set[str] | None = None


def merge(
    store: SqliteStore, scope: str, path: Path, embedders: Sequence[Embedder], keys: Sequence[int], now: float
) -> Merged:
    """Bring back what a branch's scope learned since the fork, or since the last merge that was not taken back.

    keys: of the embedders in the file
    Raises UsageError where that file is no branch of this one, or a StoreError; then nothing was changed.
    """
    if not path.exists():
        raise UsageError(f"no branch at {path}")
    if path.samefile(store.path):
        raise UsageError(f"{path} is the memory itself; merge takes a branch of it")
    other = SqliteStore(path, read_only=True, key=store.key)
    try:
        fork, head = branches.forked_at(store, other, scope)
        while True:
            since = _since(store, scope, fork.id, head)
            learned = _learned(other, scope, since.theirs, head)
            parts = derive(learned.turns, embedders)
            with store.transaction() as connection:
                key = store.make_scope_key(connection, scope)
                if _since_in(connection, key, store.path, fork.id, head) == since:  # else another merge was faster
                    merging = _Merging(store, connection, key, since, now)
                    forgotten = merging.forgotten(fork.id, head, learned.left)
                    return replace(merging.run(learned, parts, keys, fork.id), forgotten=forgotten)
    finally:
        other.close()


def _since(store: SqliteStore, scope: str, branch: str, head: int) -> _Since:
    key = store.scope_key(scope)
    with store.snapshot() as connection:
        return _since_in(connection, key, store.path, branch, head)


def _since_in(connection: Connection, scope: int | None, path: str | Path, branch: str, head: int) -> _Since:
    """From where a merge goes on: the last merge of that branch that stands, or the fork."""
    found = _Since(head, head)
    for row in change_rows.after(connection, scope, head, path):
        if row.op == "merge" and (row.body or {}).get("branch") == branch and _stands(connection, scope, row.operation):
            found = _Since(row.seq, row.last)
    return found


def _stands(connection: Connection, scope: int | None, operation: int) -> bool:
    query = (
        "SELECT operation FROM change WHERE scope = ? AND kind = 'operation' AND op = 'undo' AND first = ?"
        " ORDER BY seq DESC LIMIT 1"
    )
    by: int | None = connection.execute(query, (scope, operation)).get
    return by is None or not _stands(connection, scope, by)


# -- what the branch learned


def _learned(other: SqliteStore, scope: str, since: int, head: int) -> _Learned:
    """One moment of the branch. since: row of its log;  head: the row at which it was taken"""
    key = other.scope_key(scope)
    with other.snapshot() as connection:
        if key is None:
            return _Learned(since)
        log = list(change_rows.after(connection, key, head, other.path))
        fresh = [row for row in log if row.seq > since]
        return _Learned(
            head=max((row.seq for row in fresh), default=since),
            turns=[turn for row in fresh if _adds(row, "turn") for turn in _turns(connection, key, scope, row, other)],
            records=[
                (record, row.verb == _DERIVING)
                for row in fresh
                if _adds(row, "record")
                for record in _records(connection, key, row, other.path)
            ],
            links=list(_links(connection, key, fresh, other.path)),
            states=_states(connection, key, fresh, other.path),
            left=_ids(connection, key) if any(row.op == "erase" for row in log) else None,
        )


def _adds(row: Row, kind: str) -> bool:
    return row.op == "add" and row.kind == kind


def _turns(connection: Connection, scope: int, name: str, row: Row, other: SqliteStore) -> Iterator[Turn]:
    query = f"SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = ? AND seq BETWEEN ? AND ? ORDER BY seq"
    found: Any  # the engine's own types
    for found in connection.execute(query, (scope, row.first, row.last)):
        if not rows.intact(found):
            raise DamagedFile(other.path, f"turn {found[2]!r} fails its checksum")
        yield rows.turn_of(found, name)


def _records(connection: Connection, scope: int, row: Row, path: str | Path) -> Iterator[Record]:
    """As they were made; what has become of them comes with the states."""
    query = "SELECT seq FROM record WHERE scope = ? AND seq BETWEEN ? AND ? ORDER BY seq"
    found: list[Any] = connection.execute(query, (scope, row.first, row.last)).fetchall()  # Any: the engine's own types
    for (seq,) in found:
        record = record_rows.get(connection, scope, seq, path)
        yield replace(record, status="active", retired_at=None, uses=0)


def _links(connection: Connection, scope: int, log: list[Row], path: str | Path) -> Iterator[_Edge]:
    """Those that were added or changed."""
    told: dict[int, list[Row]] = {}
    for row in log:
        if row.kind == "link":
            for seq in range(row.first, row.last + 1):
                told.setdefault(seq, []).append(row)
    for seq in sorted(told):
        query = f"SELECT {_LINK} FROM link WHERE scope = ? AND seq = ?"
        found: Any = connection.execute(query, (scope, seq)).fetchone()  # Any: the engine's own types
        if found is None:
            continue
        if not rows.intact(found):
            raise DamagedFile(path, f"link {found[2]!r} -> {found[4]!r} fails its checksum")
        link = Link(source=found[2], kind=found[3], target=found[4], weight=found[5])
        fresh, derived = told[seq][0].op == "add", all(row.verb == _DERIVING for row in told[seq])
        yield _Edge(link, bool(found[6]), fresh, derived)


def _states(connection: Connection, scope: int, fresh: list[Row], path: str | Path) -> dict[str, tuple[State, _Past]]:
    """Of every item whose state was changed: what it is now, and how that came."""
    found = {}
    for (kind, seq), past in _pasts(fresh).items():
        wanted: str | None = connection.execute(f"SELECT id FROM {kind} WHERE scope = ? AND seq = ?", (scope, seq)).get
        if wanted is not None:
            found[wanted] = state_rows.read(connection, scope, kind, seq, path), past
    return found


def _pasts(log: list[Row]) -> dict[tuple[Kind, int], _Past]:
    """What the log tells of every item whose state was set, but for records that reflect() put in or out of the way."""
    found: dict[tuple[Kind, int], _Past] = {}
    for row in log:
        if row.op != "set" or row.kind not in KINDS or (row.kind == "record" and row.verb == _DERIVING):
            continue
        kind: Kind = "turn" if row.kind == "turn" else "record"
        if row.body is None:
            found.setdefault((kind, row.first), _Past(None)).before = None
            continue
        before, after = (state_rows.of_fields(row.body[side]) for side in ("before", "after"))
        past = found.setdefault((kind, row.first), _Past(before))
        past.uses += after.uses - before.uses
        past.why = row.body.get("why", past.why)
    return found


def _ids(connection: Connection, scope: int) -> set[str]:
    query = "SELECT id FROM turn WHERE scope = :scope UNION ALL SELECT id FROM record WHERE scope = :scope"
    return {wanted for (wanted,) in connection.execute(query, {"scope": scope})}


# -- what comes back


class _Merging:
    """One merge, inside its transaction."""

    def __init__(self, store: SqliteStore, connection: Connection, key: int, since: _Since, now: float) -> None:
        self._connection, self._key, self._since, self._path = connection, key, since, store.path
        scope: str = connection.execute("SELECT path FROM scope WHERE key = ?", (key,)).get
        self._hasher = store.hasher(connection, scope, store.secret(), key)
        self._operation = Operation(connection, key, "merge", now)
        self._log = list(change_rows.after(connection, key, since.ours, store.path))
        self._conflicts: list[str] = []
        self._refused: list[str] = []

    def run(self, learned: _Learned, parts: Sequence[Derived], keys: Sequence[int], branch: str) -> Merged:
        """Write all of it. parts: one per turn;  keys: of the embedders they were derived with"""
        if learned.head == self._since.theirs:
            return Merged()
        pasts = _pasts(self._log)
        turns = self._add_turns(learned.turns, parts, keys)
        records = self._add_records(learned.records)
        links = sum(self._add_link(edge) for edge in learned.links)
        states = sum(self._set(wanted, *told, pasts) for wanted, told in learned.states.items())
        self._operation.row("merge", "branch", self._since.theirs, learned.head, {"branch": branch})
        return Merged(
            operation=self._operation.number,
            turns=turns,
            records=records,
            links=links,
            states=states,
            conflicts=tuple(dict.fromkeys(self._conflicts)),
            refused=tuple(dict.fromkeys(self._refused)),
        )

    def _find(self, wanted: str) -> tuple[Kind, int] | None:
        for kind in KINDS:
            query = f"SELECT seq FROM {kind} WHERE scope = ? AND id = ?"
            seq: int | None = self._connection.execute(query, (self._key, wanted)).get
            if seq is not None:
                return kind, seq
        return None

    def _add_turns(self, turns: Sequence[Turn], parts: Sequence[Derived], keys: Sequence[int]) -> int:
        """How many came. What corrects something that was forgotten here is refused with it."""
        buried = tombstones.buried(self._connection, self._key, self._hasher, turns)
        taken: list[tuple[Turn, Derived]] = []
        coming: set[str] = set()
        for turn, part in zip(turns, parts, strict=True):
            corrected = turn.meta.get("corrects")
            if isinstance(corrected, str) and corrected not in coming and self._find(corrected) is None:
                self._refused.append(turn.id)
            elif self._differs(turn):
                self._conflicts.append(turn.id)
            elif turn.id in buried and self._find(turn.id) is None:
                self._refused.append(turn.id)
            else:
                taken.append((turn, part))
                coming.add(turn.id)
        applied = turn_rows.add(
            self._connection, self._key, [turn for turn, _ in taken], [part for _, part in taken], keys
        )
        if applied.added:
            self._operation.row("add", "turn", applied.added[0][0], applied.added[-1][0])
        return len(applied.added) + sum(self._revive("turn", seq) for seq in applied.known)

    def _differs(self, turn: Turn) -> bool:
        query = "SELECT session, speaker, at, text FROM turn WHERE scope = ? AND id = ?"
        found: Any = self._connection.execute(query, (self._key, turn.id)).fetchone()  # Any: the engine's own types
        return found is not None and found != (turn.session, turn.speaker, turn.at, turn.text)

    def _revive(self, kind: Kind, seq: int) -> bool:
        """What the branch learned is not out of the way here, as with everything that is said again."""
        before = state_rows.read(self._connection, self._key, kind, seq, self._path)
        if before.status != "archived":
            return False
        after = replace(before, status="active", retired_at=None)
        self._operation.set_state(kind, seq, before, after, "merged")
        return True

    def _add_records(self, records: Sequence[tuple[Record, bool]]) -> int:
        """How many came. One that both have derived stays ours: the next reflect() derives it anew."""
        fresh, revived = [], 0
        for record, derived in records:
            found = self._find(record.id)
            if any(self._find(turn) is None for turn in record.sources) or self._is_buried(record):
                self._refused.append(record.id)
            elif found is None:
                fresh.append(record)
            elif derived:
                continue
            elif found[0] == "turn" or self._says_else(found[1], record):
                self._conflicts.append(record.id)
            else:
                revived += self._revive("record", found[1])
        record_rows.add(self._connection, self._key, fresh, self._operation)
        return len(fresh) + revived

    def _is_buried(self, record: Record) -> bool:
        query = "SELECT EXISTS (SELECT 1 FROM tombstone WHERE scope = ? AND digest = ?)"
        return bool(self._connection.execute(query, (self._key, self._hasher.of(record.text))).get)

    def _says_else(self, seq: int, record: Record) -> bool:
        ours = record_rows.get(self._connection, self._key, seq, self._path)
        return (ours.kind, ours.text, set(ours.sources)) != (record.kind, record.text, set(record.sources))

    def _add_link(self, edge: _Edge) -> bool:
        """Whether it came."""
        link = edge.link
        query = "SELECT seq, weight, retired FROM link WHERE scope = ? AND source = ? AND kind = ? AND target = ?"
        ends = (self._key, link.source, link.kind, link.target)
        found: Any = self._connection.execute(query, ends).fetchone()  # Any: the engine's own types
        if found is None:
            if edge.gone or self._find(link.source) is None or self._find(link.target) is None:
                return False
            record_rows.add_links(self._connection, self._key, [link], self._operation)
            return True
        seq, weight, retired = found
        if (weight, bool(retired)) == (link.weight, edge.gone):
            return False
        again = edge.fresh and retired and not edge.gone
        if not again and self._changed_link(seq, [weight, retired]):
            if not edge.derived:
                self._conflicts.append(f"{link.source} {link.kind} {link.target}")
            return False
        record_rows.set_link(
            self._connection, self._key, seq, link.weight, retired=int(edge.gone), operation=self._operation
        )
        return True

    def _changed_link(self, seq: int, now: list[float]) -> bool:
        told = (row.body for row in self._log if row.op == "set" and row.kind == "link" and row.first == seq)
        return next((body["before"] for body in told if body), now) != now

    def _set(self, wanted: str, theirs: State, past: _Past, pasts: dict[tuple[Kind, int], _Past]) -> bool:
        """Whether the branch's state of an item came. past: of the branch;  pasts: ours"""
        found = self._find(wanted)
        if found is None:
            self._refused.append(wanted)
            return False
        ours = state_rows.read(self._connection, self._key, *found, self._path)
        here = pasts.get(found)
        unchanged = here is None or (here.before is not None and _alike(here.before, ours))
        after = ours
        if not _alike(theirs, ours) and not (past.before is not None and _alike(theirs, past.before)):
            if unchanged and (not theirs.heir or self._find(theirs.heir)):
                after = replace(theirs, uses=ours.uses, used_at=ours.used_at, retired_at=self._retired(ours, theirs))
            elif not unchanged:
                self._conflicts.append(wanted)
                self._contradict(ours.heir, theirs.heir)
        if past.uses > 0:
            after = replace(after, uses=ours.uses + past.uses, used_at=max(ours.used_at or 0.0, theirs.used_at or 0.0))
        self._operation.set_state(*found, ours, after, past.why or "merged")
        return after != ours

    def _retired(self, ours: State, theirs: State) -> float | None:
        """Memory learns of it now, whenever the branch did."""
        if theirs.status == ours.status:
            return ours.retired_at
        return None if theirs.status == "active" else self._operation.at

    def _contradict(self, ours: str, theirs: str) -> None:
        """Two corrections of one thing are both kept, and shown as what they are."""
        if ours and theirs and ours != theirs and self._find(ours) and self._find(theirs):
            link = Link(source=theirs, target=ours, kind="contradicts")
            record_rows.add_links(self._connection, self._key, [link], self._operation)

    def forgotten(self, branch: str, head: int, left: set[str] | None) -> tuple[str, ...]:
        """Ids of what was here at the fork, or came of that branch since, and is gone there. left: all it has"""
        if left is None:
            return ()
        log = list(change_rows.after(self._connection, self._key, 0, self._path))
        merged = {row.operation for row in log if row.op == "merge" and (row.body or {}).get("branch") == branch}
        there = [row for row in log if row.op == "add" and (row.seq <= head or row.operation in merged)]
        return tuple(
            wanted
            for row in there
            if row.kind in KINDS
            for (wanted,) in self._connection.execute(
                f"SELECT id FROM {row.kind} WHERE scope = ? AND seq BETWEEN ? AND ? ORDER BY seq",
                (self._key, row.first, row.last),
            )
            if wanted not in left
        )


def _alike(one: State, other: State) -> bool:
    """Whether two states say the same, whenever that was learned and however often it was used."""
    return _timeless(one) == _timeless(other)


def _timeless(state: State) -> State:
    return replace(state, uses=0, used_at=None, retired_at=None)
