"""The cache under the real transformers: what generate asks of it, which models it serves, what it refuses."""

import gc
import weakref
from importlib import import_module

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UnknownMethod, UsageError  # noqa: E402
from memspan.kv import hf  # noqa: E402
from memspan.kv.methods.snapkv import SnapKV  # noqa: E402

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 512,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
STOCK = 1e-3
"""So close are logits to those of the stock model [nats]."""
OLD = tuple(int(part) for part in transformers.__version__.split(".")[:2]) == hf.OLDEST


def _model(kind: str = "Llama", **settings):
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **settings})
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()


@pytest.fixture(scope="module")
def shared():
    return _model()


@pytest.fixture
def model(shared):
    """A small Llama with random weights; as it was before, once the test is over."""
    yield shared
    assert shared.config._attn_implementation == "sdpa"
    assert not [hook for part in shared.modules() for hook in (*part._forward_hooks, *part._forward_pre_hooks)]


def _ids(batch: int = 2, time: int = 40, seed: int = 1):
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


def _padded(ids, *pads: int):
    mask = torch.ones_like(ids)
    for row, pad in enumerate(pads):
        mask[row, :pad] = 0
    return mask


def _logits(model, ids, **more):
    with torch.no_grad():
        return model(ids, **more).logits


# -- generate


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": False},
        {"do_sample": True, "temperature": 0.7, "top_k": 9},
        {"do_sample": True, "num_return_sequences": 3},
        {"do_sample": False, "num_beams": 3},
        {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
    ],
    ids=["greedy", "sampling", "several", "beams", "several beams"],
)
@pytest.mark.parametrize("pads", [(0, 0), (7, 0)], ids=["even", "padded"])
def test_generate_writes_what_the_stock_cache_writes(model, settings, pads):
    """With every row kept, each way to decode gives the same tokens, with padding on the left too."""
    ids = _ids()
    asked = {"attention_mask": _padded(ids, *pads), "max_new_tokens": 8, **settings}
    torch.manual_seed(3)
    stock = model.generate(ids, **asked)
    torch.manual_seed(3)
    with kv.compress(model, None) as cache:
        assert torch.equal(model.generate(ids, past_key_values=cache, **asked), stock)


@pytest.mark.skipif(OLD, reason="transformers 5.2 gives the first chunk the places of the last one")
def test_generate_reads_the_prompt_in_chunks(model):
    ids = _ids()
    stock = model.generate(ids, max_new_tokens=6, do_sample=False)
    with kv.compress(model, None) as cache:
        got = model.generate(ids, max_new_tokens=6, do_sample=False, prefill_chunk_size=16, past_key_values=cache)
    assert torch.equal(got, stock)


@pytest.mark.parametrize("chunks", [(16, 16, 8), (1, 39), (39, 1)])
def test_a_prompt_comes_in_chunks_by_hand(model, chunks):
    """Each chunk gives the stock logits; the mask may cover the chunk or all so far."""
    ids = _ids()
    mask = _padded(ids, 5, 0)
    stock = _logits(model, ids, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(min=0))
    with kv.compress(model, None) as cache:
        begin = 0
        for chunk in chunks:
            end = begin + chunk
            shown = mask[:, :end] if begin % 2 == 0 else mask[:, begin:end]
            got = _logits(model, ids[:, begin:end], attention_mask=shown, past_key_values=cache)
            real = mask[:, begin:end].bool()
            assert (got - stock[:, begin:end])[real].abs().max() < STOCK
            begin = end
        assert cache.get_seq_length() == 40


def test_only_the_logits_asked_for(model):
    """`logits_to_keep` gives the last ones, and the cache has read all."""
    ids = _ids()
    stock = _logits(model, ids)[:, -1:]
    with kv.compress(model, None) as cache:
        got = _logits(model, ids, logits_to_keep=1, past_key_values=cache)
        assert got.shape[1] == 1 and (got - stock).abs().max() < STOCK
        assert cache.get_seq_length() == ids.shape[1]


