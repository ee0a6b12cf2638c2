"""Policies that keep every row and look pages up: what is attended to, and that it is attended to rightly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import DynamicCache  # noqa: E402

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.policy import Lookup  # noqa: E402
from memspan.kv.signals import Needs, View  # noqa: E402
from memspan.testing.kv_tasks import VOCABULARY  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

SLOTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ByMean(Lookup):
    """Pages by their mean key; a setting for each part of the protocol."""

    newest: int = 8
    many: int = 1
    turned: bool = False
    later: bool = False
    weighed: bool = False
    stood_in: bool = False
    massive: bool = False

    @property
    def needs(self) -> Needs:
        return Needs(mass=self.massive)

    @property
    def local(self) -> int:
        return self.newest

    @property
    def lot(self) -> int:
        return self.many

    @property
    def prefetches(self) -> bool:
        return self.later

    def arrange(self, leaving: View, slots: int) -> torch.Tensor | None:
        return leaving.positions.argsort(dim=-1, descending=True) if self.turned else None

    def summarise(
        self, keys: torch.Tensor, values: torch.Tensor, figures: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        return {"key": keys.mean(1), "value": values.mean(1), **figures}

    def pick(self, asked: Asked, summary: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return asked.over_queries(asked.queries @ summary["key"].transpose(-1, -2))

    def estimate(
        self, summary: Mapping[str, torch.Tensor], scores: torch.Tensor, missed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
        if not self.stood_in:
            return None
        bias = torch.full(missed.shape, float(SLOTS)).log().masked_fill(~missed, -torch.inf)
        return summary["key"], summary["value"], bias

    def density(self, scores: torch.Tensor) -> torch.Tensor | None:
        if not self.weighed:
            return None
        return scores.masked_fill(scores == -torch.inf, 0.0).abs().mean((1, 2))


KINDS = {
    "plain": ByMean(),
    "in lots": ByMean(many=24),
    "turned": ByMean(turned=True),
    "ahead": ByMean(later=True),
    "weighed": ByMean(weighed=True),
    "stood in": ByMean(stood_in=True),
    "massive": ByMean(massive=True),
}


@pytest.fixture(scope="module")
def model() -> object:
    return circuit()


def ids(batch: int, time: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(seed))


def logits(model, tokens, cuts, cache, mask=None):
    """Of all tokens, read in pieces that end at `cuts`."""
    out, begin = [], 0
    with torch.no_grad():
        for end in [*cuts, tokens.shape[1]]:
            shown = None if mask is None else mask[:, :end]
            given = {} if mask is None else {"attention_mask": shown, "position_ids": positions(mask)[:, begin:end]}
            out.append(model(tokens[:, begin:end], past_key_values=cache, **given).logits)
            begin = end
    return torch.cat(out, 1)


def positions(mask):
    return (mask.cumsum(-1) - 1).clamp(min=0)


def held(model, policy, ratio=1.0, **settings):
    return kv.compress(model, policy, Budget(ratio=ratio), slots=SLOTS, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cuts", [range(60, 84), (30, 55, 56, 82), ()], ids=["steps", "pieces", "once"])
def test_with_room_for_all_it_is_the_stock_cache(model, kind, cuts):
    """Read at once, in pieces, or token by token while pages leave."""
    tokens = ids(2, 84)
    wanted = logits(model, tokens, cuts, DynamicCache())
    with held(model, KINDS[kind]) as cache:
        assert (logits(model, tokens, cuts, cache) - wanted).abs().max() < 1e-4
        if cuts:
            assert cache.engine.layers[0].segments, "nothing ever left for a page"


@pytest.mark.parametrize("kind", ["plain", "ahead", "weighed", "massive"])
def test_a_padded_row_is_the_row_alone(model, kind):
    """With half the room: the same pages are looked at, whatever else is in the batch."""
    tokens, mask = ids(3, 90), torch.ones(3, 90, dtype=torch.long)
    mask[1, :13], mask[2, :37] = 0, 0
    cuts = (70, 75, *range(76, 90))
    with held(model, KINDS[kind], 0.5) as cache:
        together = logits(model, tokens, cuts, cache, mask)
    for row, skipped in enumerate((0, 13, 37)):
        with held(model, KINDS[kind], 0.5) as cache:
            alone = logits(model, tokens[row : row + 1, skipped:], [cut - skipped for cut in cuts], cache)
        assert (together[row, skipped:] - alone[0]).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["turned", "in lots"])
def test_padding_changes_nothing_where_all_fits(model, kind):
    """Against the stock cache with the same mask."""
    tokens, mask = ids(2, 80), torch.ones(2, 80, dtype=torch.long)
    mask[1, :21] = 0
    cuts = (50, 60, *range(61, 75))
    wanted = logits(model, tokens, cuts, DynamicCache(), mask)
    with held(model, KINDS[kind]) as cache:
        found = logits(model, tokens, cuts, cache, mask)
    assert (found - wanted)[mask.bool()].abs().max() < 1e-4


def attended(monkeypatch, model, policy, ratio, tokens, cuts):
    """Positions of what layer 0 attends to at each pass but the first, and the cache's room then."""
    from memspan.kv.lookup import Lookups

    seen, look = [], Lookups.look

    def watched(self, number, *rest):
        looked = look(self, number, *rest)
        if number == 0:
            tail = self.layers[0].tail.parts()[2]
            seen.append((torch.cat((looked.positions, tail), -1), rest[2][0], looked))
        return looked

    monkeypatch.setattr(Lookups, "look", watched)
    with held(model, policy, ratio) as cache:
        logits(model, tokens, cuts, cache)
    return seen


