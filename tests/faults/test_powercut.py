"""T1: no power cut loses an acknowledged turn or leaves half of one."""

import apsw
import pytest
from tests.faults.powercut import Write, explore, kept, recording, torn
from tests.faults.workload import play, script, turn

from memspan.text.store import connection, sqlite, turn_rows

STEPS = [(turn(0),), (turn(1), turn(2), turn(3)), "reopen", (turn(4, 100),), (turn(5),)]
SHORT = [(turn(0),), (turn(1), turn(2))]
QUICK, BRIEF = 0.17, 0.06


def test_no_state_after_a_power_cut_loses_anything():
    """Each state opens, holds what was acknowledged, passes check() and can be written."""
    found = explore(STEPS, seed=1, sample=QUICK)
    print(f"power cut: {found.states:,} states in {found.seconds:.1f} s, {found.failures} failures {found.bad[:3]}")
    assert found.states > 500
    assert found.failures == 0, found.bad


def test_control_without_sync_is_caught(monkeypatch):
    """Negative control: with synchronous=OFF the same harness finds losses."""
    monkeypatch.setitem(connection._SYNCHRONOUS, "power", "OFF")
    found = explore(SHORT[:1], seed=1, sample=0.05)
    print(f"control synchronous=OFF: {found.failures} of {found.states} states caught, such as {found.bad[:1]}")
    assert found.failures > 0


class TwoTransactions:
    """A connection that commits between a turn and what belongs to it."""

    def __init__(self, real: apsw.Connection) -> None:
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)

    def executemany(self, sql, rows):
        self.real.executemany(sql, rows)
        if sql.startswith("INSERT INTO turn "):
            self.real.execute("COMMIT")
            self.real.execute("BEGIN IMMEDIATE")


def test_control_turn_and_index_in_two_transactions_is_caught(monkeypatch):
    """Negative control: a turn without its index is a half turn, and is seen."""
    real = turn_rows.add
    monkeypatch.setattr(turn_rows, "add", lambda connection, *rest: real(TwoTransactions(connection), *rest))
    found = explore(SHORT, seed=1, sample=BRIEF)
    print(f"control two transactions: {found.failures} of {found.states} states caught, such as {found.bad[:1]}")
    assert found.failures > 0


def test_control_without_durability_loses_but_never_breaks():
    """durability="process" may lose the last turns to a power cut, as documented; nothing is malformed."""
    found = explore(SHORT, seed=1, sample=BRIEF, durability="process")
    print(f"durability=process: {found.failures} of {found.states} states lost turns")
    assert found.failures > 0
    assert all(what.startswith("holds ") for acks, what in found.bad if acks >= 0), found.bad


def test_a_cut_during_the_first_opening_leaves_a_file_that_opens():
    """Nothing was acknowledged yet, but the path must be usable again without deleting anything by hand."""
    found = explore([(turn(0),)], seed=1, sample=BRIEF)
    assert found.unborn == 0, found.bad[:1]


def test_the_recorder_sees_writes_and_syncs(tmp_path):
    """The trace of a run holds writes to the log, syncs of it, and one mark a step."""
    with recording() as trace:
        play(tmp_path / "live.mem", STEPS, trace.events.append)
    writes = [event for event in trace.events if isinstance(event, Write)]
    assert any(write.name.endswith("-wal") and write.op == "write" for write in writes)
    assert [event for event in trace.events if isinstance(event, int)] == list(range(len(STEPS) + 1))
    assert sum(isinstance(event, str) for event in trace.events) >= len(STEPS)


def test_all_ways_to_lose_writes_are_tried():
    """Six pending short writes give 64 ways; a long one is torn three ways."""
    import random

    short = [Write("a", "write", place, b"x") for place in range(6)]
    assert len({tuple(some) for some in kept(short, random.Random(0))}) == 64
    assert len(torn(Write("a", "write", 0, b"x" * 4096))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_long_mixed_workloads_survive(seed, monkeypatch):
    """Seeded mixes of single turns, bulk, long texts and reopening, with checkpoints under way."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 60_000)
    found = explore(script(seed, calls=14), seed=seed)
    print(f"power cut, seed {seed}: {found.states:,} states in {found.seconds:.1f} s, {found.failures} failures")
    assert found.states > 1_000
    assert found.failures == 0, found.bad


def test_the_journal_of_the_first_opening_is_gone_for_good(tmp_path):
    """Its removal is synced: brought back by a cut, it would roll the file back under the log."""
    with recording() as trace:
        play(tmp_path / "live.mem", SHORT, trace.events.append)
    gone = trace.events.index(Write("live.mem-journal", "delete"))
    assert trace.events[gone + 1] == "live.mem-journal"
