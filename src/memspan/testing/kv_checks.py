"""What every KV-cache method keeps, as checks for those who write one.

    from memspan.testing import kv_checks

    @pytest.mark.parametrize("check", kv_checks.checks(), ids=lambda check: check.__name__)
    def test_my_method(check):
        if reason := kv_checks.why_not(check, MyMethod()):
            pytest.skip(reason)
        check(MyMethod())

Each check takes a policy, tries it on a small Llama with random weights, and raises AssertionError where it fails.
"""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from memspan.core.budget import Budget
from memspan.core.registry import load
from memspan.kv.compressing import compress
from memspan.kv.engine import Engine, Incoming
from memspan.kv.hf import KVCache, Model, new_llama
from memspan.kv.policy import Lookup, Policy
from memspan.kv.signals import Rotary, View
from memspan.testing.kept_models import own_random_state

Check = Callable[[Policy], None]

LAYERS, KV_HEADS, VOCABULARY, PROMPT = 2, 2, 64, 96
STOCK = 1e-3
"""So close are logits to those of the stock model."""
ALONE = 1e-4
"""So close are logits of two ways to compute the same."""


def checks() -> list[Check]:
    """All of them."""
    return [
        keeps_all_under_no_limit,
        holds_its_budget,
        holds_its_budget_while_writing,
        holds_a_budget_in_bytes,
        tells_its_bytes,
        keeps_what_is_protected,
        a_padded_row_is_as_alone,
        chunks_are_as_one_prompt,
        positions_ascend,
        a_second_cut_drops_nothing,
        heads_may_change_places,
        forks_go_on_by_themselves,
        attends_to_what_it_holds,
        gives_numbers,
        keeps_no_state,
    ]


def why_not(check: Check, policy: Policy) -> str | None:
    """Why a check is not for that policy; None where it is."""
    if isinstance(policy, Lookup) and check in (
        holds_its_budget, holds_its_budget_while_writing, holds_a_budget_in_bytes, keeps_what_is_protected,
        positions_ascend, a_second_cut_drops_nothing, heads_may_change_places, attends_to_what_it_holds,
    ):  # fmt: skip
        return "it keeps every row, and chooses what to look at"
    if check is holds_its_budget_while_writing and policy.when != "always":
        return "it cuts after several tokens only"
    if check is chunks_are_as_one_prompt and not policy.piecewise:
        return "what it keeps depends on how the prompt is cut into chunks"
    if check is attends_to_what_it_holds and _changes_rows(policy):
        return "it changes the rows it keeps"
    if check is keeps_all_under_no_limit and policy.codec is not None:
        return "its form of pages is not exact"
    if check is a_padded_row_is_as_alone and policy.codec is not None:
        return "rows change as they go to pages, which happens by the page of the whole batch"
    return None


def _changes_rows(policy: Policy) -> bool:
    return type(policy).rewrite is not Policy.rewrite or policy.codec is not None


# -- the checks


def keeps_all_under_no_limit(policy: Policy) -> None:
    """With a ratio of 1 nothing is lost: a prompt in pieces, and tokens after it, give the stock logits."""
    ids = tokens(2, PROMPT + 4)
    stock = _stock(ids)
    with opened(policy, Budget(ratio=1.0)) as held:
        got = [_told(held, part) for part in (ids[:, :60], ids[:, 60:PROMPT], *ids[:, PROMPT:].tensor_split(4, dim=1))]
    _close(torch.cat(got, dim=1), stock, STOCK)


def holds_its_budget(policy: Policy) -> None:
    """After a prompt the rows of all layers and heads are as many as the budget says, to the row.

    A policy that does not fill its budget holds no more than that.
    """
    ids = tokens(2, PROMPT)
    bytes_of_most = _bytes_of(policy, None, 0.8, ids)
    budgets = [Budget(ratio=ratio) for ratio in (0.5, 0.25, 0.125)]
    for budget in (*budgets, Budget(tokens=_tokens(policy, 20)), Budget(bytes=bytes_of_most)):
        with opened(policy, budget) as held:
            _told(held, ids)
            room = _room(held, len(ids))
            rows = torch.stack([layer.sum(-1) for layer in held.lengths()])
        total = room * LAYERS * KV_HEADS
        if policy.fills:
            assert (rows.sum(0) == total).all(), f"{rows.sum(0).tolist()} rows a sequence where {budget} allows {total}"
        assert (rows.sum(0) <= total).all(), f"{rows.sum(0).tolist()} rows a sequence, {budget} allows {total}"


