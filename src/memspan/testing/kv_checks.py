"""What every KV-cache method keeps, as checks for those who write one.

    from memspan.testing import kv_checks

    @pytest.mark.parametrize("check", kv_checks.checks(), ids=lambda check: check.__name__)
    def test_my_method(check):
        if reason := kv_checks.why_not(check, MyMethod()):
            pytest.skip(reason)
        check(MyMethod())

Each check takes a policy, tries it on a small Llama with random weights, and raises AssertionError where it fails.
"""

import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch

from memspan.core.budget import Budget
from memspan.kv.policy import Lookup, Policy
from memspan.testing.kv_trials import (
    ALONE,
    KV_HEADS,
    LAYERS,
    PROMPT,
    STOCK,
    Step,
    assert_close,
    bounded,
    bytes_of,
    cuts_of,
    each_head,
    left_padding,
    masked,
    only,
    opened,
    reachable_bytes,
    recorded,
    room_of,
    rows_of,
    stock_logits,
    storages,
    sufficient,
    tokens,
    told,
)

Check = Callable[[Policy], None]


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
    stock = stock_logits(ids)
    with opened(policy, Budget(ratio=1.0)) as held:
        got = [told(held, part) for part in (ids[:, :60], ids[:, 60:PROMPT], *ids[:, PROMPT:].tensor_split(4, dim=1))]
    assert_close(torch.cat(got, dim=1), stock, STOCK)


def holds_its_budget(policy: Policy) -> None:
    """After a prompt the rows of all layers and heads are as many as the budget says, to the row.

    A policy that does not fill its budget holds no more than that.
    """
    ids = tokens(2, PROMPT)
    bytes_of_most = bytes_of(policy, None, 0.8, ids)
    budgets = [Budget(ratio=ratio) for ratio in (0.5, 0.25, 0.125)]
    for budget in (*budgets, Budget(tokens=sufficient(policy, 20)), Budget(bytes=bytes_of_most)):
        with opened(policy, budget) as held:
            told(held, ids)
            room = room_of(held, len(ids))
            rows = torch.stack([layer.sum(-1) for layer in held.lengths()])
        total = room * LAYERS * KV_HEADS
        if policy.fills:
            assert (rows.sum(0) == total).all(), f"{rows.sum(0).tolist()} rows a sequence where {budget} allows {total}"
        assert (rows.sum(0) <= total).all(), f"{rows.sum(0).tolist()} rows a sequence, {budget} allows {total}"


def holds_its_budget_while_writing(policy: Policy) -> None:
    """Token by token it never stands over the budget by more than its slack."""
    room = sufficient(policy, 20)
    with opened(policy, Budget(tokens=room)) as held:
        told(held, tokens(2, PROMPT))
        for step in range(40):
            told(held, tokens(2, 1, seed=step))
            rows = sum(int(layer.sum(-1).max()) for layer in held.lengths())
            most = (room + policy.slack) * LAYERS * KV_HEADS
            assert rows <= most, f"{rows} rows after {step + 1} tokens, {most} are allowed"


def holds_a_budget_in_bytes(policy: Policy) -> None:
    """All tensors together take no more than the budget, with padding and in quantised pages too.

    After a prompt; while writing as well, where the policy cuts after each token.
    """
    ids = tokens(2, 2 * PROMPT)
    for codec in (None, "int4") if policy.codec is None else (None,):
        limit = bytes_of(policy, codec, 0.8, ids)
        with opened(policy, Budget(bytes=limit), codec=codec) as held:
            for step in range(20 if policy.when == "always" else 1):
                told(
                    held,
                    ids[:, step : step + 1] if step else ids,
                    mask=None if step else left_padding(2, 2 * PROMPT, 11),
                )
                assert held.nbytes() <= limit, f"{held.nbytes()} bytes after {step} tokens with {codec}, not {limit}"


def tells_its_bytes(policy: Policy) -> None:
    """What nbytes() tells is what the tensors take that can be reached from the cache, each storage once."""
    with opened(policy, Budget(ratio=0.5)) as held:
        for time in (PROMPT, 20, 1):
            told(held, tokens(2, time), mask=left_padding(2, time, 7) if time == PROMPT else None)
            said, found = held.nbytes(), reachable_bytes(held)
            assert said == found, f"nbytes() tells {said}, tensors take {found}"


def keeps_what_is_protected(policy: Policy) -> None:
    """The first and the newest tokens that always stay are in every head, after a prompt and after what follows."""
    sinks, recent = 3, 7
    with opened(policy, Budget(tokens=sufficient(policy, 20)), sinks=sinks, recent=recent) as held:
        read = 0
        for time in (PROMPT, 30, 1, 30):
            told(held, tokens(2, time, seed=read))
            read += time
            wanted = {*range(sinks), *range(read - recent, read)}
            for number, row, head, places in each_head(held):
                missing = wanted - set(places)
                assert not missing, f"layer {number}, sequence {row}, head {head} lost {sorted(missing)} of {read}"


def a_padded_row_is_as_alone(policy: Policy) -> None:
    """A sequence padded on the left within a batch keeps the same rows and gives the same logits as by itself."""
    pad, ids, question = 17, tokens(2, PROMPT), tokens(2, 5, seed=9)
    with opened(policy, Budget(ratio=0.5)) as held:
        first = told(held, ids, mask=left_padding(2, PROMPT, pad))[:1, pad:]
        together = rows_of(held, 0)
        second = told(held, question)[:1]
    with opened(policy, Budget(ratio=0.5)) as held:
        assert_close(told(held, ids[:1, pad:]), first, ALONE)
        alone = rows_of(held, 0)
        assert alone == together, f"alone {alone}, in the batch {together}"
        assert_close(told(held, question[:1]), second, ALONE)


