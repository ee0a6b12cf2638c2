"""A whole run over tiny data: what a system sees, what the result says, what an interruption costs."""

import json

import pytest
from click.testing import CliRunner
from tests.bench import tiny
from tests.bench.fake_systems import Honest

from memspan.bench import runner
from memspan.bench.cases import Ask
from memspan.bench.datasets import pick
from memspan.bench.files import find
from memspan.bench.report import Resampling
from memspan.bench.run import Plan, execute
from memspan.bench.sheet import Sheet
from memspan.bench.tables import markdown
from memspan.bench.tasks import asked
from memspan.core.errors import UsageError
from memspan.doors.cli.bench import bench

ALL = ["locomo", "beam", "realmem", "knowme-d3", "lifebench", "madial", "memdaily", "prefeval", "multihop"]


@pytest.fixture
def data(tmp_path):
    return tiny.write_all(tmp_path / "data")


def ran(data, out, *names, sets=("locomo",), **more):
    more = {"test": True, "resampling": Resampling(resamples=200)} | more
    plan = Plan(data=data, out=out, sets=list(sets), systems=names, **more)
    return execute(plan, ["memspan", "bench", "run"], lambda line: None)


def jobs(data, names, system="bm25"):
    for chosen in pick(names):
        for case in chosen.read(find(data, [chosen])[chosen.name]):
            yield runner.job_of(chosen, case, asked(case), system)


def test_gold_never_reaches_a_system(data, monkeypatch):
    """Nothing but text, speaker, role, session, time and a position; no answer, category or label."""
    seen = []

    class Spy(Honest):
        def remember(self, turns):
            seen.extend(repr(turn) for turn in turns)
            super().remember(turns)

        def recall(self, ask, k):
            seen.append(repr(ask))
            return super().recall(ask, k)

    monkeypatch.setattr(runner, "load", lambda name: Spy)
    for job in jobs(data, ALL):
        runner.work(job)
        seen.append(repr(job))
    everything = repr(seen)
    assert "What does Ida grow?" in everything
    assert tiny.SECRET not in everything
    for word in ("single-hop", "knowledge_update", "Information Extraction", "talk-1", "gold", "D1:1"):
        assert word not in everything


def test_a_job_carries_units_and_asks_only(data):
    """What crosses to another process."""
    (job,) = jobs(data, ["locomo"])
    assert set(runner.Job.__slots__) == {"system", "units", "asks", "depth"}
    assert job.asks[0] == (Ask("What does Ida grow?"), 28)


def test_sessions_are_stored_as_they_end(data, monkeypatch):
    """RealMem: the question comes when two sessions are in, and the third is not."""
    stored = []

    class Spy(Honest):
        def remember(self, turns):
            stored.append(len(turns))

        def recall(self, ask, k):
            stored.append(ask.text)
            return []

    monkeypatch.setattr(runner, "load", lambda name: Spy)
    (job,) = jobs(data, ["realmem"])
    runner.work(job)
    assert stored == [3, 2, "What is my kite made of?"]


def test_the_result_says_what_ran(data, tmp_path):
    """Files with their hashes, counts, figures with intervals, differences, costs."""
    result = ran(data, tmp_path / "out", "default", "bm25", "recent", sets=ALL)
    assert result["schema"] == "memspan.bench.run/2"
    assert {one["system"] for one in result["results"]} == {"default", "bm25", "recent"}
    by_key = {(one["set"], one["system"]): one for one in result["results"]}
    bm25 = by_key["locomo", "bm25"]
    assert (bm25["questions"], bm25["status"], bm25["cases"], bm25["of_cases"]) == (4, "done", 1, 1)
    assert bm25["metrics"]["hit@20"]["mean"] > 0
    assert by_key["locomo", "default"]["cost"]["bytes_on_disk"] > 0
    assert by_key["locomo", "default"]["cost"]["write_ms_p50"] > 0
    assert all(len(one["sha256"]) == 64 for one in result["files"])
    assert all(len(one["families"]) == 8 for one in result["macro"])
    assert {one["system"]: one["headline"] for one in result["macro"]} == {
        one["system"]: one["headline"] for one in result["common"]
    }
    planned = {(one["ours"], one["other"]) for one in result["compared"]}
    assert planned == {("default", "bm25")}
    assert all(one["p"] <= one["p_holm"] <= 1 for one in result["compared"])
    assert str(tmp_path) not in json.dumps(result)


def test_files_of_another_version_are_named(data, tmp_path):
    """The tiny files are nobody's known files."""
    result = ran(data, tmp_path / "out", "bm25")
    assert not result["files"][0]["known"]
    assert any("is not the version" in one and "locomo" in one for one in result["notices"])


