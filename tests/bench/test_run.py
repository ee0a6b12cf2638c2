"""A whole run over tiny data: what a system sees, what the result says."""

import json
from typing import ClassVar

import pytest
from click.testing import CliRunner
from tests.bench import tiny

from memspan.bench import runner, systems
from memspan.bench.cases import Ask
from memspan.bench.datasets import pick
from memspan.bench.files import find
from memspan.bench.report import Resampling
from memspan.bench.run import Plan, execute
from memspan.bench.systems import Packed
from memspan.bench.tables import markdown
from memspan.core.errors import MissingModel
from memspan.doors.cli.bench import bench

ALL = ["locomo", "beam", "realmem", "knowme-d3", "lifebench", "madial", "memdaily", "prefeval", "multihop"]


@pytest.fixture
def data(tmp_path):
    return tiny.write_all(tmp_path)


def plan(data, *names, sets=("locomo",), **more):
    return Plan(data=data, sets=list(sets), systems=names, resampling=Resampling(resamples=200), **more)


class Spy:
    """Remembers everything it is given."""

    seen: ClassVar[list] = []

    def __init__(self, folder):
        self.ids = []

    def remember(self, turns):
        self.seen.append([repr(turn) for turn in turns])
        self.ids += [turn.id for turn in turns]

    def recall(self, question, k):
        self.seen.append(question)
        return self.ids[:k]

    def pack(self, question, tokens):
        return Packed(tuple(self.ids[:1]))

    def bytes_on_disk(self):
        return 0

    def close(self):
        pass


@pytest.fixture
def spy(monkeypatch):
    monkeypatch.setattr(Spy, "seen", [])
    monkeypatch.setattr(runner, "load", lambda name: Spy)
    monkeypatch.setattr(systems, "load", lambda name: Spy)
    return Spy


def test_gold_never_reaches_a_system(data, spy):
    """Nothing but text, speaker, role, session, time and a position; no answer, category or label."""
    execute(plan(data, "spy", sets=ALL), ["x"])
    everything = repr(spy.seen)
    assert tiny.SECRET not in everything
    for word in ("single-hop", "knowledge_update", "Information Extraction", "talk-1", "gold", "D1:1"):
        assert word not in everything


def test_a_job_carries_units_and_question_texts_only(data):
    """What crosses to another process."""
    chosen = pick(["locomo"])[0]
    case = next(iter(chosen.read(find(data, [chosen])["locomo"])))
    job = runner.job_of(chosen, case, "bm25")
    assert job.asked == [(one.ask, one.visible) for one in case.questions if one.gold]
    assert set(runner.Job.__slots__) == {"system", "units", "asked", "depth"}


def test_sessions_are_stored_as_they_end(data, spy):
    """RealMem: the question comes when two sessions are in, and the third is not."""
    execute(plan(data, "spy", sets=["realmem"]), ["x"])
    stored = [len(batch) for batch in spy.seen if isinstance(batch, list)]
    assert stored == [3, 2]
    assert spy.seen[-1] == Ask("What is my kite made of?")


def test_the_result_says_what_ran(data):
    """Files with their hashes, counts, figures with intervals, differences, costs."""
    result, board = execute(plan(data, "default", "bm25", "recent", sets=ALL), ["memspan", "bench"])
    json.dumps(result)
    assert result["schema"] == "memspan.bench.run/1"
    assert {one["system"] for one in result["results"]} == {"default", "bm25", "recent"}
    by_key = {(one["set"], one["system"]): one for one in result["results"]}
    assert by_key["locomo", "bm25"]["questions"] == 4
    assert by_key["locomo", "bm25"]["metrics"]["hit@20"]["mean"] > 0
    assert by_key["locomo", "bm25"]["minus_bm25"] is None
    assert by_key["locomo", "recent"]["minus_bm25"]["R@10"]["mean"] < 0
    assert by_key["locomo", "default"]["cost"]["bytes_on_disk"] > 0
    assert all(len(one["sha256"]) == 64 for one in result["files"])
    assert all(len(one["families"]) == 8 for one in result["macro"])
    assert {one["system"] for one in result["instruction"]} == {"default", "bm25", "recent"}
    assert len(board.rows()) == sum(one["questions"] for one in result["results"])
    shown = markdown(result)
    assert "| locomo " in shown
    assert str(data) not in json.dumps(result) + shown


def test_a_run_repeats(data):
    """The same data and seed give the same figures, in one process or two."""
    runs = [execute(plan(data, "bm25", sets=["locomo", "musique"], jobs=jobs), ["x"])[0] for jobs in (1, 2)]
    figures = [[(one["set"], one["metrics"]) for one in run["results"]] for run in runs]
    assert figures[0] == figures[1]


def test_a_system_that_is_not_there_is_shown_as_absent(data, monkeypatch):
    """The run goes on without it."""

    def load(name):
        if name == "full":
            raise MissingModel("model.onnx", "memspan models build")
        return systems_load(name)

    systems_load = systems.load
    monkeypatch.setattr(systems, "load", load)
    result, _ = execute(plan(data, "full", "bm25"), ["x"])
    assert "memspan models build" in result["absent"]["full"]
    assert "Absent: full" in markdown(result)
    assert [one["system"] for one in result["results"]] == ["bm25"]


def test_limit_cases(data):
    """Only the first so many cases."""
    (data / "a" / "two.json").write_text(json.dumps(tiny.locomo()), encoding="utf-8")
    result, _ = execute(plan(data, "recent", limit_cases=1), ["x"])
    assert result["sets"][0]["cases"] == 1
    assert result["results"][0]["metrics"]["R@10"]["low"] is None


def test_the_command_writes_all_it_is_asked_for(data, tmp_path):
    """JSON, Markdown and rows, and the table on stdout."""
    out = {name: tmp_path / f"out.{name}" for name in ("json", "md", "rows")}
    given = [part for name, path in out.items() for part in (f"--{name}", str(path))]
    ran = CliRunner().invoke(bench, ["run", "--data", str(data), "--sets", "locomo", "--systems", "bm25", *given])
    assert ran.exit_code == 0, ran.output
    assert json.loads(out["json"].read_text("utf-8"))["results"][0]["set"] == "locomo"
    assert out["md"].read_text("utf-8") in ran.output
    assert len(out["rows"].read_text("utf-8").splitlines()) == 4


@pytest.mark.parametrize("bad", ["", "ten", "0", "10,-5"])
def test_sizes_must_be_counts(bad):
    """A size that is none is refused before anything runs."""
    ran = CliRunner().invoke(bench, ["speed", "--records", bad])
    assert ran.exit_code == 2
