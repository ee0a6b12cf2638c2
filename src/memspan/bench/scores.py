"""Figures of one question: what was found (access), and what a reader makes of it (use).

Source of the access figures: Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", chapter 8;
nDCG in the standard form, where rank 2 already weighs 1 / log2(3).
"""

from collections.abc import Mapping, Sequence, Set
from math import log2

from memspan.bench.cases import Level, Question, Unit
from memspan.bench.runner import BUDGETS, TIMED, Reply
from memspan.bench.use import use_scores

KS = (5, 10, 20)
Row = dict[str, float]


def figures(question: Question, reply: Reply, level: Level, units: Mapping[str, Unit]) -> Row:
    """All figures of one question.

    R@k: share of the gold among the first k;  hit@k, all@k: any, all of it;  MRR: 1 / rank of the first gold
    Tn: share of the gold in a context of n tokens, standing instructions included;  "Tn ranked": without them
    P1000: share of that context's units that are gold;  tokens: what it costs
    stale, negative: 1 where a unit that holds no more, or a near miss, stands before all gold; where a set names such
    EM, F1, ...: of the rule reader, where a set says how an answer reads
    """
    session_of = {name: unit.session for name, unit in units.items()} if level == "session" else {}
    ranked = _lifted(reply.ranked, level, session_of)
    row = _access(question.gold, ranked)
    for tokens in BUDGETS:
        packed = reply.packed[tokens]
        for name, ids in ((f"T{tokens}", packed.ranked + packed.standing), (f"T{tokens} ranked", packed.ranked)):
            row[name] = share(question.gold, set(_lifted(ids, level, session_of)))
    packed_ids = context(reply)
    row["P1000"] = precision(question.gold, [session_of.get(one, one) for one in packed_ids])
    row["tokens"] = float(reply.packed[TIMED].tokens)
    for name, others in (("stale", question.stale), ("negative", question.negatives)):
        if others:
            row[name] = float(before(ranked, others, question.gold))
    return row | use_scores(question, units, packed_ids)


def context(reply: Reply) -> tuple[str, ...]:
    """What a reader is given, best first: the context of 1,000 tokens, standing instructions before the rest."""
    return reply.packed[TIMED].standing + reply.packed[TIMED].ranked


def _access(gold: Set[str], ranked: Sequence[str]) -> Row:
    row: Row = {}
    for k in KS:
        found = len(gold & set(ranked[:k]))
        row[f"R@{k}"] = found / len(gold)
        row[f"hit@{k}"] = float(found > 0)
        row[f"all@{k}"] = float(found == len(gold))
    row["MRR"] = next((1 / rank for rank, one in enumerate(ranked, 1) if one in gold), 0.0)
    row["nDCG@10"] = ndcg(gold, ranked, 10)
    return row


def share(gold: Set[str], found: Set[str]) -> float:
    """How much of the gold was found [0..1].

    >>> share({"u1", "u2"}, {"u2", "u9"})
    0.5
    """
    return len(gold & found) / len(gold)


def precision(gold: Set[str], found: Sequence[str]) -> float:
    """How much of what was found is gold [0..1]; 0 where nothing was.

    >>> precision({"u1"}, ["u1", "u2", "u3", "u4"])
    0.25
    """
    return sum(one in gold for one in found) / len(found) if found else 0.0


def ndcg(gold: Set[str], ranked: Sequence[str], k: int) -> float:
    """Discounted gain of the first k over that of a perfect ranking [0..1].

    >>> round(ndcg({"a"}, ["b", "a"], 10), 3)
    0.631
    """
    gain = sum(1 / log2(rank + 1) for rank, one in enumerate(ranked[:k], 1) if one in gold)
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(gold)) + 1))


def before(ranked: Sequence[str], others: Set[str], gold: Set[str]) -> bool:
    """Whether one of the others stands before every gold, or where no gold is found.

    >>> before(["old", "new"], {"old"}, {"new"})
    True
    """
    return next((one in others for one in ranked if one in gold or one in others), False)


def _lifted(ids: Sequence[str], level: Level, session_of: Mapping[str, str]) -> list[str]:
    """Units as they are, or the sessions they belong to, in order of first appearance."""
    return list(ids) if level == "unit" else list(dict.fromkeys(session_of[one] for one in ids))