@pytest.mark.parametrize("kind", ["plain", "turned", "ahead", "massive"])
def test_as_many_pages_as_fit_with_sinks_and_the_newest(monkeypatch, model, kind):
    """Each step attends to as many rows as the budget allows, a page's remainder less; no row twice."""
    passes = attended(monkeypatch, model, KINDS[kind], 0.5, ids(1, 120), range(90, 120))
    assert len(passes) == 30
    for step, (places, room, looked) in enumerate(passes):
        rows = places[0, 0][places[0, 0] >= 0]
        assert room - SLOTS < len(rows) <= room
        assert len(rows.unique()) == len(rows)
        at_hand, newest = places[0, 0, looked.positions.shape[-1] :].tolist(), 90 + step
        assert {0, 1, 2, 3, *range(newest - 7, newest + 1)} <= set(at_hand)


def test_a_pass_of_several_tokens_looks_up_what_its_first_one_may(monkeypatch, model):
    """The 19 other rows of the pass come on top; they take no page's room."""
    [(places, room, looked)] = attended(monkeypatch, model, KINDS["plain"], 0.5, ids(1, 110), [90])
    fetched = looked.positions.shape[-1]
    at_hand = int((places[0, 0] >= 0).sum()) - fetched - 19
    assert fetched == (room - at_hand) // SLOTS * SLOTS > 0


def test_pages_that_came_since_are_still_at_hand():
    """What the step before wanted, for the pages of now: a new one goes first, one that is not there never."""
    from memspan.kv.lookup import _carried

    before = torch.tensor([[[0.5, 2.0]], [[1.0, -torch.inf]]])
    there = torch.tensor([[[True, True, True]], [[True, True, False]]])
    wanted = torch.tensor([[[0.5, 2.0, torch.inf]], [[1.0, torch.inf, -torch.inf]]])
    assert torch.equal(_carried(before, there), wanted)