def test_a_run_repeats(data, tmp_path):
    """The same data and seed give the same figures, in one process or two."""
    runs = [ran(data, tmp_path / str(jobs), "bm25", sets=["locomo", "musique"], jobs=jobs) for jobs in (1, 2)]
    figures = [[(one["set"], one["metrics"]) for one in run["results"]] for run in runs]
    assert figures[0] == figures[1]


def test_a_run_goes_on_from_what_is_there(data, tmp_path):
    """The second run asks no system anything: not even the times differ; another system is run for itself."""
    first = ran(data, tmp_path, "bm25", sets=["locomo", "madial"])
    again = ran(data, tmp_path, "bm25", "recent", sets=["locomo", "madial"])
    costs = [{one["set"]: one["cost"] for one in run["results"] if one["system"] == "bm25"} for run in (first, again)]
    assert costs[0] == costs[1]
    assert {one["system"] for one in again["results"]} == {"bm25", "recent"}


def test_the_test_clusters_are_asked_on_demand_only(data, tmp_path):
    """Without --test the questions of the dev half only; the ledger counts the runs that looked."""
    dev = ran(data, tmp_path, "bm25", sets=["prefeval"], test=False)
    whole = ran(data, tmp_path, "bm25", sets=["prefeval"])
    third = ran(data, tmp_path, "bm25", sets=["prefeval"], test=False)
    chosen = pick(["prefeval"])[0]
    cases = list(chosen.read(find(data, [chosen])["prefeval"]))
    parts = Sheet.of(chosen, cases, test=True).parts().tolist()
    questions = [sum(one["questions"] for one in run["results"]) for run in (dev, whole)]
    assert questions == [parts.count("dev"), len(parts)]
    assert (dev["split"], whole["split"]) == ("dev", "all")
    assert [run["tests_before"] for run in (dev, whole, third)] == [0, 0, 1]


def test_what_is_not_there(data, tmp_path):
    """Asked for by name it is an error; asked for everything, it is a notice."""
    (data / "a" / "locomo.json").unlink(missing_ok=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="no locomo"):
        ran(empty, tmp_path / "out", "bm25")
    result = ran(empty, tmp_path / "out", "bm25", sets=["locomo", "standing-syn"], lenient=True, quick=True)
    assert [one["set"] for one in result["sets"]] == ["standing-syn"]
    assert any(one.startswith("locomo left out") for one in result["notices"])


def test_quick_keeps_every_category(tmp_path):
    """At most 40 questions, of every category of the made set, without any data."""
    result = ran(None, tmp_path, "bm25", sets=["standing-syn"], quick=True)
    (one,) = result["results"]
    assert 30 <= one["questions"] <= 40
    assert set(one["by_category"]) == {"dev", "test", "other"}


def test_a_few_questions_are_held_against_the_whole(tmp_path):
    """The error of each way to choose is told, where systems and questions are enough."""
    names = ("bm25", "recent", "nothing", "dense", "full-context", "default")
    result = ran(None, tmp_path, *names, sets=["standing-syn", "rewriting-syn"])
    told = {one["set"]: one for one in result["subsets"]}
    assert "rewriting-syn" in told
    assert all(0 <= told["rewriting-syn"][way] < 0.5 for way in ("stratified", "spaced", "medoids", "random"))
    assert "What a few questions tell of the whole" in (tables := markdown(result)) and "rewriting-syn" in tables


def test_the_command_leaves_a_report(data, tmp_path):
    """A page, tables, the result, the ledger; and the tables on stdout."""
    out = tmp_path / "out"
    given = ["run", "--data", str(data), "--sets", "locomo", "--systems", "bm25", "--test", "--out", str(out)]
    done = CliRunner().invoke(bench, given)
    assert done.exit_code == 0, done.output
    assert json.loads((out / "result.json").read_text("utf-8"))["results"][0]["set"] == "locomo"
    whole = (out / "report.md").read_text("utf-8")
    shown, _, details = whole.partition("## Each set")
    assert details and shown.strip() in done.output and details not in done.output
    assert "<html" in (out / "report.html").read_text("utf-8")
    ledger = [json.loads(line) for line in (out / "ledger.jsonl").read_text("utf-8").splitlines()]
    assert [row["row"] for row in ledger] == ["run", "result"] and ledger[0]["test"]


def test_an_unknown_set_or_system_is_refused(data, tmp_path):
    """With the nearest name."""
    for given in (["--sets", "locom"], ["--systems", "bm26"]):
        done = CliRunner().invoke(bench, ["run", "--data", str(data), "--out", str(tmp_path / "out"), *given])
        assert done.exit_code != 0 and "Did you mean" in str(done.exception or done.output)


@pytest.mark.parametrize("bad", ["", "ten", "0", "10,-5"])
def test_sizes_must_be_counts(bad):
    """A size that is none is refused before anything runs."""
    ran = CliRunner().invoke(bench, ["speed", "--records", bad])
    assert ran.exit_code == 2
