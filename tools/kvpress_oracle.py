"""Write what kvpress answers on a tiny random Llama to tests/golden/kvpress, one npz file per method.

Our methods are compared with these numbers without kvpress being there. It needs an environment of its own:

    pip install kvpress==0.5.5 transformers==5.2.0 torch==2.13.0
    python tools/kvpress_oracle.py [--out tests/golden/kvpress]

No token stands twice in a row of the prompt, for equal tokens have keys of equal norm in the first layer and ties
say nothing. Presses that normalise over the whole batch, or that serve only its first row, see one row at a time.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import kvpress
import numpy as np
import torch
import transformers
from kvpress.utils import get_prerope_key_states, get_prerope_query_states
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import rotate_half

SEED = 20261121
BATCH, TIME, VOCAB, LAYERS, HEADS, KV_HEADS, DIM = 2, 96, 128, 2, 4, 2, 16
SKETCH = 48
KEPT = (0.5, 0.25)

Arrays = dict[str, np.ndarray]
Press = Any  # kvpress is not typed
Make = Callable[[float], Press]


def new_model(attention: str) -> LlamaForCausalLM:
    """The model of all fixtures, the same for each attention. Weights are wide, so that attention is uneven."""
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=HEADS * DIM,
        intermediate_size=2 * HEADS * DIM,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=DIM,
        attention_bias=True,
        attn_implementation=attention,
    )
    model = LlamaForCausalLM(config).eval()
    random = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.copy_(torch.randn(weight.shape, generator=random) * 0.25)
    return model


def prompt() -> torch.Tensor:
    """Tokens (batch, time), none twice in a row."""
    random = torch.Generator().manual_seed(SEED + 1)
    return torch.stack([torch.randperm(VOCAB, generator=random)[:TIME] for _ in range(BATCH)])


def sketches() -> torch.Tensor:
    """What stands in for torch.randn in the leverage scores: (layers, batch, kv_heads, dim, sketch)."""
    random = torch.Generator().manual_seed(SEED + 2)
    return torch.randn(LAYERS, BATCH, KV_HEADS, DIM, SKETCH, generator=random)


def rotated(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Queries or keys (batch, heads, time, dim) with their positions in them."""
    return states * cos.unsqueeze(1) + rotate_half(states) * sin.unsqueeze(1)


