"""What happens to a cache at each forward pass: rows come in, are attended to, observed, scored and cut back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from memspan.core.errors import UsageError
from memspan.kv.budget import Room, allocate
from memspan.kv.lookup import Lookups
from memspan.kv.policy import Lookup, Policy
from memspan.kv.signals import ALL, Rotary, View
from memspan.kv.store.codec import Codec
from memspan.kv.store.layer import Layer, Looked
from memspan.kv.store.pages import unique_bytes
from memspan.kv.store.shelved import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Of a model. kv_heads, heads: a layer;  dim: of a row"""

    layers: int
    heads: int
    kv_heads: int
    dim: int
    value_dim: int
    rotary: Rotary


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a cache is kept.

    policy: which rows stay;  room: how many;  sinks, recent: first and newest tokens that always stay
    session: where pages that are looked up lie; None: on the device
    slots: rows a page;  codec: how rows lie in pages;  sealing: whether all rows but the newest go there
    residual: newest rows that stay out of a codec [tokens]
    """

    policy: Policy
    room: Room
    shape: Shape
    codec: Codec
    sealing: bool = False
    residual: int = 0
    slots: int = 16
    sinks: int = 0
    recent: int = 0
    session: Session | None = None


@dataclass(slots=True)
class Incoming:
    """A forward pass. places: true positions of its tokens, (batch, time), -1 for padding

    first: whether nothing was read before
    """

    places: Tensor
    first: bool
    hidden: dict[int, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Times:
    """Where the time of the forward passes so far went. score, attend, move: [s]"""

    score: float = 0.0
    attend: float = 0.0
    move: float = 0.0


class Engine:
    """The layers of one cache and what is done to them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        policy = plan.policy
        self._sealing = plan.sealing
        self.layers = [
            Layer(plan.slots, plan.codec, self._sealing, plan.residual, policy.seal, policy.whole)
            for _ in range(plan.shape.layers)
        ]
        self._lookups = None
        if isinstance(policy, Lookup):
            self._lookups = Lookups(policy, self.layers, plan.sinks, plan.recent, plan.session)
        self._queries: dict[int, tuple[Tensor, Tensor]] = {}
        self._weights: dict[int, Tensor] = {}
        self._shared: dict[tuple[int, int, int], dict[int, int]] = {}
        self._arrived = self._turn = 0
        self._drafting = False
        self.times = Times()
        self.peak = 0

    # -- a forward pass

    def step(self, number: int, rows: tuple[Tensor, Tensor, Tensor], incoming: Incoming, scaling: float) -> Tensor:
        """What a layer's attention gives; its rows are taken in and cut back.

        rows: queries (batch, heads, time, dim), keys and values (batch, kv_heads, time, dim)
        """
        queries, keys, values = rows
        layer, needs = self.layers[number], self.plan.policy.needs
        began = perf_counter()
        seen = layer.seen if layer.seen is not None else incoming.places.new_zeros(len(incoming.places))
        self._arrived = incoming.places.shape[1]
        self._turn += number == 0 and self._arrived > 1
        new = self._view(number, (keys, values), incoming.places, seen, scaling)
        new = replace(new, queries=queries, query_positions=incoming.places, hidden=incoming.hidden.get(number))
        figures = self.plan.policy.observe(new)
        if needs.mass:
            figures = {**figures, "mass": torch.zeros(keys.shape[:3], device=keys.device)}
        layer.append(keys, values, incoming.places, figures)
        self._remember(number, queries, incoming.places)
        self.times.move += perf_counter() - began
        began = perf_counter()
        out = self._attended(number, rows, incoming, scaling)
        self.times.attend += perf_counter() - began
        if queries.shape[2] > 1:
            self.peak = max(self.peak, self.nbytes())
        if not needs.log_probs and not self._drafting and not self._waits(incoming):
            self._cut(number, incoming, scaling)
        return out

    def after(self, log_probs: Tensor | None, incoming: Incoming, scaling: float) -> None:
        """Ends a forward pass: what waited for the whole of it. log_probs: of its tokens, (batch, time)"""
        policy = self.plan.policy
        if policy.needs.log_probs and log_probs is not None:
            for number, layer in enumerate(self.layers):
                given = log_probs[:, None].expand(-1, self.plan.shape.kv_heads, -1).float()
                old = layer.figures.get("log_prob")
                layer.figures["log_prob"] = given if old is None else torch.cat((old, given), dim=-1)
                self._cut(number, incoming, scaling)
        elif self._waits(incoming):
            self._cut_all(incoming, scaling)
        for layer in self.layers:
            layer.figures.pop(_RANK, None)
        self._shared.clear()
        if self._drafting:
            return
        if policy.when == "prompt" or policy.needs.queries == ALL or policy.needs.passing:
            self._queries.clear()

    # -- reading ahead of a cut

    def _waits(self, incoming: Incoming) -> bool:
        """Whether the cut comes when the pass is through, as something may be read ahead of it."""
        return self.plan.policy.foresight is not None and incoming.places.shape[1] > 1 and not self._drafting

    def due(self, incoming: Incoming) -> bool:
        """Whether something is to be read ahead, as rows are going to be cut."""
        if not self._waits(incoming):
            return False
        slack = 0 if incoming.first else self.plan.policy.slack
        for number, layer in enumerate(self.layers):
            if layer.seen is not None and self._over(layer, self._rooms(number, layer.seen), slack):
                return True
        return False

    def draft(self, incoming: Incoming, scaling: float) -> Engine:
        """A copy that reads ahead: it is cut first where the policy says so, then no more, and keeps its queries."""
        other = self.fork()
        other._arrived = self._arrived
        foresight = self.plan.policy.foresight
        if foresight is not None and foresight.cut:
            other._cut_all(incoming, scaling)
        other._drafting = True
        return other

    def listen(self, draft: Engine) -> None:
        """Takes over the queries of a copy that has read ahead."""
        self._queries = dict(draft._queries)
        self.peak = max(self.peak, unique_bytes([*self.tensors(), *draft.tensors()]))

    def _cut_all(self, incoming: Incoming, scaling: float) -> None:
        for number in range(len(self.layers)):
            self._cut(number, incoming, scaling)

    # -- attending

    def _attended(self, number: int, rows: tuple[Tensor, Tensor, Tensor], incoming: Incoming, scaling: float) -> Tensor:
        queries, keys, values = rows
        layer, policy = self.layers[number], self.plan.policy
        if incoming.first and not policy.needs.mass and not bool((incoming.places < 0).any()):
            grouped = queries.shape[1] != keys.shape[1]
            return scaled_dot_product_attention(
                queries, keys, values, is_causal=queries.shape[2] > 1, scale=scaling, enable_gqa=grouped
            )
        looked = self._looked(number, self._lookups, queries, incoming, scaling) if self._lookups else None
        out, mass = layer.attend(queries, incoming.places, scaling, looked=looked, mass=policy.needs.mass)
        if mass is not None:
            layer.figures["mass"] = layer.figures["mass"] + mass
        return out

    # -- cutting back

    def _cut(self, number: int, incoming: Incoming, scaling: float) -> None:
        policy, layer = self.plan.policy, self.layers[number]
        if self._lookups is not None:
            self._shelve(number, self._lookups, scaling)
            return
        assert layer.seen is not None
        began = perf_counter()
        noting = self._sealing and type(policy).note is not Policy.note and not layer.notes
        if noting and layer.columns > layer.residual:
            layer.notes = dict(policy.note(self.view(number, scaling)))
        prompt = incoming.places.shape[1] > 1
        if prompt and self._weigh(number, scaling):
            self._cascade(number)
        elif prompt or policy.when == "always":
            rooms = self._rooms(number, layer.seen)
            if policy.eager or self._over(layer, rooms, 0 if incoming.first else policy.slack):
                self._reduce(number, torch.tensor(rooms, device=layer.seen.device), scaling)
        self.times.score += perf_counter() - began
        if self._sealing:
            began = perf_counter()
            layer.seal()
            self.times.move += perf_counter() - began

    def _over(self, layer: Layer, rooms: list[int], slack: int) -> bool:
        """Whether a sequence holds more than its rooms and so many rows a head."""
        if not layer.holes:
            return layer.columns > min(rooms) + slack
        held = (layer.positions() >= 0).sum((1, 2)).tolist()
        heads = self.plan.shape.kv_heads
        return any(rows > (room + slack) * heads for rows, room in zip(held, rooms, strict=True))

    def _rooms(self, number: int, seen: Tensor) -> list[int]:
        """Rows a head of this layer may hold, for each sequence."""
        plan = self.plan
        rooms = []
        for sequence, tokens in enumerate(seen.tolist()):
            room = plan.room.rows(tokens, len(seen))
            least = self._least(room)
            if plan.room.budget.ratio is not None:
                room = max(room, min(tokens, least))
            if room < min(tokens, least):
                raise UsageError(self._too_small(room, least))
            shares = self._shared.get((sequence, room, tokens))
            if shares is None:
                shares = self._shared[sequence, room, tokens] = self._shares(sequence, room, tokens)
            rooms.append(shares[number] if shares else room)
        return rooms

    def _too_small(self, room: int, least: int) -> str:
        plan = self.plan
        spare = "" if plan.room.budget.tokens is not None else f", besides {plan.room.spare} that its pages may need"
        return (
            f"the budget has room for {room} rows a head{spare}, but {least} always stay ({plan.sinks} first and "
            f"{plan.recent} newest ones, or what {type(plan.policy).__name__} needs); raise the budget or keep fewer"
        )

    def _least(self, room: int) -> int:
        if self._lookups is not None:
            return self._lookups.least
        return max(self.plan.sinks + self.plan.recent, self.plan.policy.least(room))

    def _shares(self, sequence: int, room: int, tokens: int) -> dict[int, int]:
        """Rows a head of each layer whose weight is known, where layers share by weight. Their sum is exact."""
        policy, count = self.plan.policy, self.plan.shape.layers
        apart = min(policy.apart(room), room, tokens)
        beforehand = policy.layers(room - apart, count, tokens)
        weights = {place: float(weight[sequence]) for place, weight in self._weights.items()}
        if beforehand is not None:
            weights = dict(enumerate(beforehand))
        if not weights:
            return {}
        known = len(weights)
        least = max(0, min(tokens, self._least(room)) - apart)
        total = (room - apart) * count
        given = allocate(total, list(weights.values()), caps=[tokens - apart] * known, floors=[least] * known)
        shares = {place: share + apart for place, share in zip(weights, given, strict=True)}
        for place in shares:
            leader = policy.follows(place)
            shares[leader] = min(shares[leader], shares[place])
        return shares

    def _reduce(self, number: int, room: Tensor, scaling: float) -> None:
        """Scores a layer's rows and keeps the best, or those of the layer that it follows."""
        policy, layer = self.plan.policy, self.layers[number]
        view = self.view(number, scaling)
        leader = policy.follows(number)
        if leader != number:
            kept = _among(view.positions, self.layers[leader].positions().long())
        else:
            kept = policy.select(self._scores(view), room, view) & view.present
        keys, values = policy.rewrite(view, kept)
        self._keep(layer, (keys, values, view.positions), kept, dict(view.figures))

    def _scores(self, view: View) -> Tensor:
        """The policy's, all below +inf, which is for rows that have to stay, and -inf where none is."""
        newest = (view.seen - self.plan.recent)[:, None, None]
        protected = view.present & ((view.positions < self.plan.sinks) | (view.positions >= newest))
        scores = self.plan.policy.score(view).float().clamp(max=torch.finfo(torch.float32).max)
        return scores.masked_fill(protected, torch.inf).masked_fill(~view.present, -torch.inf)

    def _weigh(self, number: int, scaling: float) -> bool:
        """Notes a layer's weight and its rows' scores, by which it may be cut more than once; whether it has one."""
        policy, layer = self.plan.policy, self.layers[number]
        if type(policy).weigh is Policy.weigh:
            return False
        view = self.view(number, scaling)
        weight = policy.weigh(view)
        if weight is None:
            return False
        self._weights[number] = weight
        self._shared.clear()
        figures = {**view.figures, _RANK: self._scores(view)}
        self._keep(layer, (view.keys, view.values, view.positions), view.present, figures)
        return True

    def _cascade(self, number: int) -> None:
        """Cuts a layer and those before to what is theirs among the layers weighed so far."""
        policy = self.plan.policy
        for place, layer in enumerate(self.layers[: number + 1]):
            assert layer.seen is not None
            rooms = self._rooms(place, layer.seen)
            if self._over(layer, rooms, 0):
                view = self.view(place, 1.0)
                room = torch.tensor(rooms, device=layer.seen.device)
                kept = policy.select(view.figures[_RANK], room, view) & view.present
                keys, values = policy.rewrite(view, kept)
                self._keep(layer, (keys, values, view.positions), kept, dict(view.figures))

    def _keep(
        self, layer: Layer, rows: tuple[Tensor, Tensor, Tensor], kept: Tensor, figures: dict[str, Tensor]
    ) -> None:
        if not layer.holes and bool(kept.all()):
            layer.figures = figures
            if rows[0].data_ptr() == layer.dense()[0].data_ptr():
                return
        order = (~kept).to(torch.int8).argsort(dim=-1, stable=True)[..., : int(kept.sum(-1).max())]
        index = order[..., None]
        keys, values = (part.gather(2, index.expand(-1, -1, -1, part.shape[-1])) for part in rows[:2])
        where = rows[2].gather(2, order).masked_fill(~kept.gather(2, order), -1)
        layer.replace(keys, values, where, {name: part.gather(2, order) for name, part in figures.items()})

    # -- what a policy sees

    def view(self, number: int, scaling: float) -> View:
        """A layer's rows, present ones first in each head."""
        layer = self.layers[number]
        positions, (keys, values), figures = layer.positions().long(), layer.dense(), dict(layer.figures)
        if layer.holes:
            order = (positions < 0).to(torch.int8).argsort(dim=-1, stable=True)
            order = order[..., : layer.longest()]
            keys, values = (
                part.gather(2, order[..., None].expand(-1, -1, -1, part.shape[-1])) for part in (keys, values)
            )
            positions = positions.gather(2, order)
            figures = {name: part.gather(2, order) for name, part in figures.items()}
        assert layer.seen is not None
        queries, places = self._queries.get(
            number, (keys.new_zeros((len(keys), 0, 0, keys.shape[-1])), positions[:, 0, :0])
        )
        return View(
            layer=number, layers=self.plan.shape.layers, seen=layer.seen, keys=keys, values=values,
            positions=positions, queries=queries, query_positions=places, figures=figures, scaling=scaling,
            rotary=self.plan.shape.rotary, arrived=self._arrived, turn=self._turn,
        )  # fmt: skip

    def _view(self, number: int, rows: tuple[Tensor, Tensor], places: Tensor, seen: Tensor, scaling: float) -> View:
        """New rows, as they come."""
        keys, values = rows
        return View(
            layer=number, layers=self.plan.shape.layers, seen=seen, keys=keys, values=values,
            positions=places[:, None].expand(-1, keys.shape[1], -1), queries=keys[:, :, :0],
            query_positions=places[:, :0], figures={}, scaling=scaling, rotary=self.plan.shape.rotary,
            arrived=self._arrived, turn=self._turn,
        )  # fmt: skip

    def _remember(self, number: int, queries: Tensor, places: Tensor) -> None:
        """Keeps the newest queries that the policy wants to see."""
        wanted = self.plan.policy.needs.queries
        if not wanted:
            return
        before = self._queries.get(number)
        if before is not None and queries.shape[2] < wanted:
            queries = torch.cat((before[0], queries), dim=2)
            places = torch.cat((before[1], places), dim=1)
        if wanted != ALL:
            queries, places = queries[:, :, -wanted:], places[:, -wanted:]
        self._queries[number] = (queries.clone(), places.clone()) if wanted != ALL else (queries, places)

    # -- pages that are looked up

    def _shelve(self, number: int, lookups: Lookups, scaling: float) -> None:
        """Rows that are no longer among the newest go to pages."""
        layer = self.layers[number]
        if layer.tail is None or layer.seen is None or layer.tail.count < lookups.least:
            return
        began = perf_counter()
        keys, values, positions = layer.tail.parts()
        tail = self._view(number, (keys, values), positions[:, 0].long(), layer.seen, scaling)
        lookups.shelve(replace(tail, figures=dict(layer.figures)), self._rooms(number, layer.seen))
        self.times.move += perf_counter() - began

    def _looked(
        self, number: int, lookups: Lookups, queries: Tensor, incoming: Incoming, scaling: float
    ) -> Looked | None:
        """The rows of a layer's pages that these queries want, as many as the budget has room for."""
        layer = self.layers[number]
        if not layer.segments or layer.seen is None:
            return None
        return lookups.look(number, queries, incoming.places, self._rooms(number, layer.seen), scaling)

    # -- the whole

    @property
    def batch(self) -> int:
        """Sequences; 0 before any was read."""
        seen = self.layers[0].seen
        return 0 if seen is None else len(seen)

    def tensors(self) -> list[Tensor]:
        """All that is held, the newest queries included."""
        held = [tensor for layer in self.layers for tensor in layer.tensors()]
        held += [part for kept in self._queries.values() for part in kept] + list(self._weights.values())
        return held + (self._lookups.tensors() if self._lookups else [])

    def nbytes(self) -> int:
        """Bytes of all that is held."""
        return unique_bytes(self.tensors())

    def fork(self) -> Engine:
        """The same, to go on from by itself."""
        other = Engine(self.plan)
        other.layers = [layer.fork() for layer in self.layers]
        other._queries = dict(self._queries)
        other._weights = dict(self._weights)
        if self._lookups is not None:
            other._lookups = self._lookups.fork(other.layers)
        other.peak, other._turn = self.peak, self._turn
        return other

    def choose(self, sequences: Tensor) -> None:
        """Go on with these of the sequences, some perhaps several times."""
        for layer in self.layers:
            layer.choose(sequences)
        self._queries = {place: (rows[sequences], where[sequences]) for place, (rows, where) in self._queries.items()}
        self._weights = {place: weight[sequences] for place, weight in self._weights.items()}
        if self._lookups is not None:
            self._lookups.choose(sequences)

    def lengths(self) -> Sequence[Tensor]:
        """Rows each head holds, a tensor (batch, kv_heads) a layer."""
        return [(layer.positions() >= 0).sum(-1) for layer in self.layers]


def _among(positions: Tensor, others: Tensor) -> Tensor:
    """Where a place is also one of the others, -1 aside. positions, others: (batch, kv_heads, time), of any length"""
    size = int(max(positions.max(), others.max())) + 2
    there = torch.zeros((*positions.shape[:2], size), dtype=torch.bool, device=positions.device)
    there.scatter_(2, others + 1, True)
    return there.gather(2, positions + 1) & (positions >= 0)


_RANK = " rank"
