"""What an answer read from a context is worth: the rule reader of made sets, and the scores of short answers.

The rule reader stands in for a model that answers: it knows how a unit states the answer (`Question.reads`) and takes
the first unit of the context that does. So it measures what the order and the choice of a context are worth, not
whether a model can read. Two controls go with it: the same reader on the gold alone, and on nothing.

Source: token F1 and exact match as in Rajpurkar et al. 2016, "SQuAD", arXiv:1606.05250, section 6.1; LoCoMo's as in
Maharana et al. 2024, arXiv:2402.17753, and its task_eval/evaluation.py.
Ours differs: stems are those of SQLite's Porter stemmer, not NLTK's extended one.
"""

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import apsw

from memspan.bench.cases import Question, Unit

_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation))
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_LOCOMO_ARTICLES = re.compile(r"\b(?:a|an|the|and)\b")
_REFUSED = ("no information available", "not mentioned")


def read(question: Question, units: Mapping[str, Unit], ids: Sequence[str]) -> str | None:
    """What the first of these units to state an answer says; None where none does.

    ids: the units in the order of the context; one that is no unit of the case is passed over

    >>> asked = Question(id="q", text="Where?", gold=frozenset(), visible=2, reads="live in (.+)[.]")
    >>> read(asked, {"a": Unit("a", "Hello."), "b": Unit("b", "I live in Rome.")}, ["a", "b"])
    'Rome'
    """
    if not question.reads:
        return None
    pattern = re.compile(question.reads)
    matches = (found for _, found in _stating(pattern, units, ids))
    return next((found[1] for found in matches), None)


def filled(question: Question, units: Mapping[str, Unit], ids: Sequence[str]) -> dict[str, str]:
    """The parameters of a call: what the request says itself, else what the latest of these units says.

    Each parameter is a named group of `Question.reads`.

    >>> asked = Question(id="q", text="Book it.", gold=frozenset(), visible=2, reads="sit at the (?P<seat>[a-z]+)")
    >>> said = {"a": Unit("a", "I sit at the aisle.", at=1.0), "b": Unit("b", "I sit at the window.", at=2.0)}
    >>> filled(asked, said, ["a", "b"])
    {'seat': 'window'}
    """
    pattern = re.compile(question.reads)
    values: dict[str, str] = {}
    latest: dict[str, float] = {}
    for unit, found in _stating(pattern, units, ids):
        at = unit.at if unit.at is not None else 0.0
        for name, value in found.groupdict().items():
            if value is not None and at > latest.get(name, float("-inf")):
                values[name], latest[name] = value, at
    for found in pattern.finditer(question.text):
        values |= {name: value for name, value in found.groupdict().items() if value is not None}
    return values


def _stating(
    pattern: re.Pattern[str], units: Mapping[str, Unit], ids: Sequence[str]
) -> Iterator[tuple[Unit, re.Match[str]]]:
    """Matches in the words of the units, or in their words behind their speaker."""
    for unit in (units[id] for id in ids if id in units):
        matches = list(pattern.finditer(unit.text)) or list(pattern.finditer(f"{unit.speaker}: {unit.text}"))
        yield from ((unit, found) for found in matches)


def call(answer: str) -> dict[str, str]:
    """The parameters of an answer that is a call.

    >>> call("seat=aisle; size=large")
    {'seat': 'aisle', 'size': 'large'}
    """
    pairs = (part.partition("=") for part in answer.split("; ") if part)
    return {name: value for name, _, value in pairs}


def said(parameters: Mapping[str, str]) -> str:
    """Parameters as an answer, names in order: the opposite of call."""
    return "; ".join(f"{name}={parameters[name]}" for name in sorted(parameters))


