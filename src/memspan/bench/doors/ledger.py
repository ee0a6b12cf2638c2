"""What a soak has done so far, on disk: what must be there, what must be gone, and where to go on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Item:
    """A turn that was told, with its corrections. ids: of all versions;  words: the made-up word of each"""

    ids: list[str]
    words: list[str]


class Ledger:
    """Notes of a soak, one JSON line each; opened again, it knows what it knew.

    path: made where it does not exist
    done, failed, seconds: requests answered, how many of them were refused, the time they took [s]
    living: items by number, all of which must be there;  unsure: numbers whose last write was never answered
    gone, gone_ids: words that must be nowhere, with how many had gone before;  ids that must not be there
    rss: for each server that ran: (requests done, bytes it held)
    """

    def __init__(self, path: Path) -> None:
        self.done, self.failed, self.seconds, self.highest = 0, 0, 0.0, 0
        self.living: dict[int, Item] = {}
        self.unsure: set[int] = set()
        self.gone: dict[str, int] = {}
        self.gone_ids: set[str] = set()
        self.rss: list[list[tuple[int, int]]] = []
        for line in _lines(path):
            self._take(line)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self.note("begin")

    def note(self, kind: str, *told: Any) -> None:  # Any: what JSON can hold
        """Write a line down, and go by it: begin, send(numbers), told(number, id, word), gone(numbers), at(...)."""
        self._file.write(json.dumps([kind, *told]) + "\n")
        self._take([kind, *told])

    def _take(self, line: list[Any]) -> None:
        kind, *told = line
        if kind == "begin":
            self.rss.append([])
        elif kind == "send":
            self.unsure.update(told)
            self.highest = max(self.highest, *told)
        elif kind == "told":
            number, id, word = told
            item = self.living.setdefault(number, Item([], []))
            item.ids.append(id)
            item.words.append(word)
            self.unsure.discard(number)
        elif kind == "gone":
            for number in told:
                item = self.living.pop(number)
                self.gone_ids.update(item.ids)
                self.gone |= dict.fromkeys(item.words, len(self.gone))
            self.unsure.difference_update(told)
        else:
            self.done, self.failed, self.seconds, rss = told
            self.rss[-1].append((self.done, rss))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _lines(path: Path) -> Iterator[list[Any]]:
    """Whole lines; a last one that was cut off is none."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file if line.endswith("\n"))
