"""The words of memory: turns, records, links, and what a recall returns."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from memspan.core.budget import Cost
from memspan.core.clock import When, seconds
from memspan.core.errors import BadText

MAX_TEXT_CHARS = 1_000_000
MAX_NAME_CHARS = 500
MAX_META_CHARS = 100_000

Role = Literal["user", "assistant", "system", "tool"]
ROLES: tuple[Role, ...] = ("user", "assistant", "system", "tool")
Quality = Literal["fast", "high"]
"""Of recall: the index alone, or the best candidates read again with MiniLM."""
QUALITIES: tuple[Quality, ...] = ("fast", "high")
Status = Literal["active", "superseded", "archived", "quarantined"]
STATUSES: tuple[Status, ...] = ("active", "superseded", "archived", "quarantined")
Json = Any  # what json.dumps takes

_NOTHING: Mapping[str, Json] = MappingProxyType({})


def check_text(name: str, text: object, most: int = MAX_TEXT_CHARS, *, empty: bool = False) -> str:
    """The text as given, if it can be stored and found again.

    Raises BadText where it is not text, is blank (unless `empty`), is longer than `most` characters, or holds
    a NUL or a lone surrogate.
    """
    if not isinstance(text, str):
        raise BadText(name, f"must be text, not {type(text).__name__}")
    if not empty and not text.strip():
        raise BadText(name, "is blank; there is nothing to remember")
    if len(text) > most:
        raise BadText(name, f"has {len(text):,} characters, the limit is {most:,}; split it into several turns")
    if "\0" in text:
        raise BadText(name, f"holds a NUL character at position {text.index(chr(0))}; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as broken:
        raise BadText(
            name, f"holds a lone surrogate at position {broken.start}; decode it with errors='replace'"
        ) from None
    return text


def _check_meta(meta: Mapping[str, Json]) -> None:
    try:
        raw = json.dumps(dict(meta), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as why:
        raise BadText("meta", f"cannot be written as JSON ({why})") from None
    check_text("meta", raw, MAX_META_CHARS)


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said or seen, word for word; it never changes.

    text: 1 to 1,000,000 characters, no NUL, no lone surrogate
    speaker: who said it;  role: user, assistant, system or tool;  session: which conversation
    at: when it happened [s since 1970 UTC]; ISO 8601 text and datetimes are converted; None = not known
    seen_at: when memory learned it [s]; filled by remember
    meta: anything JSON can hold, kept but not searched
    id: filled by remember from the content, or yours
    scope: filled by remember

    Raises BadText or BadTime where a field cannot be stored.

    >>> Turn("I moved to Lisbon.", speaker="Alice", at="2024-06-01").at
    1717200000.0
    """

    text: str
    speaker: str = field(default="", kw_only=True)
    role: Role = field(default="user", kw_only=True)
    session: str = field(default="", kw_only=True)
    at: float | None = field(default=None, kw_only=True)
    seen_at: float | None = field(default=None, kw_only=True)
    meta: Mapping[str, Json] = field(default_factory=lambda: _NOTHING, kw_only=True)
    id: str = field(default="", kw_only=True)
    scope: str = field(default="", kw_only=True)

    if TYPE_CHECKING:

        def __init__(
            self,
            text: str,
            *,
            speaker: str = "",
            role: Role = "user",
            session: str = "",
            at: When | None = None,
            seen_at: When | None = None,
            meta: Mapping[str, Json] = _NOTHING,
            id: str = "",
            scope: str = "",
        ) -> None: ...

    def __post_init__(self) -> None:
        check_text("text", self.text)
        for name in ("speaker", "session", "id"):
            value = getattr(self, name)
            if value:
                check_text(name, value, MAX_NAME_CHARS)
            elif value != "":
                raise BadText(name, f"must be text, not {type(value).__name__}")
        if self.role not in ROLES:
            raise BadText("role", f"{self.role!r} is none of {', '.join(ROLES)}")
        for name in ("at", "seen_at"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, seconds(value))
        if self.meta:
            _check_meta(self.meta)


