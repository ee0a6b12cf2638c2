"""Rows of a run on disk, one JSON line each: a run that was cut off goes on from them."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import memspan.kv

Result = dict[str, Any]  # Any: what JSON can hold
Key = tuple[str, float, str, int]
"""System, budget, exam, seed."""


def fingerprint(recipe: Any) -> str:  # Any: what JSON can hold
    """Of a plan and of the code that it measures: other code has other rows."""
    digest = sha256(json.dumps(recipe, sort_keys=True, default=str).encode())
    for path in sorted(Path(memspan.kv.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Rows:
    """What was measured so far, and a file that grows with it.

    path: made where it does not exist;  a last line that was cut off is measured again
    """

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = list(_lines(path))
        self.known: dict[Key, Result] = {_key(one["key"]): one for one in whole}
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            path.write_text("".join(json.dumps(one) + "\n" for one in whole), encoding="utf-8")

    def add(self, key: Key, found: Result) -> None:
        """Note a row."""
        row = {"key": list(key), **found}
        with self._lock:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            self.known[key] = row

    def drop(self) -> None:
        """The run is complete: its result has them all."""
        self.path.unlink(missing_ok=True)


def _key(told: Sequence[Any]) -> Key:
    system, budget, exam, seed = told
    return system, float(budget), exam, seed


def _lines(path: Path) -> Iterator[Result]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file if line.endswith("\n"))
