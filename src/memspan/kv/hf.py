"""The only file that knows transformers: models, the cache they are given, and the attention they call.

Tested with transformers 5.2.0 and 5.23.0, the oldest and the newest supported; what lies outside is refused. The
cache answers with its logical length (tokens read), so that positions stay right however few rows it holds, and brings
its own mask. It is for reading and writing text: nothing flows back through it.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, Cache

from memspan.core.errors import UsageError
from memspan.kv.drafting import read_ahead
from memspan.kv.engine import Engine, Incoming, Plan, Shape
from memspan.kv.signals import Rotary, View
from memspan.kv.store.pages import unique_bytes
from memspan.kv.store.tiers import Tier

Model = Any  # transformers' models are not typed
OLDEST, NEWEST = (5, 2), (5, 23)
ATTENTION = "memspan"
THROUGH = "through transformers' interface: it cannot be served"
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

    Raises UsageError where its attention cannot be served: no rotary embedding or one that changes with the length, a
    sliding window, soft-capped logits, attention of its own; a transformers outside the supported range.
    """
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    if not OLDEST <= version <= NEWEST:
        raise UsageError(
            f"transformers {transformers.__version__} is not supported, 5.2 to 5.23 are; "
            'install one: pip install "transformers>=5.2,<5.24"'
        )
    config, inner, name = model.config.get_text_config(), decoder_of(model), type(model).__name__
    _refuse_other_attention(name, config)
    rotary = getattr(inner, "rotary_emb", None)
    if rotary is None or not hasattr(rotary, "inv_freq"):
        raise UsageError(f"{name} has no rotary embedding; only models with one are supported")
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        dim=dim,
        value_dim=dim,
        rotary=_rotary_of(inner, rotary, name),
    )


def _refuse_other_attention(name: str, config: Any) -> None:
    kinds = set(getattr(config, "layer_types", None) or [])
    if getattr(config, "sliding_window", None) and not kinds:
        kinds = {"sliding_attention"}
    if kinds - {"full_attention"}:
        raise UsageError(
            f"{name} has layers of {', '.join(sorted(kinds))}; only full attention is supported, sliding windows "
            "already bound their cache"
        )
    if getattr(config, "attn_logit_softcapping", None):
        raise UsageError(f"{name} caps the logits of its attention softly, which is not supported")


