"""Ranking: arms, fusion by z-score, boosts. Boosts, never filters; ties go to the newest.

z(s) = (s - mean) / std over all units of the scope, per question and arm. The sum of the weighted z is flat around its
optimum, where reciprocal-rank fusion loses even to one arm alone when another is weak.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp

import numpy as np
from numpy.typing import NDArray

from memspan.core.records import Arm as Why
from memspan.text.extract.asked import (
    ValueOf,
    asked_ranges,
    asked_slots,
    of_oneself,
    of_the_answer,
    of_what_oneself_said,
)
from memspan.text.extract.entities import named
from memspan.text.extract.statements import statement
from memspan.text.index.entry import keyed
from memspan.text.index.fates import Mask, View
from memspan.text.index.flat import Flat
from memspan.text.index.marks import INSTRUCTION, PREFERENCE
from memspan.text.index.scope import ScopeIndex
from memspan.text.index.words import query_words
from memspan.text.recall import exchange
from memspan.text.recall.advice import towards
from memspan.text.recall.newest import LOOKED_AT, newer_first
from memspan.text.recall.rerank import NAME, Reranked, Reranker, how_many
from memspan.text.recall.setting import Setting

Floats = NDArray[np.float32]
Units = NDArray[np.int64]
Spans = Sequence[tuple[float, float]]
TextOf = Callable[[Sequence[int]], Mapping[int, str]]
"""Texts of units, by unit."""

MAX_QUESTION_CHARS = 20_000
_WISHES = INSTRUCTION | PREFERENCE
_BEHIND = 1e-3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its vectors by embedder name, (dim,).

    matter: what it is about, whose words and vectors are searched for
    sought: the same without what all questions for advice share; empty where it asks for none
    """

    question: str
    matter: str
    vectors: Mapping[str, Floats]
    sought: Mapping[str, Floats]


@dataclass(slots=True)
class Arm:
    """One arm's word on every unit. name: its key

    raw: scores of all units (count + 1,), [0] is nobody; lexical scores are 0 outside the candidates
    base, slope: what it adds to the sum for raw score 0, and per unit of raw score (weight / std)
    weight: its share of the sum
    """

    name: str
    raw: Floats
    base: float
    slope: float
    weight: float

    def added(self, units: Units) -> Floats:
        """What the arm adds to the sum of some units."""
        return np.float32(self.base) + np.float32(self.slope) * self.raw[units]


@dataclass(slots=True)
class Ranking:
    """Units best first with their sums, and why.

    units, scores: (depth,);  arms: lexical first;  boosts: name -> what it adds to each unit (count + 1,)
    standing: units of the standing instructions nearest to the question;  lifted: preferences brought up by rule
    heirs: unit that no longer holds -> the one that holds instead, 0 where nothing does
    words: of the question, as hashes;  idf_sum: of those that the scope knows;  words_known, words_asked: how many
    vectors: the question as each plane was asked, by embedder name, (dim,)
    reranked: what the reranker says, None where nothing was read again
    spans: the days it is about, half-open [s]
    """

    units: Units
    scores: Floats
    arms: list[Arm] = field(default_factory=list)
    boosts: dict[str, Floats] = field(default_factory=dict)
    standing: list[int] = field(default_factory=list)
    lifted: list[int] = field(default_factory=list)
    heirs: dict[int, int] = field(default_factory=dict)
    words: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    idf_sum: float = 0.0
    words_known: int = 0
    words_asked: int = 0
    vectors: Mapping[str, Floats] = field(default_factory=dict)
    reranked: Reranked | None = None
    spans: Spans = ()

    def explain(self, units: Units) -> list[tuple[float, tuple[Why, ...]]]:
        """Fused score of each ranked unit, and what each arm and boost said of it; ranks are among the ranked units."""
        fused = _sum(self.arms, self.boosts, units).tolist()
        said = [
            zip(
                itertools.repeat(arm.name),
                arm.raw[units].tolist(),
                _ranks(arm.raw[self.units], arm.raw[units]).tolist(),
                arm.added(units).tolist(),
                strict=False,
            )
            for arm in self.arms
        ]
        added = {name: boost[units].tolist() for name, boost in self.boosts.items()}
        words = [[Why(*arm) for arm in arms] for arms in zip(*said, strict=True)]
        for place, unit in enumerate(units.tolist()):
            words[place] += [Why(name, 1.0, 1, gains[place]) for name, gains in added.items() if gains[place]]
            if unit in self.lifted:
                words[place].append(Why("preference", 1.0, 1 + self.lifted.index(unit), 0.0))
        return [(score, tuple(why)) for score, why in zip(fused, words, strict=True)]


