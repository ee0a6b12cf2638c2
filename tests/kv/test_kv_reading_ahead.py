"""A copy of a cache reads ahead of a cut: what it reads, what is left of it, and what it changes."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.adakv import AdaKV  # noqa: E402
from memspan.kv.methods.chunkkv import ChunkKV  # noqa: E402
from memspan.kv.methods.lookahead_q import LAQ  # noqa: E402
from memspan.kv.methods.think import ThinK  # noqa: E402
from memspan.kv.policy import Foresight  # noqa: E402

TIME, ROOM, WINDOW, COUNT = 80, 24, 8, 3


@pytest.fixture(scope="module")
def model():
    """Random weights, wide enough that attention differs by place."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    model = new_llama(sizes, 0)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in model.model.layers:
            for part in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                part.weight.copy_(torch.randn(part.weight.shape, generator=random) * 0.4)
    return model


def ids(batch=2, time=TIME, seed=1):
    """Without meaning."""
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


class Seen(LAQ):
    """LAQ that notes what it scores, and may be told to read other tokens or none."""

    def __init__(self, foresight=Foresight(count=COUNT)):  # noqa: B008
        super().__init__(window=WINDOW, count=COUNT)
        object.__setattr__(self, "views", [])
        object.__setattr__(self, "told", foresight)

    @property
    def foresight(self):
        """As told."""
        return self.told

    def score(self, view):
        """Notes the view."""
        self.views.append(view)
        return super().score(view)


class First(LAQ):
    """The first cut alone, after which queries are kept."""

    @property
    def foresight(self):
        """None."""
        return

    @property
    def when(self):
        """Queries of single tokens too."""
        return "always"

    @property
    def slack(self):
        """Never cut again."""
        return 1000


@torch.no_grad()
def test_queries_are_those_of_the_tokens_that_the_cut_cache_goes_on_with(model):
    """And they meet the whole prompt."""
    method = Seen()
    with kv.compress(model, method, Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
    with kv.compress(model, First(window=WINDOW, count=COUNT), Budget(tokens=ROOM)) as cache:
        token = model(ids(), past_key_values=cache).logits[:, -1:].argmax(-1)
        for _ in range(COUNT):
            token = model(token, past_key_values=cache).logits[:, -1:].argmax(-1)
        written = [cache.view(layer).queries[:, :, -COUNT:] for layer in (0, 1)]
    assert [view.layer for view in method.views] == [0, 1, 0, 1]
    for layer, view in enumerate(method.views[2:]):
        assert view.keys.shape[2] == TIME and view.seen.tolist() == [TIME, TIME]
        assert view.query_positions[:, -COUNT:].tolist() == [[TIME, TIME + 1, TIME + 2]] * 2
        torch.testing.assert_close(view.queries[:, :, -COUNT:], written[layer])


@torch.no_grad()
def test_nothing_of_the_copy_is_left(model):
    """The length, the rows and the bytes are as if nothing had been read ahead; the peak tells of the copy."""
    with kv.compress(model, Seen(), Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
        assert cache.get_seq_length() == TIME
        assert all(int(view.positions.max()) < TIME for view in (cache.view(0), cache.view(1)))
        assert [rows.unique().tolist() for rows in cache.lengths()] == [[ROOM], [ROOM]]
        held, peak = cache.nbytes(), cache.engine.peak
    with kv.compress(model, First(window=WINDOW), Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
        row = 2 * 2 * 2 * 2 * 8 * 4
        assert peak > (TIME + ROOM) * row
        assert held < cache.nbytes() + 2 * COUNT * 4 * 8 * 4 * 2


@torch.no_grad()
def test_given_tokens_are_read_instead(model):
    """Each sequence reads the same ones, at the places that come next, with the cache as it is."""
    method = Seen(Foresight(ids=(5, 6, 7, 8), cut=False))
    with kv.compress(model, method, Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
        assert cache.get_seq_length() == TIME
    assert [view.layer for view in method.views] == [0, 1]
    whole = torch.cat((ids(), torch.tensor([[5, 6, 7, 8]] * 2)), dim=1)
    with kv.compress(model, First(window=4), Budget(ratio=1.0)) as cache:
        model(whole, past_key_values=cache)
        for view in method.views:
            assert view.query_positions[0, -4:].tolist() == [80, 81, 82, 83]
            torch.testing.assert_close(view.queries[:, :, -4:], cache.view(view.layer).queries[:, :, -4:])


@torch.no_grad()
def test_nothing_is_read_ahead_where_nothing_is_cut(model):
    """With room for all rows, and while single tokens come."""
    method = Seen()
    with kv.compress(model, method, Budget(ratio=1.0)) as cache:
        model(ids(), past_key_values=cache)
        model(ids(time=1), past_key_values=cache)
    assert method.views == []


@torch.no_grad()
def test_each_chunk_of_a_prompt_is_read_ahead_of_its_cut(model):
    """A later chunk's queries come after it."""
    method = Seen()
    with kv.compress(model, method, Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
        model(ids(time=40, seed=2), past_key_values=cache)
        assert cache.get_seq_length() == TIME + 40
    assert [int(view.query_positions.max()) for view in method.views] == [79, 79, 82, 82, 119, 119, 122, 122]


@torch.no_grad()
@pytest.mark.parametrize(("over", "named"), [(AdaKV, "scores"), (ChunkKV, "scores"), (ThinK, "evicts")])
def test_a_method_laid_over_it_reads_ahead_as_well(model, over, named):
    """It asks the method whose scores it takes."""
    method = Seen()
    with kv.compress(model, over(**{named: method}), Budget(tokens=ROOM)) as cache:
        model(ids(), past_key_values=cache)
        rows = torch.stack(cache.lengths()).sum((0, 2)).tolist()
    assert [int(view.query_positions.max()) for view in method.views] == [79, 79, 82, 82]
    assert all(0 < held <= ROOM * 4 for held in rows)


def test_a_model_without_a_head_cannot_write(model):
    """It says what is missing."""
    with (
        torch.no_grad(),
        kv.compress(model.model, LAQ(), Budget(tokens=40)) as cache,
        pytest.raises(UsageError, match="head"),
    ):
        model.model(ids(), past_key_values=cache)
