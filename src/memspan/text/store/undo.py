"""Taking an operation back: its turns and records step out of the way, its links end, states are what they were.

Nothing is erased by it, so an undo can be undone. What was forgotten cannot come back, and what was changed again
since is not touched.
"""

from collections.abc import Iterator
from dataclasses import replace

from memspan.core.changes import Undone
from memspan.core.errors import CannotUndo
from memspan.text.store import change_rows, record_rows, state_rows
from memspan.text.store.change_rows import Operation, Row
from memspan.text.store.sql import Connection
from memspan.text.store.state_rows import Kind
from memspan.text.store.store import Store

SKIPPED = frozenset(("undo", "reflect", "used"))  # verbs a plain undo() steps over


def undo(store: Store, scope: str, operation: int | None, now: float) -> Undone:
    """Take one operation back. operation: its number; None = the last one that was not taken back yet.

    Raises CannotUndo, then nothing was changed.
    """
    with store.transaction(scope) as connection:
        key = store.make_scope_key(connection, scope)
        wanted = _last(store, connection, key) if operation is None else operation
        found = change_rows.of_operation(connection, key, wanted, store.path)
        _refuse(connection, key, wanted, found)
        undoing = Operation(connection, key, "undo", now)
        items = sum(_take_back(store, connection, key, row, undoing) for row in reversed(found))
        undoing.row("undo", "operation", wanted, wanted)
        return Undone(operation=wanted, verb=found[0].verb, items=items, by=undoing.number)


def _last(store: Store, connection: Connection, scope: int) -> int:
    taken_back: set[int] = set()
    for row in change_rows.latest(connection, scope, store.path):
        if row.op == "undo" and row.operation not in taken_back:
            taken_back.add(row.first)
        if row.verb not in SKIPPED and row.operation not in taken_back:
            return row.operation
    raise CannotUndo(0, "there is nothing left to take back")


def _refuse(connection: Connection, scope: int, wanted: int, found: list[Row]) -> None:
    if not found:
        raise CannotUndo(wanted, "there is no such operation in this scope; changes() lists them")
    if any(row.op == "erase" for row in found):
        raise CannotUndo(
            wanted, "it is a forget(), and forgotten is gone; what came before it can be taken back by its number"
        )
    query = (
        "SELECT operation FROM change WHERE scope = ? AND kind = 'operation' AND op = 'undo' AND first = ?"
        " ORDER BY seq DESC LIMIT 1"
    )
    by: int | None = connection.execute(query, (scope, wanted)).get
    if by is None:
        return
    again: int | None = connection.execute(query, (scope, by)).get
    if again is None:
        raise CannotUndo(wanted, f"it was taken back already, by operation {by}; undo that to have it again")


def _take_back(store: Store, connection: Connection, scope: int, row: Row, undoing: Operation) -> int:
    """How many items one row of the operation concerned."""
    if row.op == "set" and row.kind == "link" and row.body is not None:
        weight, retired = row.body["before"]
        record_rows.set_link(connection, scope, row.first, weight, retired=retired, operation=undoing)
        return 1
    if row.op == "set":
        return _set_back(store, connection, scope, row, undoing)
    if row.op == "add" and row.kind == "link":
        return sum(_end_link(connection, scope, seq, undoing) for seq in _there(connection, scope, "link", row))
    if row.op == "add":
        return _step_aside(store, connection, scope, row, undoing)
    return 0


def _set_back(store: Store, connection: Connection, scope: int, row: Row, undoing: Operation) -> int:
    if row.body is None:
        raise CannotUndo(row.operation, "something it changed was forgotten since, and forgotten is gone")
    kind: Kind = "turn" if row.kind == "turn" else "record"
    before, after = (state_rows.of_fields(row.body[name]) for name in ("before", "after"))
    now = state_rows.read(connection, scope, kind, row.first, store.path)
    if replace(now, uses=after.uses, used_at=after.used_at) != after:
        raise CannotUndo(row.operation, "something it changed was changed again since; undo that first")
    undoing.set_state(kind, row.first, now, replace(before, uses=now.uses, used_at=now.used_at), "undone")
    return 1


def _step_aside(store: Store, connection: Connection, scope: int, row: Row, undoing: Operation) -> int:
    kind: Kind = "turn" if row.kind == "turn" else "record"
    there = list(_there(connection, scope, kind, row))
    for seq in there:
        before = state_rows.read(connection, scope, kind, seq, store.path)
        if before.held:
            raise CannotUndo(row.operation, "something it added is on hold; release it first")
        if before.status != "archived":
            after = replace(before, status="archived", retired_at=undoing.at)
            undoing.set_state(kind, seq, before, after, "undone")
    return len(there)


def _there(connection: Connection, scope: int, table: str, row: Row) -> Iterator[int]:
    query = f"SELECT seq FROM {table} WHERE scope = ? AND seq BETWEEN ? AND ?"
    found: list[tuple[int]] = connection.execute(query, (scope, row.first, row.last)).fetchall()
    return (seq for (seq,) in found)


def _end_link(connection: Connection, scope: int, seq: int, undoing: Operation) -> int:
    weight: float = connection.execute("SELECT weight FROM link WHERE scope = ? AND seq = ?", (scope, seq)).get
    record_rows.set_link(connection, scope, seq, weight, retired=1, operation=undoing)
    return 1
