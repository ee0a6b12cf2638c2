"""Cards: what a method is, where it comes from and what it needs, as data.

Method pages, `memspan methods` and the benchmark table are made from them.
"""

from dataclasses import dataclass
from typing import Literal

Needs = Literal["nothing", "rules", "llm", "onnx", "torch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a method is.

    title: one line;  source: paper or project with its number;  year: of the source
    claims: what the source says of it;  needs: what must be there to run it
    failures: what it is known to get wrong
    """

    title: str
    source: str
    year: int
    claims: tuple[str, ...] = ()
    needs: Needs = "nothing"
    failures: tuple[str, ...] = ()
