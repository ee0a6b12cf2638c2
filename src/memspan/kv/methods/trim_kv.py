"""TRIM-KV: a small gate gives each token, when it comes, a rate at which it is forgotten; the least retained go.

Source: Bui et al. 2025, "Cache What Lasts: Token Retention for Memory-Bounded KV Cache in LLMs", arXiv:2512.03324;
gate, gated attention and order of eviction after the authors' code (ngocbh/trimkv). Their training code is unreleased.
Ours differs: the training is ours, from the abstract's words (distillation from the frozen model, next token, a
penalty on capacity). Not confirmed: the weights of its three terms, the norm of the penalty (here the rows retained
beyond the budget, as a share of it, meaned over queries, heads and layers), the optimizer, lengths and steps, and
dropout on the gated attention, which we leave out. No choice over heads together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, linear, logsigmoid, silu

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.policy import Policy, When
from memspan.kv.signals import Needs, View

START = 10.0
"""The bias of a new gate: almost nothing is forgotten."""
SPREAD = 0.02
"""Of its first weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """One layer's: from what goes into the layer to the log of each kv head's retention rate, a token.

    inward: (units, width);  inner: (units,);  outward: (kv_heads, units);  bias: (kv_heads,)
    """

    inward: Tensor
    inner: Tensor
    outward: Tensor
    bias: Tensor

    def log_beta(self, hidden: Tensor) -> Tensor:
        """log beta <= 0, (batch, kv_heads, time). hidden: (batch, time, width)"""
        units = silu(linear(hidden.float(), self.inward, self.inner))
        return logsigmoid(linear(units, self.outward, self.bias)).transpose(1, 2)


def new_gate(width: int, kv_heads: int, units: int = 512, seed: int = 0) -> Gate:
    """An untrained gate: it forgets next to nothing, whatever comes."""
    random = torch.Generator().manual_seed(seed)
    inward, outward = (SPREAD * torch.randn(shape, generator=random) for shape in ((units, width), (kv_heads, units)))
    return Gate(inward, torch.zeros(units), outward, torch.full((kv_heads,), START))


@dataclass(frozen=True, slots=True, kw_only=True)
class TRIMKV(Policy):
    """Rows by beta^(age), highest first, where beta is what the gate gave the row when it came.

    gates: one for each layer, of `train_gates` for the model at hand; none: every row is forgotten at the same rate,
        so that the newest stay
    buffer: rows above the budget at which a head is cut back to it, >= 1 [tokens]
    """

    gates: tuple[Gate, ...] = ()
    buffer: int = 1
    figures: ClassVar[tuple[str, ...]] = ("log_beta",)
    card: ClassVar[Card] = Card(
        title="a learned rate of forgetting for each token",
        source="arXiv:2512.03324",
        year=2025,
        claims=("better than other evictions in mathematical reasoning, long texts and long conversations",),
        needs="torch",
        failures=("without trained gates it keeps the newest rows and nothing else",),
    )

    @property
    def needs(self) -> Needs:
        """What goes into the layers, where there are gates."""
        return Needs(hidden=bool(self.gates))

    @property
    def when(self) -> When:
        """Whenever a buffer is full."""
        return "always"

    @property
    def slack(self) -> int:
        """The buffer, less the row that fills it."""
        return self.buffer - 1

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """The log of each new row's rate."""
        if not self.gates:
            rate = logsigmoid(torch.tensor(START))
            return {"log_beta": torch.full(new.positions.shape, float(rate), device=new.keys.device)}
        if len(self.gates) != new.layers:
            raise UsageError(f"{len(self.gates)} gates for a model of {new.layers} layers; train them on this model")
        assert new.hidden is not None
        return {"log_beta": self.gates[new.layer].log_beta(new.hidden)}

    def score(self, view: View) -> Tensor:
        """age * log beta, 0 for the newest token."""
        age = view.seen[:, None, None] - 1 - view.positions
        return age * view.figures["log_beta"]


def train_gates(
    model: Any, batches: Iterable[Tensor], room: int, *, units: int = 512, capacity: float = 1.0, rate: float = 3e-3
) -> tuple[Gate, ...]:
    """Gates for a model's layers, one step of AdamW a batch; the model itself does not change.

    model: of transformers, with rotary embeddings and full attention
    batches: ids (batch, time), without padding;  room: rows a head that the gates are to get by with [tokens]
    units: of a gate's inner layer;  capacity: weight of the penalty;  rate: of learning
    """
    config = model.config.get_text_config()
    gates = tuple(
        new_gate(config.hidden_size, config.num_key_value_heads, units, seed)
        for seed in range(config.num_hidden_layers)
    )
    learned = [part.requires_grad_() for gate in gates for part in (gate.inward, gate.inner, gate.outward, gate.bias)]
    optimizer = torch.optim.AdamW(learned, lr=rate)
    for ids in batches:
        loss = _loss(model, ids, gates, room, capacity)
        for part, slope in zip(learned, torch.autograd.grad(loss, learned), strict=True):
            part.grad = slope
        optimizer.step()
    for part in learned:
        part.requires_grad_(False)
    return gates


def _loss(model: Any, ids: Tensor, gates: tuple[Gate, ...], room: int, capacity: float) -> Tensor:
    """Divergence from the model that forgets nothing + next token + capacity."""
    from memspan.kv.attending import attending

    with torch.no_grad():
        full = model(ids, use_cache=False).logits
    beyond: list[Tensor] = []

    def gated(layer: int, hidden: Tensor, rows: tuple[Tensor, Tensor, Tensor], scaling: float) -> Tensor:
        kept = retention(gates[layer].log_beta(hidden))
        beyond.append((kept.sum(-1) - room).clamp(min=0).mean() / room)
        return gated_attention(rows, kept, scaling)

    with attending(model, gated):
        logits = model(ids, use_cache=False).logits
    given, wanted = (part.flatten(0, 1).log_softmax(-1) for part in (logits, full))
    away = kl_div(given, wanted, reduction="batchmean", log_target=True)
    ahead = cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    return away + ahead + capacity * torch.stack(beyond).mean()


def retention(log_beta: Tensor) -> Tensor:
    """What is left of each row at each later token, beta^(t - i). (..., time) -> (..., time, time), 0 ahead of i"""
    time = log_beta.shape[-1]
    places = torch.arange(time, device=log_beta.device)
    age = places[:, None] - places
    return (log_beta[..., None, :] * age.clamp(min=0)).exp() * (age >= 0)


def gated_attention(rows: tuple[Tensor, Tensor, Tensor], kept: Tensor, scaling: float) -> Tensor:
    """Causal attention whose logits are multiplied by what is left of each row, (batch, heads, time, dim).

    rows: queries (batch, heads, time, dim), keys and values (batch, kv_heads, time, dim)
    kept: (batch, kv_heads, time, time)
    """
    queries, keys, values = rows
    group, time = queries.shape[1] // keys.shape[1], queries.shape[2]
    keys, values, kept = (part.repeat_interleave(group, dim=1) for part in (keys, values, kept))
    logits = queries @ keys.transpose(-1, -2) * scaling * kept
    ahead = torch.ones(time, time, dtype=torch.bool, device=keys.device).triu(1)
    return logits.masked_fill(ahead, -torch.inf).softmax(dim=-1) @ values


METHOD = TRIMKV
