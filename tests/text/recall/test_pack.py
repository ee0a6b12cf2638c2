"""Packing skips what does not fit and keeps the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan import Memory, Turn
from memspan.core.tokens import estimate
from memspan.text.embed.hashing import Hashing
from memspan.text.recall.pack import Packer
from memspan.text.recall.setting import LITE


def packed(texts, tokens):
    ranked = [(n, Turn(text)) for n, text in enumerate(texts)]
    return [unit for unit, _, _ in Packer(tokens, estimate, LITE).walk(ranked, None)]


def test_skips_and_goes_on():
    """A turn that does not fit is passed over; the next that does is taken."""
    assert packed(["a" * 100, "b" * 400, "c" * 100], tokens=90) == [0, 2]


def test_one_dear_turn_does_not_eat_the_budget():
    """What costs more than max(160 tokens, 40 % of the budget) is left out even where it would fit."""
    assert packed(["a" * 1000, "b" * 100], tokens=400) == [1]
    assert packed(["a" * 1000, "b" * 100], tokens=1000) == [0, 1]


@given(
    texts=st.lists(st.text(min_size=1, max_size=300).filter(str.strip), min_size=1, max_size=20, unique=True),
    tokens=st.integers(0, 400),
)
def test_the_rendered_context_never_costs_more_than_asked(tmp_path_factory, texts, tokens):
    """The budget holds for the whole block: fence, headings, citations and all."""
    path = tmp_path_factory.mktemp("m") / "m.mem"
    with Memory(path, scope="a", embedders=[Hashing()]) as memory:
        sound = [text for text in (text.replace("\0", "") for text in texts) if text.strip()]
        memory.remember([Turn("Never shout."), *(Turn(text, at=n * 40_000.0) for n, text in enumerate(sound))])
        recall = memory.recall(texts[0], tokens=tokens)
    assert estimate(recall.context) == recall.cost.tokens <= tokens or recall.context == ""


@pytest.mark.parametrize("tokens", [0, 1, 15])
def test_no_room_is_an_empty_answer(tmp_path, tokens):
    """Where not even the fence fits, nothing is returned rather than too much."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember("Tea is in the kitchen.")
        assert memory.recall("tea", tokens=tokens).context == ""


def test_an_exact_counter_is_honoured(tmp_path):
    """A counter of the user's own decides what fits."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()], count_tokens=lambda t: len(t.split())) as memory:
        memory.remember([Turn(f"tea number {n} in the kitchen", session=str(n)) for n in range(50)])
        recall = memory.recall("tea", tokens=60)
    assert 40 < len(recall.context.split()) <= 60