def test_a_second_turn_goes_on_where_the_first_ended(model):
    """generate() is given the whole text again and reads what is new."""
    ids, question = _ids(), _ids(time=5, seed=2)
    with kv.compress(model, None) as cache:
        first = model.generate(ids, max_new_tokens=4, do_sample=False, past_key_values=cache)
        text = torch.cat((first, question), dim=1)
        got = model.generate(text, max_new_tokens=6, do_sample=False, past_key_values=cache)
    assert torch.equal(got, model.generate(text, max_new_tokens=6, do_sample=False))


def test_beams_go_on_from_a_cut_cache(model):
    """Reordering and page tables agree: beams under a budget write what the same beams, one by one, score."""
    ids = _ids(batch=1)
    with kv.compress(model, SnapKV(window=4), Budget(tokens=12), codec="raw") as cache:
        out = model.generate(
            ids, max_new_tokens=6, num_beams=3, do_sample=False, past_key_values=cache, output_scores=True,
            return_dict_in_generate=True,
        )  # fmt: skip
        assert cache.engine.batch == 3
    with kv.compress(model, SnapKV(window=4), Budget(tokens=12), codec="raw") as cache:
        logits = [_logits(model, ids, past_key_values=cache)[:, -1]]
        for at in range(40, 45):
            logits.append(_logits(model, out.sequences[:, at : at + 1], past_key_values=cache)[:, -1])
    steps = torch.stack(logits, dim=1).log_softmax(-1)
    total = steps.gather(-1, out.sequences[:, 40:, None]).sum()
    assert abs(float(total) / 6 - float(out.sequences_scores[0])) < STOCK


# -- models


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Llama", {}),
        ("Qwen2", {}),
        ("Qwen3", {"head_dim": 16}),
        ("Mistral", {"sliding_window": None}),
        ("Phi", {}),
        ("Glm", {"head_dim": 8}),
        ("Cohere", {}),
        ("GPTNeoX", {"num_key_value_heads": 4}),
        ("Granite", {"attention_multiplier": 0.3}),
        ("Gemma", {"head_dim": 8}),
    ],
)
def test_a_model_with_rotary_embeddings_is_served(kind, settings):
    """Its logits are the stock ones, and its keys can be turned back to before the embedding."""
    settings = {**settings, "pad_token_id": 0}
    model, ids = _model(kind, **settings), _ids()
    stock = _logits(model, ids)
    with kv.compress(model, None) as cache:
        got = _logits(model, ids[:, :30], past_key_values=cache), _logits(model, ids[:, 30:], past_key_values=cache)
        view = cache.engine.view(0, 1.0)
    assert (torch.cat(got, dim=1) - stock).abs().max() < STOCK
    plain = _plain_keys(model, ids)
    turned_back = view.rotary.unrotate(view.keys, view.positions)
    assert (turned_back[..., : plain.shape[-1]] - plain).abs().max() < 1e-4
    assert torch.equal(turned_back[..., plain.shape[-1] :], view.keys[..., plain.shape[-1] :])


def _plain_keys(model, ids):
    """The channels of the first layer's keys that its attention is about to turn."""
    held = []
    module = import_module(type(model).__module__)
    turn = module.apply_rotary_pos_emb

    def note(queries, keys, *more, **named):
        held.append(keys)
        return turn(queries, keys, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "apply_rotary_pos_emb", note)
        _logits(model, ids)
    return held[0]