def _rotary_of(inner: Model, rotary: Any, name: str) -> Rotary:
    """The embedding as the model's own code applies it, found by trying it out."""
    kind = getattr(rotary, "rope_type", "default")
    if kind in ("dynamic", "longrope"):
        raise UsageError(f"{name} has rotary embeddings of kind {kind!r}, which change with the length: not supported")
    frequencies = rotary.inv_freq.detach()
    factor = float(getattr(rotary, "attention_scaling", 1.0))
    places = torch.arange(3, device=frequencies.device)[None]
    rows = torch.linspace(-1, 1, 6 * len(frequencies), device=frequencies.device).view(1, 1, 3, -1)
    turn = getattr(sys.modules[type(inner).__module__], "apply_rotary_pos_emb", None)
    for candidate in (Rotary(frequencies, factor, interleaved) for interleaved in (False, True)):
        if turn and torch.allclose(turn(rows, rows, *rotary(rows, places))[0], candidate.rotate(rows, places[:, None])):
            return candidate
    raise UsageError(f"{name} turns its keys in a way that is not known here; it is not supported")


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
        self._scaling = 1.0
        self._torn = False
        self._ids: Tensor | None = None
        self._last: Tensor | None = None

    # -- what the user asks

    @property
    def model(self) -> Model:
        """The one it serves."""
        return self._owner.model

    def nbytes(self, tier: Tier = "device") -> int:
        """Bytes of all tensors that it holds on the device; elsewhere of its pages and its forks' pages."""
        if tier == "device":
            return unique_bytes(self.tensors())
        session = self.engine.plan.session
        return session.nbytes(tier) if session else 0

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        return self.engine.tensors() + ([] if self._last is None else [self._last])

    def lengths(self) -> list[Tensor]:
        """Rows each head holds, a tensor (batch, kv_heads) a layer."""
        return list(self.engine.lengths())

    def view(self, layer: int) -> View:
        """A layer's rows as a policy sees them."""
        return self.engine.view(layer, self._scaling)

    def fork(self) -> KVCache:
        """The same cache, to go on from by itself; sealed pages are shared."""
        self._check()
        other = KVCache(self.engine.fork(), self._owner)
        other._read, other._last, other._scaling = self._read, self._last, self._scaling
        return other

    def at(self, engine: Engine, read: int) -> KVCache:
        """A cache of the same context that goes on from an engine. read: tokens that it has seen"""
        self._check()
        other = KVCache(engine, self._owner)
        other._read = read
        return other

    # -- what transformers asks

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Hands the rows on to the attention, which takes them in."""
        self._check()
        if self._incoming is None:
            raise UsageError("this cache works inside `with kv.compress(model, ...)` and with that model only")
        shape = self.engine.plan.shape
        if key_states.shape[1::2] != (shape.kv_heads, shape.dim) or value_states.shape[3] != shape.value_dim:
            raise UsageError(
                f"keys of shape {tuple(key_states.shape)} where {shape.kv_heads} heads of {shape.dim} were expected; "
                "this kind of attention is not supported"
            )
        marked: Any = key_states.detach()
        marked.memspan_layer = self.layers[layer_idx]
        return marked, value_states

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
        self._read, self._torn, self._incoming, self._last, self._ids = 0, False, None, None, None

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

    def begin(self, owner: _Attached, call: Mapping[str, Any]) -> Tensor:
        """Takes note of what comes; gives the true places of its tokens, (batch, time), -1 for padding.

        call: what the decoder is given: input_ids or inputs_embeds, attention_mask, position_ids
        """
        if self._incoming is not None:
            self.broken()
        self._check()
        if owner is not self._owner:
            raise UsageError("this cache belongs to another model; make one for each by `with kv.compress(model, ...)`")
        ids = call.get("input_ids")
        shown: Tensor = call["inputs_embeds"] if ids is None else ids
        places = self._places(shown, call.get("attention_mask"))
        given = call.get("position_ids")
        if given is not None and not torch.equal(torch.where(places < 0, -1, given), places):
            raise UsageError("position_ids differ from the tokens' places by the mask; leave them out")
        self._incoming, self._ids = Incoming(places=places, first=self._read == 0), ids
        return places

    def _places(self, shown: Tensor, mask: Tensor | None) -> Tensor:
        """shown: ids or embeddings, (batch, time, ...);  mask: (batch, columns) of what was read and of what comes"""
        batch, tokens = shown.shape[:2]
        if self._read and batch != self.engine.batch:
            raise UsageError(
                f"a batch of {batch} for a cache of {self.engine.batch} sequences; make a cache for each batch, or "
                "spread this one by batch_repeat_interleave()"
            )
        before = self.engine.layers[0].seen if self._read else None
        if before is None:
            before = torch.zeros(batch, dtype=torch.int64, device=shown.device)
        real = torch.ones((batch, tokens), dtype=torch.bool, device=shown.device)
        if mask is not None:
            real = self._real(mask, tokens, before).to(shown.device)
        return torch.where(real, before[:, None] + real.cumsum(-1) - 1, -1)

    def _real(self, mask: Tensor, tokens: int, before: Tensor) -> Tensor:
        """Which of the new tokens are no padding, (batch, tokens)."""
        if not isinstance(mask, Tensor) or mask.dim() != 2:
            raise UsageError("a mask of (batch, time) is needed, not one made beforehand; give the tokenizer's")
        read, wanted = mask.shape[1] - tokens, (len(before), tokens)
        if mask.shape[0] != wanted[0] or read not in (0, self._read):
            raise UsageError(
                f"a mask of shape {tuple(mask.shape)} for {wanted[0]} sequences of {tokens} new tokens after "
                f"{self._read}; it covers the new ones, or all"
            )
        if read and not torch.equal(mask[:, :read].sum(-1).to(before), before):
            raise UsageError("the mask hides tokens that this cache has read, or shows padding; give the whole mask")
        return mask[:, -tokens:].bool()

    def see(self, number: int, hidden: Tensor) -> None:
        """What goes into a layer in this pass, (batch, time, width)."""
        if self._incoming is not None:
            self._incoming.hidden[number] = hidden.detach()

    @torch.no_grad()
    def attended(self, number: int, rows: tuple[Tensor, Tensor, Tensor], scaling: float) -> Tensor:
        """What the layer's attention gives."""
        assert self._incoming is not None
        self._scaling = scaling
        queries, keys, values = rows
        return self.engine.step(number, (queries.detach(), keys, values.detach()), self._incoming, scaling)

    def told(self, head: Any, hidden: Tensor) -> Tensor:
        """What the model gave each token before it was read [nats], (batch, time); the very first ones 0.

        hidden: the decoder's output, (batch, time, width)
        """
        ids = self._ids
        if ids is None or head is None:
            raise UsageError(
                "this method needs to know how likely each token was: call a model with a language model's head, and "
                "with input_ids, not inputs_embeds"
            )
        before = torch.cat((hidden[:, :1] if self._last is None else self._last, hidden[:, :-1]), dim=1)
        given = [
            head(before[:, start : start + 256]).log_softmax(-1).gather(-1, ids[:, start : start + 256, None])[..., 0]
            for start in range(0, ids.shape[1], 256)
        ]
        assert self._incoming is not None
        self._last = hidden[:, -1:].detach().clone()
        return torch.cat(given, dim=1).masked_fill(self._incoming.places <= 0, 0.0)

    def look_ahead(self, model: Model, hidden: Tensor) -> None:
        """Reads ahead with a copy what the policy wants to know the queries of. hidden: the decoder's output"""
        incoming, foresight = self._incoming, self.engine.plan.policy.foresight
        if incoming is None or foresight is None or not self.engine.due(incoming):
            return
        draft = self.at(self.engine.draft(incoming, self._scaling), self._read + incoming.places.shape[1])
        last = hidden.gather(1, incoming.places.argmax(-1)[:, None, None].expand(-1, 1, hidden.shape[-1]))
        read_ahead(decoder_of(model), model.get_output_embeddings(), draft, foresight, last)
        self.engine.listen(draft.engine)

    def end(self, log_probs: Tensor | None) -> None:
        """The pass is through."""
        assert self._incoming is not None
        if any(layer.seen is None for layer in self.engine.layers):
            self.broken()
            raise UsageError(f"not every layer calls its attention {THROUGH}")
        self.engine.after(log_probs, self._incoming, self._scaling)
        self._read += self._incoming.places.shape[1]
        self._incoming = self._ids = None

    def broken(self) -> None:
        """The pass ended early: a first one leaves an empty cache, a later one a cache that says so."""
        if self._incoming is None:
            return
        if self._incoming.first:
            self.reset()
        else:
            self._torn, self._incoming, self._ids = True, None, None

    def _check(self) -> None:
        if self._torn:
            raise UsageError("a forward pass of this cache broke off, its layers differ; reset() it and read again")
        if not self._owner.open:
            raise UsageError("this cache was made in a `with kv.compress(...)` that has ended; use it inside")


