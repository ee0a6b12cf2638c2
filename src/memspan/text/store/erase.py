"""Forgetting: erase turns and records, and all that was made of them, so that no byte of them stays in the file.

One transaction erases the rows and everything that speaks of them, and leaves tombstones and the receipt. Then the
order that makes it real: fold the whole log into the file and truncate it, wash the stale copies out of the file's
pages (wash.py), sync the log's file, only then call it erased. Without that last sync a power cut could leave the words
in the log. While another reader pins the log this cannot be done: the receipt then says "pending", and a job in the
file finishes it later.

The connection's secure_delete overwrites what is deleted inside pages with zeros (connection.py).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from memspan.core.changes import Receipt, ReceiptStatus
from memspan.core.errors import Held, StoreError
from memspan.core.records import Turn
from memspan.text.store import change_rows, rows, state_rows, tombstones, turn_rows
from memspan.text.store.change_rows import Operation
from memspan.text.store.sql import Connection
from memspan.text.store.state_rows import KINDS, Kind
from memspan.text.store.store import Store

_JOB = "erase"
_WAIT_MS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What is to go: all that meets every condition given. ids alone may name records too.

    since, until: half-open range of event time, of learning where that is not known [s]
    source: what meta["source"] says;  everything: the whole scope
    told: the condition in words, without any text that is forgotten
    """

    ids: tuple[str, ...] | None = None
    session: str | None = None
    speaker: str | None = None
    source: str | None = None
    since: float | None = None
    until: float | None = None
    everything: bool = False
    told: str = ""