@pytest.mark.parametrize(
    ("kind", "settings", "why"),
    [
        ("GPT2", {"n_embd": 32, "n_head": 4, "n_layer": 2}, "no rotary embedding"),
        ("Gemma2", {"head_dim": 8}, "sliding_attention"),
        ("Gemma2", {"head_dim": 8, "layer_types": ["full_attention"] * 2}, "softly"),
        ("Mistral", {"sliding_window": 16}, "sliding_attention"),
        ("Llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "dynamic"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused(kind, settings, why):
    """When the context opens, with the reason; the model stays as it was."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    before = model.config._attn_implementation
    with pytest.raises(UsageError, match=why), kv.compress(model, None):
        raise AssertionError("the context opened")
    assert model.config._attn_implementation == before


def test_attention_of_its_own_is_refused_when_it_shows():
    """A model that goes past transformers' interface, and one with learned sinks."""
    falcon = {"alibi": False, "new_decoder_architecture": False}
    sinks = {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1, "layer_types": ["full_attention"] * 2}
    for kind, settings, why in (("Falcon", falcon, "interface"), ("GptOss", sinks, "s_aux")):
        config = getattr(transformers, f"{kind}Config")(**{**SIZES, **settings})
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        with pytest.raises(UsageError, match=why), kv.compress(model, None) as cache:
            _logits(model, _ids(), past_key_values=cache)


def test_a_layer_that_goes_its_own_way_is_refused():
    """Its rows would be missing and nobody would see it."""
    model = _model()
    with kv.compress(model, None) as cache:
        own = model.model.layers[1].self_attn
        own.config = type(own.config)(**SIZES, attn_implementation="sdpa")
        with pytest.raises(UsageError, match="not every layer"):
            _logits(model, _ids(), past_key_values=cache)
        assert cache.nbytes() == 0


def test_training_mode_with_dropout_is_refused():
    model = _model(attention_dropout=0.1).train()
    with kv.compress(model, None) as cache, pytest.raises(UsageError, match="dropout"):
        model(_ids(), past_key_values=cache)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rows_keep_the_dtype_of_the_model(dtype):
    """Logits are near the stock ones by that dtype's precision, and rows take its bytes."""
    model, ids = _model().to(getattr(torch, dtype)), _ids()
    stock = _logits(model, ids)
    with kv.compress(model, None) as cache:
        got = torch.cat([_logits(model, part, past_key_values=cache) for part in ids.split(20, dim=1)], dim=1)
        assert got.dtype == stock.dtype == cache.engine.layers[0].dense()[0].dtype
    assert (got - stock).abs().max() < 8 * torch.finfo(stock.dtype).eps * stock.abs().max().clamp(min=1)


# -- who may use a cache


def test_a_cache_works_in_its_context_only(model):
    with kv.compress(model, None) as cache:
        _logits(model, _ids(), past_key_values=cache)
    with pytest.raises(UsageError, match="has ended"):
        _logits(model, _ids(time=1), past_key_values=cache)
    with pytest.raises(UsageError, match="has ended"):
        cache.fork()


def test_a_cache_serves_its_own_model_only(model):
    """Another one refuses it, with a context of its own or without."""
    other = _model()
    with kv.compress(model, None) as cache:
        with pytest.raises(UsageError, match="that model only"):
            _logits(other, _ids(), past_key_values=cache)
        with kv.compress(other, None), pytest.raises(UsageError, match="another model"):
            _logits(other, _ids(), past_key_values=cache)
        assert (_logits(model, _ids(), past_key_values=cache) - _logits(other, _ids())).abs().max() < STOCK


def test_one_context_at_a_time_on_a_model(model):
    """A second is refused and the first goes on; a fork is what one wants."""
    with kv.compress(model, None) as cache:
        _logits(model, _ids(), past_key_values=cache)
        with pytest.raises(UsageError, match="fork"), kv.compress(model, None):
            raise AssertionError("the context opened")
        fork = cache.fork()
        one, other = (_logits(model, _ids(time=3), past_key_values=each) for each in (cache, fork))
        assert torch.equal(one, other)


def test_inside_the_context_the_cache_has_to_be_given(model):
    with kv.compress(model, None):
        with pytest.raises(UsageError, match="past_key_values=cache"):
            _logits(model, _ids())
        with pytest.raises(UsageError, match="past_key_values=cache"):
            model.generate(_ids(), max_new_tokens=2)


def test_the_decoder_may_be_called_by_itself(model):
    """With arguments by place or by name."""
    ids = _ids()
    stock = model.model(ids).last_hidden_state
    with kv.compress(model.model, None) as cache:
        got = model.model(ids[:, :30], None, None, cache).last_hidden_state
        rest = model.model(inputs_embeds=model.model.embed_tokens(ids[:, 30:]), past_key_values=cache)
    assert (torch.cat((got, rest.last_hidden_state), dim=1) - stock).abs().max() < STOCK


@pytest.mark.parametrize(
    ("ids", "more", "why"),
    [
        (_ids(3, 2), {}, "a batch of 3"),
        (_ids(2, 2), {"attention_mask": torch.ones(2, 7, dtype=torch.long)}, "mask of shape"),
        (_ids(2, 2), {"attention_mask": torch.ones(1, 42, dtype=torch.long)}, "mask of shape"),
        (_ids(2, 2), {"attention_mask": torch.ones(2, 1, 2, 42)}, "made beforehand"),
        (_ids(2, 2), {"attention_mask": _padded(_ids(2, 42), 3)}, "hides tokens"),
        (_ids(2, 2), {"position_ids": torch.tensor([[0, 1]])}, "position_ids"),
    ],
    ids=["batch", "short mask", "mask of one", "drawn mask", "hiding mask", "places"],
)
def test_a_wrong_call_is_refused_and_changes_nothing(model, ids, more, why):
    with kv.compress(model, None) as cache:
        _logits(model, _ids(), past_key_values=cache)
        before = cache.nbytes()
        with pytest.raises(UsageError, match=why):
            _logits(model, ids, past_key_values=cache, **more)
        assert cache.nbytes() == before
        _logits(model, _ids(time=2), past_key_values=cache)
        assert cache.get_seq_length() == 42


def test_a_cache_is_spread_over_several_sequences(model):
    """As its error says, and as generate's own caches do."""
    ids = _ids(batch=1)
    with kv.compress(model, None) as cache:
        _logits(model, ids, past_key_values=cache)
        cache.batch_repeat_interleave(3)
        got = _logits(model, ids[:, :4].expand(3, -1), past_key_values=cache)
        cache.batch_select_indices(torch.tensor([2]))
        rest = _logits(model, ids[:, 4:6], past_key_values=cache)
    stock = _logits(model, torch.cat((ids, ids[:, :6]), dim=1))
    assert (got - stock[:, 40:44]).abs().max() < STOCK and (rest - stock[:, 44:]).abs().max() < STOCK


def test_dropped_rows_cannot_come_back(model):
    with kv.compress(model, None) as cache, pytest.raises(UsageError, match="cropped"):
        cache.crop(3)


# -- settings


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        ({"budget": Budget(tokens=0)}, UsageError, "holds nothing"),
        ({"budget": Budget(ratio=0)}, UsageError, "holds nothing"),
        ({"budget": Budget(tokens=8, ratio=0.5)}, UsageError, "one unit"),
        ({"budget": Budget()}, UsageError, "none"),
        ({"method": "snapvk"}, UnknownMethod, "snapkv"),
        ({"codec": "int5"}, UnknownMethod, "int"),
    ],
)
def test_a_wrong_setting_is_told(model, arguments, error, why):
    """When the context opens, with what was wrong in it."""
    with pytest.raises(error, match=why), kv.compress(model, **arguments):
        raise AssertionError("the context opened")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"budget": Budget(tokens=3), "sinks": 4}, "4 always stay"),
        ({"budget": Budget(bytes=10)}, "room for 0 rows a head, besides 16"),
    ],
)
def test_too_small_a_budget_is_told(model, arguments, why):
    """With the first prompt, which leaves nothing behind."""
    with kv.compress(model, **arguments) as cache:
        with pytest.raises(UsageError, match=why):
            _logits(model, _ids(), past_key_values=cache)
        assert cache.get_seq_length() == 0 and cache.nbytes() == 0


