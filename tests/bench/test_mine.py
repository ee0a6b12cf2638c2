"""A memory asked about itself: what is asked, what is told, and that nothing else leaves the file."""

import json
import random
import re
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from click.testing import CliRunner

from memspan.bench import mine
from memspan.bench.cloze import Corpus, in_its_words
from memspan.bench.mine import METRICS, Asked, MinePlan, Way, figures, markdown, measure
from memspan.core.errors import NotAMemory, StoreError, UsageError
from memspan.core.records import Turn
from memspan.doors.cli.main import cli
from memspan.text.index.words import words
from memspan.text.memory import Memory

PEOPLE = ("Ada", "Ben", "Cleo", "Dov")
PLACES = ("harbour", "library", "market", "museum", "orchard", "station", "theatre", "bakery", "lighthouse")
THINGS = ("kettle", "ladder", "violin", "compass", "blanket", "lantern", "saddle", "mirror", "basket", "teapot")
DOINGS = ("repaired", "painted", "borrowed", "carried", "polished", "sold", "mended", "lost", "bought", "cleaned")
NAMES = ("Okonkwo", "Lindqvist", "Marchetti", "Abernathy", "Yamamoto", "Petrov", "Castellanos", "Hargreaves", "Novak")


def turns(count=120, seed=3):
    """Errands of four people; each has a name or a number of its own, the other words come round again."""
    rng = random.Random(seed)
    for number in range(count):
        who, thing, place = (rng.choice(some) for some in (PEOPLE, THINGS, PLACES))
        own = f"{rng.choice(NAMES)}{number}" if number % 2 else str(7000 + number)
        text = (
            f"Yesterday we {rng.choice(DOINGS)} a {thing} beside the {place} with a {rng.choice(THINGS)}, ticket {own}."
        )
        yield Turn(text, speaker=who, session=f"s{number // 15}", at=1.7e9 + 600 * number)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "ada.mem"
    with Memory(path, scope="ada") as memory:
        memory.remember(turns())
        berlin = memory.remember("I live in Berlin.", speaker="Ada", at="2024-01-01").ids[0]
        memory.remember("I moved to Rome.", speaker="Ada", at="2024-06-01")
        memory.correct(berlin, "I live in Bern.", reason="misheard")
        memory.archive(memory.remember("We hid the saddle, ticket 9999.", speaker="Ben").ids[0])
    return path


def way(path, **more):
    return Way(label=more.pop("label", "it"), path=path, scope="ada", **more)


@pytest.fixture(scope="module")
def result(file):
    plan = MinePlan(ways=[way(file), way(file, label="words", memory={"embedders": []})], questions=40, show=2)
    return measure(plan, ["memspan", "bench", "mine"], lambda said: None)


def numbered(count=120):
    """The same with ids that tell their place."""
    return [replace(turn, id=str(place)) for place, turn in enumerate(turns(count))]


def test_a_question_is_no_copy_and_asks_for_the_rarest_word():
    """It leaves the answer out, keeps few words, and none that stands nowhere else."""
    said = numbered()
    stems = {turn.id: set(words(turn.text)) for turn in said}
    clozes = Corpus(said).clozes(30, seed=1)
    assert len({cloze.gold for cloze in clozes}) == 30
    for cloze in clozes:
        cues, gold, (answer,) = set(words(cloze.text)), stems[cloze.gold], words(cloze.answer)
        assert answer in gold and answer not in cues
        assert sum(answer in some for some in stems.values()) == 1
        assert 3 <= len(cues) <= 4 < len(gold)
        assert all(sum(cue in some for some in stems.values()) > 1 for cue in cues & gold)
        assert (cues <= gold) is (cloze.kind == "own words")


def test_half_of_the_questions_are_in_other_words():
    """Two cues of four are replaced by words that the turn does not have, near in meaning by the static table."""
    pairs = "doctor physician picture photo boat ship happy glad car vehicle city town house home big large quick fast "
    pairs += "begin start buy purchase film movie job occupation road street illness disease"
    near = list(zip(pairs.split()[::2], pairs.split()[1::2], strict=True))
    rng = random.Random(5)
    said = []
    for place in range(60):
        chosen = [rng.choice(pair) for pair in rng.sample(near, 4)]
        said.append(Turn(f"{' '.join(chosen)} {7000 + place}", id=str(place)))
    clozes = [cloze for cloze in Corpus(said).clozes(40, seed=1) if cloze.kind == "other words"]
    assert 5 <= len(clozes) <= 20
    twin = {one: other for pair in near for one, other in (pair, pair[::-1])}
    for cloze in clozes:
        cues, gold = cloze.text.rstrip("?").split()[1:], said[int(cloze.gold)].text.split()
        strange = [cue for cue in cues if cue not in gold]
        assert 3 <= len(cues) <= 4 and len(strange) == 2
        assert sum(twin[cue] in gold for cue in strange) >= 1


