"""Branches: a copy to try something in, and what it learned coming back. The real store, a clock of ours."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from memspan import Change, Link, Memory, Patch, Record, Turn, load
from memspan.core.errors import ReadOnlyStore, StoreError, UsageError, WrongKey
from memspan.text import branches, merging


class Ticking:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 1.0
        return self.now


CLOCK = Ticking()


def opened(path, scope="a", **more):
    return Memory(path, scope=scope, embedders=[load("embed", "hashing")()], clock=CLOCK, **more)


@pytest.fixture
def memory(tmp_path):
    with opened(tmp_path / "m.mem") as made:
        yield made


@pytest.fixture
def branch(memory):
    """A branch of a memory that holds two turns, one of each speaker."""
    said(memory, "The kettle is green.")
    said(memory, "Bo keeps two dogs in the old barn.", speaker="Bo")
    with opened(memory.branch("trip")) as made:
        yield made


def said(memory, text, speaker="Ann", session="1", **more):
    return memory.remember(text, speaker=speaker, session=session, **more).ids[0]


def texts(memory):
    return [turn.text for turn in memory.turns()]


def shown(memory, question, **more):
    return [hit.text for hit in memory.recall(question, tokens=None, **more).hits]


def rows(path):
    """Everything in a file that is not derived, but for the log of changes."""
    connection = apsw.Connection(str(path))
    tables = ("turn", "record", "source", "link", "state", "tombstone", "setting")
    found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in tables}
    connection.close()
    return found


def test_a_branch_is_the_whole_file_beside_it(memory, tmp_path):
    """All scopes, everything in them, private; what is written in one is not in the other."""
    said(memory, "The kettle is green.")
    with opened(tmp_path / "m.mem", scope="b") as other:
        said(other, "The car is red.")
    path = memory.branch("trip")
    assert path == tmp_path / "m@trip.mem" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if "@" in file.name) == ["m@trip.mem"]
    before, after = rows(tmp_path / "m.mem"), rows(path)
    fork = json.loads(next(value for key, value, _ in after["setting"] if key == "fork"))
    assert set(fork["heads"]) == {"a", "b"}
    after["setting"] = [row for row in after["setting"] if row[0] != "fork"]
    assert before == after
    with opened(path) as there, opened(path, scope="b") as beside:
        said(there, "Only there.")
        assert texts(there) == ["The kettle is green.", "Only there."] and texts(beside) == ["The car is red."]
        assert there.check().ok
    assert texts(memory) == ["The kettle is green."]


def test_a_path_is_taken_as_it_is(memory, tmp_path):
    """A folder or the ending of the file says that it is one; a dot in a name does not."""
    (tmp_path / "sub").mkdir()
    assert memory.branch(tmp_path / "sub" / "x") == tmp_path / "sub" / "x"
    assert memory.branch(str(tmp_path / "other.mem")) == tmp_path / "other.mem"
    assert memory.branch("v1.2") == tmp_path / "m@v1.2.mem"
    assert branches.place(Path("d/plain"), "x") == Path("d/plain@x")
    assert branches.place(Path("d/a.mem"), "b.mem") == Path("b.mem")


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_nothing_is_overwritten(memory, tmp_path, suffix):
    """Not a file, and not a log left behind, which SQLite would read into the new one."""
    there = tmp_path / f"m@trip.mem{suffix}"
    there.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        memory.branch("trip")
    assert there.read_text() == "mine" and not list(tmp_path.glob("*.part-*"))


def test_a_branch_that_cannot_be_made_leaves_nothing(memory, tmp_path):
    """A folder that is not there, a name that is none."""
    with pytest.raises(StoreError, match="No such"):
        memory.branch("no/such/x.mem")
    for wanted in ("", "a\0b", "x" * 101):
        with pytest.raises(UsageError):
            memory.branch(wanted)
    assert not list(tmp_path.glob("m@*")) and not list(tmp_path.glob("*.part-*"))


@pytest.mark.skipif(not os.geteuid(), reason="root may write everywhere")
def test_a_folder_one_may_not_write_into_is_said(memory, tmp_path):
    """As a read-only store."""
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ReadOnlyStore):
        memory.branch(tmp_path / "locked" / "x.mem")


FULL = """
import resource, sys
from memspan import Memory
with Memory(sys.argv[1], scope="a", read_only=True) as memory:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        memory.branch("trip")
    except Exception as why:
        print(type(why).__name__)
