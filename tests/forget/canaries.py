"""Canaries: words that exist nowhere else, put wherever memory can hold a text, and a search of the raw bytes for them.

A needle leaves out the first four letters and the end of a word: a page may hold a prefix only once, and a stem has no
ending. Vectors, times and hashes of words are searched as the bytes that the file holds.
"""

import pickle
import random
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from memspan.text.index.words import word_hash, words

PAGE = 4096
LETTERS = "bcdfghjklmnpqrtvwxz"
FOREIGN = "žščřďťňěůýáí"


class Dense:
    """Pseudo-random vectors without a zero in them, so that each one can be told from all others."""

    name, neighbour_weight, remove_common = "dense", 0.3, False

    def __init__(self, dim=48):
        self.dim, self.fingerprint = dim, f"dense:{dim}"

    def embed(self, texts):
        rows = [np.random.default_rng(list(sha256(text.encode()).digest())).standard_normal(self.dim) for text in texts]
        out = np.array(rows, np.float32).reshape(len(texts), self.dim)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


class Words:
    """Words of 18 letters, no two with a common prefix; the middle of one is in no other."""

    def __init__(self, seed):
        self._chance, self._prefixes, self._middles, self._parts = random.Random(seed), set(), set(), set()

    def new(self, letters=LETTERS):
        while True:
            word = "".join(self._chance.choices(letters, k=18))
            parts = {word[at : at + 8] for at in range(11)}
            if word[:4] not in self._prefixes and word[4:12] not in self._parts and not parts & self._middles:
                self._prefixes.add(word[:4])
                self._middles.add(word[4:12])
                self._parts |= parts
                return word


def of_word(word: str) -> dict[str, bytes]:
    """What of a word could be found: its middle in three encodings, and its place in a bag of words."""
    middle = word[4:12]
    found = {"utf-8": middle.encode(), "utf-16": middle.encode("utf-16-le")}
    if not middle.isascii():
        found["escaped"] = middle.encode("ascii", "backslashreplace")
        return found
    (stem,) = words(word)
    return {**found, "bag": struct.pack("<IB", word_hash(stem), 1)}


def of_digits(number: str) -> dict[str, bytes]:
    """A number as it is written."""
    return {"utf-8": number[2:].encode()}


def of_time(at: float) -> dict[str, bytes]:
    """A time as SQLite keeps it."""
    return {"float": struct.pack(">d", at)}


def of_half(half: bytes) -> dict[str, bytes]:
    """32 bytes from the middle of a vector."""
    return {"vector": half[len(half) // 2 - 16 : len(half) // 2 + 16]}


@dataclass
class Planted:
    """Needles: what was planted -> the forms it could have in a file."""

    needles: dict[str, Mapping[str, bytes]] = field(default_factory=dict)

    def add(self, name: str, forms: Mapping[str, bytes]) -> None:
        assert name not in self.needles
        self.needles[name] = forms


def files(folder: Path) -> dict[str, bytes]:
    """All files there, whatever they are called.

    Read by another process: closing a file here would drop the locks that this process's memories have on it.
    """
    script = (
        "import pickle, sys; pickle.dump({name: open(name, 'rb').read() for name in sys.argv[1:]}, sys.stdout.buffer)"
    )
    names = [str(path) for path in folder.rglob("*") if path.is_file()]
    read = subprocess.run([sys.executable, "-ISE", "-c", script, *names], capture_output=True, check=True).stdout
    return {Path(name).name: raw for name, raw in pickle.loads(read).items()}


def found(folder: Path, planted: Planted) -> list[str]:
    """Needles that are in any file of a folder, in whatever case."""
    hits = []
    for name, raw in files(folder).items():
        both = (raw, raw.lower())
        hits += [
            f"{what} as {form} in {name}"
            for what, forms in planted.needles.items()
            for form, needle in forms.items()
            if any(needle in each for each in both)
        ]
    return hits


def missing(folder: Path, planted: Planted) -> list[str]:
    """What was planted and is in no file of a folder in any form."""
    everything = b"".join(files(folder).values())
    both = (everything, everything.lower())
    return [
        what
        for what, forms in planted.needles.items()
        if not any(needle in each for needle in forms.values() for each in both)
    ]


def free_bytes(raw: bytes, least: int = 3) -> Iterator[str]:
    """Pages of a file in which a byte that belongs to nothing is not zero.

    least: a run of fewer bytes is not reported: old offsets of rows, two bytes each, are no content
    Looked at: the gap and the free blocks of b-tree pages, free pages, what follows the text in an overflow page's end.
    """
    for number in range(1, len(raw) // PAGE + 1):
        page = raw[(number - 1) * PAGE : number * PAGE]
        head = 100 if number == 1 else 0
        if page[head] not in (2, 5, 10, 13):
            continue
        rows = int.from_bytes(page[head + 3 : head + 5], "big")
        low = head + (12 if page[head] in (2, 5) else 8) + 2 * rows
        high = int.from_bytes(page[head + 5 : head + 7], "big")
        if len(page[low:high].strip(b"\0")) >= least:
            yield f"page {number}: {page[low:high].strip(bytes(1))[:40]!r} in the gap"
        block = int.from_bytes(page[head + 1 : head + 3], "big")
        while block:
            following, size = (int.from_bytes(page[block + at : block + at + 2], "big") for at in (0, 2))
            if page[block + 4 : block + size].strip(b"\0"):
                yield f"page {number}: {page[block + 4 : block + size][:40]!r} in a free block"
            block = following
    yield from _free_pages(raw)


def _free_pages(raw: bytes) -> Iterator[str]:
    trunk = int.from_bytes(raw[32:36], "big")
    while trunk:
        page = raw[(trunk - 1) * PAGE : trunk * PAGE]
        count = int.from_bytes(page[4:8], "big")
        leaves = [int.from_bytes(page[8 + 4 * at : 12 + 4 * at], "big") for at in range(count)]
        for leaf in leaves:
            if raw[(leaf - 1) * PAGE : leaf * PAGE].strip(b"\0"):
                yield f"free page {leaf}"
        trunk = int.from_bytes(page[:4], "big")


def shuffled(items: Sequence[object], seed: int) -> list[object]:
    """The items in another order."""
    out = list(items)
    random.Random(seed).shuffle(out)
    return out
