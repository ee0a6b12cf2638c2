"""What callers send: the same names and limits as the calls of Memory."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from memspan.core.clock import EARLIEST, LATEST
from memspan.core.ids import MAX_SCOPE_CHARS
from memspan.core.records import MAX_NAME_CHARS, MAX_TEXT_CHARS

MOST_TURNS = 10_000
MOST_IDS = 10_000
MOST_TOKENS = 1_000_000
MOST_HITS = 10_000
MOST_SECONDS = 600
USUAL_SECONDS = 20.0


def _whole(number: Any) -> Any:  # Any: what stands in the JSON
    """2.0 is a whole number in JSON's eyes."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


_WHOLE = BeforeValidator(_whole)
_DIGITS = Annotated[float, Field(ge=EARLIEST, le=LATEST)]
Written = Annotated[str, Field(max_length=64, json_schema_extra={"format": "moment"})]
Moment = Annotated[_DIGITS | Written, Field(description="Seconds since 1970 (UTC), or ISO 8601.")]
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TEXT_CHARS,
        description="Not blank; no NUL, no lone surrogate.",
        json_schema_extra={"format": "remembered"},
    ),
]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARS, json_schema_extra={"format": "name"})]
Id = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, json_schema_extra={"format": "name"})]
Reason = Annotated[str, Field(max_length=MAX_TEXT_CHARS, json_schema_extra={"format": "name"})]
ScopeName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_SCOPE_CHARS,
        description="Whose memory: 1 to 8 names joined by '/'. Nothing of another scope is ever seen.",
        json_schema_extra={"format": "scope"},
    ),
]
Role = Literal["user", "assistant", "system", "tool"]


class Body(BaseModel):
    """What all bodies share: nothing unknown, no number for a text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Said(Body):
    text: Text
    speaker: Name = ""
    role: Role = "user"
    session: Name = ""
    at: Moment | None = None
    meta: dict[str, Any] | None = None


class OneTurn(_Said):
    """A turn of many; without `at` its time is not known."""

    id: Name = ""


class RememberText(_Said):
    """One text; without `at` it was said now."""

    again: bool = False


class RememberTurns(Body):
    """Any number of turns, in one transaction."""

    turns: Annotated[list[OneTurn], Field(min_length=1, max_length=MOST_TURNS)]
    again: bool = False


class RecallBody(Body):
    """A question, and what the answer may cost."""

    question: Annotated[str, Field(max_length=MAX_TEXT_CHARS, json_schema_extra={"format": "name"})]
    tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS), _WHOLE] | None = 1000
    limit: Annotated[int, Field(ge=0, le=MOST_HITS), _WHOLE] | None = None
    as_of: Moment | None = None
    known_at: Moment | None = None
    history: bool = False
    kinds: Annotated[list[Id], Field(min_length=1, max_length=100)] | None = None
    quality: Literal["fast", "high"] = "fast"
    explain: bool = True


class CorrectBody(Body):
    """The new words."""

    text: Text
    reason: Reason = ""
    role: Role | None = None


class ReasonBody(Body):
    """Why; pins and what has no place for it keep none."""

    reason: Reason = ""


class ExpireBody(Body):
    """From when on it is hidden; null: never."""

    at: Moment | None


class ForgetBody(Body):
    """What is to be erased: ids, or a query, or everything, or what meets all of the others."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)] | None = None
    session: Name | None = None
    speaker: Name | None = None
    source: Name | None = None
    since: Moment | None = None
    until: Moment | None = None
    query: Text | None = None
    everything: bool = False
    dry_run: bool = False
    confirm: Name = ""


class UndoBody(Body):
    """The number of the operation; null: the last one."""

    operation: Annotated[int, Field(ge=0, le=2**53), _WHOLE] | None = None


class ReflectBody(Body):
    """How long it may work [s]; what is left is done by the next call. null: 20"""

    seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)] | None = None


class UsedBody(Body):
    """What was used."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
