"""How a system looks in every chart, on the page and in the plots: its colour, its mark, its line.

memspan is blue (its ablations dashed), baselines and controls are grey, peers have the other hues, so that a kind is
seen at a glance. The hues differ in lightness too, for readers who see few of them, and no two of a kind share hue
and mark while it has ten or fewer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

MARKS = ("circle", "square", "triangle", "diamond", "cross", "plus", "down")
DASHES = ("", "6 3", "2 2", "8 3 2 3")
KINDS = ("memspan", "peer", "baseline", "control", "ablation")
# name -> on a light ground, on a dark ground; each at least 3 : 1 against its ground
COLOURS: Mapping[str, tuple[str, str]] = {
    "blue": ("#0b5fa5", "#6cb6ff"),
    "sky": ("#2f8ad0", "#a6d3ff"),
    "navy": ("#132f66", "#4f8fe8"),
    "vermilion": ("#c8500a", "#ff9248"),
    "green": ("#00795a", "#3fcf9f"),
    "magenta": ("#a8327d", "#f07cc0"),
    "mustard": ("#8a6d00", "#dcb93a"),
    "violet": ("#6a4fb3", "#b6a2ff"),
    "ash": ("#5a5a5a", "#c0c0c0"),
    "coal": ("#262626", "#ececec"),
    "mist": ("#848484", "#909090"),
}
HUES = {
    "memspan": ("blue", "sky", "navy"),
    "peer": ("vermilion", "green", "magenta", "mustard", "violet"),
    "baseline": ("ash", "coal", "mist"),
    "control": ("mist", "ash"),
    "ablation": ("sky", "navy", "blue"),
}

_FIRST_DASH = {"memspan": 0, "peer": 0, "baseline": 2, "control": 3, "ablation": 1}


@dataclass(frozen=True, slots=True)
class Look:
    """Colour by name, mark, and dash pattern of the line (empty: solid)."""

    colour: str
    mark: str
    dash: str


def looks(systems: Sequence[Mapping[str, Any]]) -> dict[str, Look]:
    """The look of each system, by its kind and its place among those of its kind.

    systems: entries of a result, with name and kind; Any: read back from JSON

    >>> looks([{"name": "default", "kind": "memspan"}, {"name": "bm25", "kind": "baseline"}])["bm25"]
    Look(colour='ash', mark='circle', dash='2 2')
    """
    places = {kind: count() for kind in KINDS}
    return {one["name"]: _look(one["kind"], next(places[one["kind"]])) for one in systems}


def _look(kind: str, place: int) -> Look:
    hues = HUES[kind]
    turn = place // len(hues)
    return Look(
        colour=hues[place % len(hues)],
        mark=MARKS[(place + turn) % len(MARKS)],
        dash=DASHES[(turn + _FIRST_DASH[kind]) % len(DASHES)],
    )
