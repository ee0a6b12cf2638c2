"""HotpotQA, 2WikiMultiHopQA and MuSiQue: facts in several passages; evidence is passages.

Source: Yang et al. 2018, arXiv:1809.09600; Ho et al. 2020, arXiv:2011.01060; Trivedi et al. 2022, arXiv:2108.00573.
The passages of all questions of a file are pooled, one for each title (MuSiQue: title and text). A unit is
"title: text", a session of its own. Each question is a cluster of its own.
"""

import re
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records

_NUMBERS = re.compile(r"(?m)^\d+\. ?")


def passage(title: str, chunk: str) -> str:
    """The passage with its title before it, once.

    >>> passage("Ann Lee", "Title: Ann Lee\\n0. She sings.\\n1. She paints.")
    'Ann Lee: She sings. She paints.'
    """
    body = chunk.removeprefix(f"Title: {title}").removeprefix(f"{title}:").strip()
    if chunk.startswith("Title:"):
        body = " ".join(_NUMBERS.sub("", body).splitlines())
    return clean(f"{title}: {body}")


def _chunks(row: Fields) -> Iterator[tuple[str, str, bool]]:
    gold = {fact["title"] for fact in row["supporting_facts"]}
    for chunk in row["chunks"]:
        yield chunk["title"], passage(chunk["title"], chunk["chunk"]), chunk["title"] in gold


def _paragraphs(row: Fields) -> Iterator[tuple[str, str, bool]]:
    for one in row["paragraphs"]:
        text = passage(one["title"], one["paragraph_text"])
        yield text, text, bool(one["is_supporting"])


def _case(name: str, rows: list[Fields]) -> Case:
    pool: dict[str, Unit] = {}
    wanted: list[frozenset[str]] = []
    for row in rows:
        gold = set()
        for key, text, supports in _chunks(row) if "chunks" in row else _paragraphs(row):
            unit = pool.setdefault(key, Unit(f"u{len(pool)}", text, session=f"s{len(pool)}"))
            gold |= {unit.id} if supports else set()
        wanted.append(frozenset(gold))
    questions = [
        Question(
            id=f"q{n}",
            text=clean(row["question"]),
            gold=gold,
            visible=len(pool),
            category=str(row.get("hop") or len(gold)) + " hops",
            cluster=f"q{n}",
            answers=tuple(clean(str(text)) for text in (row["answer"], *(row.get("answer_aliases") or []))),
        )
        for n, (row, gold) in enumerate(zip(rows, wanted, strict=True))
    ]
    return Case(name, list(pool.values()), questions)


def read(found: Found) -> Iterator[Case]:
    """One case a file."""
    return (_case(path.parent.name, records(path)) for path in found["questions"])


SETS = (
    DataSet(
        name="hotpotqa",
        family="multihop",
        metric="R@5",
        parts={"questions": lambda seen: seen.has("chunks", "supporting_facts") and not seen.has("evidences")},
        read=read,
    ),
    DataSet(
        name="2wiki",
        family="multihop",
        metric="R@5",
        parts={"questions": lambda seen: seen.has("chunks", "supporting_facts", "evidences")},
        read=read,
    ),
    DataSet(
        name="musique",
        family="multihop",
        metric="R@5",
        parts={"questions": lambda seen: seen.has("paragraphs", "is_supporting", "question")},
        read=read,
    ),
)
