"""The only file that knows transformers: models, the cache they are given, and the attention they call.

Works with transformers 5.2 to 5.23; others are refused. The cache answers with its logical length (tokens read), so
that positions stay right however few rows it holds, and brings its own mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, Cache

from memspan.core.errors import UsageError
from memspan.kv.engine import Engine, Incoming, Plan, Shape
from memspan.kv.signals import Rotary

Model = Any  # transformers' models are not typed
OLDEST, NEWEST = (5, 2), (5, 23)
ATTENTION = "memspan"
NOT_GIVEN = "inside `with kv.compress(model, ...) as cache` the model is called with past_key_values=cache"


def new_llama(settings: Mapping[str, Any], seed: int = 0) -> Model:
    """An untrained Llama in eval mode. settings: what LlamaConfig takes (hidden_size, num_hidden_layers, ...)"""
    torch.manual_seed(seed)
    model: Model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings))
    return model.eval()


def load_llama(folder: Path) -> Model:
    """The model that save_pretrained() wrote there, in eval mode."""
    model: Model = transformers.LlamaForCausalLM.from_pretrained(folder)
    return model.eval()


def shape_of(model: Model) -> Shape:
    """What the engine has to know of a model.

    Raises UsageError where its attention cannot be served: no rotary embedding, a sliding window, a transformers
    outside the supported range.
    """
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    if not OLDEST <= version <= NEWEST:
        raise UsageError(
            f"transformers {transformers.__version__} is not supported, 5.2 to 5.23 are; "
            'install one: pip install "transformers>=5.2,<5.24"'
        )
    config, inner = model.config.get_text_config(), _decoder(model)
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or (getattr(config, "sliding_window", None) and "layer_types" not in config):
        raise UsageError(
            f"{type(model).__name__} has layers of {', '.join(sorted(kinds))}; only full attention is supported, "
            "sliding windows already bound their cache"
        )
    rotary = getattr(inner, "rotary_emb", None)
    if rotary is None or not hasattr(rotary, "inv_freq"):
        raise UsageError(f"{type(model).__name__} has no rotary embedding; only models with one are supported")
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        dim=dim,
        value_dim=dim,
        rotary=Rotary(rotary.inv_freq.detach(), float(getattr(rotary, "attention_scaling", 1.0))),
    )


class KVCache(Cache):
    """A cache for a model's `past_key_values` that holds what its plan lets it hold.

    Made by `memspan.kv.compress`; works inside that context only.
    """

    def __init__(self, engine: Engine, owner: _Attached) -> None:
        handles: list[Any] = [_Handle(self, number) for number in range(engine.plan.shape.layers)]
        super().__init__(layers=handles)
        self.engine = engine
        self._owner = owner
        self._read = 0
        self._incoming: Incoming | None = None
        self._torn = False
        self._last: Tensor | None = None

    # -- what the user asks

    def nbytes(self) -> int:
        """Bytes of all tensors that it holds."""
        return self.engine.nbytes()

    def lengths(self) -> list[Tensor]:
        """Rows each head holds, a tensor (batch, kv_heads) a layer."""
        return list(self.engine.lengths())

    def fork(self) -> KVCache:
        """The same cache, to go on from by itself; sealed pages are shared."""
        self._check()
        other = KVCache(self.engine.fork(), self._owner)
        other._read, other._last = self._read, self._last
        return other

    # -- what transformers asks

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Hands the rows on to the attention, which takes them in."""
        self._check()
        if self._incoming is None:
            raise UsageError("this cache works inside `with kv.compress(model, ...)` and with that model only")
        handle: Any = key_states
        handle.memspan_layer = self.layers[layer_idx]
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens read so far, padding included."""
        return self._read

    def get_mask_sizes(self, *_: Any) -> tuple[int, int]:
        """Of a mask that is never made."""
        return self._read + (self._incoming.places.shape[1] if self._incoming else 0), 0

    def get_max_cache_shape(self, layer_idx: int = 0) -> int:
        """No limit."""
        return -1

    def get_max_length(self, layer_idx: int | None = None) -> int:
        """No limit."""
        return -1

    def reset(self) -> None:
        """Forget all rows; begin anew."""
        self.engine = Engine(self.engine.plan)
        self._read, self._torn, self._incoming, self._last = 0, False, None, None

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Go on with these sequences, as beam search asks."""
        self._choose(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each sequence so many times."""
        batch = self.engine.batch
        self._choose(torch.arange(batch).repeat_interleave(repeats))

    def batch_select_indices(self, indices: Tensor) -> None:
        """These sequences only."""
        self._choose(indices)

    def _choose(self, sequences: Tensor) -> None:
        self.engine.choose(sequences)
        self._last = None if self._last is None else self._last[sequences]

    def crop(self, *_: Any) -> None:
        """Refused: dropped rows cannot come back."""
        raise UsageError("a compressed cache cannot be cropped: dropped rows cannot come back; fork() it before")

    @property
    def is_compileable(self) -> bool:
        """No: its shapes change."""
        return False

    @property
    def is_sliding(self) -> list[bool]:
        """No layer slides."""
        return [False] * len(self.layers)

    @property
    def is_initialized(self) -> bool:
        """It needs no preparation."""
        return True

    # -- a forward pass

    def begin(self, tokens: int, batch: int, mask: Tensor | None, device: torch.device) -> None:
        """Takes note of what comes. mask: (batch, columns) of what was read and of what comes, or None"""
        self._check()
        batch_before = self.engine.batch
        if self._read and batch != batch_before:
            raise UsageError(f"a batch of {batch} for a cache of {batch_before} sequences; make a cache for each batch")
        before = self.engine.layers[0].seen
        if before is None:
            before = torch.zeros(batch, dtype=torch.int64, device=device)
        real = torch.ones((batch, tokens), dtype=torch.bool, device=device)
        if mask is not None:
            if mask.dim() != 2:
                raise UsageError("a mask of (batch, time) is needed, not one made beforehand; give the tokenizer's")
            real = mask[:, -tokens:].to(device).bool()
        places = torch.where(real, before[:, None] + real.cumsum(-1) - 1, -1)
        self._incoming = Incoming(places=places, first=self._read == 0)

    def see(self, number: int, hidden: Tensor) -> None:
        """What goes into a layer in this pass, (batch, time, width)."""
        if self._incoming is not None:
            self._incoming.hidden[number] = hidden

    def attended(self, number: int, rows: tuple[Tensor, Tensor, Tensor], scaling: float) -> Tensor:
        """What the layer's attention gives."""
        assert self._incoming is not None
        self._scaling = scaling
        return self.engine.step(number, rows, self._incoming, scaling)

    def told(self, head: Any, hidden: Tensor, ids: Tensor | None) -> Tensor:
        """What the model gave each token before it was read [nats], (batch, time); the very first ones 0.

        hidden: the decoder's output, (batch, time, width);  ids: (batch, time)
        """
        if ids is None:
            raise UsageError("this method needs to know the tokens: call the model with input_ids, not inputs_embeds")
        before = torch.cat((hidden[:, :1] if self._last is None else self._last, hidden[:, :-1]), dim=1)
        given = [
            head(before[:, start : start + 256]).log_softmax(-1).gather(-1, ids[:, start : start + 256, None])[..., 0]
            for start in range(0, ids.shape[1], 256)
        ]
        log_probs = torch.cat(given, dim=1)
        assert self._incoming is not None
        if self._last is None:
            log_probs = log_probs.masked_fill(self._incoming.places == 0, 0.0)
        self._last = hidden[:, -1:].detach()
        return log_probs

    def end(self, log_probs: Tensor | None) -> None:
        """The pass is through."""
        assert self._incoming is not None
        self.engine.after(log_probs, self._incoming, self._scaling)
        self._read += self._incoming.places.shape[1]
        self._incoming = None

    def broken(self) -> None:
        """The pass ended early: a first one leaves an empty cache, a later one a cache that says so."""
        if self._incoming is None:
            return
        if self._incoming.first:
            self.reset()
        else:
            self._torn, self._incoming = True, None

    def _check(self) -> None:
        if self._torn:
            raise UsageError("a forward pass of this cache broke off, its layers differ; reset() it and read again")
        if not self._owner.open:
            raise UsageError("this cache was made in a `with kv.compress(...)` that has ended; use it inside")


class _Handle:
    """A layer of a cache as transformers sees it."""

    is_sliding = is_compileable = False
    is_initialized = True

    def __init__(self, cache: KVCache, number: int) -> None:
        self.cache, self.number = cache, number

    def get_seq_length(self, *_: Any) -> int:
        return self.cache.get_seq_length()

    def get_mask_sizes(self, *_: Any) -> tuple[int, int]:
        return self.cache.get_mask_sizes()


class _Attached:
    """The hooks that serve a model while a context is open."""

    def __init__(self, model: Model, plan: Plan) -> None:
        self.model, self.plan, self.open = model, plan, True
        self._before = model.config._attn_implementation
        inner = _decoder(model)
        AttentionInterface.register(ATTENTION, _attention)
        AttentionMaskInterface.register(ATTENTION, _no_mask)
        model.set_attn_implementation(ATTENTION)
        self._hooks: list[Any] = [
            inner.register_forward_pre_hook(self._begin, with_kwargs=True),
            inner.register_forward_hook(self._end, with_kwargs=True, always_call=True),
        ]
        if plan.policy.needs.hidden:
            for layer in inner.layers:
                self._hooks.append(layer.self_attn.register_forward_pre_hook(self._layer_input, with_kwargs=True))

    def close(self) -> None:
        """Leaves the model as it was."""
        self.open = False
        for hook in self._hooks:
            hook.remove()
        self.model.set_attn_implementation(self._before)

    def _begin(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        cache = kwargs.get("past_key_values")
        if not isinstance(cache, KVCache):
            raise UsageError(
                "inside `with kv.compress(model, ...) as cache` the model is called with past_key_values=cache"
            )
        ids = kwargs.get("input_ids", args[0] if args else None)
        shown = ids if ids is not None else kwargs["inputs_embeds"]
        self._ids = ids
        cache.begin(shown.shape[1], shown.shape[0], kwargs.get("attention_mask"), shown.device)

    def _layer_input(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        cache, hidden = kwargs.get("past_key_values"), kwargs.get("hidden_states", args[0] if args else None)
        if isinstance(cache, KVCache) and hidden is not None:
            cache.see(module.layer_idx, hidden)

    def _end(self, _module: Any, _args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        cache = kwargs.get("past_key_values")
        if not isinstance(cache, KVCache):
            return
        if output is None:
            cache.broken()
            return
        log_probs = None
        if self.plan.policy.needs.log_probs:
            log_probs = cache.told(self.model.get_output_embeddings(), output.last_hidden_state, self._ids)
        cache.end(log_probs)


@contextmanager
def attached(model: Model, plan: Plan) -> Iterator[KVCache]:
    """A cache for the model while the context is open; then the model is as before."""
    owner = _Attached(model, plan)
    try:
        yield KVCache(Engine(plan), owner)
    finally:
        owner.close()


def _decoder(model: Model) -> Model:
    return model.get_decoder() if hasattr(model, "get_decoder") else model.model


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def _attention(
    module: Any, query: Tensor, key: Any, value: Tensor, attention_mask: Any, scaling: float | None = None, **_: Any
) -> tuple[Tensor, None]:
    """What transformers calls in place of its own attention. Returns (batch, time, heads, dim)."""
    handle = getattr(key, "memspan_layer", None)
    if handle is None:
        raise UsageError(
            "inside `with kv.compress(model, ...) as cache` the model is called with past_key_values=cache"
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = handle.cache.attended(handle.number, (query, key, value), scale)
    return out.transpose(1, 2).contiguous(), None
