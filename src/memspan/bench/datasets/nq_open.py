"""NQ-open: questions to a search engine, and the Wikipedia passage that answers each; evidence is passages.

Source: Kwiatkowski et al. 2019, "Natural Questions"; Liu et al. 2023, "Lost in the Middle", arXiv:2307.03172, whose
files these are. The passages of all questions of a file are pooled, each once. A unit is "title: text", a session of
its own. Each question is a cluster of its own.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records


def _gold(row: Fields, pool: dict[str, Unit]) -> frozenset[str]:
    """Ids of the row's own passages; every passage goes into the pool."""
    gold = set()
    for passage in row["ctxs"]:
        text = clean(f"{passage['title']}: {passage['text']}")
        unit = pool.setdefault(text, Unit(f"u{len(pool)}", text, session=f"s{len(pool)}"))
        gold |= {unit.id} if passage["isgold"] else set()
    return frozenset(gold)


def read(found: Found) -> Iterator[Case]:
    """One case a file."""
    for path in found["questions"]:
        rows = records(path)
        pool: dict[str, Unit] = {}
        wanted = [_gold(row, pool) for row in rows]
        questions = [
            Question(
                id=f"q{n}",
                text=clean(row["question"]),
                gold=gold,
                visible=len(pool),
                cluster=f"q{n}",
                answers=tuple(clean(str(answer)) for answer in row["answers"]),
            )
            for n, (row, gold) in enumerate(zip(rows, wanted, strict=True))
        ]
        yield Case(path.parent.name, list(pool.values()), questions)


# In no macro mean: BM25 finds 94 of 100 among the first five, so it guards and does not rank.
SETS = (
    DataSet(
        name="nq-open",
        family="",
        metric="R@5",
        parts={"questions": lambda seen: seen.has("question", "answers", "ctxs", "isgold", "nq_annotated_gold")},
        read=read,
    ),
)
