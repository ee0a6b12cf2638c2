"""Moving scopes from one place to another, a file or a server: every row, verified one by one.

Numbers of rows stay what they are, unless two scopes that come into one file have a number in common; then all of the
later scope's are moved by the same distance. A checksum covers the scope's number, which differs from place to place,
so each row is checked, renumbered and sealed anew; afterwards both sides are read again and compared.
How far it has come stands in the target, written with the rows it speaks of.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import zip_longest
from typing import Any

from memspan.core.errors import DamagedFile, StoreError, UsageError
from memspan.text.store import rows, tombstones
from memspan.text.store.sql import Connection, Numbered
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.store import TOMBSTONES, Store

BATCH = 1000
NOTE = "migration"
NUMBERED: tuple[Numbered, ...] = ("turn", "record", "link", "change")
_OWN = ("secret",)  # settings of a place that another place does not take over
Row = tuple[Any, ...]  # Any: the engine's own types
Say = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. columns: all of it;  key: what tells its rows of one scope apart, in the order they are read"""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def sealed(self) -> bool:
        """Whether a row ends with its checksum."""
        return self.columns[-1] == "crc"


def _table(name: str, columns: str, *key: str) -> Table:
    return Table(name, tuple(columns.split()), key)


TABLES = (
    _table("turn", "seq scope id session speaker role at seen_at text meta crc", "seq"),
    _table("unit", "scope turn bag head marks chars slot value crc", "turn"),
    _table("vector", "scope embedder turn half crc", "turn"),
    _table(
        "record",
        "seq scope id kind text keys entities valid_from valid_to recorded_at confidence trust strength recipe payload "
        "crc",
        "seq",
    ),
    _table("source", "scope record turn", "record", "turn"),
    _table("link", "seq scope source kind target weight retired crc", "seq"),
    _table(
        "state",
        "scope kind item status valid_to retired_at heir pinned held expire_at uses used_at crc",
        "kind", "item",
    ),
    _table("change", "seq scope operation at verb op kind first last body crc", "seq"),
    _table("job", "id scope kind state payload made_at", "id"),
    _table("tombstone", "scope digest at", "digest"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was moved. rows: by table, each read again on both sides and found the same;  resumed: whether it went on
    from where another call was stopped;  meanwhile: scopes that were written to at the source since, without what
    came then
    """

    scopes: tuple[str, ...]
    rows: dict[str, int]
    resumed: bool
    meanwhile: tuple[str, ...]


@dataclass(slots=True)
class _Move:
    """One scope on its way. here, there: its number at the source and at the target

    shift: how far its numbers move, by table;  embedders: key here -> key there
    """

    scope: str
    here: int
    there: int
    shift: dict[str, int]
    embedders: dict[int, int]
    head: list[int]
    resumed: bool = False
    counted: dict[str, int] = field(default_factory=dict)


def migrate(source: Store, target: Store, scopes: Sequence[str] = (), say: Say | None = None) -> Migrated:
    """Move scopes, none = all; what is there already of a call that was stopped is not written again.

    say: called with (turns moved, turns)
    Raises UsageError where the target holds one of the scopes already, or there is none to move; DamagedFile where a
    row of the source fails its checksum; StoreError where both sides differ in the end, or what the stores raise.
    """
    wanted = _wanted(source, scopes)
    shared = _in_common(source, wanted)
    total = sum(source.counts(scope).turns for scope in wanted)
    moves: list[_Move] = []
    for scope in wanted:
        before = sum(one.counted["turn"] for one in moves)
        progress = None if say is None else (lambda moved, before=before: say(before + moved, total))
        moves.append(_moved_scope(source, target, scope, shared, progress))
    _settings_of_all(source, target)
    meanwhile = tuple(one.scope for one in moves if _head(source, one.scope) != one.head)
    for one in moves:
        with target.transaction(one.scope) as connection:
            connection.execute("DELETE FROM setting WHERE key = ?", (f"{NOTE}/{one.scope}",))
    counts = {table.name: sum(one.counted[table.name] for one in moves) for table in TABLES}
    return Migrated(tuple(wanted), counts, any(one.resumed for one in moves), meanwhile)


def _wanted(source: Store, scopes: Sequence[str]) -> list[str]:
    there = source.scopes()
    if missing := sorted(set(scopes).difference(there)):
        raise UsageError(f"{source.path} holds no scope {missing[0]!r}; it holds {', '.join(map(repr, there[:10]))}")
    if not there:
        raise UsageError(f"{source.path} is empty; there is nothing to move")
    return [scope for scope in there if not scopes or scope in scopes]


def _in_common(source: Store, scopes: Sequence[str]) -> bool:
    """Whether two of the scopes share a number, as they may on a server, where each is counted by itself."""
    for table in NUMBERED:
        taken: set[int] = set()
        for scope in scopes:
            with source.snapshot(scope) as connection:
                query = f"SELECT seq FROM {table} WHERE scope = ?"
                mine = {seq for (seq,) in connection.execute(query, (source.scope_key(scope),))}
            if not taken.isdisjoint(mine):
                return True
            taken |= mine
    return False


def _moved_scope(
    source: Store, target: Store, scope: str, shared: bool, progress: Callable[[int], object] | None
) -> _Move:
    """Copy and compare one scope. What went on from an earlier call and turns out to differ is copied anew."""
    with source.snapshot(scope) as reading:
        move = _begun(source, target, reading, scope, shared)
        _copy(source, target, reading, move, progress)
        wrong = _compare(source, target, reading, move)
        if wrong and move.resumed:
            _wipe(target, scope)
            move = _begun(source, target, reading, scope, shared)
            _copy(source, target, reading, move, progress)
            wrong = _compare(source, target, reading, move)
        if wrong:
            raise StoreError(
                target.path, f"{wrong} of scope {scope!r} differs from its source; the source is as it was"
            )
    return move


# -- beginning


def _begun(source: Store, target: Store, reading: Connection, scope: str, shared: bool) -> _Move:
    """The move of a scope, from the target's note of it or new. Raises UsageError where the scope is there already."""
    here = source.scope_key(scope)
    assert here is not None
    head = _head(source, scope)
    mark = blake2b(source.secret() + scope.encode(), digest_size=8).hexdigest()
    note = json.loads(target.setting(NOTE, scope) or "null")
    if note is None and _holds(target, scope):
        raise UsageError(f"{target.path} holds scope {scope!r} already; move into a place without it")
    if note is not None and note["source"] != mark:
        raise UsageError(f"{target.path} holds part of scope {scope!r} from another place; begin with an empty one")
    if note is not None and note["head"] != head:
        _wipe(target, scope)
        note = None
    embedders = _embedders(target, reading)
    with target.transaction(scope) as writing:
        there = target.make_scope_key(writing, scope)
        if note is None:
            shift: dict[str, int] = {one: writing.last_seq(one, there) if shared else 0 for one in NUMBERED}
            _note(writing, scope, {"source": mark, "head": head, "shift": shift, "table": 0, "after": None})
            _settings_of(source, scope, here, reading, writing)
            return _Move(scope, here, there, shift, embedders, head)
    return _Move(scope, here, there, note["shift"], embedders, head, resumed=True)


def _head(store: Store, scope: str) -> list[int]:
    """The last number of the log and of the turns: they tell whether anything was written."""
    with store.snapshot(scope) as connection:
        key = store.scope_key(scope)
        tables = ("change", "turn")
        return [connection.execute(f"SELECT max(seq) FROM {one} WHERE scope = ?", (key,)).get or 0 for one in tables]


def _holds(store: Store, scope: str) -> bool:
    key = store.scope_key(scope)
    with store.snapshot(scope) as connection:
        find = "SELECT EXISTS (SELECT 1 FROM {} WHERE scope = ?)"
        return any(connection.execute(find.format(table.name), (key,)).get for table in TABLES)


def _wipe(target: Store, scope: str) -> None:
    """Take away what an earlier call copied."""
    key = target.scope_key(scope)
    with target.transaction(scope) as writing:
        for table in reversed(TABLES):
            writing.execute(f"DELETE FROM {table.name} WHERE scope = ?", (key,))
        for name in (NOTE, TOMBSTONES):
            writing.execute("DELETE FROM setting WHERE key = ?", (f"{name}/{scope}",))


_SET = rows.upsert("setting", "key, value, crc", "key")


def _put(writing: Connection, key: str, value: str) -> None:
    writing.execute(_SET, (key, value, rows.checksum(key, value)))


def _note(writing: Connection, scope: str, note: dict[str, Any]) -> None:
    _put(writing, f"{NOTE}/{scope}", json.dumps(note))


def _embedders(target: Store, reading: Connection) -> dict[int, int]:
    """Key at the source -> key at the target, by fingerprint."""
    found: dict[int, int] = {}
    for key, *columns in reading.execute("SELECT key, fingerprint, name, dim FROM embedder ORDER BY key").fetchall():
        with target.transaction() as writing:
            writing.execute(
                "INSERT INTO embedder (fingerprint, name, dim, crc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*columns, rows.checksum(*columns)),
            )
            found[key] = writing.execute("SELECT key FROM embedder WHERE fingerprint = ?", (columns[0],)).get
    return found


def _settings_of(source: Store, scope: str, here: int, reading: Connection, writing: Connection) -> None:
    """What was chosen for the scope; and the key of its tombstones, which goes by the place they were made in."""
    for key, value in reading.execute("SELECT key, value FROM setting").fetchall():
        name, _, whose = key.partition("/")
        if whose == scope and name not in (NOTE, TOMBSTONES):
            _put(writing, key, value)
    kept = source.setting(TOMBSTONES, scope) or tombstones.Hasher(source.secret(), here).key.hex()
    _put(writing, f"{TOMBSTONES}/{scope}", kept)


def _settings_of_all(source: Store, target: Store) -> None:
    """What was chosen for the whole place, where the target has not chosen."""
    with source.snapshot() as reading:
        found = reading.execute("SELECT key, value FROM setting").fetchall()
    for key, value in found:
        if "/" not in key and key not in _OWN and target.setting(key) is None:
            target.set_setting(key, value)


# -- copying


def _copy(
    source: Store, target: Store, reading: Connection, move: _Move, progress: Callable[[int], object] | None
) -> None:
    note = json.loads(target.setting(NOTE, move.scope) or "")
    steps = list(_steps(move))
    done = 0
    for number in range(note["table"], len(steps)):
        table, embedder = steps[number]
        after = _bare(note["after"]) if number == note["table"] else None
        while page := _page(reading, table, move.here, embedder, after):
            after = _key(table, page[-1])
            made = [_renumbered(table, row, move, also, source) for row, also in _checked(reading, table, page, source)]
            with target.transaction(move.scope) as writing:
                places = ", ".join("?" * len(table.columns))
                writing.executemany(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})", made)
                note |= {"table": number, "after": _written(after)}
                _note(writing, move.scope, note)
            done += len(page) if table.name == "turn" else 0
            if progress is not None:
                progress(done)
    with target.transaction(move.scope) as writing:
        for name in NUMBERED:
            last = max(reading.last_seq(name, move.here) + move.shift[name], writing.last_seq(name, move.there))
            writing.took(name, move.there, last)
            if isinstance(target, SqliteStore):  # which counts what it was given, not what was taken and erased since
                writing.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name))
                writing.execute(_COUNT_FROM, (name, last, name))
        _note(writing, move.scope, note | {"table": len(steps), "after": None})


