"""Budgets and costs, in the same units everywhere: tokens, bytes, seconds, LLM calls."""

from dataclasses import dataclass

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an answer took.

    tokens: put out for a prompt [tokens];  bytes: written to disk [bytes]
    seconds: wall time [s];  llm_calls: how many
    """

    tokens: int = 0
    bytes: int = 0
    seconds: float = 0.0
    llm_calls: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """
        >>> Cost(tokens=3) + Cost(tokens=4, llm_calls=1)
        Cost(tokens=7, bytes=0, seconds=0.0, llm_calls=1)
        """
        return Cost(
            tokens=self.tokens + other.tokens,
            bytes=self.bytes + other.bytes,
            seconds=self.seconds + other.seconds,
            llm_calls=self.llm_calls + other.llm_calls,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an answer or a cache may take; None means no limit. Same units as Cost.

    tokens: put out, or held by each head of a cache;  bytes: written, or held;  seconds: in all, or for a decode step
    ratio: share of what a cache would hold without a limit [0..1]
    Raises UsageError below zero and for a ratio above one.
    """

    tokens: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    llm_calls: int | None = None
    ratio: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise UsageError(f"budget {name}={limit!r}: must be zero or more")
        if self.ratio is not None and self.ratio > 1:
            raise UsageError(f"budget ratio={self.ratio!r}: a share lies between 0 and 1")

    def allows(self, cost: Cost) -> bool:
        """True where every limit holds.

        >>> Budget(tokens=10).allows(Cost(tokens=11))
        False
        """
        return all(
            limit is None or getattr(cost, name) <= limit
            for name, limit in ((name, getattr(self, name)) for name in Cost.__slots__)
        )
