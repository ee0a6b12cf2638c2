"""What something new means for what is there already: one decision for each thing it touches.

The op set is the union of what published systems decide (ADD/UPDATE/DELETE/NOOP, insert/merge/replace,
contradictory/redundant/independent); "delete" is not in it: what no longer holds is marked and kept.
A judge says which; reconcile() sees to it that no judge does harm: ids it makes up count for nothing, and what is
older by the time it happened never replaces what is newer.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from memspan.core.changes import Change, Patch
from memspan.core.errors import UsageError
from memspan.core.records import Link
from memspan.text.extract.statements import Statement, corrects, slot, statement
from memspan.text.index.words import words

Op = Literal["add", "update", "merge", "supersede", "invalidate", "annotate", "noop"]
OPS: tuple[Op, ...] = ("add", "update", "merge", "supersede", "invalidate", "annotate", "noop")
REPLACING = frozenset({"update", "supersede", "invalidate"})

FRAME_WORDS = 4
"""Two sentences are of one frame where they share so many words and differ in one place."""
PLACE_WORDS = 4
"""The place in which they differ has at most so many words."""

_TOKEN = re.compile(r"[^\W_]+(?:['’.,:-][^\W_]+)*")
_ENDS = re.compile(r"\b(?:no longer|not|never|any ?more|any longer|has stopped|used to)\b|\b\w+n['’]t\b", re.IGNORECASE)
_ENDED = re.compile(r"\b(?:no longer|any ?more|any longer|has stopped|used to)\b", re.IGNORECASE)
_DENIED = re.compile(r"\bnot (?P<what>[\w'’ -]{2,40}?)(?=[.,;:!)]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A turn or record as a judge sees it.

    at: when it happened [s], None = not known
    similarity: how near it is to the new one, in whatever measure the caller has
    """

    id: str
    text: str
    speaker: str = ""
    at: float | None = None
    similarity: float = 0.0


class Decision(NamedTuple):
    """What to do. target: id of what it concerns, empty for "add";  why: in a short standing phrase, never its words"""

    op: Op
    target: str = ""
    why: str = ""


class Judge(Protocol):
    """Decides what something new means for what may concern it; rules do it here, a language model may elsewhere."""

    def judge(self, new: Item, candidates: Sequence[Item]) -> Sequence[Decision]:
        """At most one decision for each candidate; none = the new thing has nothing to do with it."""
        ...


def reconcile(new: Item, candidates: Sequence[Item], judge: Judge) -> list[Decision]:
    """What to do about something new, at least one decision; "add" where it touches nothing that is there.

    >>> old = Item(id="t1", text="I live in Paris.", speaker="Ann", at=1.0)
    >>> reconcile(Item(id="t2", text="I live in Rome now.", speaker="Ann", at=2.0), [old], RuleJudge(near=0.9))
    [Decision(op='supersede', target='t1', why='another value of the same')]
    """
    there = {one.id: one for one in candidates if one.id != new.id}
    kept: dict[str, Decision] = {}
    for decision in judge.judge(new, list(there.values())):
        old = there.get(decision.target)
        if old is None or decision.op not in OPS or decision.op == "add" or decision.target in kept:
            continue
        if decision.op in REPLACING and _older(new, old):
            continue
        kept[decision.target] = decision
    return list(kept.values()) or [Decision("add")]


def changes(decision: Decision, new: Item) -> list[Change]:
    """The decision as changes of memory: nothing is taken away; what is replaced tells by what, and when it ended."""
    if decision.op in REPLACING:
        end = Patch(
            id=decision.target, status="superseded", heir=new.id, valid_to=new.at, why=decision.why or decision.op
        )
        return [Change("set", end), _link(new, decision, "supersedes")]
    if decision.op == "merge":
        return [_link(new, decision, "same-as")]
    if decision.op == "annotate":
        return [_link(new, decision, "contradicts")]
    return []