def _ranks(among: Floats, scores: Floats) -> NDArray[np.int64]:
    """Rank of each score among others, 1 = nothing is higher."""
    return 1 + len(among) - np.searchsorted(np.sort(among), scores, side="right")


def rank(
    index: ScopeIndex,
    asked: Asked,
    setting: Setting,
    text_of: TextOf,
    depth: int,
    view: View,
    reranker: Reranker | None = None,
) -> Ranking:
    """Rank the units of a scope for a question.

    text_of: reads texts;  depth: how many to rank
    view: the moment memory is looked at from; what it does not see is not ranked
    reranker: reads the best again, before the rules have their say
    """
    if not index.count:
        return Ranking(np.empty(0, np.int64), np.empty(0, np.float32))
    question = asked.question[:MAX_QUESTION_CHARS]
    words = query_words(asked.matter)
    query = index.lexical.query(words)
    plain, there = query.plain(), view.mask
    if there is not None:
        plain[~there] = 0
    seen = index.count if there is None else int(there.sum())
    marked = _marked(index, view)
    wished = marked[(index.marks[marked] & _WISHES) > 0]
    crowded = len(wished) > setting.crowded * seen and bool(asked.sought)
    prepared = _prepared(index, asked.sought if crowded else asked.vectors, setting)
    near = {name: _scan(flat, vector, there) for name, (flat, vector) in prepared.items()}
    if crowded and near:
        setting = _dense_alone(setting)
        for name, (flat, vector) in prepared.items():
            vector = towards(flat, vector, near[name], setting.feedback_from, setting.feedback)
            prepared[name], near[name] = (flat, vector), _scan(flat, vector, there)

    arms = [_lexical(index, plain, query.exact, list(near.values()), setting, there)]
    arms += [_arm(name, cosines, setting.weights[name], there) for name, cosines in near.items()]
    spans = asked_ranges(question, index.years, view.anchor)
    boosts = _boosts(index, question, spans, setting, lambda slot: _value(slot, view, text_of))
    total = _total(index.count, arms, boosts, there)
    units = highest(total, min(depth, seen))
    boosts["exchange"] = exchange.gains(index, units, total, setting)
    ranking = _ordered(units, _sum(arms, boosts, units), arms, boosts)
    ranking.spans = spans
    nearest = prepared[arms[-1].name] if len(arms) > 1 else None
    if reranker is not None:
        _read_again(ranking, index, asked, reranker, text_of)
    _bridge(ranking, index, setting, text_of, view)
    _succeed(ranking, index, setting, view)
    _newest(ranking, index, question, text_of, view)
    if nearest is not None:
        flat, vector = nearest
        pinned = marked[(index.marks[marked] & INSTRUCTION) > 0]
        ranking.standing = _nearest(pinned, flat.some(vector, pinned), setting.standing)
        if asked.sought and not crowded:
            sought = flat.prepare(asked.sought[list(prepared)[-1]])
            _lift(ranking, _nearest(wished, flat.some(sought, wished), setting.lifted), setting.lift_to)
    ranking.vectors = {name: vector for name, (_, vector) in prepared.items()}
    ranking.words = words
    ranking.idf_sum, ranking.words_known, ranking.words_asked = query.idf_sum, len(query.units), len(words)
    return ranking