def holds_its_budget_while_writing(policy: Policy) -> None:
    """Token by token it never stands over the budget by more than its slack."""
    room = _tokens(policy, 20)
    with opened(policy, Budget(tokens=room)) as held:
        _told(held, tokens(2, PROMPT))
        for step in range(40):
            _told(held, tokens(2, 1, seed=step))
            rows = sum(int(layer.sum(-1).max()) for layer in held.lengths())
            most = (room + policy.slack) * LAYERS * KV_HEADS
            assert rows <= most, f"{rows} rows after {step + 1} tokens, {most} are allowed"


def holds_a_budget_in_bytes(policy: Policy) -> None:
    """All tensors together take no more than the budget, with padding and in quantised pages too.

    After a prompt; while writing as well, where the policy cuts after each token.
    """
    ids = tokens(2, 2 * PROMPT)
    for codec in (None, "int4") if policy.codec is None else (None,):
        limit = _bytes_of(policy, codec, 0.8, ids)
        with opened(policy, Budget(bytes=limit), codec=codec) as held:
            for step in range(20 if policy.when == "always" else 1):
                _told(held, ids[:, step : step + 1] if step else ids, mask=None if step else _left(2, 2 * PROMPT, 11))
                assert held.nbytes() <= limit, f"{held.nbytes()} bytes after {step} tokens with {codec}, not {limit}"


def tells_its_bytes(policy: Policy) -> None:
    """What nbytes() tells is what the tensors take that can be reached from the cache, each storage once."""
    with opened(policy, Budget(ratio=0.5)) as held:
        for time in (PROMPT, 20, 1):
            _told(held, tokens(2, time), mask=_left(2, time, 7) if time == PROMPT else None)
            told, found = held.nbytes(), _reachable_bytes(held)
            assert told == found, f"nbytes() tells {told}, tensors take {found}"


def keeps_what_is_protected(policy: Policy) -> None:
    """The first and the newest tokens that always stay are in every head, after a prompt and after what follows."""
    sinks, recent = 3, 7
    with opened(policy, Budget(tokens=_tokens(policy, 20)), sinks=sinks, recent=recent) as held:
        read = 0
        for time in (PROMPT, 30, 1, 30):
            _told(held, tokens(2, time, seed=read))
            read += time
            wanted = {*range(sinks), *range(read - recent, read)}
            for number, row, head, places in _each_head(held):
                missing = wanted - set(places)
                assert not missing, f"layer {number}, sequence {row}, head {head} lost {sorted(missing)} of {read}"


def a_padded_row_is_as_alone(policy: Policy) -> None:
    """A sequence padded on the left within a batch keeps the same rows and gives the same logits as by itself."""
    pad, ids, question = 17, tokens(2, PROMPT), tokens(2, 5, seed=9)
    with opened(policy, Budget(ratio=0.5)) as held:
        first = _told(held, ids, mask=_left(2, PROMPT, pad))[:1, pad:]
        together = _rows_of(held, 0)
        second = _told(held, question)[:1]
    with opened(policy, Budget(ratio=0.5)) as held:
        _close(_told(held, ids[:1, pad:]), first, ALONE)
        alone = _rows_of(held, 0)
        assert alone == together, f"alone {alone}, in the batch {together}"
        _close(_told(held, question[:1]), second, ALONE)


def chunks_are_as_one_prompt(policy: Policy) -> None:
    """A prompt read in chunks, each longer than the slack, leaves the rows that it leaves when read at once.

    In the first layer: what reaches the others has been through attention to what was left of the chunks before.
    """
    ids, budget = tokens(2, PROMPT), Budget(tokens=_tokens(policy, 24))
    kept = []
    for size in (PROMPT, policy.slack + 24):
        with opened(policy, budget) as held:
            for end in range(PROMPT % size or size, PROMPT + 1, size):
                _told(held, ids[:, max(0, end - size) : end])
            kept.append([places for number, *_, places in _each_head(held) if number == 0])
    assert kept[0] == kept[1], f"at once {kept[0]}, in chunks {kept[1]}"


