"""kvpress as a peer: it needs an older transformers, so it runs in an environment and a process of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from memspan.bench.peers.client import START_S, Child, command
from memspan.bench.peers.environments import default_root, look
from memspan.bench.peers.pins import pin
from memspan.core.errors import MissingExtra

if TYPE_CHECKING:
    from memspan.testing.kv_tasks import Task

NAME = "kvpress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A press and how much of the cache it may leave.

    name: its class in kvpress; empty = none, the full cache
    settings: its arguments; a press among them is written as (name, settings)
    kept: the fraction that is to stay, 0..1; 1 leaves the settings as they are, as presses need that have no such
    budget (ThinKPress)
    alone: each row of a batch is a batch of its own. ChunkKVPress gives all rows the chunks of the first, and
    Compactor's scores are normalised over the batch.
    """

    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)  # Any: what JSON can hold
    kept: float = 1.0
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one task under one press.

    task: its place among the tasks
    right: whether each question was answered right in every token, (batch, turns)
    resident_bytes: what the cache's tensors hold once the prompt is read
    peak_bytes: the most they held while it was read
    prefill_s: for the prompt and its compression [s];  decode_s: for one token more in every row [s], nan where
    none was decoded
    """

    press: Press
    task: int
    right: NDArray[np.bool_]
    resident_bytes: int
    peak_bytes: int
    prefill_s: float
    decode_s: float

    @property
    def exact(self) -> float:
        """The part of all questions that was answered right, 0..1."""
        return float(self.right.mean())


def absent(root: Path | None = None) -> str:
    """Why kvpress cannot be measured here; empty where it can. root: where environments lie"""
    return look(pin(NAME), root or default_root()).why


class Kvpress:
    """kvpress with a checkpoint and tasks; `row` measures. Use it in a with statement.

    checkpoint: a folder that save_pretrained() wrote
    root: where environments lie; None = the user's cache folder;  limit_s: for one row [s]
    Raises MissingExtra where kvpress is not installed.
    """

    def __init__(
        self, checkpoint: Path, tasks: "Sequence[Task]", *, root: Path | None = None, limit_s: float = 600.0
    ) -> None:
        found = look(pin(NAME), root or default_root())
        if found.why:
            raise MissingExtra("peers", f"{NAME}: {found.why}", f"memspan bench peers --install --only {NAME}")
        self._command, self._limit_s = command(found.pin, found.folder), limit_s
        asked = [(one.prompt.tolist(), [[part.tolist() for part in turn] for turn in one.turns]) for one in tasks]
        self._given = {"checkpoint": str(checkpoint.resolve()), "tasks": asked}
        self._child: Child | None = None

    def row(self, task: int, press: Press) -> Result:
        """One press on one task. Raises PeerFailed where kvpress crashes or takes too long; the next row starts anew.

        task: its place among the tasks
        """
        asked = {"press": press.name, "settings": dict(press.settings), "kept": press.kept, "alone": press.alone}
        told = self._call("row", {"task": task, **asked}, self._limit_s)
        steps, decode_s = told.pop("steps"), told.pop("decode_s")
        right = np.array(told.pop("right"), dtype=np.bool_)
        per_token = decode_s / steps if steps else float("nan")
        return Result(press=press, task=task, right=right, decode_s=per_token, **told)

    def close(self) -> None:
        """End its process; twice is fine."""
        if self._child:
            self._child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, name: str, given: Mapping[str, Any], limit_s: float) -> Any:  # Any: what JSON can hold
        if self._child is None or not self._child.alive:
            self._child = Child(NAME, self._command)
            with TemporaryDirectory(prefix="memspan-peer-") as folder:
                self._child.ask({"op": "open", "folder": folder}, START_S)
            self._child.ask({"op": "call", "name": "load", "given": self._given}, START_S)
        return self._child.ask({"op": "call", "name": name, "given": given}, limit_s)


def rows(
    checkpoint: Path,
    tasks: "Sequence[Task]",
    presses: Sequence[Press],
    *,
    root: Path | None = None,
    limit_s: float = 600.0,
) -> list[Result]:
    """Each press on each task, press by press.

    Raises MissingExtra where kvpress is not installed, PeerFailed where it crashes or takes too long.
    """
    with Kvpress(checkpoint, tasks, root=root, limit_s=limit_s) as peer:
        return [peer.row(task, press) for press in presses for task in range(len(tasks))]
