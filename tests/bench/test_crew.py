"""Worker processes: one that hangs, crashes, raises or leaks ends its own stint and no other."""

import pytest
from tests.bench.fake_systems import install

from memspan.bench.cases import Ask, Unit
from memspan.bench.crew import Done, Stint, Stopped, run
from memspan.bench.runner import Job

UNITS = [Unit(f"u{n}", f"line {n}") for n in range(3)]


def stint(system, cases=2, limit_s=60.0, patience_s=60.0):
    job = Job(system, UNITS, [(Ask("what?"), 3)], 20)
    return Stint("tiny", system, list(range(cases)), lambda index: job, limit_s, patience_s, install)


def by_system(news):
    found = {}
    for one in news:
        found.setdefault(one.stint.system, []).append(one)
    return found


def test_every_case_comes_back_in_order():
    (news,) = by_system(run([stint("honest", cases=3)], 1)).values()
    assert [one.place for one in news] == [0, 1, 2]
    assert news[0].outcome.replies[0].ranked == ("u2", "u1", "u0")
    assert news[0].outcome.turns == 3 and len(news[0].outcome.singles) == 3
    assert news[0].outcome.bytes_on_disk == 7 and news[0].outcome.peak_rss > 0


def test_a_bad_system_ends_its_own_stint_only():
    bad = [stint("hangs", patience_s=1.0), stint("crashes"), stint("raises"), stint("leaks")]
    found = by_system(run([*bad, stint("honest")], 2))
    assert [type(one) for one in found["honest"]] == [Done, Done]
    stopped = {name: news for name, news in found.items() if name != "honest"}
    assert all(len(news) == 1 and isinstance(news[0], Stopped) for news in stopped.values())
    said = {name: (news[0].status, news[0].why) for name, news in stopped.items()}
    assert said["hangs"] == ("cut", "one case took more than 1 s")
    assert said["crashes"] == ("failed", "its process ended with code 9")
    assert said["raises"] == ("failed", "ValueError: no such table")
    assert said["leaks"][0] == "failed" and "BrokenIsolation: leaks found 'u0'" in said["leaks"][1]


def test_no_case_begins_after_the_limit():
    (news,) = by_system(run([stint("slow", cases=50, limit_s=0.2)], 1)).values()
    assert 1 <= len(news) <= 3
    assert isinstance(news[-1], Stopped) and (news[-1].status, news[-1].why) == ("cut", "time limit of 0 s")
    assert all(isinstance(one, Done) for one in news[:-1])


@pytest.mark.parametrize("processes", [1, 2])
def test_closing_early_leaves_no_process(processes):
    import multiprocessing

    running = run([stint("slow", cases=50), stint("slow", cases=50)], processes)
    next(running)
    running.close()
    assert not multiprocessing.active_children()
