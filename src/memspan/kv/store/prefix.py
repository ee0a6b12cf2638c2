"""Prefixes that were read before: found by a chain of hashes, shared with every cache that begins with them.

Source: Kwon et al. 2023, "Efficient Memory Management for Large Language Model Serving with PagedAttention",
arXiv:2309.06180, section 4.4, and vLLM's chained block hashes.
Ours differs: what is shared is a whole cache at the end of a prefix, as a compressed cache holds other rows at another
length; where every row is kept, any block of a known prefix can be begun from. What saves least reading time a byte
goes first, and only as much as is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from weakref import WeakSet

from torch import Tensor
from torch.nn.functional import pad as pad_to

from memspan.core.errors import UsageError
from memspan.kv.engine import Engine
from memspan.kv.policy import KeepAll
from memspan.kv.store.layer import Layer
from memspan.kv.store.pages import Segment, unique_bytes


def chain(tokens: Sequence[int], block: int, key: str) -> list[str]:
    """A name for each whole block of tokens that depends on all before it.

    key: what else has to be the same: model, method, budget, codec

    >>> one, two = chain([1, 2, 3, 4], 2, "a"), chain([1, 2, 3, 5], 2, "a")
    >>> one[0] == two[0], one[1] == two[1], chain([1, 2], 2, "b")[0] == one[0]
    (True, False, False)
    """
    names, parent = [], key
    for begin, end in pairwise(range(0, len(tokens) + 1, block)):
        told = ",".join(map(str, tokens[begin:end]))
        parent = blake2b(f"{parent}|{told}".encode(), digest_size=16).hexdigest()
        names.append(parent)
    return names


@dataclass(slots=True, eq=False)
class Prefix:
    """A cache at the end of a prefix. tokens: how many were read;  seconds: what reading them took

    users: engines that were begun from it and are still alive;  used: when it was last begun from, a running number
    """

    engine: Engine
    tokens: int
    seconds: float
    used: int
    names: tuple[str, ...]
    users: WeakSet[Engine] = field(default_factory=WeakSet)

    def value(self) -> float:
        """Reading time that it saves a byte [s/byte]."""
        return self.seconds / max(1, self.engine.nbytes())


class Prefixes:
    """Prefixes under a limit of bytes.

    limit: all that may be held [bytes];  block: tokens a link of the chain
    """

    def __init__(self, limit: int, block: int = 16) -> None:
        if limit <= 0 or block <= 0:
            raise UsageError(f"limit={limit} bytes and block={block} tokens have to be above zero")
        self.limit, self.block = limit, block
        self._known: dict[str, Prefix] = {}
        self._held: list[Prefix] = []
        self._clock = 0

    def __len__(self) -> int:
        return len(self._held)

    def nbytes(self) -> int:
        """Bytes of all prefixes; what several share counts once."""
        return unique_bytes([tensor for prefix in self._held for tensor in prefix.engine.tensors()])

    def keep(self, engine: Engine, tokens: Sequence[int], seconds: float, key: str) -> bool:
        """Holds a cache that has read these tokens, and nothing else; whether there was room.

        engine: of one sequence; its rows become shared pages;  seconds: what reading them took
        Raises UsageError for a batch.
        """
        if engine.batch != 1:
            raise UsageError(f"a prefix is of one sequence, this cache has {engine.batch}")
        names = chain(tokens, self.block, key)
        if not names or len(tokens) % self.block:
            raise UsageError(f"a prefix ends with a whole block of {self.block} tokens; {len(tokens)} were given")
        if names[-1] in self._known and self._known[names[-1]].tokens == len(tokens):
            return True
        for layer in engine.layers:
            _freeze(layer)
        self._clock += 1
        prefix = Prefix(engine.fork(), len(tokens), seconds, self._clock, tuple(names))
        self._held.append(prefix)
        self._index(prefix)
        self._shrink()
        return prefix in self._held

    def begin(self, tokens: Sequence[int], key: str) -> tuple[Engine, int] | None:
        """A cache that has read the longest known prefix of these tokens, and how many those are; None for none."""
        names = chain(tokens, self.block, key)
        for count in range(len(names), 0, -1):
            prefix = self._known.get(names[count - 1])
            if prefix is None:
                continue
            length = count * self.block
            if length != prefix.tokens and not isinstance(prefix.engine.plan.policy, KeepAll):
                continue
            engine = prefix.engine.fork()
            if length != prefix.tokens:
                for layer in engine.layers:
                    _shorten(layer, length)
            self._clock += 1
            prefix.used = self._clock
            prefix.users.add(engine)
            return engine, length
        return None

    def _index(self, prefix: Prefix) -> None:
        whole = isinstance(prefix.engine.plan.policy, KeepAll)
        for name in prefix.names if whole else prefix.names[-1:]:
            self._known.setdefault(name, prefix)
        self._known[prefix.names[-1]] = prefix

    def _shrink(self) -> None:
        """Lets go of what saves least a byte, the longest unused first where that ties, until all fits."""
        order: Callable[[Prefix], tuple[float, int]] = lambda prefix: (prefix.value(), prefix.used)  # noqa: E731
        while self._held and self.nbytes() > self.limit:
            self._held.remove(min(self._held, key=order))
            self._known.clear()
            for prefix in self._held:
                self._index(prefix)


def fingerprint(engine: Engine, model: Tensor) -> str:
    """What has to be the same for rows to be shared: the model, and how its rows are kept.

    model: some of its weights
    """
    plan = engine.plan
    told = f"{plan.policy!r} {plan.room.budget!r} {plan.codec!r} {plan.slots} {plan.sinks} {plan.recent}"
    weights = model.detach().flatten()[:4096].float().cpu().numpy().tobytes()
    return blake2b(told.encode() + weights, digest_size=16).hexdigest()


def _freeze(layer: Layer) -> None:
    """All rows into pages that forks share."""
    if layer.tail is None or not layer.tail.count:
        return
    keys, values, positions = layer.tail.parts()
    layer.segments.append(Segment.of(layer.codec, layer.slots, keys, values, positions))
    pad = layer.segments[-1].columns - layer.tail.count
    layer.figures = {name: pad_to(rows, (0, pad)) for name, rows in layer.figures.items()}
    layer.tail = None


def _shorten(layer: Layer, tokens: int) -> None:
    """Only the first tokens of a layer that holds all."""
    keys, values = layer.dense()
    figures = {name: rows[..., :tokens] for name, rows in layer.figures.items()}
    positions = layer.positions()[..., :tokens]
    layer.replace(keys[:, :, :tokens], values[:, :, :tokens], positions, figures)
    layer.seen = positions.new_full((len(positions),), tokens).long()
