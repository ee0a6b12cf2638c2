"""Divergence from the full cache: none where all is kept, more the more is lost."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.testing.fidelity import SETTINGS, ensure_trained_text, kl_and_agreement, trained_text  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402


class Noisy(transformers.DynamicCache):
    """A stand-in for a compressed cache: what the prefix left is blurred once."""

    def __init__(self, noise):
        super().__init__()
        self.noise, self.blurred = noise, set()

    def update(self, keys, values, layer, *rest, **more):
        if self.layers[layer:] and self.layers[layer].get_seq_length() and layer not in self.blurred:
            self.blurred.add(layer)
            held = self.layers[layer].values
            held += self.noise * torch.randn(held.shape, generator=torch.Generator().manual_seed(layer))
        return super().update(keys, values, layer, *rest, **more)


def test_it_has_the_size_it_was_described_with():
    """574 thousand numbers."""
    assert sum(p.numel() for p in new_llama(SETTINGS).parameters()) == 574_336


def test_a_full_cache_is_faithful_and_a_blurred_one_is_not():
    """0 and 1 for the stock cache; the divergence rises with the noise and agreement falls."""
    model = circuit(0)
    ids = torch.randint(160, (2, 80), generator=torch.Generator().manual_seed(0))
    found = [kl_and_agreement(model, ids, lambda noise=noise: Noisy(noise), prefix=40) for noise in (0, 1, 4)]
    assert found[0].kl < 1e-6 and found[0].agreement == 1
    assert found[0].kl < found[1].kl < found[2].kl
    assert found[2].agreement < found[1].agreement < 1


def test_the_divergence_is_that_of_the_definition():
    """Against a sum written out, for one row."""
    model = circuit(0)
    ids = torch.randint(160, (1, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        full = model(ids, use_cache=False).logits[0, 20:].softmax(-1).double()
        cache = Noisy(2)
        model(ids[:, :20], past_key_values=cache)
        seen = model(ids[:, 20:], past_key_values=cache).logits[0].softmax(-1).double()
    by_hand = sum(float((p * (p / q).log()).sum()) for p, q in zip(full, seen, strict=True)) / 10
    assert kl_and_agreement(model, ids, lambda: Noisy(2), prefix=20).kl == pytest.approx(by_hand, rel=1e-3)


def test_the_model_reads_all_before_the_cache_is_asked_for():
    """A cache that only works inside a context may be opened then."""
    order = []
    model = circuit(0)
    model.register_forward_pre_hook(lambda *_: order.append("read"))
    kl_and_agreement(model, torch.zeros(1, 9, dtype=torch.long), lambda: order.append("cache") or Noisy(0), prefix=4)
    assert order == ["read", "cache", "read", "read"]


@pytest.mark.parametrize("prefix", [0, 30, 31])
def test_a_prefix_that_leaves_nothing_is_refused(prefix):
    """Something must be compressed, and something read after it."""
    with pytest.raises(UsageError, match=f"prefix of {prefix} in 30 tokens"):
        kl_and_agreement(None, torch.zeros(1, 30), Noisy, prefix=prefix)


@pytest.mark.slow
def test_the_text_model_is_made_once(tmp_path):
    """Found again with the same weights and the same held-out text; that text is not what it was trained on."""
    one = trained_text(tmp_path, steps=1)
    again = trained_text(tmp_path, steps=1, progress=lambda done, total: pytest.fail("trained again"))
    assert all(map(torch.equal, one.model.parameters(), again.model.parameters()))
    assert one.held_out.equal(again.held_out)
    assert one.held_out.shape[1] == 512 and len(one.held_out) > 20
    assert list(tmp_path.iterdir()) == [ensure_trained_text(tmp_path, steps=1)]
