"""Rows of states: what has become of turns and records since they were written. No row says: nothing has."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from memspan.core.changes import NEVER, Patch, State
from memspan.core.errors import DamagedFile, UnknownId
from memspan.text.store import rows
from memspan.text.store.sql import Connection

Kind = Literal["turn", "record"]
KINDS: tuple[Kind, Kind] = ("turn", "record")
BORN = State()

_COLUMNS = (
    "scope, kind, item, status, valid_to, retired_at, heir, pinned, held, expire_at, uses, used_at, crc"  # as in State
)
_WRITE = rows.upsert("state", _COLUMNS, "scope, kind, item")
_FIND = {kind: f"SELECT seq FROM {kind} WHERE scope = ? AND id = ?" for kind in KINDS}


def find(connection: Connection, scope: int | None, wanted: str) -> tuple[Kind, int]:
    """Kind and seq of the turn or record with that id. Raises UnknownId."""
    for kind in KINDS:
        seq: int | None = connection.execute(_FIND[kind], (scope, wanted)).get
        if seq is not None:
            return kind, seq
    raise UnknownId(wanted)


def read(connection: Connection, scope: int, kind: Kind, item: int, path: str | Path) -> State:
    """The state of one item. Raises DamagedFile where its checksum fails."""
    query = f"SELECT {_COLUMNS} FROM state WHERE scope = ? AND kind = ? AND item = ?"
    row: Any = connection.execute(query, (scope, KINDS.index(kind), item)).fetchone()  # Any: the engine's own types
    return BORN if row is None else _state(row, path)


def every(connection: Connection, scope: int | None, kind: Kind, path: str | Path) -> Iterator[tuple[int, State]]:
    """(seq, state) of all items of a kind that have one. Raises DamagedFile where a checksum fails."""
    query = f"SELECT {_COLUMNS} FROM state WHERE scope = ? AND kind = ? ORDER BY item"
    for row in connection.execute(query, (scope, KINDS.index(kind))):
        yield row[2], _state(row, path)


def write(connection: Connection, scope: int, kind: Kind, item: int, state: State) -> None:
    """Put the state of an item there; the state it was born with needs no row."""
    key = (scope, KINDS.index(kind), item)
    if state == BORN:
        connection.execute("DELETE FROM state WHERE scope = ? AND kind = ? AND item = ?", key)
        return
    columns = (
        *(*key, state.status, state.valid_to, state.retired_at, state.heir or None, int(state.pinned)),
        *(int(state.held), state.expire_at, state.uses, state.used_at),
    )
    connection.execute(_WRITE, (*columns, rows.checksum(*columns)))


def patched(state: State, patch: Patch, now: float) -> State:
    """The state after a patch.

    >>> patched(BORN, Patch(id="x", status="archived"), 5.0).retired_at
    5.0
    """
    changed: dict[str, Any] = {  # Any: fields of State
        name: value for name in ("heir", "pinned", "held") if (value := getattr(patch, name)) is not None
    }
    for name in ("valid_to", "expire_at"):
        if (end := getattr(patch, name)) is not None:
            changed[name] = None if end == NEVER else end
    if patch.status is not None and patch.status != state.status:
        changed |= {"status": patch.status, "retired_at": None if patch.status == "active" else now}
    if patch.used:
        changed |= {"uses": state.uses + patch.used, "used_at": now}
    return replace(state, **changed)


def as_fields(state: State) -> dict[str, Any]:  # Any: what JSON holds
    """What differs from the state it was born with, as JSON can hold it."""
    born = asdict(BORN)
    return {name: value for name, value in asdict(state).items() if value != born[name]}


def of_fields(fields: dict[str, Any]) -> State:
    """The state `as_fields` wrote."""
    return replace(BORN, **fields)


def _state(row: tuple[Any, ...], path: str | Path) -> State:
    if not rows.intact(row):
        raise DamagedFile(path, f"the state of {KINDS[row[1] & 1]} {row[2]} fails its checksum")
    return State(
        status=row[3],
        valid_to=row[4],
        retired_at=row[5],
        heir=row[6] or "",
        pinned=bool(row[7]),
        held=bool(row[8]),
        expire_at=row[9],
        uses=row[10],
        used_at=row[11],
    )