def _prepared(index: ScopeIndex, vectors: Mapping[str, Floats], setting: Setting) -> dict[str, tuple[Flat, Floats]]:
    """The planes that know a word of the question, and the question as each compares it."""
    planes = {name: index.flats[name][1] for name in setting.embedders if vectors[name].any()}
    return {name: (flat, flat.prepare(vectors[name])) for name, flat in planes.items()}


def _scan(flat: Flat, vector: Floats, there: Mask | None) -> Floats:
    """Cosines of all units; -1 of what is not seen."""
    cosines = flat.scan(vector)
    if there is not None:
        cosines[~there] = -1
    return cosines


def _dense_alone(setting: Setting) -> Setting:
    """The setting with the words' share given to the dense arms."""
    rest = 1 - setting.weights["lexical"]
    weights = {name: weight / rest for name, weight in setting.weights.items()}
    return replace(setting, weights=weights | {"lexical": 0.0})


def _lexical(
    index: ScopeIndex,
    plain: Floats,
    exact: Callable[[NDArray[np.int32]], Floats],
    near: Sequence[Floats],
    setting: Setting,
    there: Mask | None,
) -> Arm:
    """BM25F of the candidates: the best by plain BM25 with their neighbours, and the best of each dense arm."""
    touched = np.flatnonzero(plain)
    best = touched[highest(plain[touched], min(setting.candidates, len(touched)))]
    some: list[Units] = [index.neighbours[best].ravel().astype(np.int64)]
    some += [highest(cosines, min(setting.candidates, index.count)) for cosines in near]
    wanted = np.zeros(index.count + 1, np.bool_)
    wanted[np.concatenate(some)] = True
    wanted[0] = False
    candidates = np.flatnonzero(wanted)
    raw = np.zeros(index.count + 1, np.float32)
    raw[candidates] = exact(index.neighbours[candidates])
    return _arm("lexical", raw, setting.weights["lexical"], there)


def _arm(name: str, raw: Floats, weight: float, there: Mask | None) -> Arm:
    """z-scores as a line through the raw scores; an arm that says the same of all says nothing."""
    seen = raw[1:] if there is None else raw[there]
    if not len(seen):
        return Arm(name, raw, 0.0, 0.0, weight)
    mean = float(seen.mean(dtype=np.float64))
    spread = float(np.sqrt(max(0.0, float(np.square(seen, dtype=np.float64).mean()) - mean * mean)))
    if spread < 1e-9:
        return Arm(name, raw, 0.0, 0.0, weight)
    return Arm(name, raw, -weight * mean / spread, weight / spread, weight)


def _total(count: int, arms: Sequence[Arm], boosts: Mapping[str, Floats], there: Mask | None) -> Floats:
    """Fused scores of all units, (count + 1,); -inf of nobody and of what is not seen."""
    total = np.full(count + 1, sum(arm.base for arm in arms), np.float32)
    for arm in arms:
        total += np.float32(arm.slope) * arm.raw
    for boost in boosts.values():
        total += boost
    total[0] = -np.inf
    if there is not None:
        total[~there] = -np.inf
    return total


def _sum(arms: Sequence[Arm], boosts: Mapping[str, Floats], units: Units) -> Floats:
    """Fused scores of some units, (len(units),)."""
    scores = np.zeros(len(units), np.float32)
    for arm in arms:
        scores += arm.added(units)
    for boost in boosts.values():
        scores += boost[units]
    return scores


def within(at: NDArray[np.float64], spans: Iterable[tuple[float, float]]) -> Mask:
    """Which of the times lie in one of the half-open spans, (len(at),); a time not known lies in none."""
    inside = np.zeros(len(at), np.bool_)
    for start, end in spans:
        inside |= (at >= start) & (at < end)
    return inside


def sharing(times: NDArray[np.float64], spans: Spans) -> Mask:
    """Which of the times have a moment in one of the half-open spans, (times,). times: (times, 2), start and end"""
    shared = np.zeros(len(times), np.bool_)
    for start, end in spans:
        shared |= (times[:, 0] < end) & (times[:, 1] > start)
    return shared