def test_what_several_turns_answer_is_not_asked():
    """Turns that differ in nothing but the number asked for; and turns said twice."""
    said = numbered(40)
    alike = [
        replace(turn, id=f"alike {turn.id}", text=re.sub(r"\S+$", f"X{turn.id}.", turn.text)) for turn in said[:10]
    ]
    again = [replace(turn, id=f"again {turn.id}") for turn in said[10:20]]
    asked = {cloze.gold for cloze in Corpus([*said, *alike, *again]).clozes(60, seed=1)}
    assert asked and asked <= {str(n) for n in range(20, 40)}


def test_questions_repeat_with_their_seed():
    """The same seed asks the same; another one something else."""
    said = numbered()
    one, same, other = (Corpus(said).clozes(20, seed=seed) for seed in (1, 1, 2))
    assert one == same and one != other


def test_scripts_without_spaces_are_asked_for_too():
    """Cues are the pairs of characters that the index holds."""
    places = ("海边", "山上", "河里", "城中", "桥下", "路旁", "村口", "湖畔")
    things = ("白马", "黄牛", "小狗", "老虎", "绵羊", "公鸡", "青蛙", "乌龟")
    said = [Turn(f"昨天在{places[n % 8]}看见{things[n // 8]}和{n}号车。", id=str(n)) for n in range(64)]
    clozes = Corpus(said).clozes(10, seed=1)
    assert clozes and all(re.search("[\u4e00-\u9fff]{2}", cloze.text) for cloze in clozes)


def test_figures_of_a_ranking_by_hand():
    """First, seventh, and not found; packed or not."""
    clozes = [
        replace(one, gold="x")
        for one in Corpus([replace(t, id=str(n)) for n, t in enumerate(turns())]).clozes(3, seed=1)
    ]
    recalled = [(["x"], {"x"}), ([*"abcdef", "x"], set()), (["a"], {"a"})]
    rows = figures(Asked(clozes, []), recalled)
    assert rows.tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1 / 7, 0], [0, 0, 0, 0, 0]]


def test_a_memory_finds_itself_and_a_shuffled_one_does_not(file, result):
    """The control: the same turns in an order of chance."""
    with Memory(file, scope="ada", read_only=True) as memory:
        ids = [turn.id for turn in memory.turns()]
        asked = mine._asked(MinePlan(ways=[way(file)], questions=40), [memory])
    rng = random.Random(1)
    shuffled = figures(asked, [(rng.sample(ids, 20), set(rng.sample(ids, 20))) for _ in asked.clozes])
    by_chance = dict(zip(METRICS, shuffled.mean(axis=0), strict=True))
    found = {name: mean["mean"] for name, mean in result["ways"][0]["metrics"].items()}
    assert found["R@10"] > 0.6 > 0.3 > by_chance["R@10"]
    assert found["MRR"] > 0.4 > 0.1 > by_chance["MRR"] and found["T1000"] > 0.7 > 0.5 > by_chance["T1000"]


def test_the_result_has_every_figure(file, result):
    """Metrics with ends, both kinds, times, sizes; JSON takes it, the tables show it."""
    first, other = json.loads(json.dumps(result))["ways"]
    assert (first["way"], first["setting"], other["setting"]) == ("it", "lite", "custom")
    assert set(first["metrics"]) == set(METRICS) and first["turns"] == 124 and first["bytes"] > 10_000
    for mean in first["metrics"].values():
        assert 0 <= mean["low"] <= mean["mean"] <= mean["high"] <= 1
    assert 0 < first["recall_ms_p50"] <= first["recall_ms_p95"]
    assert result["questions"]["all"] == 40 and result["clusters"] >= 8
    assert {(one["metric"], one["less"]) for one in result["compared"]} == {("MRR", "it"), ("T1000", "it")}
    assert all(one["p"] <= one["p_holm"] <= 1 for one in result["compared"])
    assert re.search(r"\| words less it +\| +MRR \|", markdown(result))
    assert "not which is better" in markdown(result)


def test_the_newest_stands_first_and_history_does_not(file):
    """Two turns were replaced: recall puts their heirs first; history=True lets them stand, which must show."""
    plan = MinePlan(ways=[way(file), way(file, label="history", recall={"history": True})], questions=20)
    now, history = (one["stale"] for one in measure(plan, [], lambda said: None)["ways"])
    assert (now["pairs"], now["mean"]) == (2, 0.0)
    assert history["mean"] == 1.0


def test_what_was_replaced_or_put_away_is_not_asked_for(file):
    """Recall steps over it, and rightly so."""
    with Memory(file, scope="ada", read_only=True) as memory:
        gone, heirs = mine._fates(memory)
        texts = {turn.id: turn.text for turn in memory.turns()}
    assert sorted(texts[id] for id in gone) == [
        "I live in Berlin.",
        "I live in Bern.",
        "We hid the saddle, ticket 9999.",
    ]
    assert {texts[old]: texts[heir] for old, heir in heirs.items()} == {
        "I live in Berlin.": "I moved to Rome.", "I live in Bern.": "I moved to Rome.",
    }  # fmt: skip


