"""`memspan bench kv`: rows that are kept, figures that follow from them, and the whole on tiny models."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan.bench.kv import page, run, tables  # noqa: E402
from memspan.bench.kv.cost import RAW, here, shape_of  # noqa: E402
from memspan.bench.kv.exams import Sizes, asked_of, exams  # noqa: E402
from memspan.bench.kv.kept import Rows, fingerprint  # noqa: E402
from memspan.bench.kv.measured import sat  # noqa: E402
from memspan.bench.kv.plots import alike, front  # noqa: E402
from memspan.bench.kv.race import Runner, raced  # noqa: E402
from memspan.bench.kv.scored import FLOOR, RISES, TOLERANCE, scored  # noqa: E402
from memspan.bench.kv.settings import FITTED, PRESSES, STOCK, TASKS, System, ours, policy  # noqa: E402
from memspan.bench.kv.speed import RUNNERS, goals  # noqa: E402
from memspan.core.errors import UnknownMethod, UsageError  # noqa: E402
from memspan.core.registry import methods  # noqa: E402
from memspan.doors.cli.main import cli  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.plan.cache import cache_bytes  # noqa: E402
from memspan.testing.kv_tasks import answers  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

TINY = Sizes(batch=3, context=64, needles=4, seeds=2, rows=2)
FIVE = [task for task in TASKS if task != "fidelity"]


@pytest.fixture(scope="module")
def model():
    """The untrained circuit."""
    return circuit(1)


# -- exams and settings


def test_tasks_of_one_prompt_are_one_exam():
    """The needle's question is the first of the conversation, so it is read and answered once."""
    aware, agnostic, copied = exams(FIVE, replace(TINY, seeds=1), 5)
    assert dict(aware.turns) == {"needle-aware": (0,), "multi-key": (0, 1, 2, 3)}
    assert dict(agnostic.turns) == {"needle-agnostic": (0,), "multi-turn": (0, 1, 2, 3)}
    assert dict(copied.turns) == {"induction": (0,)}
    (alone,) = exams(["needle-aware"], replace(TINY, seeds=1), 5)
    assert torch.equal(alone.task.prompt, aware.task.prompt) and len(alone.task.turns) == 1
    assert torch.equal(alone.task.turns[0][1], aware.task.turns[0][1])


def test_batches_differ_by_seed():
    """So that more of them are more questions."""
    first, second = exams(["needle-aware"], TINY, 0)
    assert not torch.equal(first.task.prompt, second.task.prompt)


def test_where_nothing_is_dropped_one_batch_is_asked():
    """But for the full cache, which everything is compared with."""
    every = exams(["needle-aware"], TINY, 0)
    method = System(name="snapkv", kind="memspan", method="snapkv")
    assert len(asked_of(method, 1.0, every)) == 1 and len(asked_of(method, 0.5, every)) == 2
    assert len(asked_of(System(name=STOCK, kind="baseline"), 1.0, every)) == 2


@pytest.mark.parametrize("name", sorted(FITTED))
def test_fitted_settings_are_the_methods_own_with_a_reason(name):
    """A setting that is gone, or a method that is, would fail here and not in a long run."""
    assert name in methods("kv") and FITTED[name].reason
    made = policy(name, FITTED[name].settings)
    for key, given in FITTED[name].settings.items():
        if not isinstance(given, list):
            assert getattr(made, key) == given


def test_all_methods_and_codecs_are_rows_beside_the_stock_cache():
    """And lots are drawn whatever is asked for, since every method is compared with them."""
    names = [one.name for one in ours([])]
    assert names[:5] == [STOCK, "keep-all", "int8", "int4", "int2"] and set(methods("kv")) <= set(names)
    assert [one.name for one in ours(["snapkv", "int4"])] == [STOCK, "keep-all", "int4", "snapkv", "random"]
    with pytest.raises(UnknownMethod):
        ours(["snapk"])


def test_presses_have_names_of_their_own():
    """They are keys of the result."""
    assert len({one.name for one in PRESSES}) == len(PRESSES) and all(one.press for one in PRESSES)


# -- rows


