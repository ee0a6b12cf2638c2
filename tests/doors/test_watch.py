"""Following transcripts: nothing lost, nothing twice, whatever becomes of the files."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.doors.transcripts import CWD, answered, append, called, lines, said

from memspan import Memory
from memspan.core.errors import StoreBusy
from memspan.doors.cli.main import cli
from memspan.doors.memories import Memories
from memspan.doors.watch.followed import Followed
from memspan.doors.watch.ledger import Ledger, Step
from memspan.doors.watch.projects import scope_of
from memspan.doors.watch.watcher import Watcher
from memspan.text.read import read

SHOP = scope_of(CWD)
FILES = Path(__file__).parents[1] / "text" / "read" / "files"


class Followers:
    """A watcher on a folder, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "m.mem"
        self.told: list[tuple[str, dict]] = []
        self.begin()

    def begin(self) -> None:
        """A new process, as far as it can tell."""
        self.memories = Memories(lambda scope: Memory(self.place, scope=scope))
        self.ledger = Ledger(self.folder / "m.mem.watch")
        self.watcher = Watcher([str(self.folder)], self.memories, self.ledger, lambda *told: self.told.append(told))

    def again(self) -> None:
        """End this one, begin another."""
        self.end()
        self.begin()

    def end(self) -> None:
        self.ledger.close()
        self.memories.close()

    def all(self) -> None:
        """Rounds until there is nothing more."""
        while self.watcher.round():
            pass

    def texts(self, scope: str = SHOP) -> list[str]:
        with Memory(self.place, scope=scope, read_only=True) as memory:
            return [turn.text for turn in memory.turns()]

    def events(self, name: str) -> list[dict]:
        return [facts for event, facts in self.told if event == name]


@pytest.fixture
def following(tmp_path):
    followers = Followers(tmp_path)
    yield followers
    followers.end()


def test_each_project_gets_a_scope_of_its_own(following):
    """Named after its folder; two folders of one name are two."""
    append(following.folder / "a" / "1.jsonl", said(1, "one"))
    append(following.folder / "b" / "2.jsonl", said(2, "two", cwd="/srv/shop"))
    append(following.folder / "c" / "3.jsonl", said(3, "three", session="t"))
    following.all()
    other = scope_of("/srv/shop")
    assert other != SHOP and SHOP.startswith("code/shop-") and other.startswith("code/shop-")
    assert sorted(following.texts()) == ["one", "three"] and following.texts(other) == ["two"]
    assert {told["scope"] for told in following.events("scope")} == {SHOP, other}


@pytest.mark.parametrize(
    ("one", "same"),
    [("/home/ann/shop", "/home/ann/shop/"), ("C:\\work\\shop", "c:/work/shop"), ("/caf\u00e9", "/cafe\u0301")],
)
def test_a_folder_has_one_scope_however_it_is_written(one, same):
    """A slash at its end, the way of Windows, the two ways to write an accent."""
    assert scope_of(one) == scope_of(same)


@pytest.mark.parametrize("folder", ["/", "", "/../..", "/a\nb", "/" + "x" * 500, "/\ud800", "/...", "/a b/c d:e"])
def test_every_folder_has_a_scope_that_can_be_one(folder, tmp_path):
    """Whatever its name."""
    with Memory(tmp_path / "m.mem", scope=scope_of(folder)) as memory:
        assert memory.scope.count("/") == 1