"""


def test_a_disk_that_fills_leaves_nothing(memory, tmp_path):
    """No half of a branch, under its name or another."""
    memory.remember([Turn(f"turn {number} " + "x" * 900) for number in range(500)])
    memory.close()
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "m.mem")], capture_output=True, text=True)
    assert done.stdout.strip() in ("DiskFull", "StoreError"), done
    assert {file.name for file in tmp_path.iterdir()} <= {"m.mem", "m.mem-wal", "m.mem-shm"}


def test_a_branch_of_an_open_log_has_all_of_it(memory, tmp_path):
    """What was remembered a moment ago is in the log only; a read-only memory can be branched off, too."""
    said(memory, "The kettle is green.")
    with opened(tmp_path / "m.mem", read_only=True) as reader, opened(reader.branch("trip")) as there:
        assert texts(there) == ["The kettle is green."]


@pytest.mark.skipif(not hasattr(apsw, "mc_version"), reason="apsw has no encryption here")
def test_a_branch_of_an_encrypted_memory_is_encrypted(tmp_path):
    """With the same key; it merges as any other."""
    with opened(tmp_path / "m.mem", key="secret") as memory:
        said(memory, "The kettle is green.")
        path = memory.branch("trip")
        assert b"kettle" not in path.read_bytes()
        with pytest.raises(WrongKey):
            opened(path)
        with opened(path, key="secret") as there:
            said(there, "The car is red.")
        assert memory.merge(path).turns == 1 and len(texts(memory)) == 2


def test_what_a_branch_learned_comes_back(memory, branch):
    """Turns, records, links and states, in one operation; they are found as if they had been said here."""
    told = said(branch, "The boat is called Marlin.", at=5.0)
    old = branch.recall("the kettle").hits[0].id
    new = branch.correct(old, "The kettle is blue.", reason="looked again")
    branch.apply(
        [
            Change("add", Record(id="r", kind="fact", text="A boat, Marlin", sources=(told,), recipe="mine")),
            Change("add", Link(source="r", target=told, kind="mentions", weight=0.5)),
            Change("set", Patch(id=told, pinned=True)),
        ]
    )
    branch.archive("r")
    merged = memory.merge(branch._store.path)
    assert (merged.turns, merged.records, merged.links) == (2, 1, 1)
    assert (merged.conflicts, merged.refused, merged.forgotten) == ((), (), ())
    assert {event.operation for event in memory.changes() if event.id in (told, new, "r")} == {merged.operation}
    first, second = memory.recall("What colour is the kettle?").hits[:2]
    assert (first.id, second.id, second.status, second.heir) == (new, old, "superseded", new)
    assert memory.get(told) == branch.get(told) and memory.links() == branch.links()
    (record,) = memory.records()
    assert (record.text, record.sources, record.status) == ("A boat, Marlin", (told,), "archived")
    assert memory._store.item("a", told)[1].pinned
    assert "looked again" in {event.why for event in memory.history(old)} and memory.check().ok


def test_merging_again_changes_nothing(memory, branch):
    """And later takes only what is new since, also how often something was used."""
    told = said(branch, "The boat is called Marlin.")
    branch.used([told])
    assert memory.merge(branch._store.path).turns == 1
    before = rows(memory._store.path), len(memory.changes())
    again = memory.merge(branch._store.path)
    assert (again.operation, again.turns, again.states) == (0, 0, 0)
    assert (rows(memory._store.path), len(memory.changes())) == before
    branch.used([told])
    said(branch, "The oars are in the shed.")
    assert memory.merge(branch._store.path).turns == 1
    assert memory._store.item("a", told)[1].uses == 2 == branch._store.item("a", told)[1].uses


def test_a_merge_is_one_operation_and_can_be_taken_back(memory, branch):
    """States are what they were, what came is out of the way; merging once more brings it again."""
    old = branch.recall("the kettle").hits[0].id
    new = branch.correct(old, "The kettle is blue.")
    branch.apply([Change("add", Link(source=new, target=old, kind="about"))])
    path = branch._store.path
    memory.merge(path)
    assert memory.undo().verb == "merge" and memory.links() == []
    assert shown(memory, "kettle")[0] == "The kettle is green." and "The kettle is blue." not in shown(memory, "kettle")
    assert memory.recall("kettle").hits[0].status == "active"
    merged = memory.merge(path)
    assert (merged.turns, merged.links, merged.conflicts) == (1, 1, ())
    assert memory.recall("kettle").hits[0].id == new and memory.links() == branch.links()


def test_where_both_changed_something_ours_stays(memory, branch):
    """It is named; two corrections are both there and shown as a contradiction."""
    old = branch.recall("the kettle").hits[0].id
    dogs = branch.recall("the dogs").hits[0].id
    theirs = branch.correct(old, "The kettle is blue.")
    ours = memory.correct(old, "The kettle is black.")
    branch.archive(dogs)
    memory.pin(dogs)
    merged = memory.merge(branch._store.path)
    assert set(merged.conflicts) == {old, dogs} and merged.turns == 1
    assert memory._store.item("a", old)[1].heir == ours
    state = memory._store.item("a", dogs)[1]
    assert state.pinned and state.status == "active"
    hits = {hit.id: hit for hit in memory.recall("kettle").hits}
    assert hits[ours].contradicts == (theirs,) and hits[theirs].contradicts == (ours,)


def test_both_did_the_same(memory, branch):
    """That is no conflict, at whatever time each did it; nor is what the branch took back."""
    dogs, kettle = (branch.recall(word).hits[0].id for word in ("dogs", "kettle"))
    branch.archive(dogs)
    memory.archive(dogs)
    branch.pin(kettle)
    branch.pin(kettle, False)
    memory.hold(kettle)
    merged = memory.merge(branch._store.path)
    assert (merged.states, merged.conflicts) == (0, ()) and memory._store.item("a", kettle)[1].held


def test_what_was_forgotten_here_does_not_come_back(memory, branch):
    """Neither its words said again there, nor a correction of it, nor what was derived of it; all are named."""
    old = branch.recall("the kettle").hits[0].id
    new = branch.correct(old, "It is the blue one by the window.")
    branch.apply([Change("add", Record(id="r", kind="fact", text="a blue one", sources=(new,), recipe="mine"))])
    again = said(branch, "the  KETTLE is green", session="2", at=50.0)
    fine = said(branch, "The boat is called Marlin.")
    receipt = memory.forget(old)
    assert receipt.status == "erased"
    merged = memory.merge(branch._store.path)
    assert merged.turns == 1 and {old, new, again, "r"} == set(merged.refused)
    assert set(texts(memory)) == {"Bo keeps two dogs in the old barn.", "The boat is called Marlin."}
    assert memory.records() == [] and memory.get(fine)
    memory.close()
    raw = b"".join(file.read_bytes() for file in memory._store.path.parent.glob("m.mem*"))
    assert b"kettle" not in raw and b"KETTLE" not in raw and b"blue one" not in raw


def test_a_record_that_was_forgotten_here_does_not_come_back(memory, branch):
    """Under another id, of turns that are still here, its words are refused all the same."""
    dogs = memory.recall("dogs").hits[0].id
    for one, name in ((memory, "here"), (branch, "there")):
        one.apply([Change("add", Record(id=name, kind="fact", text="Bo is afraid of cats.", sources=(dogs,)))])
    memory.forget("here")
    merged = memory.merge(branch._store.path)
    assert (merged.records, merged.refused) == (0, ("there",)) and memory.records() == []


def test_what_was_forgotten_there_is_named_and_stays(memory, branch):
    """Whenever one merges, until it is forgotten here as well."""
    ours = said(memory, "The roof leaks over the kitchen table.")
    told = said(branch, "The boat is called Marlin.")
    memory.merge(branch._store.path)
    old = branch.recall("the kettle").hits[0].id
    branch.forget([old, told])
    for _ in range(2):
        merged = memory.merge(branch._store.path)
        assert set(merged.forgotten) == {old, told}
    assert {"The kettle is green.", "The boat is called Marlin."} <= set(texts(memory)) and memory.get(ours)
    memory.forget([old, told])
    assert memory.merge(branch._store.path).forgotten == ()


def test_only_a_branch_of_this_file_is_merged(memory, branch, tmp_path):
    """A stranger, a plain copy, a branch of a branch, the file itself, nothing at all: refused, with the reason."""
    with opened(tmp_path / "stranger.mem") as stranger:
        said(stranger, "Hello there, my friend.")
    shutil.copyfile(tmp_path / "stranger.mem", tmp_path / "copy.mem")
    inner = branch.branch("inner")
    for path, why in (
        (tmp_path / "stranger.mem", "no branch of"),
        (tmp_path / "copy.mem", "not made by branch"),
        (inner, "maybe of another branch"),
        (tmp_path / "m.mem", "the memory itself"),
        (tmp_path / "nothing.mem", "no branch at"),
    ):
        with pytest.raises(UsageError, match=why):
            memory.merge(path)
    with pytest.raises(UsageError, match="no branch of"):
        branch.merge(tmp_path / "m.mem")
    with opened(inner) as there:
        said(there, "The oars are in the shed.")
    assert branch.merge(inner).turns == 1 and memory.merge(branch._store.path).turns == 1


def test_a_file_put_back_from_before_the_fork_is_refused(tmp_path):
    """What the branch takes for known is not there, so nothing of it can be placed."""
    path = tmp_path / "m.mem"
    with opened(path) as memory:
        said(memory, "The kettle is green.")
    shutil.copyfile(path, tmp_path / "backup")
    with opened(path) as memory:
        said(memory, "The car is red.")
        branch = memory.branch("trip")
    shutil.copyfile(tmp_path / "backup", path)
    with opened(path) as memory:
        with pytest.raises(UsageError, match="put back to before"):
            memory.merge(branch)
        said(memory, "Something else happened.")
        with pytest.raises(UsageError, match="put back to before"):
            memory.merge(branch)


def test_forgetting_before_a_merge_leaves_the_fork_to_be_found(memory, branch):
    """The log's rows lose their bodies, not their place."""
    kettle = memory.recall("kettle").hits[0].id
    memory.pin(kettle)
    path = memory.branch("later")
    memory.forget(kettle)
    with opened(path) as later:
        said(later, "The boat is called Marlin.")
    assert memory.merge(path).turns == 1