def test_rows_come_back_and_one_cut_off_does_not(tmp_path):
    """What was written before a stop is known again; half a line is measured anew."""
    rows = Rows(tmp_path / "new" / "rows.jsonl")
    rows.add(("snapkv", 0.5, "aware", 0), {"right": [[1]]})
    rows.add(("snapkv", 0.25, "aware", 0), {"failed": "why"})
    with rows.path.open("a") as file:
        file.write('{"key": ["snapkv", 0.125, "aw')
    again = Rows(rows.path)
    assert set(again.known) == {("snapkv", 0.5, "aware", 0), ("snapkv", 0.25, "aware", 0)}
    again.add(("snapkv", 0.125, "aware", 0), {"right": [[0]]})
    assert len(Rows(rows.path).known) == 3
    again.drop()
    assert not rows.path.exists()


def test_another_plan_has_other_rows():
    """The same has the same."""
    assert fingerprint({"seed": 1}) == fingerprint({"seed": 1}) != fingerprint({"seed": 2})


# -- what is measured


def test_what_is_right_is_what_the_tasks_own_judge_says(model):
    """And bytes are those the caches hold: keep-all holds the stock cache's rows and their positions."""
    from transformers import DynamicCache

    exam = exams(["multi-turn"], replace(TINY, seeds=1), 0)[0]
    stock = sat(model, exam.task, System(name=STOCK, kind="baseline"), 1.0)
    keep = sat(model, exam.task, System(name="keep-all", kind="baseline"), 1.0)
    half = sat(model, exam.task, System(name="streaming", kind="memspan", method="streaming"), 0.5)
    right = answers(model, exam.task, DynamicCache).int().tolist()
    assert stock["right"] == keep["right"] == right
    rows, lengths = 3 * 64 * 2 * 2, 3 * 2 * 8
    assert stock["resident_bytes"] == rows * 2 * 48 * 4
    assert keep["resident_bytes"] == rows * (2 * 48 + 1) * 4 + lengths
    assert half["resident_bytes"] == rows * (2 * 48 + 1) * 2 + lengths < half["peak_bytes"]
    assert half["decoded_bytes"] > half["resident_bytes"]
    assert stock["decode_split"] is None and len(keep["decode_split"]) == 3 and keep["decode_split"][1] > 0


def test_pages_that_are_looked_up_are_counted_apart(model):
    """What a look-up method holds at hand and what lies away are together all rows, and more than half is away."""
    exam = exams(["needle-agnostic"], Sizes(batch=2, context=200, needles=4, seeds=1), 0)[0]
    found = sat(model, exam.task, System(name="infllm", kind="lookup", method="infllm"), 0.25)
    everything = 2 * 200 * 2 * 2 * 2 * 48 * 4
    assert found["away_bytes"] > everything / 2 and found["resident_bytes"] < everything / 2
    assert found["resident_bytes"] + found["away_bytes"] >= everything


def rows_of(name, budget, right):
    """Rows as a run keeps them: one exam of both seeds, each sequence with one question."""
    costs = {
        "resident_bytes": 300,
        "away_bytes": 0,
        "peak_bytes": 600,
        "decoded_bytes": None,
        "prefill_s": 0.5,
        "step_s": 0.01,
    }
    split = {"prefill_split": None, "decode_split": [0.001, 0.002, 0.003]}
    return {(name, budget, "aware", seed): {"right": [[one] for one in right], **costs, **split} for seed in (0, 1)}


def table_of(**right):
    """The scored result of systems called name_percent, by what their sequences got right."""
    sizes = replace(TINY, batch=len(next(iter(right.values()))))
    asked = exams(["needle-aware"], sizes, 0)
    known, systems = {}, {}
    for key, given in right.items():
        name, percent = key.split("_")
        known |= rows_of(name, int(percent) / 100, given)
        systems[name] = System(name=name, kind="memspan", method=name)
    return scored(list(systems.values()), ["needle-aware"], asked, known)


def test_a_row_has_its_interval_and_costs_by_sequence():
    """Accuracy over both batches, bytes of one sequence, steps in milliseconds."""
    (row,) = table_of(snapkv_50=[1, 1, 0])["rows"]
    assert row["accuracy"]["mean"] == pytest.approx(2 / 3) and row["questions"] == 6
    assert row["accuracy"]["low"] < 2 / 3 < row["accuracy"]["high"]
    assert row["resident_bytes"] == 100 and row["step_ms"] == 10 and row["tokens_per_s"] == 300
    assert row["decode_ms"] == {"score": 1, "attend": 2, "move": 3}