def test_a_growing_file_is_read_on(following):
    """A line that is half written waits for its end."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"), said(2, "two", role="assistant"))
    following.all()
    whole = lines(said(3, "three"), said(4, "four"))
    for end in (20, len(whole) - 30, len(whole)):
        path.write_bytes(lines(said(1, "one"), said(2, "two", role="assistant")) + whole[:end])
        following.all()
        assert following.texts() == ["one", "two", "three", "four"][: 4 if end == len(whole) else 2 + (end > 200)]
    assert not following.events("anew") and following.watcher.totals.known == 0


def test_another_process_goes_on_where_this_one_was(following):
    """It reads no line again."""
    path = following.folder / "1.jsonl"
    append(path, *(said(number, f"line {number}") for number in range(50)))
    following.all()
    following.again()
    append(path, said(51, "new"))
    following.all()
    assert (following.watcher.totals.added, following.watcher.totals.known) == (1, 0)
    assert following.texts()[-1] == "new" and following.ledger.steps[str(path)].line == 51


def test_a_call_keeps_its_answer_across_processes(following):
    """What was called is not written into the ledger: it is read again."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "run it"), called(2, "t1", "make secret-target"), said(3, "working", role="assistant"))
    following.all()
    following.ledger.close()
    assert "secret-target" not in following.ledger.path.read_text()
    following.again()
    append(path, answered(4, "t1", "ok"))
    following.all()
    assert following.texts() == ["run it", "working", "Bash(make secret-target)\nok"]
    assert following.watcher.totals.known == 1


@pytest.mark.parametrize("how", ["shorter", "replaced", "same length", "removed and back"])
def test_a_file_that_is_another_now_is_read_anew(following, how):
    """What was there stays in memory; what is new comes in."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"), said(2, "two"), said(3, "three"))
    following.all()
    fresh = {
        "shorter": lines(said(9, "nine")),
        "replaced": lines(*(said(number, f"other {number}") for number in range(10, 20)), said(9, "nine")),
        "same length": lines(said(1, "one"), said(2, "two"), said(9, "nine!")),
        "removed and back": lines(said(1, "one"), said(9, "nine")),
    }[how]
    path.unlink()
    if how.startswith("removed"):
        following.all()
    path.write_bytes(fresh)
    following.all()
    assert {"one", "two", "three"} < set(following.texts()) and following.texts()[-1].startswith("nine")
    assert len(following.texts()) == len(set(following.texts()))


def test_broken_lines_are_named_and_passed_over(following):
    """One bad line stops nothing."""
    path = following.folder / "1.jsonl"
    good = [lines(said(number, f"line {number}")) for number in range(4)]
    bad = [b"{broken\n", b"[1]\n", b'"\xff"\n', b"\n", b"[" * 100_000 + b"\n"]
    path.write_bytes(good[0] + bad[0] + good[1] + b"".join(bad[1:]) + good[2] + good[3])
    following.all()
    assert following.texts() == ["line 0", "line 1", "line 2", "line 3"]
    assert [(told["line"], told["why"].split(":")[0]) for told in following.events("bad")] == [
        (2, "not JSON"),
        (4, "no JSON object"),
        (5, "not UTF-8"),
        (7, "nested too deeply"),
    ]
    assert following.watcher.totals.bad == 4


def test_a_line_that_is_too_long_is_passed_over(following, monkeypatch):
    """Also where its end comes later."""
    monkeypatch.setattr("memspan.doors.watch.followed.MAX_LINE_BYTES", 1_000)
    path = following.folder / "1.jsonl"
    whole = lines(said(1, "one")) + lines(said(2, "x" * 5_000)) + lines(said(3, "three"))
    for end in (2_000, len(whole)):
        path.write_bytes(whole[:end])
        following.all()
    assert following.texts() == ["one", "three"] and following.events("bad")[0]["line"] == 2


def test_a_turn_that_cannot_be_stored_stops_nothing(following, monkeypatch):
    """The others of its batch are there."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"), said(2, "two", session="s" * 600), said(3, "three"))
    following.all()
    assert following.texts() == ["one", "three"] and following.watcher.totals.bad == 1


def test_other_files_are_left_alone(following):
    """What is no transcript is not remembered."""
    (following.folder / "history.jsonl").write_text('{"display": "hi", "timestamp": 1}\n')
    (following.folder / "turns.jsonl").write_text('{"text": "hi"}\n')
    (following.folder / "notes.md").write_text("hi\n")
    (following.folder / "empty.jsonl").write_text("")
    following.all()
    assert following.told == [] and following.watcher.totals.files == 0


