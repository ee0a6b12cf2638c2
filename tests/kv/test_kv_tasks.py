"""Tasks are what they say, and the score is that of greedy decoding."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from memspan.core.errors import UsageError  # noqa: E402
from memspan.testing import kv_tasks  # noqa: E402
from memspan.testing.kv_tasks import ANSWER, ASK, FILLERS, FIRST_KEY, FIRST_VALUE, START, Task  # noqa: E402


class Knowing:
    """A stand-in for a model: it counts what it is fed and says what a table of (row, fed so far) holds."""

    def __init__(self, says):
        self.says = says

    def __call__(self, ids, past_key_values, use_cache):
        past_key_values.fed += ids.shape[1]
        logits = torch.zeros(*ids.shape, 200)
        for row in range(len(ids)):
            logits[row, -1, self.says.get((row, past_key_values.fed), 0)] = 1.0
        return SimpleNamespace(logits=logits)


class Counting:
    """A stand-in for a cache: how many tokens it was fed, and how often it was forked."""

    def __init__(self, fed=0):
        self.fed, self.forks = fed, 0

    def fork(self):
        self.forks += 1
        return Counting(self.fed)


def positions(row, token):
    return (row == token).nonzero().flatten().tolist()


@given(batch=st.integers(1, 4), needles=st.integers(1, 12), spare=st.integers(0, 60), seed=st.integers(0, 99))
def test_every_needle_lies_in_the_haystack_once(batch, needles, spare, seed):
    """Key and its three values in a row; all else is filler, and the start."""
    context = 1 + 4 * needles + spare
    stack = kv_tasks.haystack(batch, context, needles, torch.Generator().manual_seed(seed))
    assert stack.ids.shape == (batch, context)
    for row, keys, values in zip(stack.ids, stack.keys, stack.values, strict=True):
        for key, value in zip(keys, values, strict=True):
            (at,) = positions(row, key)
            assert row[at + 1 : at + 4].equal(value)
        assert row[0] == START
        assert (row < FILLERS).sum() == spare


def test_filler_walks_among_four_successors():
    """No step that the table does not have, and each of the four is taken."""
    seen = kv_tasks.walk(16, 400, torch.Generator().manual_seed(0))
    steps = {tuple(pair) for row in seen.tolist() for pair in pairwise(row)}
    allowed = {(a, b) for a, row in enumerate(kv_tasks.successors().tolist()) for b in row}
    assert steps == allowed
    assert len(allowed) == FILLERS * 4


def test_a_question_in_the_prompt_is_not_fed_again():
    """Aware: the prompt ends with "Q key"; agnostic: the same comes after, and the haystack is the same."""
    aware, agnostic = (kv_tasks.needle(3, 100, aware=flag, seed=4) for flag in (True, False))
    ((nothing, answer),), ((question, same),) = aware.turns, agnostic.turns
    assert aware.prompt[:, :100].equal(agnostic.prompt)
    assert aware.prompt[:, 100:].equal(question)
    assert nothing.shape == (3, 0)
    assert answer.equal(same)
    assert (question[:, 0] == ASK).all()


def test_the_setting_of_the_published_table_is_the_default():
    """480 tokens, 24 needles, 32 prompts."""
    task = kv_tasks.needle(aware=False)
    assert task.prompt.shape == (32, 480)
    keys = (task.prompt >= FIRST_KEY) & (task.prompt < FIRST_VALUE)
    assert keys.sum(1).unique().tolist() == [24]


def test_a_conversation_carries_its_past():
    """Each turn of multi_key feeds the answers before it and the next question; the needles differ."""
    task = kv_tasks.multi_key(2, 120, questions=3)
    widths = [question.shape[1] for question, _ in task.turns]
    assert widths == [0, 5, 10]
    (_, first), (second, answer), (third, _) = task.turns
    assert second[:, :3].equal(first)
    assert third[:, :5].equal(second)
    assert third[:, 5:8].equal(answer)


def test_many_turns_ask_for_different_needles():
    """Eight questions, eight keys, each with the values that stand behind it."""
    task = kv_tasks.multi_turn(2, 240)
    keys = torch.stack([question[:, 1] for question, _ in task.turns], 1)
    assert keys.shape == (2, 8)
    assert all(len(set(row)) == 8 for row in keys.tolist())
    for question, answer in task.turns:
        (at,) = positions(task.prompt[0], question[0, 1])
        assert task.prompt[0, at + 1 : at + 4].equal(answer[0])


@pytest.mark.parametrize("aware", [True, False])
def test_an_induction_repeats_a_stretch(aware):
    """Cue and answer together are the stretch, whole in the prompt."""
    task = kv_tasks.induction(2, 60, stretch=8, cue=3, aware=aware)
    ((fed, answer),) = task.turns
    cue = task.prompt[:, -3:] if aware else fed
    stretch = torch.cat([cue, answer], 1)
    assert stretch.shape == (2, 8)
    assert fed.shape[1] == (0 if aware else 3)
    for row, wanted in zip(task.prompt[:, :60], stretch, strict=True):
        (at,) = positions(row, wanted[0])
        assert row[at : at + 8].equal(wanted)


def test_seeds_make_tasks():
    """The same seed, the same task; another seed, another."""
    one, same, other = (kv_tasks.needle(2, 64, aware=True, seed=seed).prompt for seed in (1, 1, 2))
    assert one.equal(same)
    assert not one.equal(other)


@pytest.mark.parametrize(("context", "needles"), [(8, 2), (1000, 65), (100, 0)])
def test_needles_that_do_not_fit_are_refused(context, needles):
    """Too many for the room, more than there are keys, none at all."""
    with pytest.raises(UsageError, match=f"{needles} needles in {context} tokens"):
        kv_tasks.haystack(1, context, needles, torch.Generator())


@pytest.mark.parametrize(("stretch", "cue"), [(4, 1), (4, 4), (65, 2), (30, 2)])
def test_a_stretch_that_cannot_be_is_refused(stretch, cue):
    """Too short a cue, nothing left to answer, more than there are symbols, no room."""
    with pytest.raises(UsageError, match=f"stretch of {stretch}"):
        kv_tasks.induction(1, 30, stretch=stretch, cue=cue, aware=True)


def test_the_first_answer_token_is_the_prompts():
    """Nothing fed: three tokens are said after feeding two. Every token counts, row by row."""
    task = Task(
        torch.zeros(2, 10, dtype=torch.long), ((torch.zeros(2, 0, dtype=torch.long), torch.tensor([[5, 6, 7]] * 2)),)
    )
    says = {(0, 10): 5, (0, 11): 6, (0, 12): 7, (1, 10): 5, (1, 11): 6, (1, 12): 8}
    cache = Counting()
    assert kv_tasks.answers(Knowing(says), task, lambda: cache).tolist() == [[True], [False]]
    assert (cache.fed, cache.forks) == (10, 1)


def test_turns_do_not_see_each_other():
    """Each starts from the cache as the prompt left it."""
    turn = (torch.zeros(1, 2, dtype=torch.long), torch.tensor([[9] * ANSWER]))
    task = Task(torch.zeros(1, 10, dtype=torch.long), (turn, turn, turn))
    cache = Counting()
    right = kv_tasks.answers(Knowing({(0, 12): 9, (0, 13): 9, (0, 14): 9}), task, lambda: cache)
    assert right.tolist() == [[True, True, True]]
    assert (cache.fed, cache.forks) == (10, 3)
