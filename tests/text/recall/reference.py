"""The recall setting written out slowly and directly, to hold the engine against.

float64, plain loops, no index, nothing shared with the engine but the word analyser and the extraction rules.
What the setting (docs/ARCHITECTURE.md, rules 2.1 to 2.5) leaves open is decided here; each place is a field of
Choices or a line below:

1. Order of neighbours: the order of writing inside one session (not time); "" is a session like any other.
2. Lengths, N, df and avgL count every unit of the scope; a unit of no words has length 0 and y from its neighbours.
3. z uses the population's deviation (ddof 0); an arm without spread (std below 1e-12) adds 0 for all.
4. A unit's own zero vector stays zero; after the common direction is taken out vectors are made unit again
   before the window is summed (Choices.unit_before_window).
5. The common direction is that of the vectors without window, not centred; a collection of fewer than
   Choices.least_for_common units keeps it.
6. The S of the bridge is the sum with all other boosts, or the fused sum alone (Choices.bridge_on_boosted); the
   five best are taken from it (ties: newest first, that is later in writing first); a unit never bridges to
   itself (Choices.bridge_to_itself).
7. A head entity occurs in a unit where its words stand there in a row, in any case, in the raw text. It counts
   only where at most 3 units open with it (same words, any case), itself included.
8. "names exactly one speaker": exactly one of the distinct non-empty speakers of the scope.
9. A date range adds once, however many ranges hold the unit; a unit without time is in none.
10. A date without a year means every year among the units' times, in UTC.
11. A question about oneself ("I", "my") gives the user's turns OWN more. The rules of exchange.py and told.py are not
   in the reference: no turn of its conversations ends with a question or tells of another day.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from memspan.text.extract.dates import ranges
from memspan.text.extract.entities import head_entity, named

KAPPA = (1.0, 0.3, 0.15, 0.075)
B, K1 = 0.9, 1.2
DATE, SPEAKER, ROLE, OWN, BRIDGE = 3.0, 0.8, 0.3, 0.6, 2.0
BEHIND = 1e-3
HEAD_SHARED_BY = 3
BRIDGES_FROM = 5


@dataclass(frozen=True)
class Unit:
    """A turn as recall sees it. at: [s since 1970 UTC] or None"""

    text: str
    speaker: str = ""
    role: str = "user"
    session: str = ""
    at: float | None = None

    @property
    def indexed(self) -> str:
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


@dataclass(frozen=True)
class Dense:
    """One embedder's arm. vectors: (units, dim);  query: (dim,);  weight: in the fusion"""

    vectors: np.ndarray
    query: np.ndarray
    weight: float
    neighbour_weight: float = 0.3
    remove_common: bool = False


@dataclass(frozen=True)
class Choices:
    """Where the setting's text can be read in two ways."""

    unit_before_window: bool = True
    least_for_common: int = 2
    bridge_to_itself: bool = False
    bridge_on_boosted: bool = True


def scores(
    units: Sequence[Unit],
    question: str,
    analyse: Callable[[str], list[str]],
    dense: Mapping[str, Dense],
    *,
    lexical_weight: float = 0.5,
    choices: Choices = Choices(),
) -> dict[str, np.ndarray]:
    """Every part of the score, each (units,) float64.

    Keys: "lexical" (F), one cosine for each dense arm by its name, "z:NAME" for each arm, "fused" (S), "date",
    "speaker", "role", "bridge", and "total".
    """
    near = neighbours(units)
    found = {"lexical": lexical(units, question, analyse, near)}
    weights = {"lexical": lexical_weight}
    for name, arm in dense.items():
        found[name] = cosines(arm, near, choices)
        weights[name] = arm.weight
    fused = np.zeros(len(units))
    for name, weight in weights.items():
        found[f"z:{name}"] = z(found[name])
        fused = fused + weight * found[f"z:{name}"]
    found["fused"] = fused
    found["date"] = date_boost(units, question)
    found["speaker"] = speaker_boost(units, question)
    role = ROLE + (OWN if {"i", "my"} & set(question.lower().split()) else 0.0)
    found["role"] = np.array([role if unit.role == "user" else 0.0 for unit in units])
    boosted = fused + found["date"] + found["speaker"] + found["role"]
    found["bridge"] = bridge_boost(units, boosted if choices.bridge_on_boosted else fused, choices)
    found["total"] = boosted + found["bridge"]
    return found


def neighbours(units: Sequence[Unit]) -> list[dict[int, int]]:
    """For each unit: which unit stands k places from it in its session, k from -3 to 3."""
    sessions: dict[str, list[int]] = {}
    for number, unit in enumerate(units):
        sessions.setdefault(unit.session, []).append(number)
    near: list[dict[int, int]] = [{} for _ in units]
    for line in sessions.values():
        for place, number in enumerate(line):
            for k in range(-3, 4):
                if 0 <= place + k < len(line):
                    near[number][k] = line[place + k]
    return near