def test_a_busy_store_is_tried_again(following):
    """Nothing is lost by it."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"))
    of = following.memories.of
    following.memories.of = lambda scope: (_ for _ in ()).throw(StoreBusy("m.mem", 5))
    assert following.watcher.round() is False and following.events("busy")
    following.memories.of = of
    following.all()
    assert following.texts() == ["one"]


def test_dying_before_the_step_is_noted_repeats_nothing(following):
    """The memory has the turns, the ledger has not: they are read again and known."""
    path = following.folder / "1.jsonl"
    append(path, *(said(number, "the same words") for number in (1, 1, 2)))
    put = following.ledger.put
    following.ledger.put = lambda *step: None
    following.all()
    following.ledger.put = put
    following.again()
    following.all()
    assert following.texts() == ["the same words"] * 2  # at two moments; the third was a copy of the first
    assert (following.watcher.totals.added, following.watcher.totals.known) == (0, 2)


def test_a_torn_ledger_is_mended(following):
    """Its last line may be half written, or anything stand in it."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"))
    following.all()
    following.ledger.close()
    with following.ledger.path.open("a") as file:
        file.write('[]\n{"file": "x"}\n{"file": "y", "nothing": 1}\n{"file": "/z", "off')
    again = Ledger(following.ledger.path)
    assert set(again.steps) == {str(path), "x"} and again.steps["x"] == Step()
    assert len(again.path.read_text().splitlines()) == 2
    again.close()


def test_the_ledger_stays_small(tmp_path, monkeypatch):
    """Old steps of a file go."""
    monkeypatch.setattr("memspan.doors.watch.ledger._ROOM", 10)
    ledger = Ledger(tmp_path / "l")
    for number in range(100):
        ledger.put("a", Step(offset=number))
    assert len((tmp_path / "l").read_text().splitlines()) <= 12
    ledger.close()
    again = Ledger(tmp_path / "l")
    assert again.steps["a"].offset == 99
    again.close()


def test_what_remember_reads_watch_knows(following):
    """Both give a transcript's turns the same ids."""
    for path in FILES.glob("c*_*.jsonl"):
        shutil.copy(path, following.folder)
    with Memory(following.place, scope=SHOP) as memory:
        for name in ("claude_code_session.jsonl", "codex_rollout.jsonl"):
            memory.remember(read(FILES / name))
        count = memory.stats().turns
    following.all()
    assert (following.watcher.totals.added, following.watcher.totals.known) == (0, count)