def chunks_are_as_one_prompt(policy: Policy) -> None:
    """A prompt read in chunks, each longer than the slack, leaves the rows that it leaves when read at once.

    In the first layer: what reaches the others has been through attention to what was left of the chunks before.
    """
    ids, budget = tokens(2, PROMPT), Budget(tokens=sufficient(policy, 24))
    kept = []
    for size in (PROMPT, policy.slack + 24):
        with opened(policy, budget) as held:
            for end in range(PROMPT % size or size, PROMPT + 1, size):
                told(held, ids[:, max(0, end - size) : end])
            kept.append([places for number, *_, places in each_head(held) if number == 0])
    assert kept[0] == kept[1], f"at once {kept[0]}, in chunks {kept[1]}"


def positions_ascend(policy: Policy) -> None:
    """In each head the true places of its rows grow from one to the next, and are of tokens that were read."""
    with opened(policy, Budget(ratio=0.25)) as held:
        read = 0
        for time in (PROMPT, 1, 30, 1, 1):
            told(held, tokens(2, time, seed=read))
            read += time
            for number, row, head, places in each_head(held):
                where = f"layer {number}, sequence {row}, head {head}: {places}"
                assert all(one < other for one, other in pairwise(places)), where
                assert places and places[0] >= 0 and places[-1] < read, where


def a_second_cut_drops_nothing(policy: Policy) -> None:
    """What was kept is within the room, so cutting it to the same room again keeps it all."""
    for cut in cuts_of(policy, Budget(ratio=0.25)):
        view = only(cut.view, cut.kept)
        scores = bounded(policy.score(view), view)
        again = policy.select(scores, cut.room, view) & view.present
        lost = view.positions[view.present & ~again].tolist()
        assert not lost, f"layer {view.layer} drops rows {lost} in a second cut"


def heads_may_change_places(policy: Policy) -> None:
    """Which number a head has does not matter: scores of exchanged heads are the exchanged scores."""
    for cut in cuts_of(policy, Budget(ratio=0.25)):
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
        one, turned = bounded(policy.score(view), view)[:, order], bounded(policy.score(other), other)
        assert torch.allclose(one, turned, rtol=1e-4, atol=1e-6), f"layer {view.layer}: scores follow the head's number"


def forks_go_on_by_themselves(policy: Policy) -> None:
    """A fork and its original read on as if the other were not there, and a fork leaves nothing behind."""
    ids, ways = tokens(2, PROMPT), [tokens(2, 30, seed=seed) for seed in (5, 6)]
    with opened(policy, Budget(ratio=0.5), codec="int8") as held:
        told(held, ids)
        fork = held.fork()
        shared = storages(held) & storages(fork)
        assert shared or not any(layer.segments for layer in held.engine.layers), "sealed pages are not shared"
        mixed = [told(one, way[:, :15]) for one, way in zip((held, fork), ways, strict=True)]
        rest = [told(one, way[:, 15:]) for one, way in zip((held, fork), ways, strict=True)]
        kept = storages(held)
        own = [one for one in fork.tensors() if one.untyped_storage().data_ptr() not in kept]
        watched = [weakref.ref(one) for one in (fork, fork.engine, *own)]
        del fork, own
        assert all(left() is None for left in watched), "a fork that was dropped is still there"
    for way, first, second in zip(ways, mixed, rest, strict=True):
        with opened(policy, Budget(ratio=0.5), codec="int8") as held:
            told(held, ids)
            assert_close(told(held, way[:, :15]), first, ALONE)
            assert_close(told(held, way[:, 15:]), second, ALONE)


def attends_to_what_it_holds(policy: Policy) -> None:
    """After a cut each layer gives what attention over all tokens gives under a mask of the rows that are left."""
    with opened(policy, Budget(ratio=0.25)) as held, recorded(held.engine) as steps:
        for time in (PROMPT, 1, 1, 5, 1):
            told(held, tokens(2, time, seed=time))
    past: dict[int, list[Step]] = {}
    for step in steps:
        earlier = past.setdefault(step.number, [])
        earlier.append(step)
        assert_close(step.out, masked(step, earlier), ALONE)


def gives_numbers(policy: Policy) -> None:
    """Logits are finite in a batch with much padding, in two precisions, long after the prompt."""
    for dtype in (torch.float32, torch.bfloat16):
        with opened(policy, Budget(tokens=sufficient(policy, 12)), dtype=dtype) as held:
            pad = PROMPT - 2
            parts = [told(held, tokens(2, PROMPT), mask=left_padding(2, PROMPT, pad))[:, pad:]]
            parts += [told(held, tokens(2, time, seed=time)) for time in (1, 1, 20, 1)]
        assert all(bool(part.isfinite().all()) for part in parts), f"logits that are no numbers in {dtype}"


def keeps_no_state(policy: Policy) -> None:
    """A second cache of the same policy keeps what the first kept, whatever was read in between."""
    kept, before = [], repr(policy)
    for ids in (tokens(2, PROMPT), tokens(1, PROMPT // 2, seed=4), tokens(2, PROMPT)):
        with opened(policy, Budget(ratio=0.25)) as held:
            told(held, ids)
            kept.append([places for *_, places in each_head(held)])
    assert kept[0] == kept[2] and repr(policy) == before, "it remembers what it has read"
