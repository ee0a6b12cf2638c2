"""What a benchmark is made of: cases with units to remember, and questions with gold that no system sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memspan.core.records import Role, Turn

Level = Literal["unit", "session"]
Protocol = Literal["once", "interleaved", "sessions", "corpus", "act"]
"""once: write all, then ask. interleaved: ask while writing. sessions, corpus: the same questions over ever more
sessions or units (ladders). act: a stream of events, then a call with parameters."""
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


@dataclass(frozen=True, slots=True)
class Ask:
    """What a system is told of a question.

    at: when it is asked [s];  as_of: what was true then is wanted [s];  both None where the data set does not say
    """

    text: str
    at: float | None = None
    as_of: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and what would answer it. A system sees `ask`, nothing else.

    gold: ids of the units (or sessions) that hold the evidence; empty where the data set names none
    visible: how many units of the case are in memory when it is asked, counted from the first
    answerable: False where the data set says that the answer is not in memory
    cluster: questions that share one are resampled together; empty = the whole case is one cluster
    at, as_of: as in Ask
    answers: right answers, any of them counts;  choices: what there is to choose from, with the right one among them
    stale: ids of units that say what does not hold at the time meant;  negatives: near misses, by construction
    reads: how a unit states an answer: a regular expression with one group, for the rule reader of made sets
    """

    id: str
    text: str
    gold: frozenset[str]
    visible: int
    category: str = ""
    answerable: bool = True
    cluster: str = ""
    at: float | None = None
    as_of: float | None = None
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    stale: frozenset[str] = frozenset()
    negatives: frozenset[str] = frozenset()
    reads: str = ""

    @property
    def ask(self) -> Ask:
        """What a system is told."""
        return Ask(self.text, self.at, self.as_of)


@dataclass(frozen=True, slots=True)
class Case:
    """One memory: units in order of time, and the questions put to it.

    rung: the size this case stands for on a ladder (units or sessions); 0 = no ladder
    group: cases that share one are one cluster (the rungs of a ladder); empty = the case is its own
    """

    id: str
    units: Sequence[Unit]
    questions: Sequence[Question]
    rung: int = 0
    group: str = ""

    def cluster_of(self, question: Question) -> str:
        """What is drawn together, and split between dev and test together."""
        return f"{self.group or self.id}/{question.cluster}"


Found = Mapping[str, Sequence[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set (or one scale of it) and how it is read.

    name: its key;  family: data sets of one family share one place in the macro mean; empty = not in it
    metric: the headline figure;  level: whether gold names units or sessions
    parts: part name -> test on the sniffed beginning of a file; empty = made from a seed
    protocol: what is written when, and what is asked when
    read: files by part -> cases
    """

    name: str
    family: str
    metric: str
    parts: Mapping[str, Callable[["Sniff"], bool]]
    read: Callable[[Found], Iterator[Case]]
    level: Level = "unit"
    protocol: Protocol = "once"

    @property
    def made(self) -> bool:
        """Whether it is generated; its name then ends with -syn."""
        return not self.parts


@dataclass(frozen=True, slots=True)
class Sniff:
    """The beginning of a file: its field names at any depth, and its text."""

    keys: frozenset[str]
    text: str

    def has(self, *names: str) -> bool:
        """True where all of these are field names."""
        return self.keys.issuperset(names)
