"""Other systems behind a pipe: what comes back, and what becomes of those that crash, hang or babble."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from time import monotonic, sleep

import pytest
from click.testing import CliRunner

from memspan.bench import vectors
from memspan.bench.cases import Ask
from memspan.bench.peers import client, pins, serve
from memspan.bench.peers.client import Child, Limits, Peer, environment
from memspan.bench.peers.environments import MARKER, default_root, install, look, python_of
from memspan.bench.peers.pins import PINS, Pin, pin
from memspan.bench.systems import facts, known, load
from memspan.core.errors import MissingExtra, PeerFailed, UnknownMethod
from memspan.core.records import Turn
from memspan.doors.cli.bench import bench
from memspan.text.embed.hashing import Hashing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="environments are linked, not made, in these tests")

FAKE = """
import os, subprocess, sys, time, urllib.request
from pathlib import Path

class Fake:
    def __init__(self, folder, embed):
        self.folder, self.embed, self.texts = Path(folder), embed, {}

    def remember(self, ids, texts):
        self.embed(texts)
        for text in texts:
            word, _, rest = text.partition(" ")
            getattr(self, "when_" + word, lambda rest: None)(rest)
        self.texts.update(zip(ids, texts))
        (self.folder / "store").write_text("x" * len(self.texts))

    def when_hang(self, rest):
        if rest:
            Path(rest).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
        time.sleep(60)

    def when_crash(self, rest):
        print("this goes nowhere")
        raise RuntimeError("out of luck")

    def when_exit(self, rest):
        os._exit(3)

    def when_call(self, rest):
        urllib.request.urlopen("http://example.org/").read()

    def when_embed(self, rest):
        self.embed([rest])

    def recall(self, text, k):
        vector = self.embed([text])[0]
        if "stranger" in text:
            return ["nobody"]
        self.asked = getattr(self, "asked", 0) + 1
        scored = sorted(self.texts, key=lambda one: -len(set(text.split()) & set(self.texts[one].split())))
        return scored[:1] * 2 + scored[1:k] if "count" not in text else scored[:self.asked]

    def elsewhere(self, text):
        return []

    def close(self):
        if "stubborn" in self.texts.values():
            raise RuntimeError("will not close")

PEER = Fake
"""


NAMED = {"fake": (), "other": ("x==1",)}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of environments with one, "fake", which is this Python; its adapter is the one above."""
    (tmp_path / "fake.py").write_text(FAKE)
    monkeypatch.setattr(pins, "ADAPTERS", tmp_path)
    fake = Pin(name="fake", packages=(), licence="", shape="")
    monkeypatch.setattr(
        pins, "PINS", {"fake": fake, "other": Pin(name="other", packages=("x==1",), licence="", shape="")}
    )
    python = python_of(tmp_path / "root" / "fake")
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    (tmp_path / "root" / "fake" / MARKER).write_text(json.dumps({"wanted": [], "packages": {"a": "1"}}))
    monkeypatch.setattr(client, "_root", [])
    monkeypatch.setattr(client, "_limits", [])
    monkeypatch.setattr(client, "_running", {})
    monkeypatch.setattr(vectors, "_shared", [])
    used = vectors.use(tmp_path / "vectors", Hashing(8))
    client.use(tmp_path / "root", Limits(call_s=20))
    yield tmp_path / "root"
    client.stop()
    used.close()


class Fake(Peer):
    """The peer of these tests."""

    name = "fake"
    title = "fake 1"


@pytest.fixture
def make(root, tmp_path):
    """Makes the fake peer in a folder of its own."""
    made = []

    def one():
        folder = tmp_path / f"case{len(made)}"
        folder.mkdir()
        made.append(Fake(folder))
        return made[-1]

    return one


def turns(*texts):
    return [Turn(text, id=f"u{n}") for n, text in enumerate(texts)]


def test_a_peer_ranks_and_our_rule_packs(make):
    """An id it names twice counts once; files of its store are weighed; it has no neighbours."""
    peer = make()
    peer.remember(turns("red fox", "blue sky", "red sky"))
    assert peer.recall(Ask("red sky"), 2) == ["u2", "u0"]
    packed = peer.pack(Ask("red sky"), 5)
    assert (packed.ranked, packed.standing, packed.tokens <= 5) == (("u2", "u0"), (), True)
    assert (peer.elsewhere(Ask("red")), peer.bytes_on_disk(), peer.versions()) == ([], 3, {})
    if Path("/proc/self/status").exists():
        # a bare interpreter, whatever the process holds that started it
        assert 1_000_000 < peer.peak_rss() < 40_000_000
    peer.close()