def test_checks_fail_where_more_budget_answers_less_or_lots_answer_more():
    """And only there: the same right answers pass both."""
    good, bad = [1] * 12, [0] * 12
    found = table_of(snapkv_50=bad, snapkv_25=good, knorm_50=good, knorm_25=good, random_50=good, random_25=bad)
    passed = {(one["system"], one["check"]): one["passed"] for one in found["checks"]}
    assert passed == {
        ("snapkv", RISES): False,
        ("snapkv", FLOOR): False,
        ("knorm", RISES): True,
        ("knorm", FLOOR): True,
        ("random", RISES): True,
    }
    (worst,) = [one for one in found["checks"] if one["system"] == "snapkv" and one["check"] == RISES]
    assert worst["difference"]["mean"] == -1 and worst["least"] == -TOLERANCE


def test_noise_alone_fails_no_check():
    """One sequence of twelve more at the smaller budget is no fall."""
    found = table_of(snapkv_50=[1, 0] * 6, snapkv_25=[1, 0] * 5 + [1, 1])
    assert [one["passed"] for one in found["checks"]] == [True]


def test_a_method_that_breaks_costs_its_own_rows_only(model, tmp_path, monkeypatch):
    """Its reason stands in the result."""
    plan = run.KvPlan(
        methods=("snapkv", "knorm"), budgets=(0.5,), tasks=("needle-aware",), folder=tmp_path, sizes=TINY, peers=False,
        steps=0,
    )  # fmt: skip

    def broken(self, view):
        raise RuntimeError("torn")

    monkeypatch.setattr(type(policy("knorm", {})), "score", broken)
    result = run.measure(plan, ["memspan"])
    assert [(one["system"], one["why"]) for one in result["failed"]] == [("knorm", "RuntimeError: torn")]
    assert {one["system"] for one in result["rows"]} == {STOCK, "keep-all", "snapkv", "random"}
    assert "RuntimeError: torn" in tables.markdown(result)


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """Ctrl-C at the third row: the next run measures the others, and leaves no file behind."""
    plan = run.KvPlan(
        methods=("snapkv",), budgets=(0.5,), tasks=("needle-aware",), folder=tmp_path, sizes=TINY, peers=False, steps=0
    )
    real, seen = run._Desk.row, []

    def row(self, system, key):
        seen.append(key)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(self, system, key)

    monkeypatch.setattr(run._Desk, "row", row)
    with pytest.raises(KeyboardInterrupt):
        run.measure(plan, ["memspan"])
    (kept,) = tmp_path.glob("*.jsonl")
    assert len(kept.read_text().splitlines()) == 2
    result = run.measure(plan, ["memspan"])
    assert len(seen) == 2 * len(result["systems"]) + 1 and len(set(seen)) == len(seen) - 1
    assert not list(tmp_path.glob("*.jsonl")) and not result["failed"]


@pytest.mark.parametrize("wrong", [{"tasks": ("needles",)}, {"parts": ("all",)}, {"budgets": (2.0,)}, {"budgets": ()}])
def test_what_there_is_not_is_refused(wrong, tmp_path):
    """Before anything is made or measured."""
    with pytest.raises(UsageError):
        run.measure(run.KvPlan(folder=tmp_path, **wrong), ["memspan"])
    assert not list(tmp_path.iterdir())


# -- the front, the page, the tables


def test_the_front_is_what_none_beats():
    """But for rows that answer the same in hardly more bytes."""
    rng = np.random.default_rng(0)
    rows = [
        {"resident_bytes": int(size), "accuracy": {"mean": float(mean)}}
        for size, mean in zip(
            rng.choice(np.arange(10, 200), 60, replace=False), rng.integers(0, 10, 60) / 10, strict=True
        )
    ]
    found = front(rows)
    for row in rows:
        size, mean = row["resident_bytes"], row["accuracy"]["mean"]
        beaten = any(
            other["accuracy"]["mean"] >= mean and other["resident_bytes"] < size and not alike(row, other)
            for other in rows
        )
        assert (row in found) != beaten


def test_quick_writes_all_there_is_to_read(tmp_path):
    """The command as a user calls it: JSON, tables and a page that loads nothing."""
    out = {kind: tmp_path / f"r.{kind}" for kind in ("json", "md", "html")}
    told = ["bench", "kv", "--quick", "--tasks", "needle-aware", "--folder", str(tmp_path)]
    done = CliRunner().invoke(cli, [*told, *(part for kind in out for part in (f"--{kind}", str(out[kind])))])
    assert done.exit_code == 0, done.output
    result = json.loads(out["json"].read_text())
    assert result["schema"] == run.SCHEMA and {one["budget"] for one in result["rows"]} == {1.0, 0.25}
    assert out["md"].read_text() == done.stdout == tables.markdown(result)
    text = out["html"].read_text()
    assert text == page.html(result) and "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"' ]*", text)) == {"http://www.w3.org/2000/svg"}


