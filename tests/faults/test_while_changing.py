"""T1 and T3 over correct, undo, forget and reflect; and what others do at the same moment."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.faults import changing
from tests.faults.changing import SHORT, STEPS
from tests.faults.kills import KillingVfs, at_statement, everywhere
from tests.faults.powercut import explore
from tests.faults.workload import memory

from memspan import Change, Link, Patch, Record, Turn
from memspan.core.changes import NEVER
from memspan.core.errors import UnknownId
from memspan.text.store import erase

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason=f"needs fork, {sys.platform} has none")
FORGET = SHORT.index(("forget", "s2"))


# -- power cuts and kills


def test_no_power_cut_leaves_half_a_change():
    """In every state each step is there wholly or not at all; words whose receipt was given are in no file."""
    found = explore(SHORT, seed=1, sample=0.05, since=2, workload=changing)
    print(f"power cut while changing: {found.states:,} states in {found.seconds:.1f} s, {found.failures} failures")
    assert found.states > 100
    assert found.failures == 0, found.bad


def test_control_forgetting_in_two_transactions_is_caught(monkeypatch):
    """Negative control: turns that are gone while what was made of them is still there are seen."""
    real = erase._delete

    def delete(connection, table, *rest):
        gone = real(connection, table, *rest)
        if table == "unit":
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
        return gone

    monkeypatch.setattr(erase, "_delete", delete)
    found = explore(SHORT[: FORGET + 1], seed=1, sample=0.05, since=FORGET, workload=changing)
    print(f"control two transactions: {found.failures} of {found.states} states caught")
    assert found.failures > 0


def test_control_a_receipt_before_the_erasure_is_caught(monkeypatch):
    """Negative control: a receipt that does not wait for the log is seen to lie."""
    monkeypatch.setattr(erase, "finish", lambda store, scope, wait_ms=0: True)
    monkeypatch.setattr(erase, "status", lambda store, scope, operation: "erased")
    found = explore(SHORT, seed=1, sample=0.02, since=FORGET + 1, workload=changing)
    print(f"control early receipt: {found.failures} of {found.states} states caught")
    assert found.failures > 0


@needs_fork
def test_killed_at_statements_while_changing():
    """Dead before every ninth SQL statement of corrections, an undo, a reflect and a forget."""
    tally = everywhere(STEPS, at_statement, every=9, workload=changing)
    print(f"{tally.kills} kills at statements, {tally.acks} acks, {len(tally.wrong)} wrong")
    assert tally.wrong == []
    assert tally.kills > 25


@needs_fork
@pytest.mark.parametrize("part", [0.0, 0.5], ids=["before", "half written"])
def test_killed_at_writes_while_changing(part):
    """Dead before or in the middle of every fifth write, sync or removal."""
    vfs = []
    tally = everywhere(SHORT, lambda number: vfs.append(KillingVfs(number, part)), every=5, workload=changing)
    print(f"{tally.kills} kills at writes, {tally.acks} acks, {len(tally.wrong)} wrong")
    assert tally.wrong == []
    assert tally.kills > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_power_cut_leaves_half_a_change_for_long(seed):
    """The long form."""
    found = explore(STEPS, seed=seed, sample=0.2, workload=changing)
    print(f"power cut while changing: {found.states:,} states in {found.seconds:.1f} s, {found.failures} failures")
    assert found.states > 2_000
    assert found.failures == 0, found.bad


@pytest.mark.slow
@needs_fork
def test_killed_everywhere_while_changing():
    """At every statement and every write, before and within it."""
    vfs = []
    tallies = [everywhere(STEPS, at_statement, workload=changing)]
    for part in (0.0, 0.01, 0.5):
        arm = lambda number, part=part: vfs.append(KillingVfs(number, part))  # noqa: E731
        tallies.append(everywhere(STEPS, arm, workload=changing))
    print([(tally.kills, tally.acks, len(tally.wrong)) for tally in tallies])
    assert [tally.wrong for tally in tallies] == [[]] * 4


# -- others at the same moment

CORRECTING = """
import sys
from pathlib import Path
from memspan.core.errors import AlreadyCorrected
from tests.faults.workload import memory
with memory(Path(sys.argv[1])) as here:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[3])):
        try:
            here.correct(f"t{number}", f"Version {sys.argv[2]} of note {number}.")
            print(f"{number} won")
        except AlreadyCorrected as why:
            print(f"{number} lost")
"""
WRITING = """
import sys
import time
from pathlib import Path
from memspan import Turn
from tests.faults.workload import memory
with memory(Path(sys.argv[1])) as here:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[2])):
        here.remember(Turn(f"The jay number {number} is loud.", session="busy"))
        time.sleep(0.003)
