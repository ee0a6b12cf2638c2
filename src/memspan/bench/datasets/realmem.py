"""RealMem: a year of project talk with an assistant; evidence is earlier sessions.

Source: "RealMem: Benchmarking LLMs in Real-World Memory-Driven Interaction", arXiv:2601.06966.
Online: when a question comes up, only the sessions before it are in memory. The labels stand on the assistant's
next turn. Gold and ranking are sessions; a session ranks where the first of its turns ranks.
extracted_memory is the authors' and is not read. A question is asked on the day of its session.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, stamp
from memspan.bench.files import records


def when(session: Fields) -> float | None:
    """The day of a session.

    >>> when({"current_time": "2025-12-01 (Monday)"})
    1764547200.0
    """
    return stamp(str(session.get("current_time", "")).split(" ")[0])


def _units(number: int, session: Fields, start: int) -> list[Unit]:
    at = when(session)
    spoken = [(turn["speaker"], clean(turn["content"])) for turn in session["dialogue_turns"]]
    return [
        Unit(f"u{start + n}", text, who, "user" if who.lower() == "user" else "assistant", f"s{number}", at)
        for n, (who, text) in enumerate(pair for pair in spoken if pair[1])
    ]


def _questions(session: Fields, earlier: dict[str, str], visible: int) -> Iterator[Question]:
    turns = session["dialogue_turns"]
    for turn, reply in zip(turns, [*turns[1:], {}], strict=True):
        if turn.get("is_query"):
            wanted = reply.get("memory_session_uuids") or []
            yield Question(
                id=str(turn.get("query_id")),
                text=clean(turn["content"]),
                gold=frozenset(earlier[uuid] for uuid in wanted if uuid in earlier),
                visible=visible,
                category=str(turn.get("category_name", "")),
                at=when(session),
            )


def _case(life: Fields) -> Case:
    units: list[Unit] = []
    questions: list[Question] = []
    earlier: dict[str, str] = {}
    for number, session in enumerate(life["dialogues"]):
        questions += _questions(session, earlier, len(units))
        units += _units(number, session, len(units))
        earlier[session["session_uuid"]] = f"s{number}"
    return Case(life["_metadata"]["person_name"], units, questions)


def read(found: Found) -> Iterator[Case]:
    """One case a person."""
    return (_case(life) for path in found["lives"] for life in records(path))


SETS = (
    DataSet(
        name="realmem",
        family="realmem",
        metric="R@10",
        level="session",
        protocol="interleaved",
        parts={"lives": lambda seen: seen.has("dialogues", "dialogue_turns", "session_uuid", "is_query")},
        read=read,
    ),
)
