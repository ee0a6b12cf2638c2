"""Kinetics: what thinking longer costs when reading the cache is counted too, in operations.

Source: Sadhukhan et al. 2025, "Kinetics: Rethinking Test-Time Scaling Laws", arXiv:2506.05333, and its code
(Infini-AI-Lab/Kinetics, cost_model/utils.py); its tables for AIME24 are what the tests compare with.
Reading the weights is not counted: with many trials at once it is shared by all.
Ours differs: the tokens that a sparse head has not got yet are subtracted, as in the code's block-sparse cost; its
zero-overhead cost adds them, and its sparse tables were made by adding. They stop at the end of the generation, and
blocks are not rounded to whole ones.
"""

from dataclasses import dataclass

from memspan.core.errors import UsageError
from memspan.plan.cache import ModelShape

INTENSITY = 562.5
"""Operations that a B200 makes while it reads a byte; the paper's."""

_BYTES = 2
"""Of a number in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A question answered by thinking. prompt: shared by the trials;  generated: in each of them [tokens]"""

    prompt: int
    generated: int
    trials: int = 1

    def __post_init__(self) -> None:
        if min(self.prompt, self.generated) < 0 or self.trials < 1:
            raise UsageError(f"{self}: tokens are 0 or more, trials 1 or more")


@dataclass(frozen=True, slots=True)
class Price:
    """compute: operations;  memory: operations that could have been made while the cache was read"""

    compute: float
    memory: float

    @property
    def total(self) -> float:
        """Both: the paper's eFLOPs."""
        return self.compute + self.memory


def dense(shape: ModelShape, task: Thinking, intensity: float = INTENSITY) -> Price:
    """Each token attends to all before it; the trials share the prompt's cache.

    >>> from memspan.plan.cache import SHAPES
    >>> found = dense(SHAPES["Qwen3-8B"], Thinking(prompt=150, generated=10_000))
    >>> round(found.compute / 1e12), round(found.memory / 1e12)
    (194, 4272)
    """
    context = 2 * task.prompt + task.generated
    read = 2 * task.prompt + task.generated * task.trials
    compute = 2 * shape.params * task.generated + 2 * context * task.generated * _queries(shape)
    return Price(compute * task.trials, _BYTES * read * task.generated * _stored(shape) * intensity)


def sparse(
    shape: ModelShape, task: Thinking, *, budget: int, block: int | None = None, intensity: float = INTENSITY
) -> Price:
    """Each token attends to the `budget` best before it; the trials share nothing but the search.

    block: tokens that share a key by which they are found; None: finding them costs nothing

    >>> from memspan.plan.cache import SHAPES
    >>> task = Thinking(prompt=150, generated=10_000)
    >>> found = sparse(SHAPES["Qwen3-8B"], task, budget=1024, block=16)
    >>> round(found.compute / 1e12), round(found.memory / 1e12)
    (171, 951)
    """
    if budget < 1 or (block is not None and block < 1):
        raise UsageError(f"a budget of {budget} and blocks of {block} tokens: both are 1 or more")
    pairs = attended(task.prompt, task.generated, budget)
    compute = (2 * shape.params * task.generated + 4 * pairs * _queries(shape)) * task.trials
    memory = 2 * _BYTES * pairs * _stored(shape) * task.trials
    if block is not None:
        scans = task.generated / block
        compute += (2 * task.prompt + task.generated) * scans * _queries(shape) * task.trials
        memory += (2 * task.prompt + task.generated * task.trials) * scans * _stored(shape)
    return Price(compute, memory * intensity)


def attended(prompt: int, generated: int, budget: int) -> float:
    """Pairs of a generated token and one it attends to, at most `budget` for each.

    >>> attended(0, 10, 4), attended(100, 10, 4)
    (32.0, 40.0)
    """
    missing = max(0, budget - prompt)
    until_full = min(missing, generated)
    return budget * generated - missing * until_full + until_full**2 / 2


def _queries(shape: ModelShape) -> int:
    return shape.layers * shape.heads * shape.head_dim


def _stored(shape: ModelShape) -> int:
    return shape.layers * shape.kv_heads * shape.head_dim
