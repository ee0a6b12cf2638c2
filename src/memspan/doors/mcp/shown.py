"""What was remembered, as a model may see it: fenced as data, numbered, within a budget of tokens.

The text a model reads comes twice, once as text and once inside the structured fields, because clients hand on the
one or the other. Both stand between the same fences.
"""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from memspan.core.records import Json, Recall, Record, Role, Turn
from memspan.core.tokens import estimate
from memspan.doors import fields
from memspan.doors.fields import Fields
from memspan.text.recall import context
from memspan.text.recall.context import Note
from memspan.text.safety.trust import source_of, trust_of

LONGEST = 600  # characters of one item where many are listed
_SECRET = secrets.token_bytes(16)  # one a process: within it the same lines are fenced the same
_DULL: Fields = {
    "session": "", "at": None, "kind": "turn", "trust": 1.0, "status": "active", "until": None, "heir": "",
    "contradicts": [], "suspect": False, "sources": [],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gives back. text: for a model that reads text;  fields: the same for one that reads JSON"""

    text: str
    fields: Fields

    def tokens(self) -> int:
        """What it costs whoever reads the dearer of the two [tokens]."""
        return max(estimate(self.text), estimate(compact(self.fields)))


@dataclass(frozen=True, slots=True)
class Line:
    """One remembered thing to be shown. note: its label;  at: the day it stands under [s]"""

    id: str
    text: str
    speaker: str = ""
    at: float | None = None
    note: Note = context.PLAIN


def compact(told: Json) -> str:
    """JSON without a blank too many."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def line_of(item: Turn | Record) -> Line:
    """A turn or record to be shown."""
    if isinstance(item, Turn):
        source = source_of(item.role, item.speaker, item.meta)
        note = Note(role=item.role, trust=trust_of(item.role, item.meta), source=source)
        return Line(item.id, item.text, item.speaker, item.at, note)
    role: Role = "assistant"  # who is named where a text could be taken for one with a speaker
    return Line(item.id, item.text, "", item.valid_from, Note(kind=item.kind, role=role, trust=item.trust))


def fenced(lines: Iterable[Line], longest: int = LONGEST) -> str:
    """The lines between our fences, numbered from 1; "" where there is none. longest: of each text [characters]"""
    body, heading = "", ""
    for number, one in enumerate(lines, start=1):
        if (here := context.day(one.at)) != heading:
            heading = here
            body += f"{heading}\n"
        body += context.line(number, one.speaker, cut(one.text, longest), one.note)
    return context.fenced(body, _SECRET) if body else ""


def cut(text: str, longest: int) -> str:
    """The text, or its beginning.

    >>> cut("I moved to Lisbon.", 10)
    'I moved to...'
    """
    return text if len(text) <= longest else f"{text[:longest]}..."


def fitted(count: int, tokens: int, build: Callable[[int], Answer]) -> Answer:
    """The answer with as many of `count` things as cost at most so many tokens. build: makes it with so many"""
    least, most = 0, count
    while least < most:
        half = (least + most + 1) // 2
        if build(half).tokens() <= tokens:
            least = half
        else:
            most = half - 1
    return build(least)


def of_recall(found: Recall) -> Answer:
    """A recall: its block, and to each citation the id and what is not in the block."""
    hits = [{"cite": str(hit.rank), **_trimmed(fields.of_hit(hit, explain=False))} for hit in found.hits]
    standing = [{"cite": f"s{hit.rank}", **_trimmed(fields.of_hit(hit, explain=False))} for hit in found.standing]
    told: Fields = {
        "confidence": round(found.confidence, 2),
        "tokens": found.cost.tokens,
        "context": found.context,
        "hits": hits,
        "standing": standing,
    }
    if not found:
        return Answer("Nothing is remembered about that.", told)
    notes = [f"[{hit['cite']}] id {compact(hit['id'])}" for hit in (*standing, *hits)]
    sure = f"P(the answer is in there) = {found.confidence:.2f}"
    return Answer("\n".join([f"{found.context}{sure}", *notes]), told)


def _trimmed(told: Fields) -> Fields:
    """The fields of a hit that say something and are not in the block."""
    dull = {**_DULL, "sources": [told["id"]]}
    return {name: told[name] for name in ("id", *_DULL) if name == "id" or told[name] != dull[name]}


def of_listing(told: Fields, lines: list[Line], notes: list[str], head: str = "") -> Answer:
    """Many things: what is told of them, and their words. notes: a line to each, what is no word of theirs"""
    block = fenced(lines)
    numbered = [f"[{number}] {note}" for number, note in enumerate(notes, start=1)]
    return Answer("\n".join([*filter(None, (head, block.rstrip("\n"))), *numbered]), {**told, "context": block})


def address(kind: str, name: str) -> str:
    """The address of a record or session.

    >>> address("session", "a/b c")
    'memory://session/a%2Fb%20c'
    """
    return f"memory://{kind}/{quote(name, safe='')}"


def title_of(item: Turn | Record) -> str:
    """A line to tell it by: who, when, how it begins."""
    line = line_of(item)
    who = " ".join((line.speaker or (item.role if isinstance(item, Turn) else item.kind)).split())
    when = f", {context.day(line.at)[:-1]}" if line.at is not None else ""
    return context.clean(f"{cut(who, 40)}{when}: {cut(' '.join(line.text.split()), 80)}", 0.0)