def test_other_scopes_are_left_alone(memory, branch):
    """A merge takes one scope, also one that came to be after the fork."""
    with opened(branch._store.path, scope="new") as there:
        said(there, "The car is red.")
    said(branch, "The boat is called Marlin.")
    assert memory.merge(branch._store.path).turns == 1
    with opened(memory._store.path, scope="new") as here:
        assert texts(here) == [] and here.merge(branch._store.path).turns == 1
        assert texts(here) == ["The car is red."]


def test_what_both_learned_is_one(memory, branch):
    """The same turn told to both is known; an id that says something else there is named."""
    for one in (memory, branch):
        one.remember(Turn("The boat is called Marlin.", speaker="Ann", at=7.0))
    memory.remember(Turn("the one", id="x"))
    branch.remember(Turn("the other", id="x"))
    merged = memory.merge(branch._store.path)
    assert (merged.turns, merged.conflicts) == (0, ("x",)) and memory.get("x").text == "the one"


def test_records_and_links_that_both_made(memory, branch):
    """The same is known; what says something else stays ours and is named."""
    turn = memory.recall("kettle").hits[0].id
    for one, text in ((memory, "ours"), (branch, "theirs")):
        one.apply(
            [
                Change("add", Record(id="both", kind="fact", text="A kettle", sources=(turn,))),
                Change("add", Record(id="put", kind="fact", text=text, sources=(turn,))),
                Change("add", Link(source="put", target=turn, kind="mentions")),
            ]
        )
    merged = memory.merge(branch._store.path)
    assert (merged.records, merged.links, merged.conflicts) == (0, 0, ("put",))
    assert {record.text for record in memory.records()} == {"A kettle", "ours"}


