"""The command line: what it prints, what it stores, how it ends."""

import json
import os
import signal
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from memspan import Memory
from memspan.core.records import Turn
from memspan.doors.cli import _show, demo
from memspan.doors.cli import remember as remember_file
from memspan.doors.cli._stopping import Stopping
from memspan.doors.cli.main import COMMANDS, EXIT_CODES, cli

CHAT = "Ana: I moved to Lisbon in May.\nTom: I stay in Porto.\nAna: My cat is called Figo.\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMSPAN_MEMORY", raising=False)
    monkeypatch.delenv("MEMSPAN_SCOPE", raising=False)


def memspan(*args: str | Path, stdin: str | bytes | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def stored(path: str = "memory.mem", scope: str = "me") -> list[str]:
    with Memory(path, scope=scope) as memory:
        return [turn.text for turn in memory.turns()]


@pytest.fixture
def chat() -> Path:
    path = Path("chat.txt")
    path.write_text(CHAT)
    return path


def test_remember_and_recall(chat: Path) -> None:
    """A file goes in, evidence with speaker, session and id comes out; the default scope is said."""
    said = memspan("remember", chat).stdout
    assert "remembered 3 new turns in memory.mem, scope me" in said
    out = memspan("recall", "Where does Ana live?").stdout
    assert "[1] Ana  chat\n    I moved to Lisbon in May." in out and "scope me" in out and "tokens" in out


def test_recall_of_kinds(chat: Path) -> None:
    """Only what was asked for, and the line below says how much of what was found."""
    memspan("remember", chat)
    memspan("reflect")
    found = json.loads(memspan("recall", "Lisbon", "--json", "--kind", "episode", "--kind", "turn").stdout)
    assert {hit["kind"] for hit in found["hits"]} == {"turn", "episode"}
    assert "\n1 record · " in memspan("recall", "Lisbon", "--kind", "episode").stdout
    assert "3 turns · " in memspan("recall", "Lisbon").stdout
    memspan("recall", "Lisbon", "--kind", "dragon", code=1)


def test_remembering_again_adds_only_what_is_new(chat: Path) -> None:
    """A grown file: the turns that were there are known."""
    memspan("remember", chat)
    chat.write_text(CHAT + "Tom: I have two dogs.\n")
    assert "1 new turn (3 already there)" in memspan("remember", chat).stdout
    assert len(stored()) == 4


def test_json_of_remember_and_recall(chat: Path) -> None:
    """What a program needs, in fixed fields; why each hit is there only when asked."""
    made = json.loads(memspan("remember", chat, "--json").stdout)
    assert (made["added"], made["known"], made["scope"]) == (3, 0, "me")
    none = {"known": 0, "refused": 0, "quarantined": 0, "redacted": 0, "error": None}
    assert made["files"] == [{"name": "chat.txt", "added": 3, **none}]
    found = json.loads(memspan("recall", "the cat", "--json", "--limit", "1").stdout)
    (hit,) = found["hits"]
    assert hit["text"] == "My cat is called Figo." and hit["sources"] == [hit["id"]] and "why" not in hit
    assert set(found) == {"question", "scope", "confidence", "cost", "hits", "standing", "context"}
    assert found["cost"]["tokens"] > 0 and "My cat is called Figo." in found["context"]
    found = json.loads(memspan("recall", "the cat", "--json", "--explain").stdout)
    assert {"arm", "rank", "score", "added"} == set(found["hits"][0]["why"][0])


def test_explain_names_the_arms(chat: Path) -> None:
    """Per hit: which arm, its rank, its raw score, what it added."""
    memspan("remember", chat)
    out = memspan("recall", "the cat", "--explain").stdout
    assert "lexical" in out and "rank    1" in out and "added" in out


def test_context_prints_only_the_prompt_text(chat: Path) -> None:
    """To be piped into a prompt."""
    memspan("remember", chat)
    with Memory("memory.mem", scope="me") as memory:
        assert memspan("recall", "the cat", "--context").stdout.strip() == memory.recall("the cat").context.strip()


def test_the_budget_is_kept(chat: Path) -> None:
    """--tokens bounds the context, --limit the turns."""
    memspan("remember", chat)
    found = json.loads(memspan("recall", "Lisbon", "--tokens", "60", "--json").stdout)
    assert 0 < found["cost"]["tokens"] <= 60
    assert len(json.loads(memspan("recall", "Lisbon", "--limit", "2", "--json").stdout)["hits"]) == 2


def test_nothing_found_is_said(chat: Path) -> None:
    """Exit code 1, in words and in JSON; an empty memory is no trouble."""
    memspan("remember", chat, "--scope", "other")
    assert "nothing found" in memspan("recall", "cat", code=1).stdout
    assert json.loads(memspan("recall", "cat", "--json", code=1).stdout)["hits"] == []
    assert memspan("export", "-").stdout == "" and "turns           0" in memspan("stats").stdout


def test_an_empty_file_is_no_trouble() -> None:
    """Nothing to remember, nothing wrong."""
    Path("empty.txt").write_text(" \n\n")
    assert "remembered 0 new turns" in memspan("remember", "empty.txt").stdout


def test_scopes_do_not_see_each_other(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scope and file come from options or the environment."""
    memspan("remember", chat, "--scope", "acme/ana", "--memory", "a.mem")
    assert "nothing found in a.mem, scope tom" in memspan("recall", "cat", "-m", "a.mem", "-s", "tom", code=1).stdout
    monkeypatch.setenv("MEMSPAN_MEMORY", "a.mem")
    monkeypatch.setenv("MEMSPAN_SCOPE", "acme/ana")
    assert "Figo" in memspan("recall", "cat").stdout


def test_a_sentence_is_said_now_or_then() -> None:
    """--text, with or without --at; times come out in UTC."""
    memspan("remember", "--text", "I passed the exam.", "--speaker", "Tom", "--at", "2025-03-24T17:00+01:00")
    memspan("remember", "--text", "I passed the exam.", "--speaker", "Tom")
    with Memory("memory.mem", scope="me") as memory:
        then, now = memory.turns()
        assert then.at == 1742832000.0 and now.at == now.seen_at
    assert "[1] Tom  2025-03-24 16:00" in memspan("recall", "exam in March 2025").stdout


def test_standard_input_is_a_file() -> None:
    """- reads it; its session may be named."""
    memspan("remember", "-", "--session", "call", "--speaker", "Ana", stdin="I like figs.\n\nAnd olives.")
    with Memory("memory.mem", scope="me") as memory:
        assert [(turn.session, turn.speaker) for turn in memory.turns()] == [("call", "Ana")] * 2


def test_a_malformed_file_loses_nothing_before_the_line() -> None:
    """Exit code 2; the line and the number of safe turns are said; files after it are read."""
    lines = [json.dumps({"text": f"turn {n}"}) for n in range(1500)]
    Path("bad.jsonl").write_text("\n".join([*lines, '{"text": ', *lines]))
    Path("good.txt").write_text("All is well.")
    result = memspan("remember", "bad.jsonl", "good.txt", code=2)
    assert "memspan: bad.jsonl, line 1501: not JSON" in result.stderr
    assert "1,500 turns of it are safe in memory.mem" in result.stderr
    assert stored() == [*(f"turn {n}" for n in range(1500)), "All is well."]
    made = json.loads(memspan("remember", "bad.jsonl", "--json", code=2).stdout)
    assert made["known"] == 1500 and "line 1501" in made["files"][0]["error"]


def test_a_refused_turn_loses_nothing_before_it() -> None:
    """An id that is taken stops the file there; the turns before it in the same batch are safe."""
    turns = [{"text": "a", "id": "1"}, {"text": "b", "id": "2"}, {"text": "c", "id": "1"}, {"text": "d", "id": "4"}]
    Path("ids.jsonl").write_text("\n".join(map(json.dumps, turns)))
    result = memspan("remember", "ids.jsonl", code=2)
    assert "id '1' is already taken" in result.stderr and "2 turns of it are safe" in result.stderr
    assert stored() == ["a", "b"]


def test_equal_turns_far_apart_are_both_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where batches end makes no difference, with times and without."""
    turns = [{"text": "yes", "at": at} for at in (None, 5, None, 5, None)]
    Path("yes.jsonl").write_text("\n".join(map(json.dumps, turns)))
    memspan("remember", "yes.jsonl", "-m", "whole.mem")
    monkeypatch.setattr(remember_file, "BATCH_TURNS", 1)
    memspan("remember", "yes.jsonl", "-m", "parts.mem")
    assert stored("whole.mem") == stored("parts.mem") == ["yes"] * 5


@pytest.mark.parametrize("target", ["out.jsonl", "-"], ids=["file", "pipe"])
def test_export_is_read_back_equal(target: str) -> None:
    """Turns survive the way out and in, into a file and through a pipe."""
    turns = [Turn("😀 olá\n\tx", speaker="Zoë", role="assistant", session="s", at=2.5, meta={"a": [1, None]})]
    turns.append(Turn("no time", session="s"))
    with Memory("memory.mem", scope="me") as memory:
        memory.remember(turns)
    result = memspan("export", target)
    assert target == "-" or "wrote 2 turns" in result.stderr
    memspan("remember", target, "-m", "two.mem", stdin=result.stdout)
    assert kept("two.mem") == kept("memory.mem")


def kept(path: str) -> list[tuple[object, ...]]:
    with Memory(path, scope="me") as memory:
        return [(t.id, t.text, t.speaker, t.role, t.session, t.at, dict(t.meta)) for t in memory.turns()]


def test_control_characters_never_reach_the_terminal() -> None:
    """Titles, colours, cursor moves and reordering in what was remembered are written out."""
    evil = "\x1b]0;owned\x07 red \x1b[31m \x9b31m \u202egnp.exe\u2066 \r over"
    line = json.dumps({"text": f"the attack {evil}", "speaker": f"M\x1b[2Jx\n{evil}", "session": f"s{evil}"})
    Path("evil.jsonl").write_text(line + "\n" + json.dumps({"text": "broken", "role": evil}))
    outputs = [memspan("remember", "evil.jsonl", code=2)]
    for options in ([], ["--explain"], ["--context"], ["--json"]):
        outputs.append(memspan("recall", "attack", *options))
    for output in outputs:
        raw = output.stdout + output.stderr
        assert not set(raw) & set("\x1b\x07\x9b\u202e\u2066\r"), raw
    assert json.loads(outputs[-1].stdout)["hits"][0]["text"] == f"the attack {evil}"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["recall", "x"], 2, "no memory at memory.mem"),
        (["stats"], 2, "no memory at memory.mem"),
        (["doctor"], 2, "no memory at memory.mem"),
        (["export", "out.jsonl"], 2, "no memory at memory.mem"),
        (["reembed"], 2, "no memory at memory.mem"),
        (["remember", "nowhere.txt"], 2, "nowhere.txt: No such file"),
        (["remember"], 2, "give FILES"),
        (["remember", "a.txt", "--text", "b"], 2, "give FILES"),
        (["remember", "chat.txt", "--format", "docx"], 2, "no format is called 'docx'"),
        (["remember", "--text", "x", "--at", "noon"], 2, "time 'noon': not a time"),
        (["remember", "--text", " "], 2, "is blank"),
        (["remember", "--text", "x", "--scope", "a//b"], 2, "scope 'a//b'"),
        (["remember", "--text", "x", "--memory", "chat.txt"], 3, "not a memspan file"),
        (["recall", "x", "--memory", "chat.txt"], 3, "not a memspan file"),
        (["remember", "--text", "x", "--memory", "no/such/folder.mem"], 3, "no/such"),
        (["remember", "--text", "x", "--setting", "full"], 4, "memspan"),
        (["methods", "teleport"], 2, "no wing is called 'teleport'"),
        (["frobnicate"], 2, "No such command"),
        (["recall"], 2, "Missing argument"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_code(
    args: list[str], code: int, message: str, chat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, the exit code of its kind, and no file left behind by a mistake."""
    monkeypatch.setenv("HOME", str(Path.cwd()))  # no model was built there
    result = memspan(*args, code=code)
    assert message in result.stderr and "Traceback" not in result.output
    assert chat.read_text() == CHAT
    if args[0] != "remember":
        assert not Path("memory.mem").exists()


def test_stats_in_words_and_json(chat: Path) -> None:
    """How much there is, from when to when, with which embedders."""
    memspan("remember", chat)
    assert "turns           3" in memspan("stats").stdout
    found = json.loads(memspan("stats", "--json").stdout)
    assert found["turns"] == 3 and found["sessions"] == 1 and found["first_at"] is None and found["setting"] == "lite"


def test_doctor_checks_and_rebuilds(chat: Path) -> None:
    """A sound file: all is well, exit code 0."""
    memspan("remember", chat)
    assert "all is well" in memspan("doctor").stdout
    assert "rebuilt  3 turns" in memspan("doctor", "--rebuild").stdout
    assert json.loads(memspan("doctor", "--json").stdout)["ok"] is True
    memspan("doctor", "--rebuild", "--repair", code=2)


def test_rebuild_mends_every_scope() -> None:
    """The file is one; what is derived is made anew for all that live in it."""
    for scope in ("ana", "acme/tom"):
        memspan("remember", "--text", f"I am {scope}.", "--scope", scope)
    connection = apsw.Connection("memory.mem")
    connection.execute("DELETE FROM unit")
    connection.close()
    assert "is not in the index" in memspan("doctor", code=1).stdout
    assert "rebuilt  2 turns" in memspan("doctor", "--rebuild").stdout
    for scope in ("ana", "acme/tom"):
        assert f"I am {scope}." in memspan("recall", "who am I", "--scope", scope).stdout


def test_doctor_repairs_a_damaged_file(tmp_path: Path) -> None:
    """Damage is found (exit code 1), repair saves what can be read and keeps the damaged file."""
    with Memory("memory.mem", scope="me") as memory:
        memory.remember([Turn(f"turn number {n} " + "x" * 500) for n in range(200)])
    path = tmp_path / "memory.mem"
    raw = bytearray(path.read_bytes())
    at = raw.index(b"turn number 100 ")
    raw[at : at + 4] = b"burn"
    path.write_bytes(raw)
    assert "problem: turn" in memspan("doctor", code=1).stdout
    made = json.loads(memspan("doctor", "--repair", "--json").stdout)
    assert made["ok"] and made["saved"] == 199 and Path(made["damaged_file"]).exists() and len(made["lost"]) == 1
    assert len(stored()) == 199


def test_reembed_says_how_many(chat: Path) -> None:
    """Nothing to do where all vectors are there."""
    memspan("remember", chat)
    assert "made 0 vectors, setting lite" in memspan("reembed").stdout


def test_methods_are_listed() -> None:
    """Of each wing, also as JSON."""
    assert "embed/static" in memspan("methods").stdout
    listed = json.loads(memspan("methods", "embed", "--json").stdout)
    assert {"static", "hashing", "onnx"} <= {row["name"] for row in listed}


def test_the_demo_shows_cited_evidence() -> None:
    """Five questions, evidence with ids, tokens, latency, confidence, the file, what to try next."""
    out = memspan("demo", "--memory", "demo.mem").stdout
    assert all(f"? {question}" in out for question in demo.QUESTIONS) and len(demo.QUESTIONS) == 5
    assert "I live in Graça now" in out and "allergic to hazelnuts" in out and "always give me amounts in grams" in out
    assert out.count("confidence") == 5 and out.count(" ms, ") >= 5 and "id t" in out
    assert "--memory demo.mem --scope demo" in out and "memspan remember FILE" in out
    assert "memspan serve --memory demo.mem" in out and "/#scope=demo" in out
    assert "memspan mcp --memory demo.mem --scope demo" in out
    assert "55 turns of 6 conversations" in memspan("demo", "--memory", "demo.mem").stdout


def test_help_names_all_commands_and_exit_codes() -> None:
    """And every command is loadable and explains itself."""
    out = memspan("--help").stdout
    for name, (_, does) in COMMANDS.items():
        assert name in out and does in out
        assert memspan(name, "--help").stdout.startswith(f"Usage: cli {name}")
    assert all(f"  {code} " in out and meaning in out for code, meaning in EXIT_CODES.items())


def test_a_write_is_finished_before_ctrl_c_is_heard() -> None:
    """Inside `held` Ctrl-C waits until the write is done."""
    done = []

    def write() -> None:
        with Stopping() as stopping:
            with stopping.held():
                os.kill(os.getpid(), signal.SIGINT)
                done.append("written")
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["written"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_between_writes_is_heard_at_once() -> None:
    """So a reader that waits for input can be stopped."""

    def read() -> None:
        with Stopping():
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("went on")

    with pytest.raises(KeyboardInterrupt):
        read()


def test_ctrl_c_says_how_many_are_safe(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130; the number said is the number stored."""
    monkeypatch.setattr(remember_file, "BATCH_TURNS", 1)
    remember, calls = Memory.remember, []

    def stopped(memory: Memory, turns: list[Turn], **how: bool) -> object:
        calls.append(turns)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return remember(memory, turns, **how)

    monkeypatch.setattr(Memory, "remember", stopped)
    result = memspan("remember", chat, code=130)
    assert "stopped. 2 turns of it are safe in memory.mem; run the same command again to go on" in result.stderr
    assert stored() == ["I moved to Lisbon in May.", "I stay in Porto."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 世界\n\ttab", "plain é 世界\n\ttab"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u202e\x9b\x7f", "\\u202e\\x9b\\x7f"),
    ],
)
def test_safe_text(text: str, shown: str) -> None:
    """Letters of all scripts, line breaks and tabs stay; controls are written out."""
    assert _show.safe(text) == shown
