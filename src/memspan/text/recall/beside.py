"""Records ranked beside turns: one order of both, whatever each is worth in the statistics of the turns.

Each arm draws the turns' z-scores as a line through their raw scores (rank.py); a record's raw score lies on the same
line, so both sums compare. Where all turns score the same, the line is drawn through turns and records together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from memspan.core.errors import UsageError
from memspan.text.extract.entities import named
from memspan.text.index.fates import Mask
from memspan.text.index.records import RecordIndex, RecordView
from memspan.text.index.scope import ScopeIndex
from memspan.text.index.words import query_words
from memspan.text.recall.rank import Floats, Ranking, TextOf, Units, highest, within, word_of
from memspan.text.recall.rerank import MOST, NAME, Reranked, how_many
from memspan.text.recall.setting import Setting

TURN = "turn"


@dataclass(frozen=True, slots=True)
class Guests:
    """Records of one index that may be found. there: which units;  offset: unit u is `offset + u` among all"""

    index: RecordIndex
    view: RecordView
    there: Mask
    offset: int


def check_kinds(kinds: Sequence[str] | None) -> tuple[str, ...] | None:
    """The kinds as given. Raises UsageError for one text, whose letters would be taken for kinds.

    >>> check_kinds(["fact"])
    ('fact',)
    """
    if isinstance(kinds, str):
        raise UsageError(f"kinds={kinds!r}: must be several, like ({kinds!r},)")
    return None if kinds is None else tuple(kinds)


def joined(
    ranking: Ranking,
    turns: ScopeIndex,
    guests: Sequence[Guests],
    question: str,
    setting: Setting,
    depth: int,
    text_of: TextOf,
) -> Ranking:
    """The ranking with records in it, numbered after the turns; what it says of the turns stays as it is.

    depth: how many records are ranked at most;  text_of: reads texts, of records too
    """
    for some in guests:
        raws, only = _raws(ranking, turns, some)
        _draw(ranking, raws, some.there, turns.count)
        boosts = _boosts(turns, some.index, question, ranking, setting)
        total = sum(boosts.values(), np.zeros(some.index.count + 1, np.float32))
        for arm in ranking.arms:
            if arm.name in raws:
                total += np.float32(arm.base) + np.float32(arm.slope) * raws[arm.name]
        total[~some.there] = -np.inf
        if ranking.reranked is not None:
            raws[NAME] = _read_again(ranking.reranked, some, total, text_of)
            total += raws[NAME]
        units = highest(total, min(depth, int(some.there.sum())))
        heirs = {unit: heir for unit in some.view.told(units) if (heir := some.view.heir(unit)) != unit}
        if heirs and not some.view.history:
            boosts["succession"] = _succession(total, heirs, some.there, setting)
            total += boosts["succession"]
            there = np.array([heir for heir in heirs.values() if heir and some.there[heir]], np.int64)
            units = np.union1d(units, there)
        _append(ranking, raws, boosts, some)
        ranking.heirs |= {some.offset + unit: heir and some.offset + heir for unit, heir in heirs.items()}
        _merge(ranking, units + some.offset, total[units])
        ranking.idf_sum += sum(only)
        ranking.words_known += len(only)
    return ranking


def _raws(ranking: Ranking, turns: ScopeIndex, some: Guests) -> tuple[dict[str, Floats], list[float]]:
    """Raw scores of records by arm, (count + 1,), and the idf of the question's words that only records have."""
    raws = {name: some.index.plane(name).scan(vector) for name, vector in ranking.vectors.items()}
    lexical = next(arm.name for arm in ranking.arms if arm.name not in raws)
    raws[lexical], only = turns.lexical.beside(some.index.lexical, ranking.words)
    return raws, only


def _read_again(reranked: Reranked, some: Guests, total: Floats, text_of: TextOf) -> Floats:
    """What the reranker says of the best records; the others count as the worst turn it read. (count + 1,)"""
    best = highest(total, min(MOST, int(some.there.sum())))
    best = best[np.argsort(-total[best])]
    best = best[: how_many(some.index.chars[best])]
    units = (best + some.offset).tolist()
    texts = text_of(units)
    raw = np.full(len(total), reranked.floor, np.float32)
    raw[best] = reranked.of([texts.get(unit, "") for unit in units])
    return raw


def _draw(ranking: Ranking, raws: Mapping[str, Floats], there: Mask, turns: int) -> None:
    """Give an arm that says the same of all turns a line on which these still get nothing. turns: how many"""
    for arm in ranking.arms:
        if arm.slope or not arm.weight or arm.name not in raws:
            continue
        theirs = raws[arm.name][there].astype(np.float64)
        level = float(arm.raw[ranking.units[0]]) if len(ranking.units) else float(theirs.mean())
        mean = (turns * level + float(theirs.sum())) / (turns + len(theirs))
        square = (turns * (level - mean) ** 2 + float(np.square(theirs - mean).sum())) / (turns + len(theirs))
        if square > 1e-18:
            arm.slope = arm.weight / sqrt(square)
            arm.base = -arm.slope * level


def _boosts(
    turns: ScopeIndex, records: RecordIndex, question: str, ranking: Ranking, setting: Setting
) -> dict[str, Floats]:
    """What a turn would get as well: for the user's own word, for a time and for a speaker that the question names."""
    mine, theirs = word_of(question, setting)
    boosts: dict[str, Floats] = {"user": np.where(records.trusted, np.float32(mine), np.float32(theirs))}
    if ranking.spans:
        boosts["date"] = within(records.at, ranking.spans) * np.float32(setting.date)
    if len(turns.names) > 1 and len(meant := named(question, turns.names)) == 1:
        about = np.zeros(records.count + 1, np.float32)
        about[records.lexical.holding(query_words(meant.pop()))] = setting.speaker
        boosts["speaker"] = about
    return boosts


def _succession(total: Floats, heirs: Mapping[int, int], there: Mask, setting: Setting) -> Floats:
    """What holds takes the best place of those it replaced; what no longer holds steps back."""
    gains = np.zeros(len(total), np.float32)
    for unit, heir in heirs.items():
        if heir and there[heir]:
            gains[heir] = max(float(gains[heir]), float(total[unit] - total[heir]))
    gains[list(heirs)] = -setting.superseded
    return gains


def _append(ranking: Ranking, raws: Mapping[str, Floats], boosts: Mapping[str, Floats], some: Guests) -> None:
    """Number the records' scores after those that are there."""
    for arm in ranking.arms:
        arm.raw = np.concatenate([arm.raw, raws[arm.name][1:]])
    for name in {**ranking.boosts, **boosts}:
        before = ranking.boosts.get(name)
        after = boosts.get(name)
        ranking.boosts[name] = np.concatenate([
            np.zeros(some.offset + 1, np.float32) if before is None else before,
            np.zeros(some.index.count, np.float32) if after is None else after[1:],
        ])  # fmt: skip


def _merge(ranking: Ranking, units: Units, scores: Floats) -> None:
    """Put units where their scores belong; the order of those that are there stays, whatever made it."""
    least = np.maximum.accumulate(ranking.scores[::-1])[::-1]  # what still comes: rules may have lifted lower scores
    newest = np.argsort(-units)
    order = np.argsort(np.concatenate([-least, -scores[newest]]), kind="stable")
    ranking.units = np.concatenate([ranking.units, units[newest]])[order]
    ranking.scores = np.concatenate([ranking.scores, scores[newest]])[order]
