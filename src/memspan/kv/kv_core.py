"""KV-CoRE: how compressible keys and values are, measured by their effective rank over all data seen.

Source: Chen et al. 2026, "KV-CoRE: Benchmarking Data-Dependent Low-Rank Compressibility of KV-Caches in LLMs",
arXiv:2602.05929; the effective rank is Roy and Vetterli 2007's. Confirmed from its abstract and summaries: the SVD of a
whole data set, taken incrementally; the best low-rank approximation in the Frobenius norm; one normalised effective
rank for a layer's keys and one for its values. Its formula is not in what could be read: exp(entropy of the singular
values as shares of their sum) / dimension is the usual one. Nor could be read whether keys are taken before or after
RoPE: give what your cache holds, which is after. It says nothing of budgets that follow, so neither does this file.
Ours adds: heads apart, not only a layer as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class LayerRanks:
    """Normalised effective ranks of one layer, 1 / dim: one direction, 1: all alike. One number for each kv head"""

    keys: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(slots=True)
class _Sums:
    """X'X of one layer, (groups, dim, dim) in float64, and how many rows X had."""

    keys: Tensor
    values: Tensor
    rows: int


@dataclass(slots=True)
class Profile:
    """A measurement that grows: `add` chunks in any order, then ask for `ranks`.

    together: a layer's heads side by side as one matrix, as the paper has them, instead of each by itself
    Memory: two matrices (dim, dim) a head, in float64; with `together` two (kv_heads * dim)^2 a layer.

    >>> profile = Profile()
    >>> profile.add(0, torch.eye(4).view(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    >>> found = profile.ranks()[0]
    >>> round(found.keys[0], 6), round(found.values[0], 6)
    (1.0, 0.25)
    """

    together: bool = False
    _layers: dict[int, _Sums] = field(default_factory=dict)

    def add(self, layer: int, keys: Tensor, values: Tensor, present: Tensor | None = None) -> None:
        """Take in what one layer holds.

        keys, values: (batch, kv_heads, time, dim), dims may differ;  present: (batch, time), False: padding
        Raises UsageError where shapes do not fit each other or what this layer had before, or a number is not finite.
        """
        made = _Sums(self._gram(keys, present), self._gram(values, present), _rows(keys, values, present))
        before = self._layers.get(layer)
        self._layers[layer] = made if before is None else _sum(before, made)

    def merge(self, other: "Profile") -> None:
        """Take in another measurement, as if its data had been added here.

        Raises UsageError where one has heads apart and the other together, or shapes differ; then nothing changes.
        """
        if self.together != other.together:
            raise UsageError("one profile has its heads apart, the other together: they cannot be merged")
        theirs = {
            layer: _sum(self._layers[layer], sums) if layer in self._layers else sums
            for layer, sums in other._layers.items()
        }
        self._layers.update(theirs)

    def tokens(self, layer: int) -> int:
        """How many tokens a layer has seen. Raises UsageError where none."""
        return self._of(layer).rows

    def ranks(self) -> dict[int, LayerRanks]:
        """By layer, ascending: what share of its dimensions each head uses."""
        return {
            layer: LayerRanks(_effective(sums.keys), _effective(sums.values))
            for layer, sums in sorted(self._layers.items())
        }

    def spectrum(self, layer: int) -> tuple[Tensor, Tensor]:
        """Singular values of keys and of values, descending, (groups, dim) each. Raises UsageError where no data."""
        sums = self._of(layer)
        return _singular(sums.keys), _singular(sums.values)

    def projections(self, layer: int, rank: int) -> tuple[Tensor, Tensor]:
        """Bases P of keys and of values, (groups, dim, rank): no X P P' of that rank is nearer to X.

        Raises UsageError where the layer has no data or rank is not in 1..dim.
        """
        sums = self._of(layer)
        least = min(sums.keys.shape[-1], sums.values.shape[-1])
        if not 1 <= rank <= least:
            raise UsageError(f"rank {rank}: 1 to {least}, the dimension, are possible")
        return _leading(sums.keys, rank), _leading(sums.values, rank)

    def _of(self, layer: int) -> _Sums:
        if layer not in self._layers:
            raise UsageError(f"layer {layer} has no data; there are {sorted(self._layers)}")
        return self._layers[layer]

    def _gram(self, states: Tensor, present: Tensor | None) -> Tensor:
        if states.ndim != 4:
            raise UsageError(f"(batch, kv_heads, time, dim) is needed, not {tuple(states.shape)}")
        if present is not None and present.shape != (states.shape[0], states.shape[2]):
            raise UsageError(f"present is (batch, time), not {tuple(present.shape)} for {tuple(states.shape)}")
        rows = states.detach().to(torch.float64).transpose(1, 2)  # (batch, time, kv_heads, dim)
        rows = rows.flatten(0, 1) if present is None else rows[present.bool()]  # (tokens, kv_heads, dim)
        grouped = rows.flatten(1).unsqueeze(0) if self.together else rows.transpose(0, 1)  # (groups, tokens, dim)
        made = grouped.transpose(1, 2) @ grouped
        if not bool(torch.isfinite(made).all()):
            raise UsageError("keys or values hold a number that is not finite, or one too large to square")
        return made.cpu()


def _rows(keys: Tensor, values: Tensor, present: Tensor | None) -> int:
    if keys.shape[:3] != values.shape[:3]:
        raise UsageError(f"keys {tuple(keys.shape)} and values {tuple(values.shape)} are not of the same tokens")
    return keys.shape[0] * keys.shape[2] if present is None else int(present.bool().sum())


def _sum(one: _Sums, two: _Sums) -> _Sums:
    if one.keys.shape != two.keys.shape or one.values.shape != two.values.shape:
        raise UsageError(
            f"(groups, dim, dim) was {tuple(one.keys.shape)} and {tuple(one.values.shape)}, "
            f"now it is {tuple(two.keys.shape)} and {tuple(two.values.shape)}"
        )
    return _Sums(one.keys + two.keys, one.values + two.values, one.rows + two.rows)


def _singular(gram: Tensor) -> Tensor:
    """Of X, from X'X: (groups, dim), descending; what rounding made negative is 0."""
    found: Tensor = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(-1)
    return found


def _leading(gram: Tensor, rank: int) -> Tensor:
    found: Tensor = torch.linalg.eigh(gram).eigenvectors[..., -rank:].flip(-1)
    return found


def _effective(gram: Tensor) -> tuple[float, ...]:
    return tuple(effective_rank(row.tolist()) for row in _singular(gram))


def effective_rank(singular: Sequence[float]) -> float:
    """exp(entropy) of singular values as shares of their sum, over their number; 0 where all are 0.

    >>> effective_rank([1.0, 1.0, 0.0, 0.0])
    0.5
    """
    values = torch.tensor(singular, dtype=torch.float64)
    total = float(values.sum())
    if not total:
        return 0.0
    return float(torch.special.entr(values / total).sum().exp()) / len(values)
