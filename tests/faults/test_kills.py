"""T3: a process killed anywhere loses no acknowledged turn and leaves no half of one."""

import os
import sys

import pytest
from tests.faults.kills import Crowd, KillingVfs, at_statement, crowd_kills, everywhere, half_groups
from tests.faults.workload import turn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason=f"needs fork, {sys.platform} has none")

STEPS = [(turn(0),), (turn(1), turn(2), turn(3)), (turn(1), turn(4)), "reopen", (turn(5, 100),), "rebuild"]
ONE_CALL = [(turn(0), turn(1))]


def check(tally, least):
    print(f"{tally.kills} kills, {tally.acks} acks, {tally.reads} reads, {len(tally.wrong)} wrong")
    assert tally.wrong == []
    assert tally.kills >= least


def test_killed_at_every_statement():
    """For every n: dead before the n-th SQL statement, from the first opening to the last close."""
    check(everywhere(STEPS, at_statement), least=50)


@pytest.mark.parametrize("part", [0.0, 0.5], ids=["before", "half written"])
def test_killed_at_every_write_of_one_call(part):
    """For every n: dead before or in the middle of the n-th write, sync or removal."""
    vfs = []
    check(everywhere(ONE_CALL, lambda number: vfs.append(KillingVfs(number, part))), least=20)


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5])
def test_killed_at_every_write(part):
    """The same over several calls and a reopening."""
    vfs = []
    check(everywhere(STEPS, lambda number: vfs.append(KillingVfs(number, part))), least=100)


def test_killed_at_random_among_ten(tmp_path):
    """8 write and 2 read one file; one is killed, then all: acknowledged calls are there, and whole."""
    tally = crowd_kills(100, Crowd(mean_s=0.12), seed=3, folder=tmp_path)
    check(tally, least=100)
    assert tally.acks > 20
    assert tally.reads > 0


def test_the_crowd_sees_half_a_call():
    """Negative control: a group of which a part is missing is reported."""
    whole = [f"group 0-0-3 of 3 part {part}" for part in range(3)]
    assert half_groups(whole) == []
    assert half_groups(whole[:2]) == ["0-0-3"]


@pytest.mark.slow
def test_ten_thousand_kills(tmp_path):
    """The long form, 10,000 processes killed."""
    check(crowd_kills(10_000, Crowd(), seed=4, folder=tmp_path), least=10_000)
