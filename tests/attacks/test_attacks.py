"""Planted text stays data: every case holds in its first variants here, in all of them in the slow run."""

import pytest
from tests.attacks import naive

from memspan import Hit, Record, Turn, load
from memspan.bench.attacks import scores, trial
from memspan.bench.attacks.carrier import carrier
from memspan.bench.attacks.cases import VARIANTS, cases, variant
from memspan.bench.attacks.report import Plan, markdown, measure

CASES = cases()
QUICK = 2
LONG = {"C3": 1, "C4": 1}  # many turns each


@pytest.fixture(scope="module")
def embedder():
    return load("embed", "static")()


def _held(case, number, embedder):
    outcome = trial.run(case, number, embedder)
    assert outcome.breaches
    assert {score: breaches for score, breaches in outcome.breaches.items() if breaches} == {}
    return outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_no_score_is_breached(case, embedder):
    """S1, S2, S4, S5, S6 and S7 of the first variants; each is recalled, so that something was tested."""
    for number in range(LONG.get(case["id"], QUICK)):
        outcome = _held(case, number, embedder)
        assert outcome.shown
        assert outcome.evidence[0] >= scores.EVIDENCE_KEPT * outcome.evidence[1]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_no_score_is_breached_in_any_variant(case, embedder):
    """All seeded variants; and S8, no more than twice the time that as many harmless turns cost."""
    outcomes = [_held(case, number, embedder) for number in range(VARIANTS)]
    found, without = (sum(outcome.evidence[place] for outcome in outcomes) for place in (0, 1))
    attacked, calm = (sum(outcome.cost[place] for outcome in outcomes) for place in (0, 1))
    assert found >= scores.EVIDENCE_KEPT * without
    assert attacked <= 2 * calm


def _hit(turn, number):
    return Hit(
        id=f"x{number}", text=turn.text, score=0.0, rank=number, speaker=turn.speaker, role=turn.role, session="",
        at=None, seen_at=0.0, sources=(f"x{number}",), why=(), tokens=1, meta=turn.meta, trust=0.5,
    )  # fmt: skip


FORGING = [case for case in CASES if case["id"] in ("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9")]


@pytest.mark.parametrize("case", FORGING, ids=lambda case: case["id"])
def test_the_naive_block_breaks(case, embedder):
    """The negative control: without a fence the same scores find breaches, so they can fail."""
    breached = 0
    for number in range(VARIANTS):
        attack = variant(case, number, trial.slots(carrier(number), number, "a1b2c3", embedder))
        hits = [_hit(turn, place) for place, turn in enumerate(attack.turns, start=1)]
        ids = frozenset(hit.id for hit in hits)
        seen = (naive.render(hits, []), hits, [], attack.canary, ids)
        breached += bool(scores.fence(*seen) or scores.position(*seen))
    assert breached >= VARIANTS // 3


@pytest.mark.parametrize(("id", "score"), [("C1", "S7"), ("C6", "S7"), ("D7", "S2")])
def test_what_is_said_to_be_the_users_own_is_believed(id, score, embedder):
    """The other negative control: stored as the user's words, the same turns breach; trust is what held them."""
    case = next(case for case in CASES if case["id"] == id)
    outcome = trial.run({**case, "role": "user", "trust": None}, 0, embedder)
    assert outcome.breaches[score]


def test_a_washed_record_is_seen():
    """The negative control of S4: a record trusted more than its source, or citing nothing, is a breach."""
    turns = {"t": Turn("x", role="tool", id="t")}
    good = Record(id="r", kind="fact", text="x", sources=("t",), trust=0.5)
    washed = Record(id="r", kind="fact", text="x", sources=("t",), trust=0.75)
    lost = Record(id="r", kind="fact", text="x", sources=("gone",), trust=0.0)
    wish = Record(id="r", kind="preference", text="x", sources=("t",), trust=0.5)
    assert scores.taint([good], turns) == []
    assert all(scores.taint([record], turns) for record in (washed, lost, wish))


def test_a_crowd_is_seen():
    """The negative control of S7: two items of one source, or a long one, beside trusted evidence."""
    tool, user = Turn("x", role="tool"), Turn("y", speaker="Ann")
    hits = [_hit(tool, 1), _hit(tool, 2), _hit(user, 3)]
    sources = {"x1": "web", "x2": "web"}
    assert scores.share(hits, sources, 300) == ["web got 2 items"]
    assert scores.share(hits[:2], sources, 300) == []
    assert scores.share(hits[1:], sources, 300) == []
    assert scores.share(hits[1:], sources, 3) == ["web got 1 of 3 tokens"]


def test_the_report_says_what_held():
    """One case, two variants, as a table."""
    said = []
    result = measure(Plan(only=["A3"], variants=2), ["memspan", "bench", "attacks"], said.append)
    assert result["scores"]["S1"] == [2, 2] and said == ["A3 control tokens of chat templates: S1 2/2, S2 2/2, S5 2/2"]
    assert "| A3 control tokens of chat templates |" in markdown(result)
