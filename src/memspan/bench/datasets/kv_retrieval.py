"""Key-value retrieval: which value belongs to this key? Evidence is the pair.

Source: Liu et al. 2023, "Lost in the Middle", arXiv:2307.03172, section 3.
Ours differs: the authors put the pairs into a prompt; here each is a unit, "key: value", a session of its own.
Keys and values are random UUIDs, so it tests exact lookup and nothing else.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.files import records


def _case(number: int, row: Fields) -> Case:
    pairs = row["ordered_kv_records"]
    units = [Unit(f"u{n}", f"{key}: {value}", session=f"s{n}") for n, (key, value) in enumerate(pairs)]
    question = Question(
        id="q0",
        text=row["key"],
        gold=frozenset(f"u{n}" for n, (key, _) in enumerate(pairs) if key == row["key"]),
        visible=len(units),
        category=f"{len(pairs)} pairs",
        answers=(row["value"],),
        reads=rf"{row['key']}: (\S+)",
    )
    return Case(f"d{number}", units, [question])


def read(found: Found) -> Iterator[Case]:
    """One case a dictionary."""
    rows = (row for path in found["dictionaries"] for row in records(path))
    return (_case(number, row) for number, row in enumerate(rows))


# In no macro mean: whoever keeps words exactly finds them all.
SETS = (
    DataSet(
        name="kv-retrieval",
        family="",
        metric="R@5",
        parts={"dictionaries": lambda seen: '"ordered_kv_records"' in seen.text},
        read=read,
    ),
)