def normal(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces.

    >>> normal("The  Red-one.")
    'redone'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(answer: str | None, golds: Sequence[str]) -> float:
    """1 where the answer is one of the right ones, but for case, articles and punctuation.

    >>> exact("The Aisle.", ["aisle"]), exact(None, ["aisle"])
    (1.0, 0.0)
    """
    return float(answer is not None and normal(answer) in {normal(gold) for gold in golds})


def f1(answer: str | None, golds: Sequence[str]) -> float:
    """Harmonic mean of the shares of words that answer and right answer have in common; the best right answer counts.

    >>> round(f1("in the old town", ["old town"]), 2)
    0.8
    """
    if answer is None:
        return 0.0
    said_words = normal(answer).split()
    return max((_overlap(said_words, normal(gold).split()) for gold in golds), default=0.0)


def locomo_f1(answer: str | None, golds: Sequence[str], category: str) -> float:
    """LoCoMo's score: stemmed words; lists part by part in "multi-hop", the first reading of "open-domain".

    In "adversarial" it is 1 only where the answer says that nothing is known.

    >>> locomo_f1("painting, runs", ["running, painted"], "multi-hop")
    1.0
    """
    if answer is None:
        return 0.0
    if category == "adversarial":
        return float(any(phrase in answer.lower() for phrase in _REFUSED))
    if category == "open-domain":
        golds = [gold.split(";")[0].strip() for gold in golds]
    if category == "multi-hop":
        return max((_by_part(answer, gold) for gold in golds), default=0.0)
    return max((_overlap(_stems(answer), _stems(gold)) for gold in golds), default=0.0)


def _by_part(answer: str, gold: str) -> float:
    """The mean over the parts of the right answer of the best part of the answer."""
    parts = [_stems(part) for part in answer.split(",")]
    wanted = [_stems(part) for part in gold.split(",")]
    return sum(max(_overlap(part, one) for part in parts) for one in wanted) / len(wanted)


def _overlap(answer: Sequence[str], gold: Sequence[str]) -> float:
    shared = sum((Counter(answer) & Counter(gold)).values())
    return 2 * shared / (len(answer) + len(gold)) if shared else 0.0


def _stems(text: str) -> list[str]:
    bare = _LOCOMO_ARTICLES.sub(" ", text.replace(",", "").lower().translate(_PUNCTUATION))
    stems: Any = _porter()(
        bare.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
    )
    return [str(stem) for stem in stems]


@cache
def _porter() -> apsw.FTS5Tokenizer:
    return apsw.Connection(":memory:").fts5_tokenizer("porter", ["unicode61"])


def choose(question: Question, units: Mapping[str, Unit], ids: Sequence[str]) -> str | None:
    """The choice whose own words the first units say most of; None where nothing tells one from another.

    Where the question says how a unit states the answer, the choice nearest to what is read counts instead.
    A unit weighs 1 / its rank. This is word overlap, a floor for what a model would choose.
    """
    if (stated := read(question, units, ids)) is not None:
        weights = {choice: f1(stated, [choice]) for choice in question.choices}
    else:
        weights = dict(zip(question.choices, _weights(question.choices, units, ids), strict=True))
    best = sorted(weights, key=lambda choice: -weights[choice])[:2]
    told_apart = len(best) == 1 or weights[best[0]] > weights[best[1]]
    return best[0] if best and weights[best[0]] > 0 and told_apart else None


def _weights(choices: Sequence[str], units: Mapping[str, Unit], ids: Sequence[str]) -> list[float]:
    told = [set(_stems(choice)) for choice in choices]
    shared = told[0].intersection(*told) if told else set()
    own = [words - shared for words in told]
    weights = [0.0] * len(own)
    for rank, unit in enumerate((units[id] for id in ids if id in units), 1):
        words = set(_stems(unit.text))
        for place, wanted in enumerate(own):
            weights[place] += len(wanted & words) / len(wanted) / rank if wanted else 0.0
    return weights


def use_scores(question: Question, units: Mapping[str, Unit], packed_ids: Sequence[str]) -> dict[str, float]:
    """What the reader gets right from a context, from the gold alone ("oracle") and from nothing.

    units: all units of the case;  packed_ids: what the context holds, best first
    EM, F1: of the answer read;  "param ...": of the parameters of a call, whose EM is that all of them are right
    choice: whether the right one was chosen.  Empty where the question has no right answer to compare with
    """
    if not question.answers:
        return {}
    row: dict[str, float] = {}
    if question.reads:
        gold = [id for id in units if id in question.gold]
        score = _call_scores if re.compile(question.reads).groupindex else _answer_scores
        row |= score(question, units, packed_ids)
        row["EM oracle"] = score(question, units, gold)["EM"]
        row["EM nothing"] = score(question, units, ())["EM"]
    if question.choices:
        chosen = choose(question, units, packed_ids)
        row["choice"] = float(chosen is not None and chosen in question.answers)
    return row


def _answer_scores(question: Question, units: Mapping[str, Unit], ids: Sequence[str]) -> dict[str, float]:
    answer = read(question, units, ids)
    return {"EM": exact(answer, question.answers), "F1": f1(answer, question.answers)}


def _call_scores(question: Question, units: Mapping[str, Unit], ids: Sequence[str]) -> dict[str, float]:
    """Parameters are compared by name and normalised value."""
    got = {(name, normal(value)) for name, value in filled(question, units, ids).items()}
    wanted = {(name, normal(value)) for name, value in call(question.answers[0]).items()}
    right = len(got & wanted)
    both = 2 * right / (len(got) + len(wanted)) if right else 0.0
    return {
        "EM": float(got == wanted),
        "F1": both,
        "param precision": right / len(got) if got else 0.0,
        "param recall": right / len(wanted),
        "param F1": both,
    }