def near_from(nearest: Iterable[float], quantile: float = 0.9) -> float:
    """What counts as near in a collection: a quantile of how near each of a sample is to its own nearest.

    nearest: one similarity for each of the sample;  quantile: [0..1]
    No collection has the scale of another, nor one embedder that of another, so there is no constant.

    Raises UsageError where the quantile is none.

    >>> near_from([0.2, 0.4, 0.9], quantile=0.5)
    0.4
    """
    if not 0 <= quantile <= 1:
        raise UsageError(f"quantile {quantile} is not between 0 and 1")
    known = sorted(nearest)
    return known[round(quantile * (len(known) - 1))] if known else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJudge:
    """Decides by rules: same words, same slot, correction phrases, and near-duplicates that differ in one place.

    near: from which similarity on two items are near-duplicates, see near_from()
    """

    near: float = float("inf")

    def judge(self, new: Item, candidates: Sequence[Item]) -> list[Decision]:
        """One decision for each candidate that the new item repeats, replaces or contradicts."""
        mine = statement(new.text, new.speaker)
        decided = ((old, self._decide(new, mine, old)) for old in candidates)
        return [Decision(verdict[0], old.id, verdict[1]) for old, verdict in decided if verdict is not None]

    def _decide(self, new: Item, mine: Statement | None, old: Item) -> tuple[Op, str] | None:
        said, before = _tokens(new.text), _tokens(old.text)
        if said == before and new.speaker == old.speaker:
            return "noop", "said again"
        if mine is not None and (verdict := _of_slot(mine, statement(old.text, old.speaker))) is not None:
            return verdict
        near = old.similarity >= self.near
        if corrects(new.text) and new.speaker == old.speaker and (near or _denies(new.text, old.text)):
            return "supersede", "corrected"
        return _of_frame(new.text, said, old.text, before) if near else None


def _of_slot(mine: Statement, theirs: Statement | None) -> tuple[Op, str] | None:
    """What a statement does to an earlier one of the same subject and relation."""
    if theirs is None or theirs.ended or slot(mine.subject, mine.relation) != slot(theirs.subject, theirs.relation):
        return None
    if mine.ended:
        return ("invalidate", "no longer holds") if mine.value in ("", theirs.value) else None
    if mine.value == theirs.value:
        return "noop", "the same value again"
    if mine.correction:
        return "supersede", "corrected"
    if not mine.subject:
        return "update", "newer value of the same key"
    return "supersede", "another value of the same"


def _of_frame(text: str, said: list[str], older: str, before: list[str]) -> tuple[Op, str] | None:
    """What near-duplicates are to each other: the same content, an end, or another word in one place."""
    denied = bool(_ENDS.search(text)) != bool(_ENDS.search(older))
    if sorted(words(text)) == sorted(words(older)) and not denied:
        return ("merge", "says the same") if _numbers(said) == _numbers(before) else None
    start = next((place for place, (a, b) in enumerate(zip(said, before, strict=False)) if a != b), None)
    if start is None:
        start = min(len(said), len(before))
    end = 0
    while end < min(len(said), len(before)) - start and said[-1 - end] == before[-1 - end]:
        end += 1
    other, was = said[start : len(said) - end], before[start : len(before) - end]
    shared = [word for word in said[:start] + said[len(said) - end :] if words(word)]
    if len(shared) < FRAME_WORDS or max(len(other), len(was)) > PLACE_WORDS:
        return None
    if denied:
        return ("invalidate", "no longer holds") if _ENDED.search(text) else ("annotate", "says the opposite")
    return ("annotate", "says otherwise") if other and was else None


def _denies(text: str, older: str) -> bool:
    """Whether "V, not W" names what the older one said, of something they share."""
    denied = {word for seen in _DENIED.finditer(text) for word in words(seen["what"])}
    there = set(words(older))
    return bool(denied) and denied <= there and bool((set(words(text)) - denied) & there)


def _older(new: Item, old: Item) -> bool:
    return new.at is not None and old.at is not None and new.at < old.at


def _tokens(text: str) -> list[str]:
    return [word.replace("’", "'") for word in _TOKEN.findall(text.casefold())]


def _numbers(tokens: Sequence[str]) -> list[str]:
    return sorted(token for token in tokens if any(sign.isdigit() for sign in token))


def _link(new: Item, decision: Decision, kind: str) -> Change:
    return Change("add", Link(source=new.id, target=decision.target, kind=kind))
