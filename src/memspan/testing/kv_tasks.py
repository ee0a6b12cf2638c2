"""Recall questions as tensors of ids, and how many of them a model answers with a given cache.

Filler is a Markov walk (32 symbols, 4 successors each); in it lie needles "key v1 v2 v3"; a question is "Q key" and its
answer v1 v2 v3. Where the question stands in the prompt, a policy can look at it while it compresses (query-aware);
where it comes after the prompt, it cannot (query-agnostic).
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache as remembered
from typing import Any

import torch
from torch import Tensor

from memspan.core.errors import UsageError

FILLERS, KEYS, VALUES, SUCCESSORS, ANSWER = 32, 64, 64, 4, 3
FIRST_KEY, FIRST_VALUE = FILLERS, FILLERS + KEYS
ASK = FIRST_VALUE + VALUES
START = ASK + 1
VOCABULARY = START + 1
NEEDLE = 1 + ANSWER
QUESTION = 2
TOKENS_PER_NEEDLE = 20
"""How much context there is to each needle where the caller does not say: 24 needles in 480 tokens."""

Cache = Any  # transformers' caches and ours share calls, not a type
Model = Any  # transformers' models are not typed


@dataclass(frozen=True, slots=True)
class Task:
    """A batch of prompts and what is asked about them.

    prompt: ids (batch, time)
    turns: pairs of what is fed after the prompt (batch, fed) and the right answer (batch, answer). Nothing is fed
    (batch, 0) where the prompt ends with the question. Every turn starts from the cache as the prompt left it.
    """

    prompt: Tensor
    turns: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True, slots=True)
class Haystack:
    """Filler with needles. ids: (batch, time); keys: (batch, needles); values: (batch, needles, 3)"""

    ids: Tensor
    keys: Tensor
    values: Tensor

    def question(self, needle: int) -> Tensor:
        """ "Q key" of that needle, (batch, 2)."""
        key = self.keys[:, needle : needle + 1]
        return torch.cat([torch.full_like(key, ASK), key], 1)

    def answer(self, needle: int) -> Tensor:
        """Its values, (batch, 3)."""
        return self.values[:, needle]


@remembered
def successors() -> Tensor:
    """Which 4 symbols may follow each filler symbol, (32, 4): one world for all tasks."""
    random = torch.Generator().manual_seed(0)
    ring = torch.randperm(FILLERS, generator=random)
    ahead = torch.randperm(FILLERS, generator=random)[:SUCCESSORS]
    follows = torch.empty(FILLERS, SUCCESSORS, dtype=torch.long)
    # places ahead on a ring, so that every symbol also has 4 predecessors and none dies out
    follows[ring] = ring[(torch.arange(FILLERS).unsqueeze(1) + ahead) % FILLERS]
    return follows


def walk(batch: int, time: int, random: torch.Generator) -> Tensor:
    """Filler, (batch, time)."""
    follows = successors()
    here = torch.randint(FILLERS, (batch,), generator=random)
    steps = torch.randint(SUCCESSORS, (batch, time), generator=random)
    seen = torch.empty(batch, time, dtype=torch.long)
    for at in range(time):
        seen[:, at] = here
        here = follows[here, steps[:, at]]
    return seen


def haystack(batch: int, context: int, needles: int, random: torch.Generator) -> Haystack:
    """A start token and filler of `context` tokens together, with needles at random places, in random order.

    needles: 1 to 64, no key twice in a row of the batch
    Raises UsageError where the needles do not fit.
    """
    room = context - 1 - NEEDLE * needles
    if room < 0 or not 1 <= needles <= KEYS:
        raise UsageError(f"{needles} needles in {context} tokens: take 1 to {KEYS}, each needs {NEEDLE} tokens")
    ids = walk(batch, context, random)
    ids[:, 0] = START
    keys = FIRST_KEY + torch.rand(batch, KEYS, generator=random).argsort(1)[:, :needles]
    values = FIRST_VALUE + torch.randint(VALUES, (batch, needles, ANSWER), generator=random)
    gaps = torch.rand(batch, room + needles, generator=random).argsort(1)[:, :needles].sort(1).values
    starts = 1 + gaps + torch.arange(needles) * ANSWER
    places = starts.unsqueeze(2) + torch.arange(NEEDLE)
    ids.scatter_(1, places.flatten(1), torch.cat([keys.unsqueeze(2), values], 2).flatten(1))
    order = torch.rand(batch, needles, generator=random).argsort(1)
    values = values.gather(1, order.unsqueeze(2).expand(-1, -1, ANSWER))
    return Haystack(ids, keys.gather(1, order), values)


def _stack(batch: int, context: int, needles: int | None, seed: int) -> Haystack:
    count = needles or max(1, context // TOKENS_PER_NEEDLE)
    return haystack(batch, context, count, torch.Generator().manual_seed(seed))


def needle(batch: int = 32, context: int = 480, needles: int | None = None, *, aware: bool, seed: int = 0) -> Task:
    """One question about one needle.

    needles: how many there are; None = one per 20 tokens
    aware: whether the question stands in the prompt, which is 2 tokens longer then

    >>> needle(batch=2, context=100, aware=True).prompt.shape, needle(batch=2, context=100, aware=False).prompt.shape
    (torch.Size([2, 102]), torch.Size([2, 100]))
    """
    stack = _stack(batch, context, needles, seed)
    question, answer = stack.question(0), stack.answer(0)
    if aware:
        return Task(torch.cat([stack.ids, question], 1), ((question[:, :0], answer),))
    return Task(stack.ids, ((question, answer),))


def multi_key(
    batch: int = 32, context: int = 480, needles: int | None = None, *, questions: int = 4, seed: int = 0
) -> Task:
    """A conversation: the first question stands in the prompt, the others follow one after another.

    What is fed at a turn is the conversation so far, with right answers, and the next question.
    """
    stack = _stack(batch, context, needles, seed)
    fed = stack.question(0)[:, :0]
    turns = [(fed, stack.answer(0))]
    for number in range(1, questions):
        fed = torch.cat([fed, stack.answer(number - 1), stack.question(number)], 1)
        turns.append((fed, stack.answer(number)))
    return Task(torch.cat([stack.ids, stack.question(0)], 1), tuple(turns))


def multi_turn(
    batch: int = 32, context: int = 480, needles: int | None = None, *, questions: int = 8, seed: int = 0
) -> Task:
    """Compressed once, asked often: each question comes after the prompt and knows nothing of the others."""
    stack = _stack(batch, context, needles, seed)
    return Task(stack.ids, tuple((stack.question(at), stack.answer(at)) for at in range(questions)))


def induction(
    batch: int = 32, context: int = 480, *, stretch: int = 16, cue: int = 2, aware: bool, seed: int = 0
) -> Task:
    """A stretch of random symbols in filler; its first ones come again, and the rest of it is the answer.

    stretch: how many symbols, all different; cue: how many of them are given, >= 2
    aware: whether the cue stands in the prompt
    Raises UsageError where the stretch does not fit.
    """
    if not 2 <= cue < stretch <= min(VALUES, context - 1):
        raise UsageError(
            f"cue {cue} of a stretch of {stretch} in {context} tokens: need 2 <= cue < stretch <= {VALUES}"
        )
    random = torch.Generator().manual_seed(seed)
    ids = walk(batch, context, random)
    ids[:, 0] = START
    symbols = FIRST_VALUE + torch.rand(batch, VALUES, generator=random).argsort(1)[:, :stretch]
    starts = 1 + torch.randint(context - stretch, (batch, 1), generator=random)
    ids.scatter_(1, starts + torch.arange(stretch), symbols)
    given, rest = symbols[:, :cue], symbols[:, cue:]
    if aware:
        return Task(torch.cat([ids, given], 1), ((given[:, :0], rest),))
    return Task(ids, ((given, rest),))


@torch.no_grad()
def answers(model: Model, task: Task, new_cache: Callable[[], Cache]) -> Tensor:
    """Which questions were answered right in every token, by greedy decoding, (batch, turns) bool.

    new_cache: gives an empty cache that `model` takes as past_key_values. Each turn works on its `fork()`, or on a
    copy of it where it has none.
    """
    cache = new_cache()
    last = model(task.prompt, past_key_values=cache, use_cache=True).logits[:, -1]
    return torch.stack([_turn(model, _forked(cache), last, *turn) for turn in task.turns], 1)


def _turn(model: Model, cache: Cache, last: Tensor, question: Tensor, answer: Tensor) -> Tensor:
    """Whether each row's answer is right, (batch,). last: logits after the prompt, (batch, vocabulary)"""
    if question.shape[1]:
        last = model(question, past_key_values=cache, use_cache=True).logits[:, -1]
    said = [last.argmax(-1)]
    while len(said) < answer.shape[1]:
        last = model(said[-1].unsqueeze(1), past_key_values=cache, use_cache=True).logits[:, -1]
        said.append(last.argmax(-1))
    return (torch.stack(said, 1) == answer).all(1)


def _forked(cache: Cache) -> Cache:
    return cache.fork() if hasattr(cache, "fork") else deepcopy(cache)
