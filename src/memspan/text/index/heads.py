"""Which units are headed by which name, and which of those names a text mentions."""

import re
from collections import defaultdict
from collections.abc import Iterator

MAX_SHARED = 3
MAX_CHARS = 20_000
_WORD = re.compile(r"\w+")


class Heads:
    """Head entities of a scope. A name that heads more than MAX_SHARED units says too little and is not followed."""

    def __init__(self) -> None:
        self._units: dict[str, list[int]] = {}
        self._widths: defaultdict[str, set[int]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self._units)

    def add(self, name: str, unit: int) -> None:
        """Note that a unit opens with a name."""
        found = _WORD.findall(name.lower())
        if found:
            self._widths[found[0]].add(len(found))
            self._units.setdefault(" ".join(found), []).append(unit)

    def mentioned(self, text: str) -> Iterator[int]:
        """Units whose head entity occurs in the text, each once; only the first 20,000 characters are read.

        >>> heads = Heads(); heads.add("Lake Bohinj", 7); list(heads.mentioned("We swam in lake Bohinj."))
        [7]
        """
        found = _WORD.findall(text[:MAX_CHARS].lower())
        names = {
            " ".join(found[place : place + width])
            for place, word in enumerate(found)
            for width in self._widths.get(word, ())
        }
        for name in sorted(names):
            units = self._units.get(name, [])
            if len(units) <= MAX_SHARED:
                yield from units
