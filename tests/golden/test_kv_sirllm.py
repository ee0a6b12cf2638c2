"""SirLLM against a loop written from its rule: surprise that fades by the turn, first tokens, newest to fill up."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.sirllm import SirLLM  # noqa: E402

SIZES = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 64, "initializer_range": 0.3,
}  # fmt: skip
TURNS, ROOM, SINKS = (60, 1, 1, 20, 1, 30), 24, 4


class Watched(SirLLM):
    """SirLLM that shows each cut: the view, and what it keeps of it."""

    def __init__(self, cuts, **settings):
        super().__init__(**settings)
        object.__setattr__(self, "cuts", cuts)

    def select(self, scores, room, view):
        """Notes the cut."""
        kept = super().select(scores, room, view)
        self.cuts.append((view, kept))
        return kept


def by_hand(surprise, places, room):
    """The places that stay, of one list for all layers and heads."""
    stay = set(sorted(range(len(places)), key=lambda row: -surprise[row])[: room - SINKS])
    stay |= {row for row, place in enumerate(places) if place < SINKS}
    for row in reversed(range(len(places))):
        if len(stay) < room:
            stay.add(row)
    return sorted(places[row] for row in stay)


def test_the_most_surprising_tokens_stay():
    """Three turns with answers between them; each cut as the loop makes it, the same in every layer and head."""
    model, cuts = new_llama(SIZES, 3), []
    ids = torch.randint(64, (1, sum(TURNS)), generator=torch.Generator().manual_seed(1))
    turn_of = np.repeat([1, 1, 1, 2, 2, 3], TURNS)
    with torch.no_grad(), kv.compress(model, Watched(cuts, decay=0.7), Budget(tokens=ROOM)) as cache:
        for part in ids.split(TURNS, dim=1):
            model(part, past_key_values=cache)
    assert len(cuts) == 6 and {view.turn for view, _ in cuts} == {1, 2, 3}
    for view, kept in cuts:
        for head in range(2):
            places = view.positions[0, head].numpy()
            fading = 0.7 ** (view.turn - turn_of[places])
            surprise = -view.figures["log_prob"][0, head].numpy() * fading
            assert places[kept[0, head].numpy()].tolist() == by_hand(surprise, places, ROOM)


def test_surprise_is_what_the_model_gave_each_token():
    """Minus log softmax of the token before, over the whole prompt; the first token has none."""
    model = new_llama(SIZES, 3)
    ids = torch.randint(64, (2, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad(), kv.compress(model, "sirllm", Budget(ratio=1.0)) as cache:
        model(ids, past_key_values=cache)
        view = cache.view(1)
    with torch.no_grad():
        given = model(ids).logits.log_softmax(-1)[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
    np.testing.assert_allclose(view.figures["log_prob"][:, 0, 1:], given, atol=1e-4)
    assert (view.figures["log_prob"][..., 0] == 0).all()