def test_layers_share_pages_by_weight_and_the_sum_is_exact(monkeypatch, model):
    """Two layers with weights 3 and 1."""
    from memspan.kv.lookup import Lookups

    counts, look = [], Lookups.look

    def watched(self, number, *rest):
        looked = look(self, number, *rest)
        counts.append((number, looked.keys.shape[2] // SLOTS))
        self._indices[number].weight = torch.tensor([3.0 - 2 * number])
        return looked

    monkeypatch.setattr(Lookups, "look", watched)
    with held(model, KINDS["weighed"], 0.5) as cache:
        logits(model, ids(1, 130), range(128, 130), cache)
    (_, first), (_, second) = counts[:2]
    assert first == second
    total = [pages for _, pages in counts[2:]]
    assert sum(total) == 2 * first and total[0] > 2 * total[1] > 0


def test_the_pages_with_the_highest_scores_are_fetched(monkeypatch, model):
    """Of those that lie in pages; by a loop over pages."""
    seen = []

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Watched(ByMean):
        def pick(self, asked, summary):
            scores = ByMean.pick(self, asked, summary)
            seen.append(scores[0])
            return scores

    passes = attended(monkeypatch, model, Watched(), 0.5, ids(1, 100), [99])
    _, _, looked = passes[0]
    scores = seen[0]  # of layer 0; pages begin after the 4 sinks
    for head in range(2):
        pages = sorted(range(scores.shape[1]), key=lambda page: -float(scores[head, page]))
        count = looked.positions.shape[-1] // SLOTS
        wanted = {4 + page * SLOTS + slot for page in pages[:count] for slot in range(SLOTS)}
        assert wanted == set(looked.positions[0, head].tolist())


def test_stand_ins_merge_into_one_softmax(monkeypatch, model):
    """A missed page counts as its 8 rows at its mean key and value; against a loop over rows."""
    passes = attended(monkeypatch, model, KINDS["stood in"], 0.5, ids(1, 100), [99])
    _, _, looked = passes[0]
    generator = torch.Generator().manual_seed(1)
    layer_tail = torch.randn(1, 2, 5, 48, generator=generator), torch.randn(1, 2, 5, 48, generator=generator)
    from memspan.kv.codecs.raw import Raw
    from memspan.kv.store.layer import Layer

    layer = Layer(SLOTS, Raw())
    layer.append(*layer_tail, torch.arange(100, 105)[None], {})
    query = torch.randn(1, 4, 1, 48, generator=generator)
    out, mass = layer.attend(query, torch.tensor([[104]]), 0.2, looked=looked, mass=True)
    missing, received = 0, torch.zeros(1, 2, 5)
    for head in range(4):
        above, below = torch.zeros(48, dtype=torch.float64), 0.0
        rows = [
            (looked.keys[0, head // 2, at], looked.values[0, head // 2, at], float(looked.bias[0, head // 2, at]))
            for at in range(looked.keys.shape[2])
            if looked.positions[0, head // 2, at] >= 0
        ]
        missing += sum(bias > 0 for _, _, bias in rows)
        rows += [(layer_tail[0][0, head // 2, at], layer_tail[1][0, head // 2, at], 0.0) for at in range(5)]
        weights = [
            torch.exp(0.2 * (query[0, head, 0].double() @ key.double())) * torch.e**bias for key, _, bias in rows
        ]
        for weight, (_, value, _) in zip(weights, rows, strict=True):
            above, below = above + weight * value.double(), below + weight
        received[0, head // 2] += torch.stack(weights[-5:]) / below
        assert (out[0, head, 0] - above / below).abs().max() < 1e-4
    assert missing > 0
    assert torch.allclose(mass, received, atol=1e-5)


@pytest.mark.parametrize("kind", ["ahead", "massive"])
def test_forks_go_on_by_themselves(model, kind):
    """A fork reads on while the first does, past rows leaving for pages; neither disturbs the other."""
    prompt, one, two = ids(1, 70), ids(1, 14, 1), ids(1, 14, 2)
    with held(model, KINDS[kind], 0.5) as cache:
        logits(model, prompt, (), cache)
        other = cache.fork()
        first = [logits(model, one[:, at : at + 1], (), cache) for at in range(14)]
        second = logits(model, two, range(1, 14), other)
    for tokens, found in ((one, torch.cat(first, 1)), (two, second)):
        with held(model, KINDS[kind], 0.5) as cache:
            logits(model, prompt, (), cache)
            alone = logits(model, tokens, range(1, 14), cache)
            assert cache.engine.layers[0].segments[0].table.shape[-1] > 4
        assert (found - alone).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["ahead", "weighed"])
def test_beams_are_reordered(model, kind):
    """After a reorder each beam goes on as its own sequence would, with half the room."""
    tokens, more = ids(3, 76), ids(3, 12, 1)
    order = torch.tensor([2, 0, 0])
    with held(model, KINDS[kind], 0.5) as cache:
        logits(model, tokens, (70, 75), cache)
        cache.reorder_cache(order)
        found = logits(model, more, range(1, 12), cache)
    for row, source in enumerate(order.tolist()):
        with held(model, KINDS[kind], 0.5) as cache:
            logits(model, tokens[source : source + 1], (70, 75), cache)
            alone = logits(model, more[row : row + 1], range(1, 12), cache)
        assert (found[row] - alone[0]).abs().max() < 1e-4


def test_beam_search_is_that_of_the_stock_cache(model):
    """With room for all."""
    prompt = ids(2, 60)
    settings = {"max_new_tokens": 12, "num_beams": 3, "do_sample": False, "pad_token_id": 0}
    wanted = model.generate(prompt, **settings)
    with held(model, ByMean()) as cache:
        assert torch.equal(model.generate(prompt, past_key_values=cache, **settings), wanted)


def test_figures_of_the_newest_go_with_their_rows(model):
    """A page's summary gets the attention that its rows received, in the order in which they lie."""
    with held(model, replace(KINDS["massive"], turned=True)) as cache:
        logits(model, ids(1, 60), (), cache)
        layer, index = cache.engine.layers[0], cache.engine._lookups._indices[0]
        figures = layer.figures["mass"]
        assert figures.shape[-1] == layer.tail.count
        total = figures.sum(-1) + index.each["mass"].sum((2, 3))
    assert torch.allclose(total, torch.full((1, 2), 60.0 * 2), atol=1e-2)


def test_too_small_a_budget_says_so(model):
    """Sinks and a page on its way have to fit."""
    small = Budget(tokens=4 + SLOTS)
    with pytest.raises(UsageError, match="always stay"), kv.compress(model, ByMean(), small, slots=SLOTS) as cache:
        logits(model, ids(1, 100), (), cache)


def test_nothing_is_lost(model):
    """All rows are held, and pages are counted."""
    with held(model, ByMean(), 0.25) as cache:
        logits(model, ids(2, 100), (90,), cache)
        assert all((lengths == 100).all() for lengths in cache.lengths())
        assert cache.nbytes() > 2 * 2 * 2 * 100 * 48 * 2 * 4