# -- speed and cost


def speed_of(**changed):
    """Rows of the speed part in which every goal is just reached, but for what is changed."""
    usual = {"prefill_ratio": 1.25, "step_ratio": 1.25, "bytes_ratio": 0.26, "logits_apart": 1e-3}
    rows = [{"name": name, **usual} for name, _, _ in RUNNERS]
    for row in rows:
        row.update(changed.get(row["name"].split()[0].replace("-", "_"), {}))
    return {"tokens": 4096, "rows": rows, "beside": {"ada": 1.3, "int4": 2.0, **changed.get("beside", {})}}


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, ""),
        ({"keep_all": {"logits_apart": 2e-3}}, "logits apart"),
        ({"keep_all": {"step_ratio": 1.3}}, "keep-all / DynamicCache, decode"),
        ({"beside": {"ada": 1.4}}, "adakv / snapkv"),
        ({"beside": {"int4": 2.1}}, "int4 pages"),
        ({"adakv": {"bytes_ratio": 0.27}}, "adakv 25 %: bytes"),
    ],
)
def test_a_goal_is_reached_or_not(changed, missed):
    """Each figure against its own goal."""
    found = goals(speed_of(**changed))
    assert len(found) == 7
    assert [one["what"] for one in found if not one["reached"]] == (
        [one["what"] for one in found if missed and missed in one["what"]]
    )
    assert bool(missed) == any(not one["reached"] for one in found)


def test_caches_take_turns_and_say_the_same():
    """Keep-all says what the stock cache says, and the planned bytes are the held ones but for positions."""
    from memspan.bench.kv.race import SETTINGS

    small = new_llama({**SETTINGS, "num_hidden_layers": 1}, 0)
    runners = [Runner(System(name=name, kind="baseline"), 1.0, 40) for name in (STOCK, "keep-all")]
    stock, keep = raced(small, runners, rounds=2, turns=1, seed=0, say=lambda note: None)
    assert len(stock.prefill) == 2 and len(stock.steps) == len(keep.steps) == 8
    assert max(float((one - two).abs().max()) for one, two in zip(stock.logits, keep.logits, strict=True)) < 1e-4
    shape = replace(shape_of(1000), layers=1)
    assert stock.resident_bytes == cache_bytes(shape, 40, RAW)


def test_the_machine_is_measured():
    """Both figures are those of a machine that exists: 0.1 to 10,000 GB/s, 0.1 to 100,000 GFLOP/s."""
    device = here(megabytes=8, size=128, times=2)
    assert 1e8 < device.bandwidth < 1e13 and 1e8 < device.flops < 1e14
    assert device.source == "measured"


@pytest.mark.slow
def test_every_part_from_beginning_to_end(tmp_path):
    """The text model is made, every task is asked at two budgets, speed and cost are measured, plots are drawn."""
    pytest.importorskip("matplotlib")
    told = ["bench", "kv", "--methods", "snapkv,streaming,int4", "--budgets", "1,.25", "--no-peers", "--batch", "4"]
    told += ["--context", "240", "--needles", "8", "--seeds", "1", "--parts", "accuracy,speed,cost", "--tokens", "256"]
    told += ["--folder", str(tmp_path), "--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html")]
    done = CliRunner().invoke(cli, [*told, "--plots", str(tmp_path / "plots")])
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "r.json").read_text())
    assert not result["failed"] and {one["task"] for one in result["rows"]} == set(TASKS)
    cell = {(one["task"], one["system"], one["budget"]): one for one in result["rows"]}
    assert cell["fidelity", "keep-all", 1.0]["kl"]["mean"] < 1e-6 < cell["fidelity", "streaming", 0.25]["kl"]["mean"]
    assert cell["needle-aware", "snapkv", 0.25]["accuracy"]["mean"] >= 0.75
    assert cell["needle-agnostic", "streaming", 0.25]["accuracy"]["mean"] <= 0.75
    assert list(result["speed"]["beside"]) == ["adakv 25 % / snapkv 25 %", "int4 / keep-all"]
    assert len(result["speed"]["rows"]) == len(RUNNERS) and len(result["goals"]) == 7
    assert [one["tokens"] for one in result["cost"]["rows"]][:4] == [32, 64, 128, 256]
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".png", ".svg"}
    assert result["goals"][0]["measured"] <= 1e-3
