"""What a benchmark is made of: cases with units to remember, and questions with gold that no system sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memspan.core.records import Role, Turn

Level = Literal["unit", "session"]
Fields = Mapping[str, Any]  # Any: one JSON object of somebody else's file


@dataclass(frozen=True, slots=True)
class Unit:
    """What a system is given to remember: a neutral id (its position), words, and when they were said."""

    id: str
    text: str
    speaker: str = ""
    role: Role = "user"
    session: str = ""
    at: float | None = None

    def turn(self) -> Turn:
        """The same as a turn of memspan.

        >>> Unit("u0", "Hello.", speaker="Ann").turn().speaker
        'Ann'
        """
        return Turn(self.text, speaker=self.speaker, role=self.role, session=self.session, at=self.at, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and what would answer it.

    gold: ids of the units (or sessions) that hold the evidence; empty where the data set names none
    visible: how many units of the case are in memory when it is asked, counted from the first
    answerable: False where the data set says that the answer is not in memory
    cluster: questions that share one are resampled together; empty = the whole case is one cluster
    """

    id: str
    text: str
    gold: frozenset[str]
    visible: int
    category: str = ""
    answerable: bool = True
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One memory: units in order of time, and the questions put to it."""

    id: str
    units: Sequence[Unit]
    questions: Sequence[Question]


Found = Mapping[str, Sequence[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set (or one scale of it) and how it is read.

    name: its key;  family: data sets of one family share one place in the macro mean; empty = not in it
    metric: the headline figure;  level: whether gold names units or sessions
    parts: part name -> test on the sniffed beginning of a file
    read: files by part -> cases
    """

    name: str
    family: str
    metric: str
    parts: Mapping[str, Callable[["Sniff"], bool]]
    read: Callable[[Found], Iterator[Case]]
    level: Level = "unit"


@dataclass(frozen=True, slots=True)
class Sniff:
    """The beginning of a file: its field names at any depth, and its text."""

    keys: frozenset[str]
    text: str

    def has(self, *names: str) -> bool:
        """True where all of these are field names."""
        return self.keys.issuperset(names)