def positions_ascend(policy: Policy) -> None:
    """In each head the true places of its rows grow from one to the next, and are of tokens that were read."""
    with opened(policy, Budget(ratio=0.25)) as held:
        read = 0
        for time in (PROMPT, 1, 30, 1, 1):
            _told(held, tokens(2, time, seed=read))
            read += time
            for number, row, head, places in _each_head(held):
                where = f"layer {number}, sequence {row}, head {head}: {places}"
                assert all(one < other for one, other in pairwise(places)), where
                assert places and places[0] >= 0 and places[-1] < read, where


def a_second_cut_drops_nothing(policy: Policy) -> None:
    """What was kept is within the room, so cutting it to the same room again keeps it all."""
    for cut in _cuts(policy, Budget(ratio=0.25)):
        view = _only(cut.view, cut.kept)
        scores = _bounded(policy.score(view), view)
        again = policy.select(scores, cut.room, view) & view.present
        lost = view.positions[view.present & ~again].tolist()
        assert not lost, f"layer {view.layer} drops rows {lost} in a second cut"


def heads_may_change_places(policy: Policy) -> None:
    """Which number a head has does not matter: scores of exchanged heads are the exchanged scores."""
    for cut in _cuts(policy, Budget(ratio=0.25)):
        view = cut.view
        order = torch.arange(KV_HEADS).flip(0)
        query_heads = torch.arange(view.queries.shape[1]).reshape(KV_HEADS, -1)[order].flatten()
        other = replace(
            view,
            keys=view.keys[:, order],
            values=view.values[:, order],
            positions=view.positions[:, order],
            queries=view.queries[:, query_heads],
            figures={name: figure[:, order] for name, figure in view.figures.items()},
        )
        one, turned = _bounded(policy.score(view), view)[:, order], _bounded(policy.score(other), other)
        assert torch.allclose(one, turned, rtol=1e-4, atol=1e-6), f"layer {view.layer}: scores follow the head's number"


def forks_go_on_by_themselves(policy: Policy) -> None:
    """A fork and its original read on as if the other were not there, and a fork leaves nothing behind."""
    ids, ways = tokens(2, PROMPT), [tokens(2, 30, seed=seed) for seed in (5, 6)]
    with opened(policy, Budget(ratio=0.5), codec="int8") as held:
        _told(held, ids)
        fork = held.fork()
        shared = _storages(held) & _storages(fork)
        assert shared or not any(layer.segments for layer in held.engine.layers), "sealed pages are not shared"
        mixed = [_told(one, way[:, :15]) for one, way in zip((held, fork), ways, strict=True)]
        rest = [_told(one, way[:, 15:]) for one, way in zip((held, fork), ways, strict=True)]
        kept = _storages(held)
        own = [one for one in fork.tensors() if one.untyped_storage().data_ptr() not in kept]
        watched = [weakref.ref(one) for one in (fork, fork.engine, *own)]
        del fork, own
        assert all(left() is None for left in watched), "a fork that was dropped is still there"
    for way, first, second in zip(ways, mixed, rest, strict=True):
        with opened(policy, Budget(ratio=0.5), codec="int8") as held:
            _told(held, ids)
            _close(_told(held, way[:, :15]), first, ALONE)
            _close(_told(held, way[:, 15:]), second, ALONE)


def attends_to_what_it_holds(policy: Policy) -> None:
    """After a cut each layer gives what attention over all tokens gives under a mask of the rows that are left."""
    with opened(policy, Budget(ratio=0.25)) as held, _recorded(held.engine) as steps:
        for time in (PROMPT, 1, 1, 5, 1):
            _told(held, tokens(2, time, seed=time))
    past: dict[int, list[_Step]] = {}
    for step in steps:
        earlier = past.setdefault(step.number, [])
        earlier.append(step)
        _close(step.out, _masked(step, earlier), ALONE)