def word_of(question: str, setting: Setting) -> tuple[float, float]:
    """What the user's word gets, and what the others' gets: it depends on whose a question asks for."""
    if of_the_answer(question):
        return 0.0, setting.own
    if of_what_oneself_said(question):
        return setting.user + setting.said, 0.0
    return setting.user + (setting.own if of_oneself(question) else 0.0), 0.0


def _value(slot: int, view: View, text_of: TextOf) -> str:
    """What a thing is at this moment, empty where nothing says so."""
    said = statement(text_of([unit]).get(unit, "")) if (unit := view.holder(slot)) else None
    return said.value if said is not None else ""


def _boosts(index: ScopeIndex, question: str, spans: Spans, setting: Setting, value_of: ValueOf) -> dict[str, Floats]:
    mine, theirs = word_of(question, setting)
    boosts: dict[str, Floats] = {"user": np.where(index.user, np.float32(mine), np.float32(theirs))}
    if spans:
        inside = within(index.at, spans)
        tellers, told = index.told
        inside[tellers[sharing(told, spans)]] = True
        boosts["date"] = inside * np.float32(setting.date)
    if len(index.names) > 1 and len(meant := named(question, index.names)) == 1:
        boosts["speaker"] = (index.speaker == index.speakers[meant.pop()]) * np.float32(setting.speaker)
    if held := [unit for slot in asked_slots(question, index.speakers, value_of) for unit in index.fates.stating(slot)]:
        boosts["asked"] = np.zeros(index.count + 1, np.float32)
        boosts["asked"][held] = setting.asked
    for boost in boosts.values():
        boost[0] = 0
    return boosts


def highest(scores: Floats, most: int) -> Units:
    """Places of the `most` highest scores, in no order; place 0 (nobody) only where scores say so."""
    if most >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(scores, len(scores) - most)[len(scores) - most :] if most else np.empty(0, np.int64)


def _ordered(units: Units, scores: Floats, arms: list[Arm], boosts: dict[str, Floats]) -> Ranking:
    newest = np.argsort(-units)  # then a stable sort by score: ties go to the newest
    order = newest[np.argsort(-scores[newest], kind="stable")]
    return Ranking(units[order], scores[order], arms, boosts)


def _read_again(ranking: Ranking, index: ScopeIndex, asked: Asked, reranker: Reranker, text_of: TextOf) -> None:
    """Add the reranker's arm and put the units in order by it."""
    units = ranking.units[: how_many(index.chars[ranking.units])]
    if not len(units):
        return
    texts, names = text_of(units.tolist()), list(index.speakers)
    speakers = [names[number] for number in index.speaker[units].tolist()]
    shown = [keyed(speaker, texts.get(unit, "")) for unit, speaker in zip(units.tolist(), speakers, strict=True)]
    places = {unit: place for place, unit in enumerate(units.tolist())}
    beside = [[places.get(unit, -1) for unit in around] for around in index.neighbours[units, 1:].tolist()]
    reranked = reranker.candidates(
        asked.matter,
        shown,
        np.array(beside),
        index.readings,
        advice=bool(asked.sought),
        dated="date" in ranking.boosts,
    )
    raw = np.full(index.count + 1, reranked.floor, np.float32)
    raw[units] = reranked.raw
    ranking.reranked = reranked
    ranking.arms.append(Arm(NAME, raw, 0.0, 1.0, 1.0))
    again = _ordered(ranking.units, ranking.scores + raw[ranking.units], ranking.arms, ranking.boosts)
    ranking.units, ranking.scores = again.units, again.scores


def _bridge(ranking: Ranking, index: ScopeIndex, setting: Setting, text_of: TextOf, view: View) -> None:
    """Raise units headed by a name that one of the best units mentions, at most to just behind the one that does."""
    best = ranking.units[: setting.bridge_from].tolist()
    texts = text_of(best) if index.heads else {}
    led: dict[int, list[tuple[float, float]]] = {}
    for unit, score in zip(best, ranking.scores.tolist(), strict=False):
        gain = setting.bridge * exp(score - float(ranking.scores[0]))
        for headed in index.heads.mentioned(texts.get(unit, "")):
            if headed != unit and view.sees(headed):
                led.setdefault(headed, []).append((score, gain))
    own = _sum(ranking.arms, ranking.boosts, np.array(list(led), np.int64)).tolist()
    gains = {
        unit: max(min(gain, max(0.0, score - _BEHIND - mine)) for score, gain in led[unit])
        for unit, mine in zip(led, own, strict=True)
    }
    _boost(ranking, "bridge", gains, index.count)