_COUNT_FROM = """
INSERT INTO sqlite_sequence (name, seq) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?)
"""


def _steps(move: _Move) -> Iterator[tuple[Table, int | None]]:
    """The tables in the order that references ask for; vectors one embedder after the other."""
    for table in TABLES:
        if table.name == "vector":
            yield from ((table, key) for key in sorted(move.embedders))
        else:
            yield table, None


def _page(connection: Connection, table: Table, scope: int, embedder: int | None, after: Row | None) -> list[Row]:
    """The next rows of a scope."""
    keys = ", ".join(table.key)
    where, values = ["scope = ?"], [scope]
    if embedder is not None:
        where.append("embedder = ?")
        values.append(embedder)
    if after is not None:
        where.append(f"({keys}) > ({', '.join('?' * len(after))})")
        values += after
    columns = ", ".join(table.columns)
    query = f"SELECT {columns} FROM {table.name} WHERE {' AND '.join(where)} ORDER BY {keys} LIMIT {BATCH}"
    found: list[Row] = connection.execute(query, values).fetchall()
    return found


def _key(table: Table, row: Row) -> Row:
    return tuple(row[table.columns.index(name)] for name in table.key)


def _written(after: Row) -> list[Any]:
    return [{"hex": value.hex()} if isinstance(value, bytes) else value for value in after]


