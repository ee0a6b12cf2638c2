"""What memory returns, as JSON can hold it: one shape a thing, the same behind every door."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from memspan.core.changes import Due, Event, Receipt, State, Undone
from memspan.core.clock import iso
from memspan.core.records import Arm, Hit, Json, Link, Recall, Record, Remembered, Turn

if TYPE_CHECKING:
    from memspan.text.brief import Brief
    from memspan.text.consolidate.jobs import Reflected
    from memspan.text.memory import Stats

Fields = dict[str, Json]


def moment(at: float | None) -> str | None:
    """ISO 8601; None where it is not known.

    >>> moment(0.0)
    '1970-01-01T00:00:00Z'
    """
    return None if at is None else iso(at)


def of_turn(turn: Turn) -> Fields:
    """A turn."""
    return {
        "id": turn.id,
        "kind": "turn",
        "text": turn.text,
        "speaker": turn.speaker,
        "role": turn.role,
        "session": turn.session,
        "at": moment(turn.at),
        "seen_at": moment(turn.seen_at),
        "meta": dict(turn.meta),
    }


def of_record(record: Record) -> Fields:
    """A record. keys are left out: they are texts to find it by, most of them copies of its sources."""
    return {
        "id": record.id,
        "kind": record.kind,
        "text": record.text,
        "sources": list(record.sources),
        "entities": list(record.entities),
        "valid_from": moment(record.valid_from),
        "valid_to": moment(record.valid_to),
        "recorded_at": moment(record.recorded_at),
        "confidence": round(record.confidence, 4),
        "trust": round(record.trust, 4),
        "recipe": record.recipe,
        "payload": dict(record.payload),
    }


def of_state(state: State) -> Fields:
    """What has become of a turn or record."""
    times = ("valid_to", "retired_at", "expire_at", "used_at")
    told = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: moment(value) if name in times else value for name, value in told.items()}


def of_item(item: Turn | Record, state: State) -> Fields:
    """A turn or record with its state."""
    return {**(of_turn(item) if isinstance(item, Turn) else of_record(item)), "state": of_state(state)}


def of_link(link: Link) -> Fields:
    """A link."""
    return asdict(link)


def of_brief(found: "Brief", scope: str) -> Fields:
    """A brief: its lines by section, and the block."""
    sections: dict[str, list[Fields]] = {}
    for item in found.items:
        told = {name: value for name, value in asdict(item).items() if name != "section"}
        sections.setdefault(item.section, []).append({**told, "at": moment(item.at)})
    cost = {"tokens": found.cost.tokens, "seconds": round(found.cost.seconds, 6)}
    return {"scope": scope, "tokens": found.asked, "sections": sections, "context": found.context, "cost": cost}


def of_recall(found: Recall, scope: str, *, explain: bool = True) -> Fields:
    """A recall. explain: say of each hit what each arm said of it"""
    return {
        "question": found.question,
        "scope": scope,
        "confidence": round(found.confidence, 4),
        "cost": {"tokens": found.cost.tokens, "seconds": round(found.cost.seconds, 6)},
        "hits": [of_hit(hit, explain=explain) for hit in found.hits],
        "standing": [of_hit(hit, explain=explain) for hit in found.standing],
        "context": found.context,
    }


def of_hit(hit: Hit, *, explain: bool = True) -> Fields:
    """A hit."""
    told: Fields = {
        "rank": hit.rank,
        "id": hit.id,
        "text": hit.text,
        "speaker": hit.speaker,
        "role": hit.role,
        "session": hit.session,
        "at": moment(hit.at),
        "score": round(hit.score, 4),
        "tokens": hit.tokens,
        "kind": hit.kind,
        "trust": round(hit.trust, 4),
        "status": hit.status,
        "until": moment(hit.until),
        "heir": hit.heir,
        "contradicts": list(hit.contradicts),
        "suspect": hit.suspect,
        "sources": list(hit.sources),
        "meta": dict(hit.meta),
    }
    return {**told, "why": [_of_arm(arm) for arm in hit.why]} if explain else told


def _of_arm(arm: Arm) -> Fields:
    return {"arm": arm.name, "rank": arm.rank, "score": round(arm.score, 4), "added": round(arm.added, 4)}


def of_remembered(made: Remembered) -> Fields:
    """What remember did."""
    return {
        "ids": list(made.ids),
        "added": made.added,
        "known": made.known,
        "refused": list(made.refused),
        "quarantined": list(made.quarantined),
        "redacted": list(made.redacted),
        "cost": {"bytes": made.cost.bytes, "seconds": round(made.cost.seconds, 6)},
    }


def of_receipt(receipt: Receipt) -> Fields:
    """What forget did; of a plan the ids too."""
    told: Fields = {
        "operation": receipt.operation,
        "at": moment(receipt.at),
        "status": receipt.status,
        "selector": receipt.selector,
        "items": receipt.items,
        "rows": dict(receipt.rows),
        "digest": receipt.digest,
        "kept": list(receipt.kept),
        "not_covered": receipt.not_covered,
    }
    return {**told, "ids": list(receipt.ids)} if receipt.status == "planned" else told


def of_event(event: Event) -> Fields:
    """One thing that happened."""
    return {**asdict(event), "at": moment(event.at)}


def of_due(due: Due) -> Fields:
    """A reminder that has fired."""
    return {**asdict(due), "since": moment(due.since)}


def of_undone(undone: Undone) -> Fields:
    """What undo took back."""
    return asdict(undone)


def of_reflected(done: "Reflected") -> Fields:
    """What reflect did."""
    return asdict(done)


def of_stats(stats: "Stats") -> Fields:
    """How much there is."""
    told = {field.name: getattr(stats, field.name) for field in fields(stats)}
    held = {name: dict(value) if isinstance(value, Mapping) else value for name, value in told.items()}
    return {**held, "first_at": moment(stats.first_at), "last_at": moment(stats.last_at)}
