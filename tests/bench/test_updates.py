"""The figures for facts that change: streams, contradicted facts, and who is scored how."""

import json
import lzma
from itertools import pairwise

import pytest
from click.testing import CliRunner

from memspan.bench.updates import measure as updates
from memspan.bench.updates.letta_core import contradicted, files
from memspan.bench.updates.streams import RESTATED, Asked, Stream, Told, fact_stream, key_stream
from memspan.core.errors import UsageError
from memspan.doors.cli.bench import bench


def row(group, question, facts, new, evidence):
    """A line as the real file has it."""
    return {
        "group": group,
        "question": question,
        "answer": "xyzzy",
        "facts": facts,
        "contradicting_fact": new,
        "contradicting_answer": "xyzzy",
        "supporting_fact_indices": evidence,
    }


FACTS = ["Ada Byron lives in a tower.", "Ada Byron keeps three owls.", "Carl Gauss keeps a diary."]
ROWS = [
    row("g1", "What does Ada Byron keep?", FACTS, "Ada Byron keeps only two cats.", [1]),
    row("g1", "Where does Ada Byron live?", FACTS, "Ada Byron lives on a boat.", [0]),
    row("g1", "Who keeps animals or a diary?", FACTS, "Nobody named Gauss keeps anything.", [1, 2]),
]