def test_one_question_is_one_search(make):
    """Whatever is cut from it; a write or another question asks anew."""
    peer = make()
    peer.remember(turns("a", "b", "c", "d"))
    counts = [len(peer.recall(Ask("count"), 9)), len(peer.pack(Ask("count"), 99).ranked)]
    counts.append(len(peer.recall(Ask("count", at=1.0), 9)))
    peer.remember([Turn("e", id="u9")])
    assert [*counts, len(peer.recall(Ask("count", at=1.0), 9))] == [1, 1, 2, 3]
    deeper = [len(peer.recall(Ask("count", at=1.0), 101)), len(peer.pack(Ask("count", at=1.0), 2000).ranked)]
    assert [*deeper, len(peer.pack(Ask("count", at=1.0), 1000).ranked)] == [4, 4, 3]


def test_a_process_serves_many_cases(make):
    """The next case is empty, and runs in the same process; a peer that fails to close gets a new one."""
    first = make()
    first.remember(turns("red"))
    first.close()
    second = make()
    assert second._child is first._child
    assert second.recall(Ask("red"), 5) == []
    second.remember(turns("stubborn"))
    second.close()
    assert make()._child is not second._child


def test_many_turns_go_in_several_requests(make):
    """None is lost on the way."""
    peer = make()
    peer.remember(turns(*(f"number {n}" for n in range(150))))
    assert peer.bytes_on_disk() == 150
    peer.remember([])


