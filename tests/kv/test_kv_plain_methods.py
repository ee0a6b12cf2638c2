"""What the plain methods keep while text is read and written, and what that does to recall."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.h2o import H2O  # noqa: E402
from memspan.kv.methods.keydiff import KeyDiff  # noqa: E402
from memspan.kv.methods.random import Random  # noqa: E402
from memspan.kv.methods.snapkv import SnapKV  # noqa: E402
from memspan.kv.methods.streaming import Streaming  # noqa: E402
from memspan.kv.methods.tova import TOVA  # noqa: E402
from memspan.testing.kv_tasks import answers, needle  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

TIME, ROOM = 64, 24


@pytest.fixture(scope="module")
def model():
    """Two layers with random weights."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    return new_llama(sizes, 0)


def tokens(batch, time=TIME, seed=1):
    """Ids without meaning."""
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def steps(model, policy, ids, *more):
    """Places held in the last layer's first head after each forward pass."""
    held = []
    with kv.compress(model, policy, Budget(tokens=ROOM)) as cache:
        for some in (ids, *more):
            model(some, past_key_values=cache)
            held.append(sorted(set(cache.engine.layers[-1].positions()[0, 0].tolist()) - {-1}))
    return held


def test_streaming_slides(model):
    """Sinks and the newest; while text is written, a few more until they are cut at once."""
    first, *later = steps(model, Streaming(sinks=3), tokens(1), *tokens(1, 40, 2).split(1, dim=1))
    assert first == [0, 1, 2, *range(TIME - ROOM + 3, TIME)]
    for step, held in enumerate(later, TIME + 1):
        assert ROOM <= len(held) <= ROOM + Streaming().slack and held[:3] == [0, 1, 2]
        assert held[3:] == [*range(step - len(held) + 3, step)]


@pytest.mark.parametrize("policy", [H2O(), TOVA()], ids=["h2o", "tova"])
def test_a_row_goes_for_each_that_comes(model, policy):
    """While text is written: what was held before, the new row, less one."""
    before, *later = steps(model, policy, tokens(1), *tokens(1, 20, 2).split(1, dim=1))
    for step, held in enumerate(later, TIME):
        assert len(held) == ROOM and step in held and len(set(held) - set(before)) == 1
        before = held


def test_half_of_h2o_is_the_newest(model):
    """The other half is older."""
    (held,) = steps(model, H2O(), tokens(1))
    assert held[-ROOM // 2 :] == [*range(TIME - ROOM // 2, TIME)]
    assert held[ROOM // 2 - 1] < TIME - ROOM // 2 - 1
    (held,) = steps(model, H2O(newest=0.25), tokens(1))
    assert held[-ROOM // 4 :] == [*range(TIME - ROOM // 4, TIME)]


def test_a_window_longer_than_the_budget_is_cut_to_its_newest_rows(model):
    """SnapKV with 32 queries and room for 24 rows."""
    (held,) = steps(model, SnapKV(), tokens(1))
    assert held == [*range(TIME - ROOM, TIME)]


def test_lots_are_drawn_evenly_and_by_the_seed(model):
    """Each row is as likely as another; the same seed draws the same lots."""
    draws = [steps(model, Random(seed=seed), tokens(1))[0] for seed in range(60)]
    counts = torch.zeros(TIME)
    for held in draws:
        counts[held] += 1
    expected, spread = 60 * ROOM / TIME, (60 * ROOM / TIME * (1 - ROOM / TIME)) ** 0.5
    assert ((counts - expected) / spread).square().mean().item() == pytest.approx(1, abs=0.45)
    assert draws[0] == steps(model, Random(seed=0), tokens(1))[0] != draws[1]


def test_keys_like_the_others_go_first(model):
    """One key that points elsewhere stays among copies."""
    ids = torch.full((1, TIME), 7)
    ids[0, 20] = 9
    with torch.no_grad(), kv.compress(model, KeyDiff(), Budget(tokens=2)) as cache:
        model(ids, past_key_values=cache)
        assert (cache.engine.layers[0].positions() == 20).any(-1).all()


def test_neighbours_decide_whether_snapkv_recalls():
    """A question looks at the place before the answer: smoothing over neighbours keeps the answer with it."""
    task, model = needle(8, 480, aware=True), circuit()

    def right(method):
        with kv.compress(model, method, Budget(ratio=0.125)) as cache:
            return answers(model, task, cache.fork).float().mean().item()

    with kv.compress(model, None) as cache:
        full = answers(model, task, cache.fork).float().mean().item()
    smoothed, sharp = (right(SnapKV(window=16, kernel=kernel)) for kernel in (5, 1))
    assert full > 0.7 and smoothed >= 0.95 * full and sharp < 0.5 * full
    assert right("random") <= 0.2 < smoothed
