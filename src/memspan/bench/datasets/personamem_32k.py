"""PersonaMem, 32 thousand tokens: talks with one person, and replies of which one suits them; no evidence is named.

Source: Jiang et al. 2025, "Know Me, Respond to Me", arXiv:2504.14225, as vectorize-io/agent-memory-benchmark packs it.
The file names all talks of a person as evidence of every question, which says nothing, so there is no gold: it is for
a reader that chooses a reply, and is not scored for access.
A unit is a message; a talk is a session. The persona that opens each talk is the benchmark's instruction to the
writer of the replies, and is left out. Where in the talks a question was asked is not in these files: it is asked last.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records
from memspan.core.records import Role

_MARK = re.compile(r"(?m)^\[(SYSTEM|USER|ASSISTANT)\] ?(?:User: |Assistant: )?")
_CHOICE = re.compile(r"(?m)^\(([a-d])\) ")
_ROLES: dict[str, Role] = {"USER": "user", "ASSISTANT": "assistant"}


def messages(text: str) -> list[tuple[Role, str]]:
    """(role, text) of what was said.

    >>> messages("[SYSTEM] Persona: Ann\\n\\n[USER] User: Hello.\\n\\n[ASSISTANT] Assistant: Good day.")
    [('user', 'Hello.'), ('assistant', 'Good day.')]
    """
    marked = _MARK.split(text)[1:]
    return [(_ROLES[mark], clean(said)) for mark, said in zip(marked[::2], marked[1::2], strict=True) if mark in _ROLES]


def choices(query: str) -> dict[str, str]:
    """Letter -> reply.

    >>> choices("Where to?\\n\\n(a) Rome\\n(b) Oslo")
    {'a': 'Rome', 'b': 'Oslo'}
    """
    parts = _CHOICE.split(query)[1:]
    return {letter: clean(reply) for letter, reply in zip(parts[::2], parts[1::2], strict=True)}


def _units(talks: list[Fields]) -> list[Unit]:
    said = [(number, role, text) for number, talk in enumerate(talks) for role, text in messages(talk["content"])]
    return [Unit(f"u{n}", text, role, role, f"s{number}") for n, (number, role, text) in enumerate(said) if text]


def _question(n: int, row: Fields, visible: int) -> Question:
    replies = choices(row["query"])
    right = replies.get(row["gold_answers"][-1])
    return Question(
        id=f"q{n}",
        text=clean(row["meta"]["retrieval_query"]),
        gold=frozenset(),
        visible=visible,
        category=row["meta"]["question_type"],
        answers=(right,) if right else (),
        choices=tuple(replies.values()),
    )


def read(found: Found) -> Iterator[Case]:
    """One case a person."""
    talks: dict[str, list[Fields]] = defaultdict(list)
    asked: dict[str, list[Fields]] = defaultdict(list)
    for part, kept in (("documents", talks), ("queries", asked)):
        for path in found[part]:
            for row in records(path):
                kept[row["user_id"]].append(row)
    for number, (user, told) in enumerate(talks.items()):
        units = _units(told)
        yield Case(f"p{number}", units, [_question(n, row, len(units)) for n, row in enumerate(asked[user])])


SETS = (
    DataSet(
        name="personamem-32k",
        family="",
        metric="EM",
        parts={
            "documents": lambda seen: seen.has("user_id", "content", "timestamp") and "[ASSISTANT]" in seen.text,
            "queries": lambda seen: seen.has("user_id", "gold_answers", "gold_ids", "retrieval_query"),
        },
        read=read,
    ),
)