def stored_turn(*fields: Any) -> Turn:  # Any: in the order of Turn's fields
    """A turn made of fields that were checked before, in the order of Turn's fields."""
    turn = object.__new__(Turn)
    for put, value in zip(_PUT, fields, strict=True):
        put(turn, value)
    return turn


_PUT = [getattr(Turn, name).__set__ for name in Turn.__slots__]  # past the frozen dataclass, at a fifth of the time


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What memory holds about turns, derived from them and citing them.

    kind: fact, episode, summary, preference, instruction, entity, ...
    keys: texts under which it is found;  sources: ids of the turns it comes from, at least one
    valid_from, valid_to: when it held in the world [s];  recorded_at, retired_at: when memory held it [s]
    confidence, trust, strength: [0..1];  recipe: what made it
    """

    id: str
    kind: str
    text: str
    sources: tuple[str, ...]
    keys: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    valid_from: float | None = None
    valid_to: float | None = None
    recorded_at: float | None = None
    retired_at: float | None = None
    confidence: float = 1.0
    trust: float = 1.0
    strength: float = 1.0
    uses: int = 0
    status: Status = "active"
    recipe: str = ""
    payload: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        check_text("record id", self.id, MAX_NAME_CHARS)
        check_text("record kind", self.kind, MAX_NAME_CHARS)
        check_text("record text", self.text)
        if not self.sources:
            raise BadText("record sources", "are empty; everything derived cites the turns it comes from")
        for key in (*self.keys, *self.entities):
            check_text("record key", key)
        if self.payload:
            _check_meta(self.payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A typed, weighted edge between two records (or turns) of one scope. weight: [0..1]"""

    source: str
    target: str
    kind: str
    weight: float = 1.0


class Arm(NamedTuple):
    """What one arm of recall said of a hit: its raw score, its rank (1 = best) and what it added to the sum."""

    name: str
    score: float
    rank: int
    added: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A recalled turn or record.

    score: the fused score, in standard deviations above the scope's mean
    why: what each arm said;  sources: ids of the turns it rests on;  tokens: what it costs in the context
    kind: turn, or the record's kind;  trust: of its source [0..1]
    status: active, or superseded: something newer holds;  until: until when it held [s], None = it still holds
    heir: id of what replaced it;  contradicts: ids of hits that say otherwise
    suspect: it reads like an instruction to a model, from somebody who may not give one
    """

    id: str
    text: str
    score: float
    rank: int
    speaker: str
    role: Role
    session: str
    at: float | None
    seen_at: float
    sources: tuple[str, ...]
    why: tuple[Arm, ...]
    tokens: int
    meta: Mapping[str, Json] = field(default_factory=lambda: _NOTHING)
    kind: str = "turn"
    trust: float = 1.0
    status: Status = "active"
    until: float | None = None
    heir: str = ""
    contradicts: tuple[str, ...] = ()
    suspect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What memory has on a question.

    hits: best first, within the token budget
    standing: instructions and preferences that always apply, in a block of their own
    context: text for a prompt, cited [1] [2], fenced as data
    confidence: P(the answer is in here) [0..1], calibrated; see docs/concepts.md
    cost: tokens of the context, seconds it took
    """

    question: str
    hits: tuple[Hit, ...]
    standing: tuple[Hit, ...]
    context: str
    confidence: float
    cost: Cost

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __bool__(self) -> bool:
        return bool(self.hits or self.standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What remember did.

    ids: one per turn given, in order;  added: how many are new;  known: how many were there already
    refused: ids not stored because the same words were forgotten here;  quarantined: ids stored but kept out of recall
    redacted: ids stored with secrets blacked out
    cost: bytes of text added, seconds it took
    """

    ids: tuple[str, ...]
    added: int
    known: int
    cost: Cost
    refused: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
