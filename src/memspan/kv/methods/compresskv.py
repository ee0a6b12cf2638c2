"""CompressKV: a layer's few retrieval heads choose the rows that all its heads keep; layers share by measured error.

Source: Lin et al. 2025, "CompressKV: Semantic Retrieval Heads Know What Tokens are Not Important Before Generation",
arXiv:2508.02401; numbers and formulas after the authors' code (TUDa-HWAI/CompressKV), the paper's text was not read.
Ours differs: heads and layers are found with recall runs of the caller's own (`find_heads`, `layer_errors`), not with
needles in essays and LongBench; a layer's error is taken for each sequence by itself; shares are whole numbers by
largest remainder. By default all heads choose and layers share evenly, which is not the published method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from memspan.core.budget import Budget
from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.budget import allocate
from memspan.kv.policy import Policy, When
from memspan.kv.signals import Needs, View, attention, pooled, recent


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressKV(Policy):
    """Rows by the window's attention in chosen heads, the same rows for all heads of a layer.

    heads: for each layer the query heads that choose; none: all
    errors: for each layer its share of the error that eviction makes; none: layers share evenly
    first: how many of the heads given choose, the first ones
    window: queries that look, and rows that stay in any case [tokens];  kernel: neighbours that share a score, odd
    base, most: rows each layer has in any case [tokens], and how many times the mean at most
    """

    heads: tuple[tuple[int, ...], ...] = ()
    errors: tuple[float, ...] = ()
    first: int = 4
    window: int = 8
    kernel: int = 5
    base: int = 32
    most: float = 3.0
    card: ClassVar[Card] = Card(
        title="a few retrieval heads choose for their layer",
        source="arXiv:2508.02401",
        year=2025,
        claims=("better than other evictions on LongBench and Needle-in-a-Haystack",),
        needs="torch",
        failures=(
            "without `heads` and `errors`, found for the model at hand, it is SnapKV with one choice for all heads",
            "a second question: what it asks for may be gone",
        ),
    )

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return Needs(queries=self.window)

    def apart(self, room: int) -> int:
        """The base, where layers share by their errors."""
        return min(self.base, room) if self.errors else 0

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """Rows by error beyond the base, none above `most` times the mean."""
        if not self.errors:
            return None
        if len(self.errors) != count:
            raise UsageError(f"errors of {len(self.errors)} layers for a model of {count}; measure them on this model")
        mean = room + self.base if room else 0
        cap = max(0, min(seen, int(self.most * mean)) - self.base)
        return allocate(room * count, self.errors, caps=[cap] * count, floors=[0] * count)

    def score(self, view: View) -> Tensor:
        """Mean over the chosen heads of the window's attention, smoothed; the window's own rows first."""
        weights = attention(view, self.window).sum(dim=2)
        chosen = self.choosers(view.layer, weights.shape[1])
        readers = [head // view.group for head in chosen]
        own = recent(view, self.window)
        scores = pooled(weights[:, chosen].masked_fill(own[:, readers], 0.0), self.kernel)
        # where another method shares room over heads, their rows differ: the mean is over what stands at a place
        places = view.positions + 1
        by_place = scores.new_zeros((*scores.shape[:2], int(view.seen.max()) + 1))
        by_place = by_place.scatter(2, places[:, readers], scores).mean(dim=1, keepdim=True)
        return by_place.expand(-1, places.shape[1], -1).gather(2, places).masked_fill(own, torch.inf)

    def choosers(self, layer: int, count: int) -> list[int]:
        """The heads that choose in a layer of `count` query heads."""
        if not self.heads:
            return list(range(count))
        if layer >= len(self.heads) or not self.heads[layer] or max(self.heads[layer]) >= count:
            raise UsageError(f"no such heads in layer {layer} of {count} heads; find them on this model")
        return list(self.heads[layer][: self.first])


@dataclass(frozen=True, slots=True)
class Recall:
    """Prompts with what they ask for and where that stands.

    prompt: ids, the question last, (batch, time);  span: the needle's tokens, (batch, time) bool
    answer: the right tokens, (batch, length)
    """

    prompt: Tensor
    span: Tensor
    answer: Tensor


@dataclass(frozen=True, slots=True)
class _Watch(Policy):
    """Keeps all rows and the queries of the last tokens, however they came."""

    queries: int

    @property
    def needs(self) -> Needs:
        """So many."""
        return Needs(queries=self.queries)

    @property
    def when(self) -> When:
        """Queries of single tokens are kept as well."""
        return "always"


@torch.no_grad()
def find_heads(model: Any, runs: Sequence[Recall], first: int = 4) -> tuple[tuple[int, ...], ...]:
    """For each layer the `first` heads that attend most to the needle while the model writes it, best first.

    A head's score in a run: its attention to the whole needle at each step that writes a token of it, summed; then
    the mean over the runs that found more than half of the answer's tokens.

    model: of transformers;  runs: recall questions, the question in the prompt
    Raises UsageError where the model answers none of them.
    """
    totals, found = torch.zeros(()), 0
    for run in runs:
        masses, right = _masses(model, run)
        totals = totals + (masses * right[:, None]).sum(dim=1)
        found += int(right.sum())
    if not found:
        raise UsageError("the model found none of the needles; give shorter prompts or a better model")
    order = totals.argsort(dim=-1, descending=True, stable=True)[:, :first]
    return tuple(tuple(heads) for heads in order.tolist())


def _masses(model: Any, run: Recall) -> tuple[Tensor, Tensor]:
    """Each head's attention to the needle, (layers, batch, heads), and which sequences were answered, (batch,)."""
    from memspan.kv.compressing import compress

    with compress(model, _Watch(run.answer.shape[1]), Budget(ratio=1.0)) as cache:
        said = _written(model, cache, run.prompt, run.answer.shape[1])
        written = (said[:, :, None] == run.prompt[:, None]) & run.span[:, None]
        of_needle = written.sum(-1).float()
        masses = []
        for layer in range(cache.engine.plan.shape.layers):
            view = cache.view(layer)
            weights = attention(view, said.shape[1])[..., : run.span.shape[1]]
            to_needle = (weights * run.span[:, None, None]).sum(-1)
            masses.append((to_needle * of_needle[:, None]).sum(-1))
    return torch.stack(masses), _recall(said, run.answer) > 0.5


