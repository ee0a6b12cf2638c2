"""The second wall: row-level security shows a transaction its own scope, whatever the statement asks."""

import warnings

import pytest
from tests.conformance.stores import NOW, put, record, turn
from tests.postgres.server import OWNER, TABLES, server

from memspan import Link
from memspan.core.changes import Change, Patch
from memspan.core.errors import StoreError, UnknownId
from memspan.core.places import Server
from memspan.text.store import job_rows
from memspan.text.store import postgres as module
from memspan.text.store.postgres import NoSecondWall, PostgresStore, number_of


@pytest.fixture
def filled(place):
    """A store in which two scopes have rows in every table."""
    store = place.memory(lambda: NOW, "ana")._store
    for scope in ("ana", "tom"):
        with place.memory(lambda: NOW, scope) as memory:
            first, second = (memory.remember(f"{scope} keeps bees, number {n}.").ids[0] for n in (1, 2))
            memory.apply(
                [
                    Change("add", record(f"r-{scope}", first)),
                    Change("add", Link(source=f"r-{scope}", target=first, kind="about")),
                    Change("set", Patch(id=first, pinned=True)),
                ]
            )
            memory.forget(second)
            memory.hold(first)
        job_rows.write(store, scope, "count", "done", {"n": 1}, NOW)
        store.set_setting("secrets", "allow", scope)
    yield store
    store.close()


def _everything(connection) -> dict[str, int]:
    return {table: connection.execute(f"SELECT count(*) FROM memspan.{table}").fetchone()[0] for table in TABLES}


def test_nothing_is_seen_where_no_scope_was_said(place, filled):
    """By the owner of the tables, with statements that have no WHERE; the administrator sees that rows are there."""
    import psycopg

    with place.server.admin(place.name) as connection:
        assert all(count >= 2 for count in _everything(connection).values()), _everything(connection)
    with psycopg.connect(place.place.url) as connection:
        assert set(_everything(connection).values()) == {0}
        assert connection.execute("SELECT key FROM memspan.setting WHERE key LIKE '%/%'").fetchall() == []


@pytest.mark.parametrize("said", ["", "0", "-1", str(number_of("eve")), str(number_of("ana/"))])
def test_nothing_is_seen_under_a_wrong_scope(place, filled, said):
    """Of no table, and nothing can be changed or deleted."""
    import psycopg

    with psycopg.connect(place.place.url) as connection:
        connection.execute("SELECT set_config('memspan.scope', %s, true)", (said,))
        assert set(_everything(connection).values()) == {0}
        assert connection.execute("DELETE FROM memspan.turn").rowcount == 0
        assert connection.execute("UPDATE memspan.record SET text = 'mine'").rowcount == 0


def test_a_statement_without_where_sees_its_own_scope(filled):
    """Of each of two scopes, in each table that has a scope."""
    for scope in ("ana", "tom"):
        with filled.snapshot(scope) as session:
            for table in TABLES:
                column = "key" if table == "scope" else "scope"
                found = {key for (key,) in session.execute(f"SELECT DISTINCT {column} FROM {table}")}
                assert found == {number_of(scope)}, table
            assert [key for (key,) in session.execute("SELECT key FROM setting WHERE key LIKE '%/%'")] == [
                f"secrets/{scope}"
            ]


def test_a_row_of_another_scope_cannot_be_written(filled):
    """The wall holds in both directions."""
    with pytest.raises(StoreError), filled.transaction("ana") as session:
        session.execute(
            "INSERT INTO job (id, scope, kind, state, payload, made_at) VALUES ('x', ?, 'x', 'x', NULL, 0)",
            (number_of("tom"),),
        )


def test_a_partition_asked_by_its_own_name_shows_nothing(place, filled):
    """Past its table, under the right scope too."""
    with filled.snapshot("ana") as session:
        assert sum(session.execute(f"SELECT count(*) FROM turn_{number:02}").get for number in range(16)) == 0


def test_control_a_policy_that_lets_all_through_is_seen(place, filled):
    """Negative control: without the policy the same question shows the other scope."""
    with place.server.admin(place.name) as connection:
        connection.execute("CREATE POLICY leak ON memspan.turn USING (true)")
    try:
        with filled.snapshot("ana") as session:
            assert len(list(session.execute("SELECT DISTINCT scope FROM turn"))) == 2
    finally:
        with place.server.admin(place.name) as connection:
            connection.execute("DROP POLICY leak ON memspan.turn")


def test_who_passes_the_wall_is_warned(place):
    """A superuser; an ordinary role is not."""
    with pytest.warns(NoSecondWall):
        PostgresStore(Server(place.server.url(place.name)), durability="process").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        place.open().close()


def test_an_id_of_another_scope_is_unknown(place, filled):
    """As one that is nowhere."""
    with place.memory(lambda: NOW, "tom") as other:
        [theirs] = [kept.id for kept in other.turns()]
    with place.memory(lambda: NOW, "ana") as memory:
        for call in (memory.get, memory.item, memory.history, memory.pin, memory.forget):
            with pytest.raises(UnknownId):
                call(theirs)


def test_two_scopes_of_one_number_are_kept_apart(place, monkeypatch):
    """Should two names ever have the same hash, the second one is refused."""
    store = place.open()
    put(store, turn("1"))
    monkeypatch.setattr(module, "number_of", lambda scope: number_of("ana"))
    with pytest.raises(StoreError, match="another name"):
        put(store, turn("1", scope="tom"), scope="tom")
    store.close()


def test_a_role_that_may_not_make_tables_is_told_what_to_do(place):
    """In a database without pgvector and without tables."""
    name = server().bare_database(extension=False)
    with pytest.raises(StoreError, match="CREATE EXTENSION vector"):
        PostgresStore(Server(place.server.url(name, OWNER)))