def test_a_share_above_one_is_no_budget():
    with pytest.raises(UsageError, match="between 0 and 1"):
        Budget(ratio=1.5)


def test_a_share_of_a_short_prompt_keeps_what_always_stays(model):
    """A ratio is of what comes; what must stay stays, however short the prompt."""
    with kv.compress(model, "streaming", Budget(ratio=0.125)) as cache:
        _logits(model, _ids(time=6), past_key_values=cache)
        assert [int(rows.unique()) for rows in cache.lengths()] == [5, 5]


# -- failures


class Broke(Exception):
    """What the test throws."""


def _breaking(model, number: int):
    def throw(*_):
        raise Broke

    return model.model.layers[number].mlp.register_forward_hook(throw)


@pytest.mark.parametrize("number", range(SIZES["num_hidden_layers"]))
@pytest.mark.parametrize("method", [None, "snapkv", "h2o"])
def test_a_first_pass_that_breaks_leaves_an_empty_cache(model, number, method):
    """At whatever layer: the cache works as if nothing had been."""
    ids = _ids()
    with kv.compress(model, method, Budget(ratio=0.5)) as cache:
        hook = _breaking(model, number)
        with pytest.raises(Broke):
            model.generate(ids, max_new_tokens=3, past_key_values=cache)
        hook.remove()
        assert cache.nbytes() == 0 and cache.get_seq_length() == 0
        got = _logits(model, ids, past_key_values=cache)
    with kv.compress(model, method, Budget(ratio=0.5)) as cache:
        assert torch.equal(_logits(model, ids, past_key_values=cache), got)