def gives_numbers(policy: Policy) -> None:
    """Logits are finite in a batch with much padding, in two precisions, long after the prompt."""
    for dtype in (torch.float32, torch.bfloat16):
        with opened(policy, Budget(tokens=_tokens(policy, 12)), dtype=dtype) as held:
            pad = PROMPT - 2
            parts = [_told(held, tokens(2, PROMPT), mask=_left(2, PROMPT, pad))[:, pad:]]
            parts += [_told(held, tokens(2, time, seed=time)) for time in (1, 1, 20, 1)]
        assert all(bool(part.isfinite().all()) for part in parts), f"logits that are no numbers in {dtype}"


def keeps_no_state(policy: Policy) -> None:
    """A second cache of the same policy keeps what the first kept, whatever was read in between."""
    kept, before = [], repr(policy)
    for ids in (tokens(2, PROMPT), tokens(1, PROMPT // 2, seed=4), tokens(2, PROMPT)):
        with opened(policy, Budget(ratio=0.25)) as held:
            _told(held, ids)
            kept.append([places for *_, places in _each_head(held)])
    assert kept[0] == kept[2] and repr(policy) == before, "it remembers what it has read"


# -- the model and what is read


@cache
def _model(dtype: torch.dtype) -> Model:
    """Weights far from zero, so that attention prefers some tokens to others."""
    settings = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2 * KV_HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
    }
    with own_random_state():
        return new_llama(settings, seed=1).to(dtype)


@contextmanager
def opened(policy: Policy, budget: Budget, *, dtype: torch.dtype = torch.float32, **more: Any) -> Iterator[KVCache]:
    """A cache of the small model, without gradients. more: what compress() takes"""
    if policy.codec is not None:
        more.pop("codec", None)
    with torch.no_grad(), compress(_model(dtype), policy, budget, **more) as held:
        yield held


def _told(held: KVCache, ids: Tensor, mask: Tensor | None = None) -> Tensor:
    """Logits of what a cache reads next."""
    logits: Tensor = held.model(ids, past_key_values=held, attention_mask=mask).logits
    return logits


def _stock(ids: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = _model(torch.float32)(ids).logits
    return logits


def tokens(batch: int, time: int, seed: int = 0) -> Tensor:
    """Ids to read, (batch, time)."""
    return torch.randint(VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(100 * seed + time))


def _left(batch: int, time: int, pad: int) -> Tensor:
    """A mask that hides the first `pad` tokens of the first sequence."""
    mask = torch.ones((batch, time), dtype=torch.int64)
    mask[0, :pad] = 0
    return mask


def _tokens(policy: Policy, wanted: int) -> int:
    """A room that suffices for the policy and for what the checks protect; pages that are looked up take more."""
    return max(wanted, 48 if isinstance(policy, Lookup) else policy.least(wanted))


def _room(held: KVCache, batch: int) -> int:
    """Rows a head by the budget; a ratio never goes below what has to stay."""
    plan = held.engine.plan
    room = plan.room.rows(held.get_seq_length(), batch)
    return max(room, plan.policy.least(room)) if plan.room.budget.ratio is not None else room


def _bytes_of(policy: Policy, codec: str | None, share: float, ids: Tensor) -> int:
    """What a share of the rows of these tokens takes, and what comes with them."""
    with opened(policy, Budget(ratio=1.0), codec=codec) as held:
        room = held.engine.plan.room
    rows = LAYERS * KV_HEADS * ids.numel() * share
    return int(rows * (room.row_bytes + room.newest_bytes) / 2 + room.fixed * len(ids))


def _close(got: Tensor, wanted: Tensor, within: float) -> None:
    apart = float((got - wanted).abs().max())
    assert apart < within, f"{apart:.2g} apart where {within} is allowed"


def _each_head(held: KVCache) -> Iterator[tuple[int, int, int, list[int]]]:
    """Layer, sequence, head, and the true places of its rows in the order in which they lie."""
    for number, layer in enumerate(held.engine.layers):
        for row, heads in enumerate(layer.positions().tolist()):
            for head, places in enumerate(heads):
                yield number, row, head, [place for place in places if place >= 0]


def _rows_of(held: KVCache, sequence: int) -> list[list[int]]:
    return [places for _, row, _, places in _each_head(held) if row == sequence]


# -- what is reached from a cache


def _reachable(held: KVCache) -> list[Tensor]:
    """Tensors found by following references from a cache, but not into its plan, its model or modules."""
    found: list[Tensor] = []
    seen = {id(held.engine.plan), id(held._owner)}
    waiting: list[Any] = [held]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, str, int, float, Rotary)) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            found.append(one)
        else:
            waiting.extend(gc.get_referents(one))
    return found