def _boost(ranking: Ranking, name: str, gains: Mapping[int, float], count: int) -> None:
    """Add to some units' scores, bring those in that were not ranked, and put all in order."""
    if not gains:
        return
    boost = np.zeros(count + 1, np.float32)
    boost[list(gains)] = list(gains.values())
    missing = np.array(sorted(set(gains).difference(ranking.units.tolist())), np.int64)
    scores = np.concatenate([ranking.scores, _sum(ranking.arms, ranking.boosts, missing)])
    units = np.concatenate([ranking.units, missing])
    ranking.boosts[name] = boost
    again = _ordered(units, scores + boost[units], ranking.arms, ranking.boosts)
    ranking.units, ranking.scores = again.units, again.scores


def _succeed(ranking: Ranking, index: ScopeIndex, setting: Setting, view: View) -> None:
    """Put what holds before what it replaced: the newer takes the best place of the two, the older steps back."""
    ranking.heirs = {unit: heir for unit in view.told(ranking.units.tolist()) if (heir := view.heir(unit)) != unit}
    if not ranking.heirs or view.history:
        return
    scores = dict(zip(ranking.units.tolist(), ranking.scores.tolist(), strict=True))
    missing = np.array(sorted(set(ranking.heirs.values()).difference(scores, {0})), np.int64)
    scores |= dict(zip(missing.tolist(), _sum(ranking.arms, ranking.boosts, missing).tolist(), strict=True))
    gains: dict[int, float] = {}
    for unit, heir in ranking.heirs.items():
        if heir:
            gains[heir] = max(gains.get(heir, 0.0), scores[unit] - scores[heir])
    gains |= dict.fromkeys(ranking.heirs, -setting.superseded)
    _boost(ranking, "succession", gains, index.count)


def _newest(ranking: Ranking, index: ScopeIndex, question: str, text_of: TextOf, view: View) -> None:
    """Put the newer of two claims about the same before the older one; the score of a place stays with the place."""
    head = ranking.units[:LOOKED_AT]
    if view.history or len(head) < 2:
        return
    at = np.where(np.isnan(index.at[head]), index.seen_at[head], index.at[head]).tolist()
    units = head.tolist()
    moved = newer_first(units, text_of(units), at, question, index.own)
    if moved != units:
        ranking.units[: len(head)] = moved


def _marked(index: ScopeIndex, view: View) -> Units:
    """User units with any mark that hold at this moment, ascending."""
    marked = index.marked if view.mask is None else index.marked[view.mask[index.marked]]
    if not view.eventful:
        return marked
    gone = [unit for unit in view.told(marked.tolist()) if view.heir(unit) != unit]
    return np.setdiff1d(marked, gone) if gone else marked


def _lift(ranking: Ranking, preferences: Sequence[int], place: int) -> None:
    """Bring the preferences nearest to what is sought up to a place, counted from 1, where they are not before it."""
    before = ranking.units[: place - 1].tolist()
    lifted = [unit for unit in preferences if unit not in before]
    order = [unit for unit in ranking.units.tolist() if unit not in lifted]
    order[place - 1 : place - 1] = lifted
    scores = dict(zip(ranking.units.tolist(), ranking.scores.tolist(), strict=True))
    floor = float(ranking.scores[-1])
    ranking.lifted = lifted
    ranking.units = np.array(order, np.int64)
    ranking.scores = np.array([scores.get(unit, floor) for unit in order], np.float32)


def _nearest(units: Units, cosines: Floats, most: int) -> list[int]:
    """The units with the highest cosines, nearest first; ties newest first."""
    return [int(unit) for unit in units[np.lexsort((-units, -cosines))][:most]]
