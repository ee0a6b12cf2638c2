"""The peers' environments: one folder each, made by pip, whole or not at all."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any

from memspan.bench.peers.groups import end
from memspan.bench.peers.pins import Pin
from memspan.core.errors import PeerFailed
from memspan.text.embed.onnx import default_model_dir

MARKER = "memspan-peer.json"
LEFT_OVER_S = 3600
"""A half-made folder older than this belongs to a run that was killed."""

Say = Callable[[str], None]
Check = Callable[[Pin, Path], object]


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a peer here.

    why: empty where it can be measured;  packages: all that pip installed, with versions
    size: of the environment [bytes]
    """

    pin: Pin
    folder: Path
    why: str
    packages: Mapping[str, str]
    size: int = 0


def default_root() -> Path:
    """Where environments lie: the user's cache folder of the platform, then memspan/peers."""
    return default_model_dir().parent / "peers"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def look(pin: Pin, root: Path, *, weigh: bool = False) -> Found:
    """Whether the peer is there, in the versions wanted. weigh: find out its size, which reads the whole folder"""
    folder = root / pin.name
    if not folder.is_dir():
        return Found(pin, folder, "not installed", {})
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        wanted, packages = tuple(marker["wanted"]), dict(marker["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return Found(pin, folder, f"{folder} has no readable {MARKER}: not made by memspan, or damaged", {})
    why = "" if wanted == pin.packages else f"installed as {', '.join(wanted)}; wanted {', '.join(pin.packages)}"
    if not why and not python_of(folder).exists():
        why = "its Python is gone"
    return Found(pin, folder, why, packages, _size(folder) if weigh else 0)


def table(found: Sequence[Found]) -> str:
    """What is there and what is not, for reading."""
    rows = [("peer", "wanted", "here", "licence", "")]
    for one in found:
        here = one.why or f"yes, {one.size / 1e6:,.0f} MB"
        rows.append((one.pin.name, one.pin.title.rpartition(" ")[2], here, one.pin.licence, one.pin.shape))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] + [0]
    lines = ("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def fields(found: Found) -> dict[str, Any]:  # Any: what JSON can hold
    """The same for programs."""
    told = {name: getattr(found.pin, name) for name in ("name", "licence", "shape")}
    more = {"present": not found.why, "why": found.why, "folder": str(found.folder), "bytes": found.size}
    return told | {"wanted": list(found.pin.packages), "packages": dict(found.packages)} | more


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def install(pin: Pin, root: Path, say: Say, check: Check) -> bool:
    """Make the environment of a peer; False where it was there already.

    say: told what goes on;  check: called with the finished folder before it takes its name; must raise where it fails
    Raises PeerFailed where pip fails; then nothing of it stays.
    """
    if not look(pin, root).why:
        return False
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with TemporaryDirectory(prefix=f".{pin.name}-", dir=root) as scratch:
        folder = Path(scratch) / pin.name
        say(f"{pin.name}: making an environment")
        _run(pin, [sys.executable, "-m", "venv", str(folder)], say)
        pip = [str(python_of(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        _run(pin, [*pip, "install", "--progress-bar", "off", *pin.packages], say)
        listed = json.loads(_run(pin, [*pip, "list", "--format", "json"], None))
        packages = {one["name"]: one["version"] for one in listed}
        say(f"{pin.name}: trying it")
        check(pin, folder)
        marker = {"wanted": pin.packages, "packages": packages, "python": sys.version.split()[0]}
        (folder / MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
        _take_place(folder, root / pin.name, Path(scratch))
    return True


def install_all(pins: Sequence[Pin], root: Path, say: Say, check: Check) -> PeerFailed | None:
    """Make what is missing; one that fails does not hold up the others, and is given back."""
    failed: list[PeerFailed] = []
    for pin in pins:
        try:
            install(pin, root, say, check)
        except PeerFailed as why:
            failed.append(why)
    if len(failed) < 2:
        return failed[0] if failed else None
    return PeerFailed(", ".join(one.peer for one in failed), "; ".join(one.why for one in failed))


def _sweep(root: Path) -> None:
    """Remove what killed runs left."""
    for left in root.glob(".*-*"):
        if left.is_dir() and time() - left.stat().st_mtime > LEFT_OVER_S:
            shutil.rmtree(left, ignore_errors=True)


def _take_place(folder: Path, place: Path, scratch: Path) -> None:
    """Give the new folder its name; an old one goes with the scratch folder."""
    if place.exists():
        replace(place, scratch / "old")
    replace(folder, place)


def _run(pin: Pin, command: list[str], say: Say | None) -> str:
    """What the command wrote on stdout, line by line to `say` too. Raises PeerFailed where it fails."""
    kept: list[str] = []
    running = subprocess.Popen(  # noqa: S603 (no part is a caller's)
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            kept.append(line)
            if say and line.startswith(("Collecting", "Downloading", "Installing")):
                say(f"{pin.name}: {line.strip()[:100]}")
        running.wait()
    finally:
        end(running)  # a stopped run leaves no pip behind that would write into a folder that is gone
        if running.stdout:
            running.stdout.close()
    if running.returncode:
        errors = [line for line in kept if "ERROR" in line] or kept[-1:]
        raise PeerFailed(pin.name, f"could not be installed: {''.join(errors).strip()[-300:]}")
    return "".join(kept)
