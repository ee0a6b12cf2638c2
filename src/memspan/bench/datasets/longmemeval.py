"""LongMemEval: 500 questions, each with a haystack of its own; evidence is sessions, and turns in them.

Source: Wu et al. 2025, "LongMemEval: Benchmarking Chat Assistants on Long-Term Interactive Memory", ICLR 2025,
arXiv:2410.10813. Read as published: longmemeval_s.json, longmemeval_m.json, longmemeval_oracle.json, whatever they
are called; a haystack at a time, for the largest has 2.7 GB.
A unit is a turn; sessions stand in order of their dates and are numbered, for the file's own ids say which of them
are evidence ("answer_..."). As in the authors' retrieval figures, questions that end with _abs (the answer is not
there) have no gold. Ours differs: assistant turns are remembered too, and rank; the authors index user turns alone.
Gold is answer_session_ids, or (longmemeval-turns) the turns with has_answer where the file labels them.
A preference question's answer is a rubric for a judge, and no right answer here.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import clean, moment
from memspan.bench.files import each

_WHEN = re.compile(r"(\d{4})/(\d+)/(\d+)\D*(\d+):(\d+)")


def when(text: object) -> float | None:
    """Seconds of a session's or a question's date, or None where it cannot be read.

    >>> when("2023/05/30 (Tue) 23:40")
    1685490000.0
    """
    seen = _WHEN.search(str(text))
    return moment(*map(int, seen.groups())) if seen else None


def _sessions(row: Fields) -> list[tuple[float | None, bool, list[Fields]]]:
    """(time, is evidence, turns), by time; the published order among equals."""
    wanted = set(row["answer_session_ids"])
    dated = [
        (when(date), name in wanted, turns)
        for date, name, turns in zip(
            row["haystack_dates"], row["haystack_session_ids"], row["haystack_sessions"], strict=True
        )
    ]
    return sorted(dated, key=lambda one: one[0] or 0.0)


def _case(row: Fields) -> tuple[Case, frozenset[str]]:
    """The case with sessions as gold, and the turns that are evidence."""
    units: list[Unit] = []
    turns: set[str] = set()
    sessions: set[str] = set()
    for number, (at, evidence, said) in enumerate(_sessions(row)):
        sessions |= {f"s{number}"} if evidence else set()
        for turn in said:
            if text := clean(turn["content"]):
                turns |= {f"u{len(units)}"} if turn.get("has_answer") else set()
                units.append(Unit(f"u{len(units)}", text, turn["role"], turn["role"], f"s{number}", at))
    answerable = not row["question_id"].endswith("_abs")
    told = answerable and row["question_type"] != "single-session-preference"
    question = Question(
        id="q0",
        text=clean(row["question"]),
        gold=frozenset(sessions) if answerable else frozenset(),
        visible=len(units),
        category=row["question_type"],
        answerable=answerable,
        at=when(row["question_date"]),
        answers=(clean(str(row["answer"])),) if told else (),
    )
    return Case(row["question_id"], units, [question]), frozenset(turns) if answerable else frozenset()


def read(found: Found) -> Iterator[Case]:
    """One case a question; gold is sessions."""
    return (_case(row)[0] for path in found["haystacks"] for row in each(path))


def read_turns(found: Found) -> Iterator[Case]:
    """One case a question; gold is turns."""
    for path in found["haystacks"]:
        for row in each(path):
            case, turns = _case(row)
            yield replace(case, questions=[replace(one, gold=turns) for one in case.questions])


def _known(seen: Sniff) -> bool:
    return seen.has("question_id", "question_date", "haystack_dates", "haystack_session_ids", "haystack_sessions")


# In no macro mean: published session figures without a language model are 86 to 98 of 100 (agentmemory, MemPalace).
SETS = (
    DataSet(
        name="longmemeval-sessions",
        family="",
        metric="R@5",
        level="session",
        parts={"haystacks": _known},
        read=read,
    ),
    DataSet(name="longmemeval-turns", family="", metric="R@10", parts={"haystacks": _known}, read=read_turns),
)