class _Handle:
    """A layer of a cache as transformers sees it. It does not keep the cache alive: memory goes with the last name."""

    is_sliding = is_compileable = False
    is_initialized = True

    def __init__(self, cache: KVCache, number: int) -> None:
        self._cache, self.number = weakref.ref(cache), number

    @property
    def cache(self) -> KVCache:
        cache = self._cache()
        assert cache is not None
        return cache

    def get_seq_length(self, *_: Any) -> int:
        return self.cache.get_seq_length()

    def get_mask_sizes(self, *_: Any) -> tuple[int, int]:
        return self.cache.get_mask_sizes()


class _Attached:
    """The hooks that serve a model while a context is open."""

    def __init__(self, model: Model, plan: Plan) -> None:
        self.model, self.plan, self.open = model, plan, True
        self._before = model.config._attn_implementation
        if self._before == ATTENTION:
            raise UsageError(
                "a `with kv.compress(model, ...)` is open on this model already; fork() its cache for a second one"
            )
        inner = decoder_of(model)
        self._names = list(inspect.signature(inner.forward).parameters)
        offer(ATTENTION, _attention)
        model.set_attn_implementation(ATTENTION)
        if model.config._attn_implementation != ATTENTION:
            raise UsageError(f"{type(model).__name__} does not call its attention {THROUGH}")
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

    def _begin(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
        kwargs = {**dict(zip(self._names, args, strict=False)), **kwargs}
        cache = kwargs.get("past_key_values")
        if not isinstance(cache, KVCache):
            raise UsageError(NOT_GIVEN)
        places = cache.begin(self, kwargs)
        if kwargs.get("position_ids") is None:
            kwargs["position_ids"] = places.clamp(min=0)
        return (), kwargs

    def _layer_input(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        cache, hidden = kwargs.get("past_key_values"), kwargs.get("hidden_states", args[0] if args else None)
        if isinstance(cache, KVCache) and hidden is not None:
            cache.see(module.layer_idx, hidden)

    @torch.no_grad()
    def _end(self, _module: Any, _args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        cache = kwargs.get("past_key_values")
        if not isinstance(cache, KVCache):
            return
        if output is None:
            cache.broken()
            return
        cache.look_ahead(self.model, output[0])
        log_probs = None
        if self.plan.policy.needs.log_probs:
            log_probs = cache.told(self.model.get_output_embeddings(), output[0])
        cache.end(log_probs)


@contextmanager
def attached(model: Model, plan: Plan) -> Iterator[KVCache]:
    """A cache for the model while the context is open; then the model is as before."""
    owner = _Attached(model, plan)
    try:
        yield KVCache(Engine(plan), owner)
    finally:
        owner.close()


def decoder_of(model: Model) -> Model:
    """The part without the head."""
    return model.get_decoder() if hasattr(model, "get_decoder") else model.model


def offer(name: str, attention: Any) -> None:
    """Lets models attend by a function that masks by itself, under that name. attention: as transformers calls it"""
    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, lambda *_, **__: None)


def withdraw(name: str) -> None:
    """Forgets a function that was offered."""
    for table in (AttentionInterface, AttentionMaskInterface):
        table._global_mapping.pop(name)


class _OneWay(torch.autograd.Function):
    """What attention gives, with a word to those who want a gradient of it."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, *_rows: Tensor) -> Tensor:
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise UsageError("no gradient flows through a compressed cache; train without it, or read under no_grad()")


def _attention(
    module: Any, query: Tensor, key: Any, value: Tensor, attention_mask: Any, scaling: float | None = None, **more: Any
) -> tuple[Tensor, None]:
    """What transformers calls in place of its own attention. Returns (batch, time, heads, dim)."""
    handle = getattr(key, "memspan_layer", None)
    if handle is None:
        raise UsageError(NOT_GIVEN)
    for name in ("dropout", "sliding_window", "softcap", "s_aux"):
        if (given := more.get(name)) is not None and (isinstance(given, Tensor) or given):
            raise UsageError(f"{type(module).__name__} asks for attention with {name}, which is not supported here")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = handle.cache.attended(handle.number, (query, key, value), scale)
    out = out.transpose(1, 2).contiguous()
    if torch.is_grad_enabled() and query.requires_grad:
        out = _OneWay.apply(out, query)  # type: ignore[no-untyped-call]
    return out, None
