"""LoCoMo: ten very long conversations of two people; evidence is turns.

Source: Maharana et al. 2024, "Evaluating Very Long-Term Conversational Memory of LLM Agents", arXiv:2402.17753.
A unit is a turn, "text [image: caption]" where a picture was sent. event_summary, observation and
session_summary are the authors' and are not read. Malformed evidence ("D8:6; D9:17", "D:11:26", "D30:05", "D")
is read by one pattern; ids that no turn has are dropped. Right answers: of open-domain questions what stands before
the ";", of adversarial ones none, ever: the file's adversarial_answer is wrong by design.
"""

import re
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, moment, month
from memspan.bench.files import records

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
_WHEN = re.compile(r"(\d+):(\d+)\s*([ap])m on (\d+) (\w+),? (\d{4})", re.IGNORECASE)


def when(text: str) -> float | None:
    """Seconds of a session's time, or None where it cannot be read.

    >>> when("1:56 pm on 8 May, 2023")
    1683554160.0
    """
    if not (seen := _WHEN.search(text)):
        return None
    hour, minute, half, day, name, year = seen.groups()
    return moment(int(year), month(name), int(day), int(hour) % 12 + 12 * (half.lower() == "p"), int(minute))


def evidence(raw: list[str]) -> list[tuple[int, int]]:
    """(session, turn) pairs.

    >>> evidence(["D8:6; D9:17", "D:11:26", "D30:05", "D"])
    [(8, 6), (9, 17), (11, 26), (30, 5)]
    """
    return [(int(session), int(turn)) for text in raw for session, turn in _EVIDENCE.findall(str(text))]


def answers(row: Fields) -> tuple[str, ...]:
    """The right answer, as the authors' own scorer cuts it.

    >>> answers({"category": 3, "answer": "Likely no; she was ill"})
    ('Likely no',)
    """
    if row.get("category") == 5 or row.get("answer") is None:
        return ()
    text = str(row["answer"])
    return (clean(text.split(";")[0] if row.get("category") == 3 else text),)


def _sessions(talk: Fields) -> list[int]:
    return sorted(int(key[8:]) for key, value in talk.items() if re.fullmatch(r"session_\d+", key) and value)


def _units(talk: Fields) -> tuple[list[Unit], dict[tuple[int, int], str]]:
    units: list[Unit] = []
    places: dict[tuple[int, int], str] = {}
    for session in _sessions(talk):
        at = when(str(talk.get(f"session_{session}_date_time", "")))
        for turn in talk[f"session_{session}"]:
            caption = f" [image: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            places.update(dict.fromkeys(evidence([turn["dia_id"]]), f"u{len(units)}"))
            text = clean(turn["text"] + caption)
            units.append(Unit(f"u{len(units)}", text, turn["speaker"], "user", f"s{session}", at))
    return units, places


def _case(number: int, talk: Fields) -> Case:
    units, places = _units(talk["conversation"])
    questions = [
        Question(
            id=f"q{n}",
            text=clean(str(row["question"])),
            gold=frozenset(places[pair] for pair in evidence(row.get("evidence") or []) if pair in places),
            visible=len(units),
            category=CATEGORIES.get(row.get("category"), str(row.get("category"))),
            answerable=row.get("category") != 5,
            answers=answers(row),
        )
        for n, row in enumerate(talk["qa"])
    ]
    return Case(str(talk.get("sample_id", number)), units, questions)


def read(found: Found) -> Iterator[Case]:
    """One case a conversation."""
    talks = (talk for path in found["conversations"] for talk in records(path))
    return (_case(number, talk) for number, talk in enumerate(talks))


SETS = (
    DataSet(
        name="locomo",
        family="locomo",
        metric="R@10",
        parts={"conversations": lambda seen: seen.has("conversation", "dia_id", "speaker_a", "qa")},
        read=read,
    ),
)
