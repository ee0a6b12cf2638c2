"""MADial-Bench (English and Chinese): memories worth bringing up in a talk; evidence is memories.

Source: He et al. 2025, "MADial-Bench", NAACL 2025.
A unit is a memory: its time, scene, emotion and event; each is a session of its own. The question is the talk before
the first test turn. Each dialogue is a cluster of its own, for the memories are shared by all.
"""

from collections.abc import Callable, Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import chinese, clean, joined, stamp
from memspan.bench.files import records

TEXTS = ("time", "scene", "emotion", "event")
_MARKS = ("<BOD>", "<EOD>")


def _unit(n: int, row: Fields) -> Unit:
    return Unit(f"u{n}", joined(row.get(name) for name in TEXTS), session=f"s{n}", at=stamp(row["time"]))


def talk(row: Fields) -> str:
    """The utterances before the first test turn, as one text."""
    said = [clean(line) for line in row["dialogue"][: row["test-turn"][0]]]
    return joined(line for line in said if line not in _MARKS)


def _question(row: Fields, places: dict[str, str]) -> Question:
    return Question(
        id=f"q{row['index']}",
        text=talk(row),
        gold=frozenset(places[str(key)] for key in row["relevant-id"] if str(key) in places),
        visible=len(places),
        cluster=f"q{row['index']}",
    )


def read(found: Found) -> Iterator[Case]:
    """One case for each file of dialogues; the memories are the ones beside it, else the first found."""
    for path in found["dialogues"]:
        bank = next((one for one in found["memories"] if one.parent == path.parent), found["memories"][0])
        memories = {key: row for line in records(bank) for key, row in line.items()}
        units = [_unit(n, row) for n, row in enumerate(memories.values())]
        places = {key: f"u{n}" for n, key in enumerate(memories)}
        yield Case(path.parent.name, units, [_question(row, places) for row in records(path)])


def _part(*fields: str, zh: bool) -> Callable[[Sniff], bool]:
    return lambda seen: seen.has(*fields) and chinese(seen.text) == zh


def _language(name: str, family: str, *, zh: bool) -> DataSet:
    parts = {
        "memories": _part("scene", "emotion", "event", zh=zh),
        "dialogues": _part("dialogue", "test-turn", "relevant-id", zh=zh),
    }
    return DataSet(name=name, family=family, metric="R@10", parts=parts, read=read)


SETS = (_language("madial-en", "madial", zh=False), _language("madial-zh", "", zh=True))
