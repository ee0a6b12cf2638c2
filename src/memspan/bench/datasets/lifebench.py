"""LifeBench (English): a year on one person's phone; evidence is records of several kinds.

Source: "LifeBench", arXiv:2603.03781.
A unit is a phone record, its texts joined; records stand in order of time, all in one session. contact and
fitness_health are left out. Only questions whose evidence is complete in the file are asked. The file says in which
month a question is asked; its time is the end of that month. Some evidence is younger, so it is no filter.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, joined, moment, stamp
from memspan.bench.files import records

TEXTS = (
    "text", "title", "content", "message_content", "caption", "description", "contactName",
    "summarized_info", "ocrText", "datetime",
)  # fmt: skip
LEFT_OUT = ("contact", "fitness_health")


def asked(month: object) -> float | None:
    """The end of a month, or None where it is none.

    >>> asked("2025-12")
    1767225599.0
    """
    year, _, number = str(month).partition("-")
    if not (year.isdigit() and number[:2].isdigit()):
        return None
    after = moment(int(year) + int(number[:2]) // 12, int(number[:2]) % 12 + 1, 1)
    return None if after is None else after - 1


def chosen(row: Fields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(right answers, choices); where there are choices the file names the right one by its letter.

    >>> chosen({"answer": "B", "options": [{"option": "A", "content": "tea"}, {"option": "B", "content": "milk"}]})
    (('milk',), ('tea', 'milk'))
    """
    options = {str(one["option"]): clean(str(one["content"])) for one in row.get("options") or []}
    answer = clean(str(row.get("answer") or ""))
    return (options.get(answer, answer),) if answer else (), tuple(options.values())


def spoken(talk: object) -> Iterator[str]:
    """What was said in an agent_chat's nested conversation."""
    if isinstance(talk, dict):
        for name, value in talk.items():
            if name == "content" and isinstance(value, str):
                yield value
            else:
                yield from spoken(value)


def _rows(phone: Fields) -> list[tuple[tuple[str, str], Fields]]:
    rows = [
        ((kind, str(row["phone_id"])), row) for kind, listed in phone.items() if kind not in LEFT_OUT for row in listed
    ]
    return sorted(rows, key=lambda pair: _time(pair[1]))


def _time(row: Fields) -> str:
    return str(row.get("datetime") or row.get("date") or "")


def _text(row: Fields) -> str:
    return joined([*(row.get(name) for name in TEXTS), *spoken(row.get("conversation"))])


def _case(life: Fields) -> Case:
    rows = _rows(life["phone_data"])
    units = [
        Unit(f"u{n}", _text(row) or kind[0], session="s0", at=stamp(_time(row))) for n, (kind, row) in enumerate(rows)
    ]
    places: dict[tuple[object, str], str] = {key: f"u{n}" for n, (key, _) in enumerate(rows)}
    return Case(life["user"], units, list(_questions(life["qa"], places, len(units))))


def _questions(rows: list[Fields], places: dict[tuple[object, str], str], visible: int) -> Iterator[Question]:
    for n, row in enumerate(rows):
        answers, choices = chosen(row)
        wanted = [(proof.get("type"), str(proof.get("id"))) for proof in row.get("evidence") or []]
        if row.get("evidence_complete", True) and all(key in places for key in wanted):
            yield Question(
                id=str(row.get("qid", f"q{n}")),
                text=clean(row["question"]),
                gold=frozenset(places[key] for key in wanted),
                visible=visible,
                category=row["question_type"],
                answerable=row["question_type"] != "Unanswerable",
                at=asked(row.get("ask_time")),
                answers=answers if row["question_type"] != "Unanswerable" else (),
                choices=choices,
            )


def read(found: Found) -> Iterator[Case]:
    """One case a person."""
    return (_case(life) for path in found["phones"] for life in records(path))


SETS = (
    DataSet(
        name="lifebench",
        family="lifebench",
        metric="R@20",
        parts={"phones": lambda seen: seen.has("user", "persona") and '"implicit_choice"' not in seen.text},
        read=read,
    ),
)
