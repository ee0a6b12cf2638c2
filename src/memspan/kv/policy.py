"""What a KV-cache method is: a frozen object that scores rows; the engine does everything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.asked import Asked
from memspan.kv.select import best
from memspan.kv.signals import Needs, View
from memspan.kv.store.codec import Codec

When = Literal["prompt", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """Tokens that a copy of the cache reads ahead of a cut, for their queries only; then the copy is forgotten.

    count: how many the model writes by itself, the likeliest each time;  ids: those it reads instead, where given
    cut: whether the copy is cut before, by the queries that there are
    """

    count: int = 0
    ids: tuple[int, ...] = ()
    cut: bool = True


class Policy:
    """Decides which rows of a layer stay. A method overrides `score` and, where it needs to, the rest.

    card: what it is and where it comes from
    figures: names of what is kept with each row, float32 (besides those that `needs` brings)
    fills: whether it keeps as many rows as the budget allows; else it may keep fewer
    eager: whether rows go as it judges them even where the budget has room
    piecewise: whether a prompt read in chunks leaves the rows that it leaves when read at once, where the budget is in
        tokens
    """

    __slots__ = ()
    card: ClassVar[Card]
    figures: ClassVar[tuple[str, ...]] = ()
    fills: ClassVar[bool] = True
    eager: ClassVar[bool] = False
    piecewise: ClassVar[bool] = False

    @property
    def needs(self) -> Needs:
        """What has to be at hand to score."""
        return Needs()

    @property
    def when(self) -> When:
        """ "prompt": after each forward pass of several tokens; "always": after each token too."""
        return "prompt"

    @property
    def foresight(self) -> Foresight | None:
        """What is read ahead of each cut after several tokens; its queries come after those there are."""
        return None

    @property
    def slack(self) -> int:
        """By how many rows a head may stand over its budget before it is cut back to it [tokens].

        The first prompt is always cut to the budget exactly.
        """
        return 16

    @property
    def codec(self) -> str | Codec | None:
        """The form of pages that belongs to the method; None leaves the choice to the caller."""
        return None

    @property
    def residual(self) -> int:
        """How many of the newest rows stay out of such pages [tokens]."""
        return 32

    @property
    def whole(self) -> int:
        """How many of the first rows are in pages as they are, rounded up to pages [tokens]."""
        return 0

    def note(self, view: View) -> Mapping[str, Tensor]:
        """What is noted once of each head, before its first rows go into pages: by name, (batch, kv_heads, ...)."""
        return {}

    def seal(self, keys: Tensor, values: Tensor, notes: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Keys and values as they go into pages, same shape; rows that were there may come again.

        keys, values: (batch, kv_heads, time, dim);  notes: what note() gave
        """
        return keys, values

    def least(self, room: int) -> int:
        """How many rows a head needs at least for this method to work [tokens]."""
        return 1

    def score(self, view: View) -> Tensor:
        """How much each row deserves to stay, (batch, kv_heads, time); higher stays."""
        raise NotImplementedError

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """Which rows stay, (batch, kv_heads, time) bool; at most room * kv_heads of a sequence.

        scores: -inf where no row is, +inf where one has to stay;  room: rows a head, (batch,)
        """
        return best(scores, room[:, None])

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """The figures of new rows, by the names in `figures`, each (batch, kv_heads, time)."""
        return {}

    def apart(self, room: int) -> int:
        """Rows a head that each layer holds before layers share the others by weight [tokens]."""
        return 0

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """Weights by which layers share the cache's room, where they are known beforehand; None shares evenly.

        room: rows a head on average, those held apart not counted;  count: layers;  seen: tokens of the sequence
        """
        return None

    def weigh(self, view: View) -> Tensor | None:
        """This layer's weight, (batch,), where it follows from the prompt; layers before are cut again by it."""
        return None

    def follows(self, layer: int) -> int:
        """The layer before, whose rows this one keeps as well instead of choosing; itself where it chooses."""
        return layer

    def rewrite(self, view: View, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values to keep in place of the view's, same shape; only rows that are kept matter."""
        return view.keys, view.values


@dataclass(frozen=True, slots=True)
class KeepAll(Policy):
    """Nothing is dropped."""

    def score(self, view: View) -> Tensor:
        """The newer the better, which matters only where something has to go."""
        return view.positions.float()


def named(method: str | Policy) -> Policy:
    """The method of that name with its own settings; a policy is given back as it is."""
    policy: Policy = load("kv", method)() if isinstance(method, str) else method
    return policy


class Over(Policy):
    """A method that is laid over another one and asks it for what it does not decide itself."""

    __slots__ = ()

    @property
    def inner(self) -> Policy:
        """The other method."""
        raise NotImplementedError

    @property
    def needs(self) -> Needs:
        """What the other method needs."""
        return self.inner.needs

    @property
    def when(self) -> When:
        """When the other method cuts."""
        return self.inner.when

    @property
    def foresight(self) -> Foresight | None:
        """The other method's."""
        return self.inner.foresight

    @property
    def slack(self) -> int:
        """The other method's."""
        return self.inner.slack

    def least(self, room: int) -> int:
        """The other method's."""
        return self.inner.least(room)

    def apart(self, room: int) -> int:
        """The other method's."""
        return self.inner.apart(room)

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """The other method's."""
        return self.inner.layers(room, count, seen)

    def weigh(self, view: View) -> Tensor | None:
        """The other method's."""
        return self.inner.weigh(view)

    def score(self, view: View) -> Tensor:
        """The other method's."""
        return self.inner.score(view)

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """The other method's."""
        return self.inner.observe(new)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The other method's."""
        return self.inner.select(scores, room, view)


class Lookup(Policy):
    """Keeps every row, most of them in pages away from the device, and attends to those pages that fit the budget.

    The engine keeps the first `sinks` and the newest `local` rows at hand; older rows leave in whole pages. A method
    gives each page a summary, and each step a score by which pages are fetched. A budget bounds the rows that are
    attended to: a small one shortens `local` and `lot`, and where all pages fit, all are attended to.
    """

    __slots__ = ()

    @property
    def sinks(self) -> int:
        """First rows that are always attended to [tokens]."""
        return 4

    @property
    def local(self) -> int:
        """Newest rows that are always attended to [tokens]; at most half of what the budget has beside sinks."""
        return 64

    @property
    def lot(self) -> int:
        """How many rows leave at a time at least [tokens], in whole pages; at most a quarter of the budget."""
        return 1

    @property
    def prefetches(self) -> bool:
        """Whether a step of one token attends to what the step before it wanted, so that pages can come meanwhile."""
        return False

    def arrange(self, leaving: View, slots: int) -> Tensor | None:
        """An order in which rows go to pages, (batch, kv_heads, time) int64, where it is not that of the text.

        leaving: the rows that leave, present ones first in each head, whole pages;  slots: rows a page
        """
        return None

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What stays at hand of each page: tensors whose first axis is the pages.

        keys, values: (pages, slots, dim), every slot a row;  figures: each (pages, slots)
        """
        raise NotImplementedError

    def index(self, summary: Mapping[str, Tensor], there: Tensor) -> dict[str, Tensor]:
        """What else stays at hand, of all pages together, each (batch, kv_heads, ...); made anew when pages come.

        summary: tensors (batch, kv_heads, pages, ...), and what this gave the last time;
        there: which pages there are, (batch, kv_heads, pages) bool
        """
        return {}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """How much each page is wanted now, (batch, kv_heads, pages); higher is fetched first.

        summary: what summarise() gave, (batch, kv_heads, pages, ...), and index(); zeros where a page is not
        """
        raise NotImplementedError

    def take(self, scores: Tensor, room: Tensor) -> Tensor:
        """The pages to fetch, (batch, kv_heads, pages) bool, at most `room` a head.

        scores: -inf where no page is;  room: pages, (batch, 1)
        """
        return best(scores, room)

    def estimate(
        self, summary: Mapping[str, Tensor], scores: Tensor, missed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Stand-ins for pages that are not fetched: keys and values (batch, kv_heads, rows, dim), and what is added
        to their logits (batch, kv_heads, rows), -inf for none.

        scores: as pick() gave them;  missed: pages that were not fetched, (batch, kv_heads, pages) bool
        """
        return None

    def density(self, scores: Tensor) -> Tensor | None:
        """This layer's weight, (batch,), by which layers share the fetched pages at the next pass; None: evenly.

        scores: as pick() gave them, -inf where no page is
        """
        return None
