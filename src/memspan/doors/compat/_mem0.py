"""How mem0 sees memories: its ids, its messages, the shapes of its results. What `mem0.py` translates from and to."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from math import exp
from typing import Any, cast

from memspan.core.clock import seconds
from memspan.core.errors import BadText, BadTime, UsageError
from memspan.core.records import Hit, Json, Turn
from memspan.doors.fields import of_hit

IDS = ("user_id", "agent_id", "run_id")
IDENTITY = (*IDS, "actor_id")
META = "mem0"
"""Under which a turn's meta holds what mem0 knows of a memory."""

_SHELF = {"user_id": "users", "agent_id": "agents", "run_id": "runs"}  # whose scope it is: the first id that is given
_PROMOTED = (*IDENTITY, "role", "attributed_to", "expiration_date")
_TAKEN = (*_PROMOTED, "id", "data", "hash", "created_at", "updated_at", "text_lemmatized")

Fields = dict[str, Json]


def some_ids(given: Mapping[str, Json]) -> Fields:
    """The ids that are given, as text. Raises UsageError where there are none."""
    if unknown := sorted(set(given) - set(IDS)):
        raise UsageError(f"no argument is called {', '.join(unknown)}; ids are {', '.join(IDS)}")
    found = {name: _checked(name, given[name]) for name in IDS if given.get(name) is not None}
    if not found:
        raise UsageError(f"give at least one of {', '.join(IDS)}")
    return found


def _checked(name: str, value: Json) -> str:
    text = str(value).strip()
    if not text or text == "*" or any(char.isspace() for char in text):
        raise UsageError(f"{name}={value!r}: must be one id, without white space; '*' is nobody's")
    return text


def path_of(whose: Mapping[str, str]) -> tuple[str, str]:
    """Where memories with these ids lie."""
    first = next(name for name in IDS if name in whose)
    return _SHELF[first], whose[first]


def begin(path: tuple[str, str]) -> str:
    """How the ids of all memories of a scope begin: 12 hexadecimal digits and a dash."""
    digest = hashlib.blake2b("/".join(path).encode(), digest_size=6).hexdigest()
    return f"{digest[:8]}-{digest[8:]}"


def new_id(held: Mapping[str, Json], role: str, actor: str, text: str, seed: bytes) -> str:
    """A UUID that begins like its scope; the same for the same words under the same ids, unless there is a seed."""
    path = path_of(held)
    digest = hashlib.blake2b(seed, digest_size=10, person=b"memspan.mem0")
    for part in (*(str(held.get(name, "")) for name in IDS), role, actor, text):
        raw = part.encode("utf-8", "replace")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return str(uuid.UUID(bytes=bytes.fromhex(begin(path).replace("-", "")) + digest.digest(), version=4))


def said(messages: Any) -> Iterator[Mapping[str, Any]]:
    """Messages that say something; system messages and those without text do not."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    elif isinstance(messages, Mapping):
        messages = [messages]
    elif not isinstance(messages, list):
        raise BadText("messages", f"must be text, a message or a list of messages, not {type(messages).__name__}")
    for message in messages:
        if not isinstance(message, Mapping) or message.get("role") in (None, "system"):
            continue
        content = message.get("content")
        if isinstance(content, list):
            content = " ".join(str(part["text"]) for part in content if _is_text(part))
        if isinstance(content, str) and content.strip():
            yield {**message, "content": content}


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and "text" in part


def day_of(value: Any) -> str | None:
    """YYYY-MM-DD. Raises UsageError."""
    if value is None:
        return None
    if isinstance(value, date):
        return (value.date() if isinstance(value, datetime) else value).isoformat()
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise UsageError(f"expiration_date={value!r}: must be a date like 2026-12-31") from None


def iso_of(moment: float) -> str:
    """A moment as mem0 writes it.

    >>> iso_of(0.0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(moment, UTC).isoformat()


def time_of(created_at: Json, moment: float) -> float:
    """The time that metadata gives, where it can be read; else the moment."""
    try:
        return moment if created_at is None else seconds(created_at)
    except BadTime:
        return moment


def held_of(turn: Turn) -> Fields:
    """What mem0 knows of a memory beside its text."""
    return cast(Fields, turn.meta[META])


def payload(turn: Turn) -> Fields:
    """What filters look at."""
    held = held_of(turn)
    return {**held, "data": turn.text, "updated_at": updated(turn)}


def updated(turn: Turn) -> str:
    """When the version was made; of the first, when the memory was."""
    held = held_of(turn)
    return str(held["created_at"]) if turn.id == held["id"] else iso_of(turn.seen_at or 0.0)


def told(turn: Turn, more: Mapping[str, Json] | None = None) -> Fields:
    """A memory. more: what else is said of it"""
    held = held_of(turn)
    own = {key: value for key, value in held.items() if key not in _TAKEN}
    return {
        "id": held["id"],
        "memory": turn.text,
        "hash": hashlib.md5(turn.text.encode(), usedforsecurity=False).hexdigest(),
        "metadata": own or None,
        **(more or {}),
        "created_at": held["created_at"],
        "updated_at": updated(turn),
        **{key: held[key] for key in _PROMOTED if key in held},
    }


def scored(score: float, hit: Hit, turn: Turn, *, explain: bool) -> Fields:
    """A hit with its score squeezed into 0..1: .5 is as good as the average of the scope."""
    shown = told(turn, {"score": 1 / (1 + exp(-max(min(score, 60.0), -60.0)))})
    return {**shown, "score_details": {"sum": hit.score, "arms": of_hit(hit)["why"]}} if explain else shown


def added(turn: Turn) -> Fields:
    """What add() says of a memory."""
    held = held_of(turn)
    return {
        "id": held["id"],
        "memory": turn.text,
        "event": "ADD",
        "actor_id": held.get("actor_id"),
        "role": held["role"],
    }