"""


def started(script, *given):
    child = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def test_of_two_corrections_from_two_processes_exactly_one_wins(tmp_path):
    """The other is told so; every turn has one heir, and the log tells the one that won."""
    count = 30
    with memory(tmp_path / "m.mem") as here:
        here.remember(Turn(f"Note number {number}.", id=f"t{number}") for number in range(count))
    children = [started(CORRECTING, tmp_path / "m.mem", name, count) for name in ("A", "B")]
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[0].split("\n") for child in children]
    won = [{line.split()[0] for line in lines if line.endswith("won")} for lines in said]
    assert len(won[0]) + len(won[1]) == count and not won[0] & won[1]
    with memory(tmp_path / "m.mem") as here:
        corrected = [event for event in here.changes() if event.what == "corrected"]
        assert sorted(event.id for event in corrected) == sorted(f"t{number}" for number in range(count))
        for event in corrected:
            winner = "A" if event.id[1:] in won[0] else "B"
            assert here.get(event.heir).text.startswith(f"Version {winner} ")
        assert here.stats().turns == 2 * count and here.check().ok


def test_forgetting_a_session_that_another_process_writes(tmp_path):
    """What was there at that moment goes, what is written later stays; nothing is lost twice or kept half."""
    count = 60
    with memory(tmp_path / "m.mem") as here:
        child = started(WRITING, tmp_path / "m.mem", count)
        child.stdin.write("\n")
        child.stdin.flush()
        while child.poll() is None:
            here.forget(session="busy")
        assert child.returncode == 0
        child.communicate()
        left = [turn.text for turn in here.turns()]
        receipts = here.receipts()
        assert sum(receipt.items for receipt in receipts) + len(left) == count
        assert {receipt.status for receipt in receipts} <= {"erased"}
        assert here.check().ok and dict(here.stats().without_vector) == {}
        print(f"{len(receipts)} receipts while {count} turns were written, {len(left)} left")


@pytest.mark.parametrize("stage", range(8))
def test_forgetting_what_is_being_consolidated(tmp_path, stage):
    """Another connection forgets between two stages: what reflect() then makes does not cite or tell of it."""
    with memory(tmp_path / "m.mem") as here, memory(tmp_path / "m.mem") as other:
        for number in range(12):
            text = f"Lady Brambling met Otto Pipit in Basel on day {number}." if number % 2 else f"Plain talk {number}."
            here.remember(Turn(text, id=f"t{number}", session=f"s{number // 4}", at=1.7e9 + 3600 * number))
        seen = []

        def progress(done, total):
            if len(seen) == stage:
                other.forget([f"t{number}" for number in range(1, 12, 2)])
            seen.append(done)

        with suppress(UnknownId):  # of a turn that was there when the stage began
            here.reflect(progress=progress)
        if len(seen) <= stage:
            pytest.skip(f"there are only {len(seen)} stages")
        here.reflect()
        told = repr([here.records(), here.links(), here.changes(), list(here.turns())])
        assert "Brambling" not in told and "Pipit" not in told
        assert here.check().ok


# -- times that make no sense


def test_overlapping_and_inverted_validity(tmp_path):
    """An end before the beginning breaks nothing; those that overlap are all shown."""
    with memory(tmp_path / "m.mem", clock=lambda: 2000.0) as here:
        here.remember([Turn(f"The bell rings at {name}.", id=name, at=100.0 * n) for n, name in enumerate("abc", 1)])
        here.apply([Change("set", Patch(id="a", valid_to=50.0)), Change("set", Patch(id="b", valid_to=900.0))])
        odd = Record(id="r", kind="fact", text="It rang.", sources=("c",), valid_from=9, valid_to=3)
        here.apply([Change("add", odd), Change("add", Link(source="r", target="b", kind="about"))])
        for moment, expected in ((60, ""), (150, "a"), (250, "ab"), (350, "abc"), (950, "abc")):
            assert {hit.id for hit in here.recall("bell", as_of=moment, tokens=None).hits} == set(expected)
        assert [event.what for event in here.history("a")] == ["added", "dated"]
        here.apply([Change("set", Patch(id="a", valid_to=NEVER))])
        here.undo()
        here.reflect()
        assert here.forget(since=100, until=201).items >= 2
        assert here.check().ok


def test_a_clock_that_goes_back_between_all_verbs(tmp_path):
    """The log's times never decrease, states are right, and undo takes back the last call."""
    times = iter([5000.0, 4000.0, 4500.0, 100.0, 50.0, 6000.0, *[10.0] * 50])
    with memory(tmp_path / "m.mem", clock=lambda: next(times)) as here:
        one = here.remember(Turn("It is blue.", at=1.0)).ids[0]
        two = here.correct(one, "It is green.")
        here.pin(two)
        here.archive(two)
        here.undo()
        assert {hit.id: hit.status for hit in here.recall("blue green", history=True).hits}[two] == "active"
        here.forget(two)
        told = [event.at for event in here.changes()]
        assert told == sorted(told) and list(here.turns()) == []
        assert here.receipts()[0].at >= 5000.0
