"""Cards: what a data set holds, whose it is, how a figure on it is read, and what goes wrong. One TOML file each.

Source: "BenchmarkCards: Standardized Documentation for Large Language Model Benchmarks", SokolAnn/BenchmarkCards
at 2ee1a80, whose sections these fields follow.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from memspan.bench.files import fingerprint
from memspan.core.errors import UnknownMethod

NO_SET = "none"
"""The protocol of data that no data set here reads: it has no labels, or a command of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One data set, described.

    protocol: that of the data set, or "none" for data that no data set reads
    metrics: the headline first
    size: "7 cases, 4035 units, 1439 questions, 1435 scored", then what else there is to say
    sha256: file name -> hash of the file as it lies on disk, of the files that the figures here were measured on
    """

    name: str
    title: str
    overview: str
    source: str
    licence: str
    languages: tuple[str, ...]
    task: str
    protocol: str
    unit: str
    gold: str
    metrics: tuple[str, ...]
    interpretation: str
    size: str
    limitations: tuple[str, ...]
    traps: tuple[str, ...]
    similar: tuple[str, ...]
    sha256: Mapping[str, str]

    def fields(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return asdict(self)


def names() -> list[str]:
    """Every card's name, sorted.

    >>> "locomo" in names()
    True
    """
    return sorted(one.name.removesuffix(".toml") for one in files(__name__).iterdir() if one.name.endswith(".toml"))


@cache
def card(name: str) -> Card:
    """The card of a data set. Raises UnknownMethod where there is none.

    >>> card("locomo").metrics[0]
    'R@10'
    """
    if name not in names():
        raise UnknownMethod("bench card", name, names())
    held = tomllib.loads((files(__name__) / f"{name}.toml").read_text("utf-8"))
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in held.items()}
    return Card(name=name, **given)


def known_hashes(name: str) -> Mapping[str, str]:
    """File name -> sha256 of the files that the card's figures were measured on."""
    return card(name).sha256


def known(name: str, path: Path) -> bool:
    """Whether a file is one of those, whatever it is called here."""
    return fingerprint(path) in known_hashes(name).values()


def page(one: Card) -> str:
    """The card as Markdown."""
    lines = [f"# {one.title}", "", one.overview.strip(), ""]
    for name in ("source", "licence", "languages", "task", "protocol", "unit", "gold", "metrics", "size"):
        value = getattr(one, name)
        lines.append(f"- **{name}**: {value if isinstance(value, str) else ', '.join(value)}")
    lines += ["", "## How to read a figure", "", one.interpretation.strip()]
    for heading, name in (("Limitations", "limitations"), ("Traps", "traps"), ("Similar", "similar")):
        if told := getattr(one, name):
            lines += ["", f"## {heading}", "", *(f"- {item}" for item in told)]
    if one.sha256:
        lines += ["", "## Files measured", "", *(f"- `{file}` {digest}" for file, digest in one.sha256.items())]
    return "\n".join(lines) + "\n"