def inputs() -> Arrays:
    """What the methods see; each array (layers, batch, ...)."""
    model, seen = new_model("eager"), []

    def look(module: Any, _: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        hidden, (cos, sin) = kwargs["hidden_states"], kwargs["position_embeddings"]
        queries, keys = get_prerope_query_states(module, hidden), get_prerope_key_states(module, hidden)
        layer = kwargs["past_key_values"].layers[module.layer_idx]
        torch.testing.assert_close(rotated(keys, cos, sin), layer.keys)
        found = (rotated(queries, cos, sin), layer.keys, layer.values, queries, keys, output[1])
        seen.append([one.clone() for one in found])

    for layer in model.model.layers:
        layer.self_attn.register_forward_hook(look, with_kwargs=True)
    tokens = prompt()
    with torch.no_grad():
        model(tokens, past_key_values=DynamicCache())
    names = ["queries", "keys", "values", "queries_before_rope", "keys_before_rope", "attentions"]
    arrays = {name: torch.stack(rows).numpy() for name, rows in zip(names, zip(*seen, strict=True), strict=True)}
    return arrays | {"tokens": tokens.numpy(), "inv_freq": model.model.rotary_emb.inv_freq.numpy()}


@contextmanager
def spied(scorer: Press) -> Iterator[list[torch.Tensor]]:
    """The scores of each layer, in order, before anybody writes into them."""
    scores: list[torch.Tensor] = []
    real = scorer.score

    def score(*args: Any, **kwargs: Any) -> torch.Tensor:
        found = real(*args, **kwargs)
        scores.append(found.clone())
        return found

    scorer.score = score
    yield scores


def answer(model: LlamaForCausalLM, press: Press, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and what stays (bool), both (layers, batch, kv_heads, time). What stays is found by its keys."""
    whole, cache = DynamicCache(), DynamicCache()
    with torch.no_grad(), spied(getattr(press, "press", press)) as scores:
        model(tokens, past_key_values=whole)
        with press(model):
            model(tokens, past_key_values=cache)
    stays = []
    for number, layer in enumerate(cache.layers):
        module = model.model.layers[number].self_attn
        if getattr(module, "masked_key_indices", None) is not None:
            mask = torch.ones(layer.keys.shape[:3], dtype=torch.bool)
            mask[module.masked_key_indices] = False
        else:
            same = (whole.layers[number].keys.unsqueeze(3) == layer.keys.unsqueeze(2)).all(-1)
            assert same.sum(2).eq(1).all(), "a kept key was not found exactly once"
            mask = same.any(3)
        stays.append(mask)
    return torch.stack(scores), torch.stack(stays)


def one_by_one(model: LlamaForCausalLM, make: Make, removed: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, each row of the batch alone, with its own sketches."""
    rows = []
    for row, tokens in enumerate(prompt().split(1)):
        left = list(sketches()[:, row : row + 1])

        def fixed(*shape: int, left: list[torch.Tensor] = left, **_: Any) -> torch.Tensor:
            sketch = left.pop(0)
            assert sketch.shape == shape
            return sketch

        with patch.object(torch, "randn", fixed):
            rows.append(answer(model, make(removed), tokens))
    scores, stays = zip(*rows, strict=True)
    return torch.cat(scores, 1), torch.cat(stays, 1)


def scored(make: Make, *, alone: bool = False, attention: str = "sdpa", kept: tuple[float, ...] = KEPT) -> Arrays:
    """Fixture of one press: score_<percent kept> and kept_<percent kept>."""
    model, arrays = new_model(attention), {}
    for ratio in kept:
        found = one_by_one(model, make, 1 - ratio) if alone else answer(model, make(1 - ratio), prompt())
        arrays |= {f"{name}_{100 * ratio:.0f}": one.numpy() for name, one in zip(("score", "kept"), found, strict=True)}
    return arrays


def think() -> Arrays:
    """Which key channels are zeroed, (layers, batch, kv_heads, dim) bool, by the percent that is to go."""
    model, arrays = new_model("sdpa"), {}
    for ratio in (0.3, 0.5):
        cache = DynamicCache()
        with torch.no_grad(), kvpress.ThinKPress(key_channel_compression_ratio=ratio, window_size=32)(model):
            model(prompt(), past_key_values=cache)
        zero = torch.stack([(layer.keys == 0).all(2) for layer in cache.layers])
        arrays[f"pruned_{100 * ratio:.0f}"] = zero.numpy()
    return arrays


def pyramid_table() -> Arrays:
    """Layer budgets by kvpress's formula: settings (rows, 4) = time, window, beta, fraction kept; budgets (rows, 8)."""
    layers = 8
    settings = [(time, 16, beta, kept) for time in (400, 1000) for beta in (2, 5, 20) for kept in (0.5, 0.25, 0.1)]
    budgets = []
    for time, window, beta, kept in settings:
        press = kvpress.PyramidKVPress(compression_ratio=1 - kept, window_size=window, beta=beta)
        config = SimpleNamespace(num_hidden_layers=layers)
        modules = [SimpleNamespace(config=config, layer_idx=layer) for layer in range(layers)]
        budgets.append([press.get_layer_budget(module, time) for module in modules])
    return {"table_settings": np.array(settings), "table_budgets": np.array(budgets)}


def snapkv(window: int) -> Make:
    """SnapKV with the paper's pooling."""
    return lambda removed: kvpress.SnapKVPress(compression_ratio=removed, window_size=window, kernel_size=5)


def pyramid(removed: float) -> Press:
    """A pyramid gentle enough for 96 tokens; a steep one falls back to equal layers."""
    return kvpress.PyramidKVPress(compression_ratio=removed, window_size=8, kernel_size=5, beta=2)


def fixtures() -> Iterator[tuple[str, Arrays]]:
    """All files, one after the other."""
    yield "inputs", inputs()
    yield "streaming", scored(lambda removed: kvpress.StreamingLLMPress(compression_ratio=removed, n_sink=4))
    yield "knorm", scored(lambda removed: kvpress.KnormPress(compression_ratio=removed))
    yield "snapkv_w16", scored(snapkv(16))
    yield "snapkv_w32", scored(snapkv(32), kept=(0.75, 0.5))
    yield "tova", scored(lambda removed: kvpress.TOVAPress(compression_ratio=removed))
    yield "h2o", scored(lambda removed: kvpress.ObservedAttentionPress(compression_ratio=removed), attention="eager")
    yield "keydiff", scored(lambda removed: kvpress.KeyDiffPress(compression_ratio=removed))
    yield "expected", scored(lambda removed: kvpress.ExpectedAttentionPress(compression_ratio=removed))
    yield (
        "leverage",
        scored(lambda removed: kvpress.LeverageScorePress(compression_ratio=removed), alone=True)
        | {"sketch": sketches().numpy()},
    )
    yield "noncausal", scored(lambda removed: kvpress.NonCausalAttnPress(removed, chunk_size=32), alone=True)
    yield "noncausal_padded", scored(lambda removed: kvpress.NonCausalAttnPress(removed, chunk_size=256), alone=True)
    yield (
        "compactor",
        scored(lambda removed: kvpress.CompactorPress(removed, chunk_size=42), alone=True)
        | {"sketch": sketches().numpy()},
    )
    yield "chunkkv", scored(lambda removed: kvpress.ChunkKVPress(snapkv(16)(removed), 10), alone=True, kept=(0.5, 0.3))
    yield "adakv", scored(lambda removed: kvpress.AdaKVPress(snapkv(16)(removed), alpha_safeguard=0.2))
    yield "pyramidkv", scored(pyramid) | pyramid_table()
    yield "think", think()


def main() -> None:
    """Write all files; say their sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("tests/golden/kvpress"))
    out = parser.parse_args().out
    torch.set_num_threads(1)
    versions = np.array([f"torch {torch.__version__}", f"transformers {transformers.__version__}"])
    total = 0
    for name, arrays in fixtures():
        path = out / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        total += path.stat().st_size
        print(f"{path}  {path.stat().st_size / 1e3:.1f} kB")
    print(f"{total / 1e6:.2f} MB, {', '.join(versions)}")


if __name__ == "__main__":
    main()
