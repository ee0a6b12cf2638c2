"""From scores to the rows that stay."""

import torch
from torch import Tensor


def best(scores: Tensor, room: Tensor) -> Tensor:
    """The best rows of each head, (batch, kv_heads, time) bool; where scores tie, the newer row stays.

    scores: (batch, kv_heads, time), -inf where no row is
    room: rows to keep, (batch, 1) for all heads alike or (batch, kv_heads)

    >>> best(torch.tensor([[[3.0, 1.0, 2.0, 2.0]]]), torch.tensor([[2]])).tolist()
    [[[True, False, False, True]]]
    """
    ranks = _ranks(scores)
    return (ranks < room[..., None]) & (scores > -torch.inf)


def best_over_heads(scores: Tensor, room: Tensor, floor: Tensor) -> Tensor:
    """The best `floor` rows of each head, then the best of all heads' rows together, so that the sum is exact.

    Where scores tie, the newer row stays, whatever its head.

    room: rows to keep in all, (batch,);  floor: rows each head keeps in any case, (batch,)
    """
    batch, heads, time = scores.shape
    safe = best(scores, floor[:, None].expand(batch, heads))
    raised = torch.where(safe, torch.inf, scores)
    flat = best(raised.transpose(1, 2).reshape(batch, 1, time * heads), room[:, None])
    return flat.view(batch, time, heads).transpose(1, 2) & (scores > -torch.inf)


def best_runs(scores: Tensor, runs: Tensor, room: Tensor) -> Tensor:
    """The best runs of rows, whole ones, as many as fit beside what has to stay; the same for all heads.

    A run is worth the mean of its rows' scores over all heads, without those that have to stay. Where not even one
    fits and nothing has to stay, the best one is cut.

    scores: (batch, kv_heads, time), +inf where a row has to stay, -inf where none is
    runs: the number of each row's run, of the same shape, >= 0 where a row is;  room: rows a head, (batch,)

    >>> scores = torch.tensor([[[5.0, 1.0, 2.0, 2.0, 3.0, 2.0, 9.0]]])
    >>> best_runs(scores, torch.arange(7)[None, None] // 2, torch.tensor([4])).tolist()
    [[[True, True, False, False, False, False, True]]]
    """
    batch, heads, _ = scores.shape
    free = scores.isfinite()
    forced = (scores == torch.inf).sum((1, 2))
    flat = runs.clamp(min=0).flatten(1)
    blank = scores.new_zeros((batch, int(runs.max()) + 1))
    sizes = blank.scatter_add(1, flat, free.flatten(1).to(scores.dtype))
    totals = blank.scatter_add(1, flat, scores.masked_fill(~free, 0.0).flatten(1))
    ranks = _ranks(torch.where(sizes > 0, totals / sizes.clamp(min=1), -torch.inf)[:, None])[:, 0]
    taken = sizes.gather(1, ranks.argsort(dim=1)).cumsum(1).gather(1, ranks)
    fits = taken <= (room * heads - forced)[:, None]
    fits |= (ranks == 0) & (forced == 0)[:, None]
    chosen = free & fits.gather(1, flat).view_as(free)
    worth = -ranks.to(scores.dtype).gather(1, flat).view_as(scores)
    return best(torch.where(chosen, worth, torch.where(free, -torch.inf, scores)), room[:, None])


def _ranks(scores: Tensor) -> Tensor:
    """0 for the best row of a head, 1 for the next; of equal ones the newer is better."""
    order = scores.flip(-1).argsort(dim=-1, descending=True, stable=True)
    order = scores.shape[-1] - 1 - order
    ranks = torch.empty_like(order)
    return ranks.scatter_(-1, order, torch.arange(scores.shape[-1], device=scores.device).expand_as(order))