def test_what_was_forgotten_stays_forgotten(following):
    """By its source or its words, also when all is read again."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "my own words"), called(2, "t", "env"), answered(3, "t", "what it printed"))
    following.all()
    with following.memories.of(SHOP) as memory:
        assert memory.forget(source="claude_code/Bash").items == 1
    following.end()
    following.ledger.path.unlink()
    following.begin()
    following.all()
    assert following.texts() == ["my own words"]
    assert (following.watcher.totals.refused, following.watcher.totals.known) == (1, 1)


def run(*arguments: str):
    return CliRunner().invoke(cli, ["watch", *arguments])


def test_once_reads_what_is_there(tmp_path):
    """And says the scopes; the next time there is nothing to do."""
    append(tmp_path / "p" / "1.jsonl", said(1, "one"), said(2, "two"))
    common = (str(tmp_path), "--once", "--secrets", "allow", "-m", str(tmp_path / "m.mem"))
    first = run(*common)
    assert first.exit_code == 0, first.output
    assert f"scope {SHOP} of {CWD}" in first.output and "remembered 2 new turns of 1 transcript" in first.output
    again = run(*common, "--json")
    assert json.loads(again.output)["added"] == 0


def test_secrets_are_blacked_out_by_default(tmp_path):
    """In what people say and in what tools print."""
    pytest.importorskip("detect_secrets")
    key = "ghp_" + "a1B2c3D4e5" * 4
    append(tmp_path / "1.jsonl", said(1, f"use {key[:40]}"), called(2, "t", "env"), answered(3, "t", f"T={key[:40]}"))
    place = tmp_path / "m.mem"
    done = run(str(tmp_path), "--once", "-m", str(place), "--json")
    assert json.loads(done.output.splitlines()[-1])["redacted"] == 2
    assert key[:40].encode() not in place.read_bytes() + (tmp_path / "m.mem.watch").read_bytes()


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    """Before anything is read."""
    monkeypatch.setitem(sys.modules, "detect_secrets", None)
    monkeypatch.setattr("memspan.text.safety.secrets._patterns", _missing)
    append(tmp_path / "1.jsonl", said(1, "one"))
    done = run(str(tmp_path), "--once", "-m", str(tmp_path / "m.mem"))
    assert done.exit_code == 4 and "memspan[secrets]" in done.output and not (tmp_path / "m.mem").exists()


def _missing():
    from memspan.core.errors import MissingExtra

    raise MissingExtra("secrets", "finding secrets")


_WATCH = "from memspan.doors.cli.main import main; main()"


def watching(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """A process of its own."""
    options = ("watch", str(folder), "-m", str(folder / "m.mem"), "--secrets", "allow", *more)
    return subprocess.Popen([sys.executable, "-c", _WATCH, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_killed_again_and_again_nothing_is_lost_or_twice(tmp_path):
    """kill -9 at any moment, while files grow by half lines; in the end it is what reading the files gives."""
    paths, stop, dice = [tmp_path / f"p{n}" / f"{n}.jsonl" for n in range(3)], threading.Event(), random.Random(7)
    writer = threading.Thread(target=_write, args=(paths, stop))
    writer.start()
    try:
        for _ in range(20):
            process = watching(tmp_path, "--interval", "0.01")
            _at_work(process, tmp_path / "m.mem.watch")
            time.sleep(dice.uniform(0, 0.05))
            process.kill()
            process.wait()
            process.stdout.close(), process.stderr.close()
    finally:
        stop.set()
        writer.join()
    with watching(tmp_path, "--once") as last:
        assert last.wait() == 0, last.stderr.read()
    for number, path in enumerate(paths):
        with Memory(tmp_path / "m.mem", scope=scope_of(f"/w/p{number}"), read_only=True) as memory:
            assert [turn.text for turn in memory.turns()] == [turn.text for turn in read(path)]
            assert memory.stats().turns > 100


def _at_work(process, ledger):
    """Wait until a step is added to the ledger that the process wrote anew."""
    began = time.time_ns()
    sizes = set()
    while len(sizes) < 2:
        assert process.poll() is None and time.time_ns() < began + 30e9
        if ledger.exists() and (status := ledger.stat()).st_mtime_ns > began:
            sizes.add(status.st_size)
        time.sleep(0.001)


def _write(paths, stop):
    """Turns, calls and answers; each line in two halves."""
    number = 0
    while not stop.is_set() or number % 2:
        number += 1
        for which, path in enumerate(paths):
            more = {"session": f"s{which}", "cwd": f"/w/p{which}"}
            row = (said, called, answered)[number % 3]
            given = (f"say {number}",) if row is said else (f"t{number - number % 3 // 2}", f"run {number}")
            raw = lines(row(number, *given, **more))
            path.parent.mkdir(exist_ok=True)
            for part in (raw[:25], raw[25:]):
                with path.open("ab") as file:
                    file.write(part)
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told(tmp_path, number):
    """Ctrl-C and SIGTERM: the totals are said, the code is 0, what was read is there."""
    append(tmp_path / "1.jsonl", *(said(n, f"line {n}") for n in range(20)))
    process = watching(tmp_path, "--interval", "0.05")
    deadline = time.monotonic() + 20
    while not (tmp_path / "m.mem.watch").exists() or b"offset" not in (tmp_path / "m.mem.watch").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    output, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    assert b"remembered 20 new turns" in output


def test_a_file_that_may_not_be_read_is_named(following, monkeypatch):
    """And tried again when it changes."""
    path = following.folder / "1.jsonl"
    append(path, said(1, "one"))
    monkeypatch.setattr(Followed, "look", _refuse)
    following.all()
    assert following.events("unreadable")[0]["why"] == os.strerror(13)
    monkeypatch.undo()
    append(path, said(2, "two"))
    following.all()
    assert following.texts() == ["one", "two"]


def _refuse(self):
    raise PermissionError(13, os.strerror(13), self.path)
