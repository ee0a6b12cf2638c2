"""What something new means for what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.changes import Patch
from memspan.core.errors import UsageError
from memspan.core.records import Link
from memspan.text.consolidate.reconcile import (
    OPS,
    Decision,
    Item,
    RuleJudge,
    changes,
    near_from,
    reconcile,
)


def decided(new, old, *, similarity=1.0, at=(1.0, 2.0), speakers=("Ann", "Ann")):
    """The decision on one older text by the rules; near is 0.9."""
    there = Item(id="old", text=old, speaker=speakers[0], at=at[0], similarity=similarity)
    told = Item(id="new", text=new, speaker=speakers[1], at=at[1])
    (decision,) = reconcile(told, [there], RuleJudge(near=0.9))
    return decision.op


FRAME = "Nora and Eliza collaborated on a charity concert"
CASES = [
    ("I moved to Rome.", "I live in Paris.", "supersede"),
    ("My favourite colour is blue.", "My favourite colour is green.", "supersede"),
    ("limit = 30", "limit = 20", "update"),
    ("limit = 20", "limit: 20", "noop"),
    ("I no longer work at Acme.", "I work at Acme.", "invalidate"),
    ("I quit my job.", "I work at Acme.", "invalidate"),
    ("I no longer work at Acme.", "I work at Initech.", "add"),
    ("I WORK at Acme!", "I work at Acme.", "noop"),
    ("Actually, it's Tuesday, not Monday.", "It's Monday, the day of the match.", "supersede"),
    (FRAME, "Suzanne and Eliza collaborated on a charity concert", "annotate"),
    (FRAME + ".", FRAME, "noop"),
    (
        "Nora collaborated with Eliza on the charity concert",
        "Nora with Eliza collaborated on a charity concert",
        "merge",
    ),
    ("Nora no longer sings in the charity choir", "Nora sings in the charity choir", "invalidate"),
    ("Nora never sang in the charity choir", "Nora sang in the charity choir", "annotate"),
    ("Nora paid 20 for the charity concert ticket", "Nora paid 30 for the charity concert ticket", "annotate"),
    ("Nora does not sing in the charity concert choir", "Nora does sing in the charity concert choir", "annotate"),
    ("Nora measured 1.5 in the charity concert hall", "Nora measured 5.1 in the hall of the charity concert", "add"),
    (
        "Nora and Eliza saw the charity concert",
        "Nora and five of her very best old school friends saw the charity concert",
        "add",
    ),
    ("I live in Paris.", "I no longer live in Paris.", "add"),
    ("I love cats.", "I love dogs.", "add"),
    ("My friend is in Rome.", "My friend is in Paris.", "add"),
]


@pytest.mark.parametrize(("new", "old", "op"), CASES)
def test_the_rules_decide(new, old, op):
    """Each op, on near-duplicates."""
    assert decided(new, old) == op


def test_frames_count_only_where_the_collection_says_near():
    """The same pair below the collection's own quantile is two things."""
    old = "Suzanne and Eliza collaborated on a charity concert"
    assert decided(FRAME, old, similarity=0.89) == "add"
    assert decided(FRAME, old, similarity=0.90) == "annotate"


def test_slots_count_however_far_apart_the_words_are():
    """A change of address need not look like the old one."""
    assert decided("My address is 5 Elm Street.", "My address is now 9 Oak Road.", similarity=0.0) == "supersede"


@pytest.mark.parametrize("text", ["I live in Rome.", "limit = 30", "I no longer live in Paris."])
def test_what_is_older_never_replaces_what_is_newer(text):
    """Told later, but of an earlier time: both stay as they are."""
    old = {"limit = 30": "limit = 20"}.get(text, "I live in Paris.")
    assert decided(text, old, at=(2.0, 1.0)) == "add"
    assert decided(text, old, at=(2.0, 2.0)) != "add" and decided(text, old, at=(None, 1.0)) != "add"


def test_a_correction_finds_what_it_denies():
    """However far apart the words are; what it does not name stays."""
    match = "The match is on Monday, in town."
    assert decided("The match is on Tuesday, not Monday. My mistake!", match, similarity=0.0) == "supersede"
    assert decided("The match is on Tuesday, not Friday. My mistake!", match, similarity=0.0) == "add"


