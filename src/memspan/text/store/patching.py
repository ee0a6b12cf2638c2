"""Applying patches to the states of turns and records, inside the transaction of an operation."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from memspan.core.changes import Patch
from memspan.core.errors import AlreadyCorrected, UnknownId
from memspan.text.store import state_rows
from memspan.text.store.change_rows import Operation
from memspan.text.store.sql import Connection


def patch(
    connection: Connection,
    scope: int,
    patches: Sequence[Patch],
    operation: Operation,
    path: str | Path,
    refused: Collection[str],
) -> None:
    """Set states. refused: ids not to be minded, nor what they would replace: their turns were not stored

    Raises UnknownId, or AlreadyCorrected where something else has replaced the item already.
    """
    for some in patches:
        if some.id in refused or (some.heir and some.heir in refused):
            continue
        try:
            kind, item = state_rows.find(connection, scope, some.id)
        except UnknownId:
            if some.used:
                continue  # a use of what was forgotten meanwhile
            raise
        before = state_rows.read(connection, scope, kind, item, path)
        if some.heir and before.heir:
            raise AlreadyCorrected(some.id, before.heir)
        operation.set_state(kind, item, before, state_rows.patched(before, some, operation.at), some.why)


def revive(connection: Connection, scope: int, seqs: Sequence[int], operation: Operation, path: str | Path) -> None:
    """What is said again is no longer out of the way. seqs: of turns that were there already"""
    if not seqs:
        return
    known = set(seqs)
    for seq, before in list(state_rows.every(connection, scope, "turn", path)):
        if before.status == "archived" and seq in known:
            after = replace(before, status="active", retired_at=None, valid_to=None, heir="")
            operation.set_state("turn", seq, before, after, "said again")