FAULTS = {
    "crash": "remember: ended with 1: RuntimeError: out of luck",
    "exit": "remember: ended with 3: without a word",
    "call": "a peer is measured offline",
    "embed something else": "KeyError: 'something else'",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_crash_says_why(make, text):
    """The peer's last words; after that every call fails at once, close does not, and the next case goes on."""
    peer = make()
    with pytest.raises(PeerFailed, match=r"^fake: ") as failed:
        peer.remember(turns(text))
    assert FAULTS[text] in failed.value.why
    assert not failed.value.late
    with pytest.raises(PeerFailed, match="its process is gone"):
        peer.recall(Ask("x"), 1)
    peer.close()
    other = make()
    other.remember(turns("red"))
    assert other.recall(Ask("red"), 1) == ["u0"]


def test_an_id_it_was_never_given_is_a_fault(make):
    """Nothing is scored that nobody wrote."""
    peer = make()
    with pytest.raises(PeerFailed, match="'nobody', which it was never given"):
        peer.recall(Ask("stranger"), 1)


def test_a_slow_call_is_cut(make, root, tmp_path):
    """With all the process started; the error says that it was late."""
    client.use(root, Limits(call_s=0.5))
    peer, started = make(), tmp_path / "pid"
    with pytest.raises(PeerFailed, match=r"no reply to remember within 0\.5 s") as failed:
        peer.remember(turns(f"hang {started}"))
    assert failed.value.late
    assert _is_gone(peer._child._process.pid)
    assert _is_gone(int(started.read_text()))


def test_a_slow_case_is_cut(make, root):
    """Many quick calls add up."""
    client.use(root, Limits(call_s=20, case_s=1))
    peer = make()
    peer._left = 0.05  # its start has taken the rest
    many = [Turn("red", id=f"u{n}") for n in range(100_000)]
    with pytest.raises(PeerFailed, match="no reply") as failed:
        peer.remember(many)
    assert failed.value.late


BABBLE = """
import sys
for line in sys.stdin:
    print({!r}, flush=True)
"""


@pytest.mark.parametrize("said", ["not JSON", "[1]", "{}", "7"])
def test_garbage_is_named(said):
    """A line that is no reply ends the process."""
    child = Child("babbler", [sys.executable, "-c", BABBLE.format(said)])
    with pytest.raises(PeerFailed, match="garbage instead of a reply"):
        child.ask({"op": "x"}, 20)
    assert _is_gone(child._process.pid)
    child.kill()


def test_a_peer_that_does_not_read_is_cut():
    """A request larger than a pipe holds does not block the one who asks."""
    child = Child("deaf", [sys.executable, "-c", "import time; time.sleep(60)"])
    began = monotonic()
    with pytest.raises(PeerFailed, match="no reply"):
        child.ask({"op": "x" * 3_000_000}, 0.3)
    assert monotonic() - began < 10


ORPHAN = """
import os, sys
from threading import Thread
from time import sleep
from memspan.bench.peers.client import Child
child = Child("fake", [sys.executable, "-I", sys.argv[1], sys.argv[2]])
child.ask({"op": "open", "folder": "."}, 20)
hang = {"op": "remember", "ids": ["u0"], "texts": ["hang"], "vectors": "AAAAAA=="}
Thread(target=child.ask, args=(hang, 60), daemon=True).start()
sleep(0.3)
print(child._process.pid, flush=True)
os._exit(0)
"""


def test_a_peer_ends_with_the_one_who_asks(tmp_path):
    """Even in the middle of something."""
    (tmp_path / "fake.py").write_text(FAKE)
    command = [sys.executable, "-c", ORPHAN, str(serve.__file__), str(tmp_path / "fake.py")]
    assert _is_gone(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def _is_gone(pid):
    """Whether the process ends within some seconds; one that nobody has waited for counts as ended."""
    until = monotonic() + 10
    while monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        sleep(0.05)
    return False


def test_nothing_of_ours_is_told_to_a_peer(tmp_path, monkeypatch):
    """Its environment is made, not inherited; telemetry is off."""
    monkeypatch.setenv("MY_SECRET_KEY", "x")
    made = environment(tmp_path)
    assert "MY_SECRET_KEY" not in made
    assert (made["HOME"], made["MEM0_TELEMETRY"], made["OMP_NUM_THREADS"]) == (str(tmp_path), "False", "1")


@pytest.mark.parametrize("host", ["example.org", b"10.0.0.1", None, "localhost", "127.0.0.1"])
def test_the_network_is_shut(host):
    """Names and addresses elsewhere are refused; this machine is not."""
    if host in (None, "localhost", "127.0.0.1"):
        serve.stay_home("socket.getaddrinfo", (host, 80))
        serve.stay_home("socket.connect", (None, (host, 80)))
    else:
        with pytest.raises(ConnectionRefusedError):
            serve.stay_home("socket.getaddrinfo", (host, 80))
        with pytest.raises(ConnectionRefusedError):
            serve.stay_home("socket.connect", (None, (host, 80)))
    serve.stay_home("socket.connect", (None, "/tmp/a.socket"))
    serve.stay_home("open", ("x", "r", 0))


def test_what_is_absent_says_how_to_get_it(root, tmp_path):
    """Not there, made by somebody else, or in other versions."""
    absent = look(pins.pin("other"), root)
    assert (absent.why, absent.packages) == ("not installed", {})
    with pytest.raises(MissingExtra, match=r"other: not installed: memspan bench peers --install --only other"):
        client._child("other")
    (root / "other").mkdir()
    assert "no readable" in look(pins.pin("other"), root).why
    (root / "other" / MARKER).write_text(json.dumps({"wanted": ["x==0.9"], "packages": {}}))
    assert look(pins.pin("other"), root).why == "installed as x==0.9; wanted x==1"
    (root / "other" / MARKER).write_text(json.dumps({"wanted": ["x==1"], "packages": {}}))
    assert look(pins.pin("other"), root).why == "its Python is gone"
    found = look(pins.pin("fake"), root, weigh=True)
    assert (found.why, dict(found.packages), found.size > 0) == ("", {"a": "1"}, True)


def test_every_peer_is_a_system_with_an_adapter():
    """The pins, the adapters and the systems name the same ones."""
    peers = {name for name in known() if facts(name).kind == "peer"}
    assert peers == {name for name, one in PINS.items() if one.wing == "text"}
    assert set(PINS) == {path.stem for path in pins.ADAPTERS.glob("[!_]*.py")}
    for name in peers:
        assert facts(name).title == pin(name).title
    for name in PINS:
        assert all("==" in package for package in pin(name).packages)
        assert serve.adapter(pin(name).adapter).__doc__
    with pytest.raises(UnknownMethod, match="Did you mean 'mem0'"):
        pin("mem")


def wheel(folder, name):
    """The smallest wheel there is."""
    path, info = folder / f"{name}-1-py3-none-any.whl", f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return str(path)


@pytest.mark.slow
def test_an_environment_is_made_whole_or_not_at_all(tmp_path):
    """Made once; made anew for other versions; a failure leaves what was there and nothing else."""
    root, said, tried = tmp_path / "root", [], []
    first = Pin(name="tiny", packages=(wheel(tmp_path, "tinyone"),), licence="", shape="")
    assert install(first, root, said.append, lambda pin, folder: tried.append(python_of(folder).exists()))
    assert not install(first, root, said.append, lambda pin, folder: tried.append("again"))
    assert (tried, dict(look(first, root).packages)["tinyone"]) == ([True], "1")
    assert said[0] == "tiny: making an environment"

    def refuse(pin, folder):
        raise PeerFailed(pin.name, "no")

    for packages, check in ((("no-such-wheel.whl",), None), ((wheel(tmp_path, "tinytwo"),), refuse)):
        with pytest.raises(PeerFailed):
            install(Pin(name="tiny", packages=packages, licence="", shape=""), root, said.append, check)
        assert [path.name for path in root.iterdir()] == ["tiny"]
        assert look(first, root).why == ""
    second = Pin(name="tiny", packages=(wheel(tmp_path, "tinytwo"),), licence="", shape="")
    assert install(second, root, said.append, lambda pin, folder: None)
    assert [path.name for path in root.iterdir()] == ["tiny"]
    done = subprocess.run([python_of(root / "tiny"), "-c", "import tinytwo"], check=False)
    assert done.returncode == 0


STOPPED = """
import sys
from pathlib import Path
from memspan.bench.peers.environments import install
from memspan.bench.peers.pins import Pin
pin = Pin(name="tiny", packages=("x==1",), licence="", shape="")
install(pin, Path(sys.argv[1]), lambda line: print(line, flush=True), lambda pin, folder: None)
"""


def test_a_stopped_installation_leaves_nothing(tmp_path):
    """Neither a folder nor a process."""
    command = [sys.executable, "-c", STOPPED, str(tmp_path / "root")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "tiny: making an environment\n"
        sleep(0.5)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    assert list((tmp_path / "root").iterdir()) == []
    assert str(tmp_path / "root") not in _running()


def _running():
    """The command lines of all processes."""
    if Path("/proc/self/cmdline").exists():
        return "\n".join(_text(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def _text(path):
    try:
        return path.read_text(errors="replace")
    except OSError:  # ended meanwhile
        return ""


def test_the_command_says_what_is_here(root):
    """As a table, and for programs."""
    said = CliRunner().invoke(bench, ["peers", "--folder", str(root), "--only", "other"], catch_exceptions=False)
    assert said.output.splitlines()[1].split() == ["other", "1", "not", "installed"]
    said = CliRunner().invoke(bench, ["peers", "--folder", str(root), "--json"], catch_exceptions=False)
    assert [(one["name"], one["present"], one["why"]) for one in json.loads(said.output)] == [
        ("fake", True, ""),
        ("other", False, "not installed"),
    ]


TALK = [f"Ann: {what}." for what in ("The red fox sleeps", "Rain fell all day", "My sister swims in the lake")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, one in PINS.items() if one.wing == "text"])
def test_a_real_peer_finds_what_it_was_told(name, tmp_path, monkeypatch):
    """Twice, in one process; what is told later is found too, and elsewhere is nothing."""
    if why := look(pin(name), default_root()).why:
        pytest.skip(f"{name}: {why}; memspan bench peers --install --only {name}")
    monkeypatch.setattr(vectors, "_shared", [])
    monkeypatch.setattr(client, "_running", {})
    used = vectors.use(tmp_path / "vectors", Hashing(384))
    try:
        for case in ("one", "two"):
            (tmp_path / case).mkdir()
            peer = load(name)(tmp_path / case)
            assert isinstance(peer, Peer)
            peer.remember([Turn(text, id=f"{case}{n}") for n, text in enumerate(TALK)])
            assert peer.recall(Ask("Where does my sister swim? In the lake?"), 3)[0] == f"{case}2"
            peer.remember([Turn("Ann: The kettle whistles.", id=f"{case}3")])
            assert peer.recall(Ask("the kettle whistles"), 3)[0] == f"{case}3"
            assert peer.elsewhere(Ask("the kettle whistles")) == []
            assert (peer.bytes_on_disk() > 0) == (name != "langgraph")
            assert peer.versions()[pin(name).packages[0].partition("==")[0]] == pin(name).packages[0].partition("==")[2]
            peer.close()
    finally:
        client.stop()
        used.close()
