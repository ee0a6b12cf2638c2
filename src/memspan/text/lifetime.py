"""What happened to a memory, told from its log of changes: events between two moments, the history of one item."""

from collections.abc import Iterator, Mapping
from typing import Any

from memspan.core.changes import Event, State, What
from memspan.text.index.scope import ScopeIndex
from memspan.text.store import change_rows, state_rows
from memspan.text.store.change_rows import Row
from memspan.text.store.sql import Connection
from memspan.text.store.state_rows import Kind
from memspan.text.store.store import Store

_STATUS: Mapping[str, What] = {
    "active": "restored",
    "superseded": "superseded",
    "archived": "archived",
    "quarantined": "quarantined",
}


class Log:
    """Reads the log of changes of one scope. index: knows which statement replaced which"""

    def __init__(self, store: Store, scope: str, index: ScopeIndex) -> None:
        self._store, self._scope, self._index = store, scope, index

    def events(self, since: float | None, until: float | None) -> Iterator[Event]:
        """What happened in the half-open range of recording time [s], the oldest first."""
        key = self._store.scope_key(self._scope)
        with self._store.snapshot(self._scope) as connection:
            first = 0 if since is None else change_rows.before(connection, key, since)
            for row in change_rows.after(connection, key, first, self._store.path):
                if until is not None and row.at >= until:
                    break
                yield from self._told(connection, key or 0, row)

    def history(self, wanted: str) -> list[Event]:
        """What happened to one turn or record, and to its earlier and later versions. Raises UnknownId."""
        key = self._store.scope_key(self._scope)
        with self._store.snapshot(self._scope) as connection:
            kind, seq = state_rows.find(connection, key, wanted)
            assert key is not None
            family = self._family(connection, key, kind, seq)
            return [
                event
                for row in change_rows.about(connection, key, kind, family, self._store.path)
                for event in self._told(connection, key, row, family)
            ]

    def _family(self, connection: Connection, scope: int, kind: Kind, seq: int) -> set[int]:
        """The item, what it replaced and what replaced it, as seqs."""
        known, waiting = {seq}, [seq]
        while waiting:
            here = waiting.pop()
            numbers = {"scope": scope, "kind": state_rows.KINDS.index(kind), "seq": here}
            near = {row[0] for row in connection.execute(_NEAR.format(table=kind), numbers)}
            if kind == "turn":
                near |= {int(self._index.seq[unit]) for unit in self._index.fates.same_slot(self._index.unit_of(here))}
            waiting += near - known
            known |= near
        return known

    def _told(self, connection: Connection, scope: int, row: Row, only: set[int] | None = None) -> Iterator[Event]:
        if row.op == "add" and row.kind in state_rows.KINDS:
            kind: Kind = "turn" if row.kind == "turn" else "record"
            for seq in range(row.first, row.last + 1):
                if only is None or seq in only:
                    yield from self._added(connection, scope, kind, seq, row)
        elif row.op == "set" and row.kind in state_rows.KINDS:
            if only is None or row.first in only:
                yield self._set(connection, scope, row)
        elif row.op == "renew":
            wanted, name, text = _item(connection, scope, "record", row.first) or ("", "record", "")
            yield Event(at=row.at, what="renewed", operation=row.operation, kind=name, id=wanted, text=text)
        elif row.op == "add":
            yield Event(at=row.at, what="linked", operation=row.operation, kind="link", id="")
        elif row.op == "erase":
            yield Event(
                at=row.at,
                what="forgotten",
                operation=row.operation,
                kind="turn",
                id="",
                why=(row.body or {})["selector"],
            )
        elif row.op == "merge":
            yield Event(at=row.at, what="merged", operation=row.operation, kind="branch", id=(row.body or {})["branch"])
        elif row.op == "undo":
            why = f"operation {row.first}"
            yield Event(at=row.at, what="undone", operation=row.operation, kind="operation", id=str(row.first), why=why)

    def _added(self, connection: Connection, scope: int, kind: Kind, seq: int, row: Row) -> Iterator[Event]:
        item = _item(connection, scope, kind, seq)
        if item is None:
            return  # forgotten since
        wanted, name, text = item
        yield Event(at=row.at, what="added", operation=row.operation, kind=name, id=wanted, text=text)
        if kind == "turn":
            for old in self._index.fates.replaced_by(self._index.unit_of(seq)):
                before = _item(connection, scope, "turn", int(self._index.seq[old]))
                if before is not None and old not in self._index.fates.heirs:  # else a state tells of it
                    yield Event(
                        at=row.at, what="superseded", operation=row.operation, kind="turn", id=before[0],
                        text=before[2], heir=wanted, why="states another value of the same thing",
                    )  # fmt: skip

    def _set(self, connection: Connection, scope: int, row: Row) -> Event:
        kind: Kind = "turn" if row.kind == "turn" else "record"
        wanted, name, text = _item(connection, scope, kind, row.first) or ("", row.kind, "")
        body: dict[str, Any] = row.body or {"before": {}, "after": {}}  # Any: what JSON holds
        before, after = (state_rows.of_fields(body[side]) for side in ("before", "after"))
        return Event(
            at=row.at,
            what="forgotten" if row.body is None else _what(before, after, row.verb),
            operation=row.operation,
            kind=name,
            id=wanted,
            text=text,
            heir=after.heir,
            why=body.get("why", ""),
        )


def _what(before: State, after: State, verb: str) -> What:
    if before.status != after.status:
        return "corrected" if verb == "correct" else _STATUS[after.status]
    if before.pinned != after.pinned:
        return "pinned" if after.pinned else "unpinned"
    if before.held != after.held:
        return "held" if after.held else "released"
    return "used" if before.uses != after.uses else "dated"


def _item(connection: Connection, scope: int, kind: Kind, seq: int) -> tuple[str, str, str] | None:
    """Id, kind in words, text."""
    column = "'turn'" if kind == "turn" else "kind"
    row: tuple[str, str, str] | None = connection.execute(
        f"SELECT id, {column}, text FROM {kind} WHERE scope = ? AND seq = ?", (scope, seq)
    ).fetchone()
    return row


_NEAR = """
SELECT new.seq FROM state JOIN {table} new ON new.scope = :scope AND new.id = state.heir
WHERE state.scope = :scope AND state.kind = :kind AND state.item = :seq
UNION SELECT state.item FROM {table} here JOIN state ON state.scope = :scope AND state.kind = :kind
AND state.heir = here.id WHERE here.scope = :scope AND here.seq = :seq
"""