def test_a_corrected_value_says_that_it_was_corrected():
    """Which tells it from a value that has changed."""
    old = Item(id="old", text="The deadline is June 5.", speaker="Ann", at=1.0)
    new = Item(id="new", text="Sorry, I was wrong: the deadline is June 6.", speaker="Ann", at=2.0)
    assert reconcile(new, [old], RuleJudge()) == [Decision("supersede", "old", "corrected")]


def test_one_does_not_correct_another():
    """Bob's correction is not of what Ann said, nor is his address hers."""
    assert decided("Actually, it's Tuesday, not Monday.", "It's Monday.", speakers=("Ann", "Bob")) == "add"
    assert decided("I live in Rome.", "I live in Paris.", speakers=("Ann", "Bob")) == "add"


class Scripted:
    """A judge that says what it was told to say."""

    def __init__(self, *decisions):
        self.decisions = decisions

    def judge(self, new, candidates):
        return self.decisions


NEW = Item(id="n", text="new", at=5.0)
OLD = [Item(id="a", text="a", at=1.0), Item(id="b", text="b", at=9.0)]


def test_a_judge_may_say_nonsense_without_harm():
    """Unknown ids, unknown ops, second thoughts, itself, and replacing what is newer count for nothing."""
    nonsense = Scripted(
        Decision("supersede", "made up"),
        Decision("destroy", "a"),
        Decision("add", "a"),
        Decision("supersede", "b"),
        Decision("merge", "n"),
        Decision("annotate", "a", "first"),
        Decision("supersede", "a", "second"),
    )
    assert reconcile(NEW, [*OLD, NEW], nonsense) == [Decision("annotate", "a", "first")]
    assert reconcile(NEW, OLD, Scripted()) == [Decision("add")]


@given(st.lists(st.tuples(st.sampled_from([*OPS, "x"]), st.sampled_from(["a", "b", "c", ""]))))
def test_every_answer_is_sound(said):
    """One decision a target at most, targets that exist, never nothing."""
    decisions = reconcile(NEW, OLD, Scripted(*(Decision(op, target) for op, target in said)))
    targets = [one.target for one in decisions]
    assert decisions and len(targets) == len(set(targets))
    assert decisions == [Decision("add")] or {"a", "b"}.issuperset(targets)


@pytest.mark.parametrize("op", ["update", "supersede", "invalidate"])
def test_what_is_replaced_says_by_what_and_until_when(op):
    """A state and a link; nothing is taken away, and no word of it is repeated."""
    patch, link = (one.item for one in changes(Decision(op, "a", "corrected"), NEW))
    assert patch == Patch(id="a", status="superseded", heir="n", valid_to=5.0, why="corrected")
    assert link == Link(source="n", target="a", kind="supersedes")


def test_merging_and_contradicting_only_link():
    """Both sides stay as they are."""
    assert [one.item for one in changes(Decision("merge", "a"), NEW)] == [Link(source="n", target="a", kind="same-as")]
    (link,) = changes(Decision("annotate", "a"), NEW)
    assert link.item == Link(source="n", target="a", kind="contradicts")
    assert changes(Decision("noop", "a"), NEW) == changes(Decision("add"), NEW) == []


def test_no_reason_repeats_the_words():
    """What is forgotten must not stand in a reason."""
    for new, old, _ in CASES:
        there = Item(id="old", text=old, speaker="Ann", at=1.0, similarity=1.0)
        for decision in reconcile(Item(id="new", text=new, speaker="Ann", at=2.0), [there], RuleJudge(near=0.9)):
            assert decision.why in (
                "", "said again", "no longer holds", "the same value again", "corrected", "another value of the same",
                "newer value of the same key", "says the same", "says the opposite", "says otherwise",
            )  # fmt: skip


def test_near_is_a_quantile_of_the_collection():
    """Nothing is near in an empty collection."""
    assert near_from([0.1, 0.5, 0.9], 1.0) == 0.9 and near_from([0.1, 0.5, 0.9], 0.0) == 0.1
    assert near_from([]) == float("inf")
    with pytest.raises(UsageError):
        near_from([0.5], 1.5)
