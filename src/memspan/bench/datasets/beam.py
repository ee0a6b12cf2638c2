"""BEAM: chats of 100 thousand, 500 thousand and one million tokens; evidence is messages.

Source: Tavakoli et al. 2025, "Beyond a Million Tokens", arXiv:2510.27246.
A unit is a message, its speaker the role; a session is a batch; its time is the last time_anchor seen.
Questions without message ids (abstention, and a few others) have no gold and are not scored.
knowledge_update names the messages of the old information and of the new: all are evidence, the old ones are `stale`
too. contradiction_resolution names two statements of which neither is known to hold, so none is stale.
Right answers are the `answer` fields; ideal_response, ideal_answer and ideal_summary are replies, not answers.
"""

import re
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import clean, moment, month
from memspan.bench.files import records

SCALES = ("100K", "500K", "1M")


def when(anchor: object) -> float | None:
    """Seconds of a time anchor, or None where it cannot be read.

    >>> when("March-15-2024")
    1710460800.0
    """
    name, _, rest = str(anchor or "").partition("-")
    day, _, year = rest.partition("-")
    return moment(int(year), month(name), int(day)) if day.isdigit() and year.isdigit() and month(name) else None


def ids(raw: object) -> Iterator[int]:
    """Message ids in a list, or in a dict of lists, at any depth."""
    if isinstance(raw, dict):
        raw = list(raw.values())
    if isinstance(raw, list):
        for item in raw:
            yield from ids(item)
    elif isinstance(raw, int) or (isinstance(raw, str) and raw.isdigit()):
        yield int(raw)


def stale(raw: object) -> frozenset[int]:
    """Ids of the messages that say only what held before.

    >>> sorted(stale({"original_info": [3, 4], "updated_info": [[4], 9]}))
    [3]
    """
    if not isinstance(raw, dict):
        return frozenset()
    return frozenset(ids(raw.get("original_info"))).difference(ids(raw.get("updated_info")))


def _units(chat: list[Fields]) -> tuple[list[Unit], dict[int, str]]:
    units: list[Unit] = []
    places: dict[int, str] = {}
    at: float | None = None
    for number, batch in enumerate(chat):
        for message in (message for exchange in batch["turns"] for message in exchange):
            at = when(message.get("time_anchor") or batch.get("time_anchor")) or at
            if text := clean(message["content"]):
                places[message["id"]] = f"u{len(units)}"
                role = message["role"]
                units.append(Unit(f"u{len(units)}", text, role, role, f"s{number}", at))
    return units, places


def _case(chat: Fields) -> Case:
    units, places = _units(chat["chat"])
    questions = [
        Question(
            id=f"{kind}{n}",
            text=clean(row["question"]),
            gold=frozenset(places[key] for key in ids(row.get("source_chat_ids")) if key in places),
            visible=len(units),
            category=kind,
            answerable=kind != "abstention",
            answers=(clean(str(row["answer"])),) if "answer" in row else (),
            stale=frozenset(places[key] for key in stale(row.get("source_chat_ids")) if key in places),
        )
        for kind, rows in chat["probing_questions"].items()
        for n, row in enumerate(rows)
    ]
    return Case(f"{chat['scale']}-{chat['id']}", units, questions)


def read(found: Found) -> Iterator[Case]:
    """One case a chat."""
    return (_case(chat) for path in found["chats"] for chat in records(path))


def _scale(scale: str) -> DataSet:
    mark = re.compile(rf'"scale"\s*:\s*"{scale}"', re.IGNORECASE)

    def known(seen: Sniff) -> bool:
        return seen.has("scale", "chat", "batch_number") and mark.search(seen.text) is not None

    name = f"beam-{scale.lower()}"
    return DataSet(name=name, family="beam", metric="R@10", parts={"chats": known}, read=read)


SETS = tuple(_scale(scale) for scale in SCALES)
