"""What the log of changes tells: what has become of turns and records, and what had become of them before."""

from collections.abc import Iterator, Sequence

from memspan.core.changes import State
from memspan.text.store import change_rows, state_rows
from memspan.text.store.state_rows import Kind
from memspan.text.store.store import Store

_SEQ_OF = "SELECT seq FROM {} WHERE scope = ? AND id = ?"


def head(store: Store, scope: str) -> int:
    """The last row of the scope's log of changes, 0 where there is none."""
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        return change_rows.head(connection, key)


def after(store: Store, scope: str, seq: int) -> list[change_rows.Row]:
    """Rows of the scope's log of changes past a row."""
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        return list(change_rows.after(connection, key, seq, store.path))


def states(
    store: Store, scope: str, seqs: Sequence[int] | None, kind: Kind = "turn"
) -> Iterator[tuple[int, State, int | None]]:
    """(seq, state, seq of the heir) of those turns or records, None = of all that have a state."""
    key = store.scope_key(scope)
    if key is None:
        return
    with store.snapshot(scope) as connection:
        if seqs is None:
            found = list(state_rows.every(connection, key, kind, store.path))
        else:
            found = [(seq, state_rows.read(connection, key, kind, seq, store.path)) for seq in dict.fromkeys(seqs)]
        for seq, state in found:
            heir = connection.execute(_SEQ_OF.format(kind), (key, state.heir)).get if state.heir else None
            yield seq, state, heir


def states_before(store: Store, scope: str, moment: float, kind: Kind = "turn") -> list[tuple[int, State, int | None]]:
    """(seq, state, seq of the heir) before each change of a turn's or record's state later than a moment [s], the last
    change first.
    """
    key = store.scope_key(scope)
    found: list[tuple[int, State, int | None]] = []
    with store.snapshot(scope) as connection:
        for row in change_rows.latest(connection, key, store.path):
            if row.at <= moment:
                break
            if row.op == "set" and row.kind == kind and row.body is not None:
                state = state_rows.of_fields(row.body["before"])
                heir = connection.execute(_SEQ_OF.format(kind), (key, state.heir)).get if state.heir else None
                found.append((row.first, state, heir))
    return found
