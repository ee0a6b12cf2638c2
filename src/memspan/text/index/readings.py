"""What a model has read lately, kept in memory so that the next question need not wait for it.

It belongs to the index of a scope and goes with it: what was forgotten is not kept here either.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from memspan.core.protocols import Embedder
from memspan.text.embed.onnx import Read

CACHED_BYTES = 64 * 2**20
"""About 2,500 turns of 35 tokens."""


class Model(Embedder, Protocol):
    """An embedder that also reads token by token: `embed.onnx.Onnx`, or a test's stand-in."""

    def read(self, texts: Sequence[str]) -> list[Read]:
        """Each text token by token."""
        ...


class Readings:
    """What was read lately, by text; the longest unused goes first. most: bytes it may hold"""

    def __init__(self, most: int = CACHED_BYTES) -> None:
        self._most, self._held = most, 0
        self._by_text: OrderedDict[bytes, Read] = OrderedDict()

    def of(self, texts: Sequence[str], model: Model) -> list[Read]:
        """Each text read, by the model where it is not known yet."""
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = {key: self._by_text[key] for key in keys if key in self._by_text}
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        read = dict(zip(fresh, model.read(list(fresh.values())), strict=True)) if fresh else {}
        for key in dict.fromkeys(keys):
            self._by_text.pop(key, None)
            self._by_text[key] = (known | read)[key]
        self._held += sum(one.tokens.nbytes for one in read.values())
        while self._held > self._most:
            self._held -= self._by_text.popitem(last=False)[1].tokens.nbytes
        return [known[key] if key in known else read[key] for key in keys]