def _storages(held: KVCache) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in _reachable(held) if tensor.numel()}


def _reachable_bytes(held: KVCache) -> int:
    by_place = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in _reachable(held)}
    return sum(by_place.values())


# -- what a policy is shown


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a policy saw and kept."""

    view: View
    room: Tensor
    kept: Tensor


def _cuts(policy: Policy, budget: Budget) -> list[_Cut]:
    """The cuts of a prompt and of a second one."""
    cuts: list[_Cut] = []
    own = type(policy)

    class Watched(own):  # type: ignore[misc, valid-type]
        def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
            kept: Tensor = own.select(self, scores, room, view)
            cuts.append(_Cut(view, room, kept & view.present))
            return kept

    assert is_dataclass(policy), "a method is a frozen dataclass"
    watched = Watched(**{one.name: getattr(policy, one.name) for one in fields(policy)})
    with opened(watched, budget) as held:
        for seed, time in enumerate((PROMPT, 40)):
            _told(held, tokens(2, time, seed=seed))
    assert cuts, "nothing was cut"
    return cuts


def _bounded(scores: Tensor, view: View) -> Tensor:
    """As the engine hands them on."""
    most = torch.finfo(torch.float32).max
    return scores.float().clamp(max=most).masked_fill(~view.present, -torch.inf)


def _only(view: View, kept: Tensor) -> View:
    """The view of the rows that were kept."""
    order = (~kept).to(torch.int8).argsort(dim=-1, stable=True)[..., : int(kept.sum(-1).max())]
    index = order[..., None].expand(-1, -1, -1, view.keys.shape[-1])
    return replace(
        view,
        keys=view.keys.gather(2, index),
        values=view.values.gather(2, index),
        positions=view.positions.masked_fill(~kept, -1).gather(2, order),
        figures={name: figure.gather(2, order) for name, figure in view.figures.items()},
    )


# -- attention by the book


@dataclass(frozen=True, slots=True)
class _Step:
    """A layer's part in a forward pass. held: places of the rows before it, (batch, kv_heads, columns)"""

    number: int
    queries: Tensor
    keys: Tensor
    values: Tensor
    places: Tensor
    scaling: float
    held: Tensor | None
    out: Tensor


@contextmanager
def _recorded(engine: Engine) -> Iterator[list[_Step]]:
    steps: list[_Step] = []
    real = engine.step

    def step(number: int, rows: tuple[Tensor, Tensor, Tensor], incoming: Incoming, scaling: float) -> Tensor:
        layer = engine.layers[number]
        before = layer.positions() if layer.seen is not None else None
        out = real(number, rows, incoming, scaling)
        steps.append(_Step(number, *rows, incoming.places, scaling, before, out))
        return out

    engine.step = step  # type: ignore[method-assign]
    yield steps


def _masked(step: _Step, passes: list[_Step]) -> Tensor:
    """Attention of a step to all tokens so far, but those that were dropped before it. passes: up to this one"""
    keys, values = (torch.cat([getattr(one, part) for one in passes], dim=2) for part in ("keys", "values"))
    group = step.queries.shape[1] // keys.shape[1]
    places = torch.arange(keys.shape[2])
    fresh = places >= int(step.places[0, 0])
    dropped = torch.zeros((len(keys), keys.shape[1], keys.shape[2]), dtype=torch.bool)
    if step.held is not None:
        there = (step.held[..., None] == places).any(2)
        dropped = ~there & ~fresh
    allowed = ~dropped[:, :, None, :] & (places <= step.places[:, None, :, None])
    logits = step.queries @ keys.repeat_interleave(group, 1).transpose(-1, -2) * step.scaling
    weights = logits.masked_fill(~allowed.repeat_interleave(group, 1), -torch.inf).softmax(-1)
    return weights @ values.repeat_interleave(group, 1)


def named(name: str) -> Policy:
    """A method with its defaults. name: of `memspan.methods("kv")`"""
    policy: Policy = load("kv", name)()
    return policy
