"""PagedEviction against loops written from its algorithms: rows of the prompt, then whole pages."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.pagedeviction import PagedEviction  # noqa: E402

SIZES = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 128, "initializer_range": 0.3,
}  # fmt: skip


def by_hand(scores, prompt, room, page):
    """Places of the rows that one head holds in the end; scores of all its tokens, prompt first."""
    held = sorted(np.argsort(scores[:prompt])[-room:].tolist())
    for place in range(prompt, len(scores)):
        held.append(place)
        if len(held) == room + page:
            pages = [held[start : start + page] for start in range(0, len(held) // page * page, page)]
            worst = min(pages, key=lambda rows: np.mean(scores[rows]))
            held = [row for row in held if row not in worst]
    return held


def test_a_row_scores_value_norm_by_key_norm(prompt_view):
    """Of each head."""
    view = prompt_view(0)
    keys, values = view.keys.numpy(), view.values.numpy()
    expected = np.sqrt((values**2).sum(-1)) / np.sqrt((keys**2).sum(-1))
    np.testing.assert_allclose(PagedEviction().score(view), expected, rtol=1e-5)


@pytest.mark.parametrize(("room", "page"), [(32, 8), (30, 8), (20, 16)])
def test_whole_pages_go_as_the_newest_fills(room, page):
    """Token by token through a model, each head by its own pages."""
    model, policy = new_llama(SIZES, 3), PagedEviction(page=page)
    random = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.randperm(128, generator=random)[:100] for _ in range(2)])  # equal tokens would tie
    with torch.no_grad(), kv.compress(model, policy, Budget(tokens=room)) as cache:
        for part in ids.split([60] + [1] * 40, dim=1):
            model(part, past_key_values=cache)
        held = cache.view(0)
    with torch.no_grad(), kv.compress(model, None) as cache:
        model(ids, past_key_values=cache)
        scores = policy.score(cache.view(0)).numpy()
    for row in range(2):
        for head in range(2):
            places = held.positions[row, head]
            assert places[places >= 0].tolist() == by_hand(scores[row, head], 60, room, page)