@dataclass(slots=True)
class _Doomed:
    """What goes: seq -> turn or (id, text) of a record."""

    turns: dict[int, Turn] = field(default_factory=dict)
    records: dict[int, tuple[str, str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    named: frozenset[str] = frozenset()

    @property
    def ids(self) -> list[str]:
        return [turn.id for turn in self.turns.values()] + [wanted for wanted, _ in self.records.values()]

    @property
    def items(self) -> int:
        return len(self.turns) + len(self.records)


def plan(store: Store, scope: str, selector: Selector, now: float) -> Receipt:
    """What forget() would do; nothing is changed. Raises UnknownId or Held."""
    secret = store.secret()
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        doomed = _doomed(store, connection, key, scope, selector)
        digest = _digest(store.hasher(connection, scope, secret, key or 0), doomed)
    return Receipt(
        operation=0,
        at=now,
        status="planned",
        selector=selector.told,
        items=doomed.items,
        rows={"turn": len(doomed.turns), "record": len(doomed.records)},
        digest=digest,
        kept=tuple(doomed.kept),
        ids=tuple(doomed.ids),
        not_covered=store.not_covered,
    )


def forget(store: Store, scope: str, selector: Selector, now: float) -> Receipt:
    """Erase what the selector names. Raises UnknownId or Held; then nothing was changed."""
    secret = store.secret()
    with store.erasing(scope) as connection:
        key = store.make_scope_key(connection, scope)
        doomed = _doomed(store, connection, key, scope, selector)
        hasher = store.hasher(connection, scope, secret, key)
        operation = Operation(connection, key, "forget", now)
        receipt = Receipt(
            operation=operation.number,
            at=operation.at,
            status="pending",
            selector=selector.told,
            items=doomed.items,
            digest=_digest(hasher, doomed),
            kept=tuple(doomed.kept),
            not_covered=store.not_covered,
        )
        if not doomed.items:
            return replace(receipt, operation=0, status="erased")
        buried = [hasher.of_turn(turn, by_id=turn.id in doomed.named) for turn in doomed.turns.values()]
        buried += [hasher.of(text) for _, text in doomed.records.values()]
        gone = _erase(store, connection, key, doomed)
        gone["tombstone"] = -tombstones.put(connection, key, buried, operation.at)
        receipt = replace(receipt, rows={table: abs(count) for table, count in gone.items() if count})
        _log(connection, key, operation, receipt)
    finish(store, scope)
    return replace(receipt, status=status(store, scope, receipt.operation))


def receipts(store: Store, scope: str) -> list[Receipt]:
    """Receipts of everything forgotten in a scope, the oldest first."""
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        erased = change_rows.erasing(connection, key, store.path)
    return [
        Receipt(
            **{**row.body, "kept": tuple(row.body["kept"])},
            status=status(store, scope, row.operation),
            not_covered=store.not_covered,
        )
        for row in erased
        if row.body is not None
    ]


def status(store: Store, scope: str, operation: int) -> ReceiptStatus:
    """Whether the bytes of an operation are gone from the log as well."""
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        query = "SELECT EXISTS (SELECT 1 FROM job WHERE scope = ? AND id = ?)"
        return "pending" if connection.execute(query, (key, f"{_JOB}-{operation}")).get else "erased"


def finish(store: Store, scope: str, wait_ms: int = _WAIT_MS) -> bool:
    """Make the bytes of what was forgotten unreadable, where that is still to be done; False while it cannot be.

    wait_ms: how long to wait for readers and writers to leave [ms]
    """
    with store.snapshot(scope) as connection:
        jobs = connection.execute("SELECT scope, id FROM job WHERE kind = ?", (_JOB,)).fetchall()
    return not jobs or store.make_real(scope, jobs, wait_ms)


def finish_if_free(store: Store, scope: str) -> None:
    """What finish() does, where nobody is in the way and nothing goes wrong; else the job waits in the store."""
    with suppress(StoreError):
        finish(store, scope, wait_ms=0)


# -- what goes


def _doomed(store: Store, connection: Connection, scope: int | None, path: str, selector: Selector) -> _Doomed:
    doomed = _Doomed(named=frozenset(selector.ids or ()))
    if scope is None:
        if selector.ids:
            state_rows.find(connection, scope, selector.ids[0])
        return doomed
    turns, records = _selected(connection, scope, selector)
    held = {kind: _held(store, connection, scope, kind) for kind in KINDS}
    if stays := [seq for seq in turns if seq in held["turn"]] if selector.ids else []:
        raise Held(turn.id for turn in _turns(connection, scope, path, stays).values())
    everyone = _turns(connection, scope, path, _versions(connection, scope, turns))
    for seq, turn in everyone.items():
        if seq in held["turn"]:
            doomed.kept.append(turn.id)
        else:
            doomed.turns[seq] = turn
    records = _record_versions(connection, scope, records | _citing(connection, scope, list(doomed.turns)))
    for some in turn_rows.batches(sorted(records)):
        query = f"SELECT seq, id, text FROM record WHERE scope = ? AND seq IN ({turn_rows.marks(some)})"
        for seq, wanted, text in connection.execute(query, (scope, *some)):
            if seq in held["record"] and wanted in doomed.named:
                raise Held([wanted])
            doomed.records[seq] = (wanted, text)
    return doomed


def _selected(connection: Connection, scope: int, selector: Selector) -> tuple[list[int], set[int]]:
    """Seqs of turns and records that meet the conditions themselves."""
    if selector.ids is not None:
        found = [state_rows.find(connection, scope, wanted) for wanted in selector.ids]
        return [seq for kind, seq in found if kind == "turn"], {seq for kind, seq in found if kind == "record"}
    names = {"session": selector.session, "speaker": selector.speaker, "since": selector.since}
    names |= {"until": selector.until}
    turns = [
        seq
        for seq, meta in connection.execute(_SELECT, {"scope": scope, **names})
        if selector.source is None or rows.parse(meta).get("source") == selector.source
    ]
    if not selector.everything:
        return turns, set()
    return turns, {seq for (seq,) in connection.execute("SELECT seq FROM record WHERE scope = ?", (scope,))}


_SELECT = """
SELECT seq, meta FROM turn WHERE scope = :scope AND (session = :session OR :session IS NULL)
AND (speaker = :speaker OR :speaker IS NULL) AND (coalesce(at, seen_at) >= :since OR :since IS NULL)
AND (coalesce(at, seen_at) < :until OR :until IS NULL)
"""


def _versions(connection: Connection, scope: int, turns: Sequence[int]) -> list[int]:
    """The turns with all earlier and later versions of them that correct() made, and what only said them back.

    Also versions that were undone, or that only contradict: they carry the old one's id and what was known of it.
    """
    near: dict[int, list[int]] = {}
    said = {seq: rows.parse(meta).get("corrects") for seq, meta in connection.execute(_CORRECTS, (scope,))}
    there = _seqs_of(connection, scope, sorted({old for old in said.values() if isinstance(old, str)}))
    for new, wanted in said.items():
        if (old := there.get(wanted)) is not None:
            near.setdefault(new, []).append(old)
            near.setdefault(old, []).append(new)
    for echo, first in connection.execute(_ECHOES, (scope,)):
        near.setdefault(first, []).append(echo)
    return sorted(_closure(turns, lambda seq: near.get(seq, ())))


def _seqs_of(connection: Connection, scope: int, ids: Sequence[str]) -> dict[object, int]:
    """Seqs of those of the turns that are there, by id."""
    return {
        wanted: seq
        for some in turn_rows.batches(ids)
        for seq, wanted in connection.execute(
            f"SELECT seq, id FROM turn WHERE scope = ? AND id IN ({turn_rows.marks(some)})", (scope, *some)
        )
    }


_CORRECTS = """SELECT seq, meta FROM turn WHERE scope = ? AND meta LIKE '%"corrects":%'"""
_ECHOES = """
SELECT echo.seq, first.seq FROM state JOIN turn echo ON echo.scope = state.scope AND echo.seq = state.item
JOIN turn first ON first.scope = state.scope AND first.id = state.heir
WHERE state.scope = ? AND state.kind = 0 AND echo.role > 0 AND echo.seq > first.seq
"""  # role 0 is the user's: what an assistant said later and an older turn replaces is an echo of it


def _record_versions(connection: Connection, scope: int, records: set[int]) -> set[int]:
    """The records with all versions of them that correct() made."""
    near: dict[int, list[int]] = {}
    for new, old in connection.execute(_CORRECTED, (scope,)):
        near.setdefault(new, []).append(old)
        near.setdefault(old, []).append(new)
    return _closure(records, lambda seq: near.get(seq, ()))


_CORRECTED = """
SELECT new.seq, old.seq FROM record new
JOIN record old ON old.scope = new.scope AND old.id = substr(new.id, 1, length(new.id) - 1)
WHERE new.scope = ? AND new.recipe = 'correct'
"""


def _closure(begin: Iterable[int], near: Callable[[int], Iterable[int]]) -> set[int]:
    """All that can be reached. near: what lies next to one"""
    known = set(begin)
    waiting = list(known)
    while waiting:
        fresh = set(near(waiting.pop())) - known
        known |= fresh
        waiting += fresh
    return known


def _held(store: Store, connection: Connection, scope: int, kind: Kind) -> set[int]:
    return {seq for seq, state in state_rows.every(connection, scope, kind, store.path) if state.held}


def _turns(connection: Connection, scope: int, path: str, seqs: Sequence[int]) -> dict[int, Turn]:
    found: dict[int, Turn] = {}
    for some in turn_rows.batches(seqs):
        query = f"SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = ? AND seq IN ({turn_rows.marks(some)})"
        row: Any  # the engine's own types; a damaged turn goes as well
        for row in connection.execute(query, (scope, *some)):
            found[row[0]] = rows.turn_of(row, path)
    return found


def _citing(connection: Connection, scope: int, turns: Sequence[int]) -> set[int]:
    return {
        record
        for some in turn_rows.batches(turns)
        for (record,) in connection.execute(
            f"SELECT record FROM source WHERE scope = ? AND turn IN ({turn_rows.marks(some)})", (scope, *some)
        )
    }


# -- how it goes


def _erase(store: Store, connection: Connection, scope: int, doomed: _Doomed) -> dict[str, int]:
    """Delete the rows; how many went, by table."""
    turns, records = list(doomed.turns), list(doomed.records)
    gone = {"change": _empty_bodies(connection, scope, {"turn": set(turns), "record": set(records)}, doomed.ids)}
    gone["change"] += _bring_back(store, connection, scope, doomed)
    for table, column, seqs in (
        *(("vector", "turn", turns), ("unit", "turn", turns), ("source", "record", records)),
        *(("record", "seq", records), ("turn", "seq", turns)),
    ):
        gone[table] = _delete(connection, table, column, scope, seqs)
    gone["state"] = sum(
        _delete(connection, "state", f"kind = {number} AND item", scope, seqs)
        for number, seqs in enumerate((turns, records))
    )
    gone["link"] = sum(_delete(connection, "link", column, scope, doomed.ids) for column in ("source", "target"))
    return gone


def _delete(connection: Connection, table: str, column: str, scope: int, keys: Sequence[int | str]) -> int:
    before = connection.total_changes()
    for some in turn_rows.batches(keys):
        connection.execute(
            f"DELETE FROM {table} WHERE scope = ? AND {column} IN ({turn_rows.marks(some)})", (scope, *some)
        )
    return connection.total_changes() - before


def _bring_back(store: Store, connection: Connection, scope: int, doomed: _Doomed) -> int:
    """What was replaced by something forgotten holds again, as if that had never been said."""
    touched: dict[str, set[int]] = {"turn": set(), "record": set()}
    for some in turn_rows.batches(doomed.ids):
        query = f"SELECT kind, item FROM state WHERE scope = ? AND heir IN ({turn_rows.marks(some)})"
        found: list[Any] = connection.execute(query, (scope, *some)).fetchall()  # Any: the engine's own types
        for number, item in found:
            touched[KINDS[number]].add(item)
    for kind in KINDS:
        for item in touched[kind].difference(doomed.turns if kind == "turn" else doomed.records):
            before = state_rows.read(connection, scope, kind, item, store.path)
            status = "active" if before.status == "superseded" else before.status
            after = replace(before, status=status, heir="", valid_to=None, retired_at=None)
            state_rows.write(connection, scope, kind, item, after)
    return _empty_bodies(connection, scope, touched)


def _empty_bodies(connection: Connection, scope: int, items: dict[str, set[int]], ids: Sequence[str] = ()) -> int:
    """Take the bodies out of the log's rows about these items, and out of those that name one of the ids; how many."""
    named = frozenset(ids)
    emptied: dict[int, tuple[Any, ...]] = {}  # Any: the engine's own types
    for kind, seqs in items.items():
        for some in turn_rows.batches(sorted(seqs)):
            query = f"{_BODIES} AND kind = ? AND first IN ({turn_rows.marks(some)})"
            emptied |= {row[0]: row for *row, _ in connection.execute(query, (scope, kind, *some))}
    if named:
        for *row, body in connection.execute(f"{_BODIES} AND body LIKE '%\"heir\":%'", (scope,)):
            told = json.loads(str(body))
            if not named.isdisjoint(told[when].get("heir") for when in ("before", "after")):
                emptied[row[0]] = row
    connection.executemany(
        "UPDATE change SET body = NULL, crc = ? WHERE scope = ? AND seq = ?",
        ((rows.checksum(*row, None), scope, seq) for seq, row in emptied.items()),
    )
    return len(emptied)


_BODIES = """
SELECT seq, scope, operation, at, verb, op, kind, first, last, body FROM change
WHERE scope = ? AND op = 'set' AND body IS NOT NULL
"""


def _log(connection: Connection, scope: int, operation: Operation, receipt: Receipt) -> None:
    body = {name: getattr(receipt, name) for name in ("operation", "at", "selector", "items", "rows", "digest", "kept")}
    operation.row("erase", "turn", 0, receipt.items, body)
    connection.execute(
        "INSERT INTO job (id, scope, kind, state, payload, made_at) VALUES (?, ?, ?, 'waiting', NULL, ?)",
        (f"{_JOB}-{receipt.operation}", scope, _JOB, receipt.at),
    )


def _digest(hasher: tombstones.Hasher, doomed: _Doomed) -> str:
    parts: Iterable[bytes] = sorted(
        [hasher.wide(turn) + turn.id.encode() for turn in doomed.turns.values()]
        + [hasher.of(text) + wanted.encode() for wanted, text in doomed.records.values()]
    )
    return blake2b(b"\0".join(parts), key=hasher.key, digest_size=12).hexdigest()