def lexical(
    units: Sequence[Unit], question: str, analyse: Callable[[str], list[str]], near: Sequence[Mapping[int, int]]
) -> np.ndarray:
    """F of rule 2.1."""
    bags = [Counter(analyse(unit.indexed)) for unit in units]
    lengths = [sum(bag.values()) for bag in bags]
    average = sum(lengths) / len(units) if units else 0.0
    result = np.zeros(len(units))
    for term in set(analyse(question)):
        containing = sum(1 for bag in bags if term in bag)
        if not containing:
            continue
        idf = math.log(1 + (len(units) - containing + 0.5) / (containing + 0.5))
        for i in range(len(units)):
            y = 0.0
            for k, j in near[i].items():
                if bags[j][term]:
                    y += KAPPA[abs(k)] * bags[j][term] / (1 - B + B * lengths[j] / average)
            result[i] += idf * (K1 + 1) * y / (K1 + y)
    return result


def cosines(arm: Dense, near: Sequence[Mapping[int, int]], choices: Choices = Choices()) -> np.ndarray:
    """Cosine of the question with each windowed vector, rules 2.2 and 2.3."""
    vectors = [unit_vector(np.asarray(vector, np.float64)) for vector in arm.vectors]
    query = unit_vector(np.asarray(arm.query, np.float64))
    if arm.remove_common and len(vectors) >= choices.least_for_common:
        direction = common_direction(np.array(vectors))
        vectors = [vector - (vector @ direction) * direction for vector in vectors]
        query = unit_vector(query - (query @ direction) * direction)
        if choices.unit_before_window:
            vectors = [unit_vector(vector) for vector in vectors]
    weights = [1.0, *(arm.neighbour_weight / 2**k for k in range(3))]
    result = np.zeros(len(vectors))
    for i in range(len(vectors)):
        window = np.zeros(len(query))
        for k, j in near[i].items():
            window = window + weights[abs(k)] * vectors[j]
        result[i] = unit_vector(window) @ query
    return result


def common_direction(vectors: np.ndarray) -> np.ndarray:
    """The first right singular vector, uncentred, (dim,); its sign does not matter."""
    return np.linalg.svd(vectors, full_matrices=False)[2][0]


def unit_vector(vector: np.ndarray) -> np.ndarray:
    """Length 1; zeros stay zeros."""
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 1e-12 else np.zeros_like(vector)


def z(raw: np.ndarray) -> np.ndarray:
    """Deviations from the mean in standard deviations; zeros where all are equal."""
    spread = float(np.std(raw)) if len(raw) else 0.0
    return (raw - np.mean(raw)) / spread if spread > 1e-12 else np.zeros(len(raw))


def date_boost(units: Sequence[Unit], question: str) -> np.ndarray:
    """+3 where the unit's time lies in a range the question names."""
    years = sorted({datetime.fromtimestamp(unit.at, UTC).year for unit in units if unit.at is not None})
    wanted = ranges(question, years)
    inside = [unit.at is not None and any(low <= unit.at < high for low, high in wanted) for unit in units]
    return DATE * np.array(inside, np.float64).reshape(len(units))


def speaker_boost(units: Sequence[Unit], question: str) -> np.ndarray:
    """+.8 where the question names exactly one speaker and the unit is theirs."""
    found = named(question, sorted({unit.speaker for unit in units} - {""}))
    return np.array([SPEAKER if len(found) == 1 and unit.speaker in found else 0.0 for unit in units])


def bridge_boost(units: Sequence[Unit], sums: np.ndarray, choices: Choices = Choices()) -> np.ndarray:
    """+2 max over the 5 best units u of exp(S_u - S_best), where the unit's head entity occurs in u; never past u."""
    heads = [head_entity(unit.text) for unit in units]
    shared = Counter(_words(head) for head in heads if head)
    best = sorted(range(len(units)), key=lambda i: (-sums[i], -i))[:BRIDGES_FROM]
    result = np.zeros(len(units))
    for i, head in enumerate(heads):
        if not head or shared[_words(head)] > HEAD_SHARED_BY:
            continue
        for u in best:
            if (u != i or choices.bridge_to_itself) and f" {_words(head)} " in f" {_words(units[u].text)} ":
                gain = BRIDGE * math.exp(sums[u] - sums[best[0]])
                result[i] = max(result[i], min(gain, max(0.0, sums[u] - BEHIND - sums[i])))
    return result


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