@pytest.mark.parametrize("number", range(SIZES["num_hidden_layers"]))
def test_a_later_pass_that_breaks_is_told(model, number):
    """The layers differ then: the next call says so, reset() begins anew; a fork from before goes on."""
    ids = _ids()
    with kv.compress(model, None) as cache:
        _logits(model, ids, past_key_values=cache)
        fork = cache.fork()
        hook = _breaking(model, number)
        with pytest.raises(Broke):
            _logits(model, _ids(time=2), past_key_values=cache)
        hook.remove()
        with pytest.raises(UsageError, match="broke off"):
            _logits(model, _ids(time=2), past_key_values=cache)
        with pytest.raises(UsageError, match="broke off"):
            cache.fork()
        got = _logits(model, _ids(time=2), past_key_values=fork)
        cache.reset()
        again = _logits(model, torch.cat((ids, _ids(time=2)), dim=1), past_key_values=cache)
    assert (got - again[:, -2:]).abs().max() < STOCK


def test_an_interrupt_is_noticed_by_the_next_pass(model):
    """No hook runs on one, so the cache has to see by itself that a pass did not end."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with kv.compress(model, None) as cache:
        for time, works in ((40, True), (2, False)):
            hook = model.model.layers[1].mlp.register_forward_hook(interrupt)
            with pytest.raises(KeyboardInterrupt):
                _logits(model, _ids(time=time), past_key_values=cache)
            hook.remove()
            if works:
                _logits(model, _ids(), past_key_values=cache)
                assert cache.get_seq_length() == 40
        with pytest.raises(UsageError, match="broke off"):
            _logits(model, _ids(time=2), past_key_values=cache)


# -- memory


def test_no_graph_is_kept(model):
    """Called with gradients on, the cache holds plain rows, and what it was made of goes with the call."""
    watched = []

    def watch(_module, _args, output):
        watched.append(weakref.ref(output))

    hook = model.model.layers[0].self_attn.k_proj.register_forward_hook(watch)
    with kv.compress(model, "snapkv", Budget(ratio=0.5)) as cache:
        for time in (40, 3, 1):
            model(_ids(time=time), past_key_values=cache)
        assert not any(held.requires_grad for held in cache.tensors())
        gc.collect()
        assert [seen() for seen in watched] == [None] * 3
    hook.remove()


def test_no_gradient_flows_back(model):
    """It would be a wrong one: dropped rows have no part in it."""
    with kv.compress(model, None) as cache:
        loss = model(_ids(), past_key_values=cache).logits.sum()
        with pytest.raises(UsageError, match="no gradient"):
            loss.backward()
    model.zero_grad()


def test_a_cache_goes_with_its_last_name(model):
    """Without waiting for the collector of cycles."""
    gc.disable()
    try:
        with kv.compress(model, "snapkv", Budget(ratio=0.5), codec="int4") as cache:
            _logits(model, _ids(time=80), past_key_values=cache)
            fork = cache.fork()
            _logits(model, _ids(time=3), past_key_values=fork)
            gone = [weakref.ref(held) for held in fork.engine.layers[0].tensors()[-1:]] + [weakref.ref(fork)]
            del fork
            assert [one() for one in gone] == [None] * 2
    finally:
        gc.enable()
