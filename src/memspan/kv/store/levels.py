"""Uneven levels for numbers: where they lie, and which one is nearest.

Source: the k-means of Lloyd 1982, "Least Squares Quantization in PCM", in one dimension, where a cell is a run of the
sorted numbers, so that a round over all pages costs two look-ups in running sums.
"""

import torch
from torch import Tensor

ROUNDS = 12


def fit_levels(numbers: Tensor, bits: int, weights: Tensor | None = None) -> Tensor:
    """2 ** bits ascending levels a page with a small weighted squared distance to the numbers, (pages, levels) float32.

    numbers: (pages, count);  weights: what a number counts, (pages, count), >= 0; None: all alike

    >>> fit_levels(torch.tensor([[0.0, 0.25, 4.0, 6.0, 7.0, 7.5]]), 1).tolist()
    [[0.125, 6.125]]
    """
    ordered, order = numbers.float().sort(dim=1)
    counted = torch.ones_like(ordered) if weights is None else weights.float().gather(1, order)
    mass, moment = _running(counted), _running(counted * ordered)
    levels = _first(ordered, mass, 1 << bits)
    for _ in range(ROUNDS):
        edges = torch.searchsorted(ordered, _middles(levels))
        first, last = edges[:, :1] * 0, torch.full_like(edges[:, :1], ordered.shape[1])
        cells = torch.cat([first, edges, last], dim=1)
        held, moved = mass.gather(1, cells).diff(dim=1), moment.gather(1, cells).diff(dim=1)
        levels = torch.where(held > 0, (moved / held).float(), levels)
    return levels


def nearest(numbers: Tensor, levels: Tensor) -> Tensor:
    """Which level is nearest to each number, (pages, count) uint8.

    numbers: (pages, count);  levels: (pages, levels) ascending

    >>> nearest(torch.tensor([[0.1, 0.9, 5.0]]), torch.tensor([[0.0, 1.0]])).tolist()
    [[0, 1, 1]]
    """
    return torch.searchsorted(_middles(levels), numbers, out_int32=True).to(torch.uint8)


def _first(ordered: Tensor, mass: Tensor, count: int) -> Tensor:
    """Half way between even shares of the weight and even steps: the middle is dense, the ends are far."""
    shares = (torch.arange(count, device=ordered.device) + 0.5) / count
    places = torch.searchsorted(mass[:, 1:].contiguous(), mass[:, -1:] * shares).clamp_(max=ordered.shape[1] - 1)
    least, most = ordered[:, :1], ordered[:, -1:]
    return (ordered.gather(1, places) + least + (most - least) * shares) / 2


def _middles(levels: Tensor) -> Tensor:
    return ((levels[:, 1:] + levels[:, :-1]) / 2).contiguous()


def _running(numbers: Tensor) -> Tensor:
    sums = numbers.double().cumsum(1)
    return torch.cat([torch.zeros_like(sums[:, :1]), sums], dim=1)