def _bare(after: list[Any] | None) -> Row | None:
    if after is None:
        return None
    return tuple(bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in after)


def _checked(reading: Connection, table: Table, page: list[Row], source: Store) -> Iterator[tuple[Row, Row]]:
    """Each row with what its checksum covers beside it. Raises DamagedFile where that fails."""
    cited: dict[int, list[int]] = {}
    if table.name == "record":
        query = "SELECT record, turn FROM source WHERE scope = ? AND record BETWEEN ? AND ? ORDER BY record, turn"
        for record, turn in reading.execute(query, (page[0][1], page[0][0], page[-1][0])):
            cited.setdefault(record, []).append(turn)
    for row in page:
        also = tuple(cited.get(row[0], ()))
        if table.sealed and _seal(table, row, also) != row[-1]:
            raise DamagedFile(source.path, f"a row of {table.name} ({_key(table, row)[0]}) fails its checksum")
        yield row, also


def _seal(table: Table, row: Row, also: Row) -> int:
    if table.name == "vector":
        return rows.vector_crc(row[0], row[1], row[2], row[3])
    return rows.checksum(*row[:-1], *also)


def _renumbered(table: Table, row: Row, move: _Move, also: Row, source: Store) -> Row:
    """The row as it is to stand at the target."""
    told = dict(zip(table.columns, row, strict=True))
    told["scope"] = move.there
    _shift(table, told, move)
    if "half" in told:
        told |= {"embedder": move.embedders[told["embedder"]], "half": rows.Half(told["half"])}
    made = tuple(told.values())
    if not table.sealed:
        return made
    return (*made[:-1], _seal(table, made, tuple(turn + move.shift["turn"] for turn in also)))


