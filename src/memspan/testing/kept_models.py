"""Model folders that are made once and found again: whole or not at all, and made anew where one was torn."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from os import replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import torch

SEAL = "made.json"
"""The file that names the others with their SHA-256; written last."""


def name_of(kind: str, recipe: Mapping[str, Any]) -> str:
    """The folder's name: the kind and a hash of everything that decides the weights.

    recipe: what JSON can hold

    >>> name_of("recall", {"steps": 60}), name_of("recall", {"steps": 61})
    ('recall-ed3255f1818e', 'recall-9a3c43218017')
    """
    return f"{kind}-{sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]}"


def kept(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, made by `write(empty folder)` where it is not there yet or is not what was made.

    It is written under another name and renamed, so a stop at any moment leaves the old state or the new.
    """
    if is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as part:
        made = Path(part) / "made"
        made.mkdir()
        write(made)
        (made / SEAL).write_text(json.dumps(_sums(made)), encoding="utf-8")
        _put(made, folder, Path(part) / "torn")
    return folder


def is_whole(folder: Path) -> bool:
    """Whether all files are there, each as it was written."""
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(seal) and seal == _sums(folder)


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SEAL)
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def _put(made: Path, folder: Path, aside: Path) -> None:
    """Rename `made` to `folder`; what is torn there goes, what another process made meanwhile stays."""
    if folder.exists() and not is_whole(folder):
        replace(folder, aside)
    try:
        replace(made, folder)
    except OSError:
        if not is_whole(folder):
            raise
        rmtree(made)


@contextmanager
def own_random_state() -> Iterator[None]:
    """What is drawn inside leaves the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, so that a seed gives the same weights whatever the machine's number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