@pytest.fixture
def data(tmp_path):
    """A folder with the rows, packed as the real file is, beside a file of another shape."""
    with lzma.open(tmp_path / "update.jsonl.xz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in ROWS)
    (tmp_path / "read.jsonl").write_text(json.dumps({"facts": FACTS, "question": "?", "group": "g1"}))
    return tmp_path


def versions(stream):
    """Key or edge -> [(time, value, id)], read back from the texts."""
    found = {}
    for told in stream.told:
        text = told.text.split(". ", 1)[-1].rstrip(".")
        key, value = text.split(" is ") if " is " in text else text.split(": ")
        found.setdefault(key, []).append((told.at, value, told.id))
    return found


@pytest.mark.parametrize(
    "stream", [key_stream(5, 7, seed=3), fact_stream(3000, seed=3, questions=500)], ids=["keys", "facts"]
)
def test_gold_is_what_replaying_the_stream_gives(stream):
    """For each question: the last value told up to its time, and nothing else."""
    said = versions(stream)
    for one in stream.asked:
        (key,) = {key for key, told in said.items() if one.right & {id for _, _, id in told}}
        before = [entry for entry in said[key] if one.as_of is None or entry[0] <= one.as_of]
        assert one.right == {id for _, value, id in before if value == before[-1][1]}
        assert one.right | one.stale == {id for _, _, id in said[key]}
        subject = key.removeprefix("The ")
        assert subject in one.question


def test_key_streams_interleave():
    """Every key once a round, in a new order; no value is told twice in a row."""
    stream = key_stream(5, 50, seed=3)
    rounds = [[told.text.split(": ")[0] for told in stream.told[n : n + 5]] for n in range(0, 250, 5)]
    assert all(len(set(one)) == 5 for one in rounds) and len(set(map(tuple, rounds))) > 20
    for told in versions(stream).values():
        assert len(told) == 50 and all(a[1] != b[1] for a, b in pairwise(told))


def test_fact_streams_have_their_size_and_restate_their_share():
    """About as many tokens as asked for; 30 % of the edges again, relative to those told once."""
    stream = fact_stream(64_000, seed=3)
    assert 64_000 <= stream.tokens < 64_050 and len(stream.asked) > 200
    edges = len(versions(stream))
    assert abs((len(stream.told) - edges) / edges - RESTATED) < 0.05


def test_a_seed_makes_the_same_stream():
    """And another seed another one."""
    assert key_stream(3, 3, seed=1) == key_stream(3, 3, seed=1) != key_stream(3, 3, seed=2)
    assert fact_stream(500, seed=1) == fact_stream(500, seed=1) != fact_stream(500, seed=2)


def test_the_loader_finds_the_update_set_by_its_fields(data, tmp_path):
    """Cases with their group's other questions that stand on other facts."""
    first, second, third = contradicted(files(data))
    assert first.new == "Ada Byron keeps only two cats." and first.evidence == {1}
    assert first.others == [("Where does Ada Byron live?", frozenset({0}))]
    assert [question for question, _ in second.others] == ["What does Ada Byron keep?", "Who keeps animals or a diary?"]
    assert [question for question, _ in third.others] == ["Where does Ada Byron live?"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="letta-core"):
        files(tmp_path / "none")


TWO = Stream(
    "two",
    [Told("t0", "a: x", 0.0), Told("t1", "a: y", 60.0)],
    [
        Asked("What is a?", frozenset({"t1"}), frozenset({"t0"})),
        Asked("What is a?", frozenset({"t0"}), frozenset({"t1"}), 30.0),
    ],
)
SCORED = [
    (["t1", "t0"], (1.0, 0.0, 0.0)),
    (["t0", "t1"], (0.0, 1.0, 1.0)),
    (["other", "t1", "t0"], (0.0, 0.0, 0.0)),
    (["other"], (0.0, 1.0, 0.0)),
    ([], (0.0, 1.0, 0.0)),
]


@pytest.mark.parametrize(("ranked", "figures"), SCORED)
def test_only_the_first_place_counts(ranked, figures):
    """Latest first, stale before it, right first as of then; finding nothing is not following."""
    result = updates._score(TWO, "any", lambda question, as_of: ranked)
    assert (result["latest_first"], result["stale_before"], result["past_first"]) == figures
    assert result["questions"] == result["past_questions"] == 1


def test_the_last_word_comes_first_and_the_past_can_be_asked_for():
    """On small streams the figures of the release hold."""
    for stream in (key_stream(5, 20, seed=5), fact_stream(2000, seed=5, questions=40)):
        result = updates._on_memory(stream)
        assert result["latest_first"] == result["past_first"] == 1.0 and result["stale_before"] == 0.0


def test_contradicted_facts_are_scored_with_their_control(data):
    """New before every old, per evidence, and what an untouched question loses."""
    result = updates._letta(list(contradicted(files(data))), updates._letta_memory)
    assert (result["questions"], result["single_evidence"], result["untouched_questions"]) == (3, 2, 4)
    assert result["new_before_the_old"] == 1.0 and result["past_without_new"] == 1.0
    assert 0 <= result["right_first_after"] <= 1


@pytest.mark.parametrize(
    ("ranked", "newer", "right"),
    [(["f1", "new"], 0.0, 0.0), (["new", "f1", "f0"], 1.0, 0.0), (["f0", "new", "f1"], 1.0, 1.0), (["f2"], 0.0, 0.0)],
)
def test_the_new_fact_must_come_before_its_evidence(data, ranked, newer, right):
    """Wherever else it ranks; not being found is not coming first. The control looks at the first place only."""
    case = next(contradicted(files(data)))
    result = updates._letta(
        [case], lambda folder, one: ((lambda question, as_of: []), (lambda question, as_of: ranked))
    )
    assert (result["new_before_every_old"], result["right_first_after"]) == (newer, right)


def test_the_command_writes_both_forms(data, tmp_path, monkeypatch):
    """JSON for machines, tables for readers; without data only what is generated."""
    monkeypatch.setattr(updates, "streams", lambda seed: [key_stream(2, 3, seed), fact_stream(300, seed)])
    out = [tmp_path / "u.json", tmp_path / "u.md"]
    ran = CliRunner().invoke(bench, ["updates", "--data", str(data), "--json", str(out[0]), "--md", str(out[1])])
    assert ran.exit_code == 0, ran.output
    result = json.loads(out[0].read_text())
    assert result["schema"] == "memspan.bench.updates/1" and len(result["streams"]) == 4
    assert result["letta"]["bm25"]["questions"] == 3 and [one["file"] for one in result["files"]] == ["update.jsonl.xz"]
    assert "xyzzy" not in out[0].read_text() and "new before every old" in out[1].read_text()
    alone = CliRunner().invoke(bench, ["updates"])
    assert alone.exit_code == 0 and "letta" not in alone.stdout.lower()