def _shift(table: Table, told: dict[str, Any], move: _Move) -> None:
    """Move the numbers of rows, and those that speak of them."""
    shift = move.shift
    if "seq" in told:
        told["seq"] += shift[table.name]
    for name in ("turn", "record"):
        if name in told:
            told[name] += shift[name]
    if table.name == "state":
        told["item"] += shift["record" if told["kind"] else "turn"]
    elif table.name == "change":
        told["operation"] += shift["change"]
        if told["op"] in ("add", "set", "renew", "undo"):
            by = shift["change" if told["op"] == "undo" else told["kind"]]
            told |= {"first": told["first"] + by, "last": told["last"] + by}
        if told["op"] == "erase" and told["body"]:
            told["body"] = _operation_in(told["body"], shift["change"])
    elif table.name == "job":
        _shift_job(told, shift)


def _operation_in(body: str, by: int) -> str:
    """A receipt names its operation too."""
    receipt = json.loads(body)
    told = {**receipt, "operation": receipt["operation"] + by}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) if by else body


def _shift_job(told: dict[str, Any], shift: dict[str, int]) -> None:
    """A job that waits for a receipt's bytes is named after its operation; one of reflect() says how far it came."""
    name, dash, number = told["id"].rpartition("-")
    if dash and number.isdigit():
        told["id"] = f"{name}-{int(number) + shift['change']}"
    if told["payload"]:
        note = json.loads(told["payload"])
        moved = {"head": shift["change"], "reconciled": shift["turn"]}
        told["payload"] = json.dumps(
            {name: value + moved[name] if name in moved and value else value for name, value in note.items()}
        )


# -- comparing


def _compare(source: Store, target: Store, reading: Connection, move: _Move) -> str:
    """The table that differs, "" where none does; counts the rows of each."""
    with target.snapshot(move.scope) as there:
        for table, embedder in _steps(move):
            expected = _expected(source, reading, table, embedder, move)
            found = _found(there, table, None if embedder is None else move.embedders[embedder], move)
            if table.name == "job":  # ids that were renumbered may stand in another order
                expected, found = iter(sorted(expected)), iter(sorted(found))
            count = 0
            for wanted, seen in zip_longest(expected, found):
                if wanted is None or seen is None or tuple(wanted) != tuple(seen):
                    return table.name
                count += 1
            move.counted[table.name] = move.counted.get(table.name, 0) + count
        move.counted.setdefault("vector", 0)
    return ""


def _expected(source: Store, reading: Connection, table: Table, embedder: int | None, move: _Move) -> Iterator[Row]:
    after: Row | None = None
    while page := _page(reading, table, move.here, embedder, after):
        after = _key(table, page[-1])
        for row, also in _checked(reading, table, page, source):
            yield _renumbered(table, row, move, also, source)


def _found(there: Connection, table: Table, embedder: int | None, move: _Move) -> Iterator[Row]:
    after: Row | None = None
    while page := _page(there, table, move.there, embedder, after):
        after = _key(table, page[-1])
        yield from page