def test_a_link_that_was_taken_away_there(memory, branch):
    """Undone in the branch, it ends here; where both changed it, ours stays and is named."""
    turn, other = (memory.recall(word).hits[0].id for word in ("kettle", "dogs"))
    first, second = (Link(source=turn, target=other, kind=kind) for kind in ("next", "near"))
    memory.apply([Change("add", first)])
    memory.apply([Change("add", second)])
    with opened(memory.branch("links")) as there:
        numbers = [event.operation for event in there.changes() if event.what == "linked"]
        for number in numbers:
            there.undo(number)
        memory.apply([Change("add", Link(source=turn, target=other, kind="near", weight=0.5))])
        merged = memory.merge(there._store.path)
    assert (merged.links, merged.conflicts) == (1, (f"{turn} near {other}",))
    assert [(link.kind, link.weight) for link in memory.links()] == [("near", 0.5)]


def test_both_reflect_and_the_next_reflection_settles_it(memory, branch):
    """Derived records and links of both are no conflict, also after the merge was taken back and made again."""
    for number in range(6):
        said(memory, f"Ann painted the fence number {number} in Lisbon.", session="fences", at=86400.0 * number)
    memory.reflect()
    with opened(memory.branch("reflecting")) as there:
        for one, word in ((memory, "gate"), (there, "door")):
            for number in range(6):
                text = f"Ann painted the {word} number {number} in Lisbon."
                said(one, text, session="fences" if number % 2 else "more", at=86400.0 * number + 60)
            one.reflect()
        for _ in range(2):
            merged = memory.merge(there._store.path)
            assert (merged.turns, merged.conflicts, merged.refused) == (6, (), ())
            assert memory.reflect().turns == 20 and not memory.reflect()
            told = {turn.id for turn in memory.turns()}
            assert all(told.issuperset(record.sources) for record in memory.records())
            memory.undo(merged.operation)
            memory.reflect()
    assert memory.check().ok


