"""What a page that is one file carries of a memory: the newest turns, records, links, and what became of them."""

from typing import TYPE_CHECKING, TypedDict

from memspan.core.changes import Event
from memspan.core.clock import iso
from memspan.core.records import Json
from memspan.doors import fields

if TYPE_CHECKING:
    from memspan.text.memory import Memory

MOST = 20_000
"""Turns, records, links and events that a page carries, each; a browser opens so many in a second."""

_SAID_ELSEWHERE = ("added", "linked", "used", "renewed")  # by the item itself, the links, the state, the record


class Carried(TypedDict):
    """As the page reads it. left_out: turns and records that are not in there;  made_at: when this was so"""

    scope: str
    made_at: str
    left_out: int
    turns: list[fields.Fields]
    records: list[fields.Fields]
    links: list[fields.Fields]
    sessions: list[str]
    events: list[fields.Fields]
    due: list[fields.Fields]
    receipts: list[fields.Fields]
    stats: fields.Fields


def of(memory: "Memory", now: float, *, most: int = MOST) -> Carried:
    """What a page shows of a memory. now: the moment [s];  most: of each thing, the newest

    Quarantined turns are left out: nobody has looked through a file before it is handed on.
    """
    turns = [_item(memory, turn.id) for turn in memory.turns(newest=True, limit=most)]
    records = [_item(memory, record.id) for record in memory.records()[-most:]]
    shown = [one for one in (*reversed(turns), *records) if one["state"]["status"] != "quarantined"]
    ids = {one["id"] for one in shown}
    stats = memory.stats()
    return {
        "scope": memory.scope,
        "made_at": iso(now),
        "left_out": stats.turns + stats.records - len(shown),
        "turns": [one for one in shown if one["kind"] == "turn"],
        "records": [one for one in shown if one["kind"] != "turn"],
        "links": [fields.of_link(link) for link in memory.links() if {link.source, link.target} <= ids][-most:],
        "sessions": memory.sessions()[-most:],
        "events": [_event(event, ids) for event in memory.changes() if event.what not in _SAID_ELSEWHERE][-most:],
        "due": [fields.of_due(due) for due in memory.due(now) if due.id in ids],
        "receipts": [fields.of_receipt(receipt) for receipt in memory.receipts()],
        "stats": fields.of_stats(stats),
    }


def _item(memory: "Memory", id: str) -> dict[str, Json]:
    return fields.of_item(*memory.item(id))


def _event(event: Event, ids: set[Json]) -> fields.Fields:
    """An event; without the words of what is not in the page."""
    told = fields.of_event(event)
    return told if event.id in ids else {**told, "text": ""}