def _written(model: Any, cache: Any, prompt: Tensor, count: int) -> Tensor:
    """What the model writes, (batch, count); the last token is not read."""
    said = [model(prompt, past_key_values=cache).logits[:, -1].argmax(-1)]
    while len(said) < count:
        said.append(model(said[-1][:, None], past_key_values=cache).logits[:, -1].argmax(-1))
    return torch.stack(said, dim=1)


def _recall(said: Tensor, answer: Tensor) -> Tensor:
    """Share of the answer's tokens that were said, in any order, each as often as it occurs, (batch,)."""
    found = (said[:, None] == answer[:, :, None]).sum(-1)
    wanted = (answer[:, None] == answer[:, :, None]).sum(-1)
    return (torch.minimum(found, wanted) / wanted).mean(dim=1)


@torch.no_grad()
def layer_errors(model: Any, runs: Sequence[Recall], method: CompressKV, room: int) -> tuple[float, ...]:
    """Each layer's share of the error that eviction makes, to be given to `CompressKV(errors=...)`.

    Relative Frobenius error of the attention's output at each step that writes the answer, the layers before it
    uncut, summed over steps and sequences; shares add up to 1, and are even where nothing is lost.

    method: how rows are chosen;  room: rows a head [tokens]
    """
    totals = torch.zeros(())
    for run in runs:
        totals = totals + _errors(model, run, method, room)
    whole = float(totals.sum())
    return tuple((totals / whole).tolist()) if whole else (1 / len(totals),) * len(totals)


def _errors(model: Any, run: Recall, method: CompressKV, room: int) -> Tensor:
    """Summed over steps and sequences, (layers,)."""
    from memspan.kv.compressing import compress

    steps = run.answer.shape[1]
    with compress(model, _Watch(max(steps, method.window)), Budget(ratio=1.0)) as cache:
        token = model(run.prompt, past_key_values=cache).logits[:, -1:].argmax(-1)
        rooms = torch.full((len(run.prompt),), room)
        layers = range(cache.engine.plan.shape.layers)
        kept = []
        for layer in layers:
            view = cache.view(layer)
            kept.append(method.select(method.score(view), rooms, view))
        for _ in range(steps):
            token = model(token, past_key_values=cache).logits[:, -1:].argmax(-1)
        blocks = model.get_decoder().layers
        return torch.stack([_error(cache.view(n), kept[n], steps, blocks[n].self_attn.o_proj) for n in layers])


def _error(view: View, kept: Tensor, steps: int, project: Any) -> Tensor:
    """Of one layer's output for the last queries, with all rows and with those kept and those after them."""
    weights = attention(view, steps)
    late = torch.ones_like(view.present[:, :, kept.shape[-1] :])
    stay = torch.cat((kept, late), dim=-1).repeat_interleave(view.group, dim=1)[:, :, None]
    values = view.values.repeat_interleave(view.group, dim=1)
    whole, cut = (_output(part, values, project) for part in (weights, weights * stay))
    wrong: Tensor = (cut - whole).norm(dim=-1) / (whole.norm(dim=-1) + 1e-5)
    return wrong.sum()


def _output(weights: Tensor, values: Tensor, project: Any) -> Tensor:
    """(batch, time, width); weights are brought back to a sum of 1."""
    mixed = weights / weights.sum(-1, keepdim=True).clamp(min=1e-30) @ values
    out: Tensor = project(mixed.transpose(1, 2).flatten(2))
    return out


METHOD = CompressKV