def test_what_reflection_put_out_of_the_way_is_no_conflict(memory, branch):
    """Each file's own reflection decides of what it derived; what somebody did to it stays."""
    for number in range(4):
        said(memory, f"Ann painted the fence number {number}.", session="fences", at=60.0 * number)
    memory.reflect()
    with opened(memory.branch("other")) as there:
        (episode,) = (record for record in memory.records("episode") if "fence" in record.text)
        memory.pin(episode.id)
        for turn in list(there.turns(session="fences")):
            there.archive(turn.id)
        assert there.reflect().retired
        merged = memory.merge(there._store.path)
    assert (merged.states, merged.conflicts) == (4, ())
    assert memory._store.item("a", episode.id)[1].pinned and memory.reflect().retired


def test_a_merge_that_was_overtaken_looks_again(memory, branch, monkeypatch):
    """Another process merged the same branch while this one was still reading it: uses are not counted twice."""
    told = said(branch, "The boat is called Marlin.")
    branch.used([told])
    path, derive, calls = branch._store.path, merging.derive, []

    def overtaken(*args):
        calls.append(args)
        if len(calls) == 1:
            with opened(memory._store.path) as other:
                assert other.merge(path).turns == 1
        return derive(*args)

    monkeypatch.setattr(merging, "derive", overtaken)
    assert memory.merge(path).operation == 0 and len(calls) == 3
    assert memory._store.item("a", told)[1].uses == 1


def test_a_damaged_branch_changes_nothing(memory, branch):
    """A flipped bit in a turn of it is noticed before anything is written."""
    said(branch, "The boat is called Marlin.")
    branch.close()
    path = branch._store.path
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"Marlin")
    raw[at] ^= 1
    path.write_bytes(raw)
    before = rows(memory._store.path)
    with pytest.raises(StoreError, match="checksum"):
        memory.merge(path)
    assert rows(memory._store.path) == before


MERGE = """
import sys
from memspan import Memory
with Memory(sys.argv[1], scope="a") as memory:
    memory.recall("anything")
    sys.stdin.readline()
    merged = memory.merge(sys.argv[2])
    print(merged.turns, merged.states)
"""


def test_two_processes_merge_one_branch(memory, branch):
    """Whoever is second finds it done: nothing comes twice, uses are not counted twice."""
    told = [said(branch, f"The boat number {number} lies at the pier.") for number in range(20)]
    branch.used(told)
    branch.close()
    memory.close()
    ours, theirs = memory._store.path, branch._store.path
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MERGE, ours, theirs], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    said_by = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said_by == ["0 0", "20 20"] and all(process.returncode == 0 for process in both)
    with opened(ours) as here:
        assert here.stats().turns == 22 and here.check().ok
        assert {here._store.item("a", wanted)[1].uses for wanted in told} == {1}


DYING = """
import os, sys
import apsw
from memspan import Memory
left = int(sys.argv[3])
def step(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return True
with Memory(sys.argv[1], scope="a") as memory:
    memory.recall("anything")
    memory._store._connection.exec_trace = step
    memory.merge(sys.argv[2])
"""


@pytest.mark.parametrize("steps", range(3, 60, 7))
def test_a_killed_merge_is_all_or_nothing(memory, branch, steps):
    """Killed before any statement of it, the file is as before or as after."""
    told = said(branch, "The boat is called Marlin.")
    branch.pin(told)
    branch.correct(branch.recall("kettle").hits[0].id, "The kettle is blue.")
    branch.close()
    memory.close()
    ours, theirs = memory._store.path, branch._store.path
    done = subprocess.run([sys.executable, "-c", DYING, ours, theirs, str(steps)], capture_output=True, timeout=60)
    assert done.returncode in (0, 9), done
    with opened(ours) as here:
        assert here.stats().turns in (2, 4) and here.check().ok
        merges = [event for event in here.changes() if event.what == "merged"]
        assert len(merges) == (here.stats().turns == 4)
        here.merge(theirs)
        assert here.stats().turns == 4
