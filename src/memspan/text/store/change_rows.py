"""The log of changes: every writing call is one numbered operation of rows; nothing in it is ever changed.

The one exception is forgetting, which empties the bodies that speak of what was forgotten (erase.py).
A row says: this operation added the items `first` to `last` of a kind, or set the state of one item, `body` telling
what it was before and is after.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memspan.core.changes import State
from memspan.core.errors import DamagedFile
from memspan.text.store import rows, state_rows
from memspan.text.store.sql import Connection
from memspan.text.store.state_rows import Kind
from memspan.text.store.turn_rows import batches, marks

Op = Literal["add", "set", "renew", "erase", "undo", "merge"]
_COLUMNS = "seq, scope, operation, at, verb, op, kind, first, last, body, crc"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log. body: {"before", "after", "why"} of a set, a receipt of an erase; None where erased"""

    seq: int
    operation: int
    at: float
    verb: str
    op: Op
    kind: str
    first: int
    last: int
    body: dict[str, Any] | None  # Any: what JSON holds


class Operation:
    """Writes the rows of one operation.

    now: the clock's time; the log's time never goes back, even where the clock does
    """

    def __init__(self, connection: Connection, scope: int, verb: str, now: float) -> None:
        self._connection, self._scope, self._verb = connection, scope, verb
        self._following = self.number = 1 + connection.last_seq("change", scope)
        last = _last(connection, scope)
        self.at = round(now if last is None else max(now, last[1]), 6)  # what ISO 8601 text can hold

    def row(self, op: Op, kind: str, first: int, last: int, body: dict[str, Any] | None = None) -> None:
        """Append a row. body: what JSON can hold"""
        raw = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        columns = (self._following, self._scope, self.number, self.at, self._verb, op, kind, first, last, raw)
        self._connection.execute(
            f"INSERT INTO change ({_COLUMNS}) VALUES ({','.join('?' * 11)})", (*columns, rows.checksum(*columns))
        )
        self._connection.took("change", self._scope, self._following)
        self._following += 1

    def set_state(self, kind: Kind, item: int, before: State, after: State, why: str = "") -> None:
        """Write an item's new state and the row that tells of it; nothing where nothing changes."""
        if before == after:
            return
        state_rows.write(self._connection, self._scope, kind, item, after)
        body = {"before": state_rows.as_fields(before), "after": state_rows.as_fields(after)}
        self.row("set", kind, item, item, {**body, "why": why} if why else body)


def after(connection: Connection, scope: int | None, seq: int, path: str | Path) -> Iterator[Row]:
    """Rows of a scope past a seq, in the order they were written. Raises DamagedFile where a checksum fails."""
    query = f"SELECT {_COLUMNS} FROM change {connection.in_order} WHERE scope = ? AND seq > ? ORDER BY seq"
    for row in connection.execute(query, (scope, seq)):
        yield _row(row, path)


def latest(connection: Connection, scope: int | None, path: str | Path) -> Iterator[Row]:
    """Rows of a scope, the last first. Raises DamagedFile where a checksum fails."""
    query = f"SELECT {_COLUMNS} FROM change {connection.in_order} WHERE scope = ? ORDER BY seq DESC"
    for row in connection.execute(query, (scope,)):
        yield _row(row, path)


def of_operation(connection: Connection, scope: int | None, operation: int, path: str | Path) -> list[Row]:
    """Rows of one operation. Raises DamagedFile where a checksum fails."""
    found = []
    for row in after(connection, scope, operation - 1, path):
        if row.operation != operation:
            break  # one transaction, so its rows lie together
        found.append(row)
    return found


def about(connection: Connection, scope: int | None, kind: Kind, items: Collection[int], path: str | Path) -> list[Row]:
    """Rows that add, set or renew one of these turns or records, in order. Raises DamagedFile where a checksum fails.

    A row that adds may add many items; the one that added an item is the last that begins at or before it.
    """
    begun = f"SELECT {_COLUMNS} FROM change WHERE scope = ? AND kind = ?"
    found = [
        _row(row, path)
        for some in batches(sorted(items))
        for row in connection.execute(
            f"{begun} AND op IN ('set', 'renew') AND first IN ({marks(some)})", (scope, kind, *some)
        )
    ]
    added = f"{begun} AND op = 'add' AND first <= ? ORDER BY first DESC LIMIT 1"
    for item in items:
        adding = [_row(row, path) for row in connection.execute(added, (scope, kind, item))]
        found += [row for row in adding if item <= row.last]
    by_seq = {row.seq: row for row in found}
    return [by_seq[seq] for seq in sorted(by_seq)]


def erasing(connection: Connection, scope: int | None, path: str | Path) -> list[Row]:
    """Rows of what was forgotten, in order. Raises DamagedFile where a checksum fails."""
    query = f"SELECT {_COLUMNS} FROM change WHERE scope = ? AND kind = 'turn' AND first = 0 AND op = 'erase'"
    return sorted((_row(row, path) for row in connection.execute(query, (scope,))), key=lambda row: row.seq)


def head(connection: Connection, scope: int | None) -> int:
    """Seq of the last row of a scope, 0 where there is none."""
    last = _last(connection, scope)
    return 0 if last is None else last[0]


def before(connection: Connection, scope: int | None, moment: float) -> int:
    """Seq of the last row of a scope before a moment [s], 0 where there is none; the log's time never goes back."""
    query = f"SELECT seq FROM change {connection.in_order} WHERE scope = ? AND at < ? ORDER BY seq DESC LIMIT 1"
    found: int | None = connection.execute(query, (scope, moment)).get
    return found or 0


def _last(connection: Connection, scope: int | None) -> tuple[int, float] | None:
    """Seq and time of the last row of a scope; where it has none, others' rows are not searched for one."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM change WHERE scope = ?)", (scope,)).get:
        return None
    query = f"SELECT seq, at FROM change {connection.in_order} WHERE scope = ? ORDER BY seq DESC LIMIT 1"
    found: tuple[int, float] | None = connection.execute(query, (scope,)).fetchone()
    return found


def _row(row: tuple[Any, ...], path: str | Path) -> Row:  # Any: the engine's own types
    if not rows.intact(row):
        raise DamagedFile(path, f"row {row[0]} of the log of changes fails its checksum")
    body = None if row[9] is None else json.loads(row[9])
    return Row(row[0], row[2], row[3], row[4], row[5], row[6], row[7], row[8], body)