def test_another_setting_works_on_a_copy(file, monkeypatch):
    """Vectors that are not there are made elsewhere; the file stays as it is, the copy goes."""
    before, copies = file.read_bytes(), []
    branch = Memory.branch
    monkeypatch.setattr(Memory, "branch", lambda memory, path: copies.append(path) or branch(memory, path))
    from memspan.text.embed.hashing import Hashing

    plan = MinePlan(ways=[way(file), way(file, label="hashing", memory={"embedders": [Hashing()]})], questions=20)
    result = measure(plan, [], lambda said: None)
    assert result["ways"][1]["metrics"]["R@10"]["mean"] > 0.3
    assert len(copies) == 1 and not copies[0].exists() and file.read_bytes() == before


def test_only_turns_of_both_files_are_asked_for(file, tmp_path):
    """The other file lacks the second half."""
    other = tmp_path / "half.mem"
    with Memory(other, scope="ada") as memory:
        memory.remember(islice(turns(), 60))
        shared = {turn.id for turn in memory.turns()}
    with Memory(file, scope="ada", read_only=True) as first, Memory(other, scope="ada", read_only=True) as second:
        asked = mine._asked(MinePlan(ways=[way(file), way(other)], questions=100), [first, second])
    assert {cloze.gold for cloze in asked.clozes} <= shared


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda path: None, StoreError, "does not exist"),
        (lambda path: path.write_text("not a memory"), NotAMemory, "not a memspan file"),
        (lambda path: Memory(path, scope="other").close(), UsageError, "holds no turn; name another with --scope"),
        (lambda path: _remembered(path, list(turns(5))), UsageError, "holds 5 turns; 20 at least"),
        (lambda path: _remembered(path, [Turn(f"Hi {n}.") for n in range(30)]), UsageError, "0 questions could"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(tmp_path, make, error, says):
    """No file, no memory, an unknown scope, too few turns, nothing to ask for."""
    path = tmp_path / "x.mem"
    make(path)
    with pytest.raises(error, match=says):
        measure(MinePlan(ways=[way(path)]), [], lambda said: None)


def _remembered(path, some):
    with Memory(path, scope="ada") as memory:
        memory.remember(some)


def test_a_comparison_with_itself_is_refused(file):
    """Named by both labels."""
    plan = MinePlan(ways=[way(file), way(file, label="twin", memory={"setting": "lite"})])
    with pytest.raises(UsageError, match="it and twin are the same"):
        measure(plan, [], lambda said: None)


def test_in_its_words_keeps_what_tells():
    """No stop words, not everything of a long text."""
    assert in_its_words("I live in Berlin.") == "live Berlin?"
    assert len(in_its_words(" ".join(THINGS + PLACES)).split()) == 12


def run_cli(*args):
    return CliRunner().invoke(cli, ["bench", "mine", *map(str, args)], catch_exceptions=False)


def test_the_command_prints_tables_and_no_text(file, tmp_path):
    """Nothing that was remembered is in what it prints or writes; --show prints examples; the file is not touched."""
    before = file.read_bytes()
    out, md = tmp_path / "r.json", tmp_path / "r.md"
    done = run_cli("--memory", file, "--scope", "ada", "--questions", 20, "--json", out, "--md", md)
    assert done.exit_code == 0, done.output
    assert re.search(r"\| ada.mem +\| +lite \| +124 \|", md.read_text()) and md.read_text() in done.output
    told = done.output + out.read_text()
    assert not [word for word in (*THINGS, *DOINGS, *NAMES, "ticket") if word in told]
    assert file.read_bytes() == before
    shown = run_cli("--memory", file, "--scope", "ada", "--questions", 20, "--show", 2)
    assert shown.output.count("asked (") == 2 and "ticket" in shown.output


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--memory", "nowhere.mem"), 2, "no memory at nowhere.mem"),
        (("--against", "nowhere.mem"), 2, "no memory at nowhere.mem"),
        (("--scope", "nobody"), 2, "scope 'nobody'"),
        (("--setting", "lite"), 2, "are the same"),
    ],
)
def test_the_command_says_what_is_wrong(file, args, code, says):
    """In one line, with the exit code of wrong use."""
    given = {"--memory": file, "--scope": "ada"} | dict([args])
    done = run_cli(*(part for pair in given.items() for part in pair))
    assert done.exit_code == code and says in done.output and done.output.count("\n") == 1


def test_the_command_compares_two_files(file, tmp_path):
    """A file whose other half was never remembered: the same turns are asked for, and nothing differs much."""
    other = tmp_path / "other.mem"
    _remembered(other, list(turns(90)))
    done = run_cli("--memory", file, "--scope", "ada", "--against", other, "--questions", 20)
    assert done.exit_code == 0 and re.search(r"other.mem less ada.mem +\| +T1000", done.output)
    assert "not which is better" not in done.output
    assert np.all([word not in done.output for word in THINGS])
