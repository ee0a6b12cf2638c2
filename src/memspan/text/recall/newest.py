"""The newer of two claims about the same comes first, though the question was made of the older one's words.

The older claim usually wins on words: "Where is Ada based?" - "Ada is based in Berlin" - "Ada, no longer in Berlin,
has settled in Rome". So among the best units, a newer claim moves before the older one that it is nearest to.
Nearest, not nearer than some similarity: on letta-core a threshold at the scope's own quantile finds as many only
where it costs chats up to 5 points of MRR. Chats hold next to no claims, so that nothing is moved, or even compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memspan.text.extract.claims import is_claim, names
from memspan.text.index.words import words
from memspan.text.patterns import later

LOOKED_AT = 16
"""How many of the best units are compared."""
SECOND_UP_TO = 6
"""A claim among the first so many also passes the second nearest."""
SHARE = 0.3
"""Of the words two claims share where they share no name, and of the older one's answer to the question."""

_OWNER = later(r"(\b[Mm](?:y|ine)\b|\b[Oo]urs?\b)|\b[A-Z][\w-]+['’]s\b(?! (?:a|the|been|going|not|now|just)\b)")

Vectors = Callable[[Sequence[int]], NDArray[np.float32]]
"""Unit rows of units, (len(units), dim); dim may be 0."""


@dataclass(frozen=True, slots=True)
class _Claim:
    place: int
    at: float
    stems: frozenset[str]
    names: frozenset[str]
    owner: str


def newer_first(
    units: Sequence[int], texts: Mapping[int, str], at: Sequence[float], question: str, vectors: Vectors
) -> list[int]:
    """The same units, a newer claim directly before the older one it is nearest to.

    units: best first;  texts: by unit, of the first LOOKED_AT;  at: when each was said [s], parallel to units
    vectors: asked for only where two claims of different times are among them
    """
    order = list(units)
    claims = [
        _Claim(place, at[place], frozenset(words(text)), names(text), _owner(text))
        for place, unit in enumerate(units[:LOOKED_AT])
        if at[place] == at[place] and is_claim(text := texts.get(unit, ""))  # NaN: not known when
    ]
    if len({claim.at for claim in claims}) < 2:
        return order
    rows = vectors([units[claim.place] for claim in claims])
    near = rows @ rows.T + np.array([[_shared(one.stems, other.stems) for other in claims] for one in claims])
    asked = frozenset(words(question))
    for mine, claim in enumerate(claims):
        unit = units[claim.place]
        passed = [order.index(units[claims[one].place]) for one in _passed(mine, claims, near, asked)]
        if passed and min(passed) < order.index(unit):
            order.remove(unit)
            order.insert(min(passed), unit)
    return order


def _passed(mine: int, claims: Sequence[_Claim], near: NDArray[np.float32], asked: frozenset[str]) -> Iterator[int]:
    """Which older claims this one comes before."""
    claim = claims[mine]
    older = [one for one, other in enumerate(claims) if other.at < claim.at and _comparable(claim, other)]
    older.sort(key=lambda one: -near[mine, one])
    for one in older[: 2 if claim.place < SECOND_UP_TO else 1]:
        other = claims[one]
        newer = [two for two, third in enumerate(claims) if third.at > other.at and _comparable(third, other)]
        answers = asked & other.stems
        answered = len(answers & claim.stems) >= SHARE * len(answers)
        if answered and max(newer, key=lambda two: near[two, one]) == mine:
            yield one


def _comparable(one: _Claim, other: _Claim) -> bool:
    if one.owner != other.owner and "me" in (one.owner, other.owner) and "" not in (one.owner, other.owner):
        return False  # "my parcels" and "Pernille's parcels" have the words in common and nothing else
    return not one.names.isdisjoint(other.names) or _shared(one.stems, other.stems) >= SHARE


def _owner(text: str) -> str:
    """Whose thing a claim opens with: "me", "someone" named, or "" where it is nobody's.

    >>> _owner("My parcels are left at the laundry."), _owner("Pernille's are not."), _owner("It rains.")
    ('me', 'someone', '')
    """
    seen = _OWNER.search(text)
    if seen is None:
        return ""
    return "me" if seen[1] else "someone"


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard."""
    either = len(one | other)
    return len(one & other) / either if either else 0.0
