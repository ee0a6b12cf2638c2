"""Outcomes on disk, one a line as soon as a case is done, so that a run that was cut off goes on where it stopped.

A line holds what systems gave, never gold. It counts again only where case, system, and the code of memspan are the
same as when it was written. A torn last line is left out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from memspan.bench.runner import Job, Outcome, Reply
from memspan.bench.systems import Packed

_KEY = re.compile(rb'{"key":"([0-9a-f]+)"')
_CODE = ("core", "text", "bench/systems", "bench/peers", "bench/runner.py", "bench/tasks.py")


@lru_cache
def code() -> str:
    """A fingerprint of what decides an outcome: engine, systems, runner."""
    root = Path(__file__).parent.parent
    digest = sha256()
    for part in _CODE:
        paths = sorted((root / part).rglob("*")) if (root / part).is_dir() else [root / part]
        for path in paths:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def fingerprint(job: Job) -> str:
    """Of all that a system is given, and the code that ran."""
    digest = sha256(f"{code()}/{job.system}/{job.depth}".encode())
    for unit in job.units:
        digest.update(repr(unit).encode())
    digest.update(repr(list(job.asks)).encode())
    return digest.hexdigest()[:24]


class Replies:
    """A file of outcomes by fingerprint. path: need not exist"""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        if path.exists():
            self._scan()

    def _scan(self) -> None:
        with self._path.open("rb") as file:
            place = 0
            for line in file:
                key = _KEY.match(line)
                if key and line.endswith(b"}\n"):
                    self._places[key[1].decode()] = place
                place += len(line)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Outcome | None:
        """What was kept under that fingerprint."""
        if key not in self._places:
            return None
        with self._path.open("rb") as file:
            file.seek(self._places[key])
            return _outcome(json.loads(file.readline())["outcome"])

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep it; on return the operating system has it."""
        line = json.dumps({"key": key, "outcome": asdict(outcome)}, separators=(",", ":")).encode() + b"\n"
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_whole():
                file.write(b"\n")
            self._places[key] = file.tell()
            file.write(line)

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) == b"\n"


def _outcome(row: Mapping[str, Any]) -> Outcome:
    replies = [
        Reply(
            tuple(one["ranked"]),
            {int(tokens): _packed(packed) for tokens, packed in one["packed"].items()},
            one["read_s"],
        )
        for one in row["replies"]
    ]
    rest: dict[str, Any] = {name: value for name, value in row.items() if name != "replies"}
    return Outcome(replies=replies, **rest)


def _packed(row: Mapping[str, Any]) -> Packed:
    ranked: Sequence[str] = row["ranked"]
    return Packed(tuple(ranked), tuple(row["standing"]), row["tokens"])
