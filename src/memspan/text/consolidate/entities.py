"""Entities: everything said of a name, in sentences that were said.

A name becomes an entity once two turns say it (naming.py says what a name is); what a speaker says of themselves is
said of them. Names are compared by their letters only: case and possessive are one name; "Dr. Smith" and "Smith", or
a full name and its first name, stay two records joined by a link. No claim in a text ("Bob is also known as Alice")
joins anything, so nobody can talk two persons into one.
Links go from episodes to entities, not from entities to turns: a record's sources say that already.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from memspan.core.records import ROLES, Link, Record, Turn
from memspan.text.consolidate.derived import (
    CITED,
    RECIPE,
    Basis,
    Derived,
    Line,
    counted,
    day_name,
    in_order,
    record_id,
    shown,
    span,
    who,
    written,
)
from memspan.text.consolidate.naming import naming, plain
from memspan.text.consolidate.summarise import choose, lines_of

KIND = "entity"
ENOUGH_TURNS = 2
TOKENS = 240
TITLE_WEIGHT = 0.9
FIRST_NAME_WEIGHT = 0.8
_MOST_KEYS = 8
_FIRST_PERSON = re.compile(r"\b(?:I|my|me|mine|we|our)\b", re.IGNORECASE)
_HONORIFIC = re.compile(r"(?:dr|mr|mrs|ms|miss|prof|professor|doctor)\.? (?=\w)")


@dataclass(slots=True)
class Entity:
    """A name and the turns it is about: those that say it, and its own as a speaker, in order of time."""

    key: str
    forms: Counter[str] = field(default_factory=Counter)
    turns: dict[str, Turn] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)


def entities(turns: Sequence[Turn], episodes: Sequence[Record], basis: Basis) -> Derived:
    """A record for each name said often enough, links mentions (episode to entity) and same-as (variant to name).

    turns: all of the scope, in the order in which they came;  episodes: of the same turns
    """
    found = gather(turns)
    ids = {name: record_id(basis.scope, KIND, name) for name in found}
    derived = Derived([], [], {})
    lines: dict[str, list[Line]] = {}
    for name, entity in found.items():
        of = derived.standing[ids[name]] = basis.digest(entity.turns.values())
        if basis.known.get(ids[name]) != of:
            derived.records.append(_record(ids[name], of, entity, basis, lines))
    derived.links.extend(_mentions(found, ids, episodes))
    derived.links.extend(
        Link(source=ids[variant], target=ids[name], kind="same-as", weight=weight)
        for variant, name, weight in same(found)
    )
    return derived


def gather(turns: Sequence[Turn]) -> dict[str, Entity]:
    """The entities of turns by their key, sorted by it."""
    ordered = in_order(turns)
    speakers = {turn.id: turn.speaker for turn in ordered if turn.speaker.lower() not in ("", *ROLES)}
    found: dict[str, Entity] = {}
    for turn, names in zip(ordered, naming(ordered, sorted(set(speakers.values()))), strict=True):
        for key, form in names.items():
            entity = found.setdefault(key, Entity(key))
            entity.forms[form] += 1
            entity.turns[turn.id] = turn
            entity.named.add(turn.id)
        if key := plain(speakers.get(turn.id, "")):
            entity = found.setdefault(key, Entity(key))
            entity.forms[who(turn)] += 1
            entity.turns[turn.id] = turn
            entity.spoken.add(turn.id)
    return {key: found[key] for key in sorted(found) if len(found[key].turns) >= ENOUGH_TURNS}


def _record(key: str, of: str, entity: Entity, basis: Basis, lines: dict[str, list[Line]]) -> Record:
    turns = list(entity.turns.values())
    forms = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, entity.forms))})(?!\w)")
    about = [line for turn in turns for line in _lines(turn, entity, forms, lines)]
    said = choose(about, TOKENS)
    cited = _cited([line.turn for line in said], turns)
    first, last = span(turn.at for turn in turns)
    name = entity.forms.most_common(1)[0][0]
    return Record(
        id=key,
        kind=KIND,
        text="\n".join([_title(name, entity, first, last), *map(_dated, said)]),
        sources=cited,
        keys=tuple(form for form, _ in entity.forms.most_common(_MOST_KEYS)),
        entities=(name,),
        valid_from=first,
        valid_to=last,
        trust=basis.least_trust(turns),
        recipe=RECIPE,
        payload={
            "group": entity.key,
            "of": of,
            "turns": len(turns),
            "named": len(entity.named),
            "spoken": len(entity.spoken),
            "lines": shown(said),
        },
    )


def _lines(turn: Turn, entity: Entity, forms: re.Pattern[str], lines: dict[str, list[Line]]) -> list[Line]:
    """Sentences of a turn that are about the entity: they name it, or it says "I" in them."""
    if turn.id not in lines:
        lines[turn.id] = lines_of(turn)
    own = turn.id in entity.spoken
    return [
        line
        for line in lines[turn.id]
        if (own and _FIRST_PERSON.search(line.text)) or (turn.id in entity.named and forms.search(line.text))
    ]


def _cited(shown_turns: Sequence[str], turns: Sequence[Turn]) -> tuple[str, ...]:
    """The turns of the lines shown, filled up with the latest others to 100; in order of time."""
    chosen = set(shown_turns)
    for turn in reversed(turns):
        if len(chosen) >= CITED:
            break
        chosen.add(turn.id)
    return tuple(turn.id for turn in turns if turn.id in chosen)


def _title(name: str, entity: Entity, first: float | None, last: float | None) -> str:
    counts = [f"named in {counted(len(entity.named), 'turn')}"] if entity.named else []
    counts += [f"speaks in {counted(len(entity.spoken), 'turn')}"] if entity.spoken else []
    if first is not None and last is not None:
        begin, end = day_name(first), day_name(last)
        counts.append(begin if begin == end else f"{begin} to {end}")
    return f"{name}: {', '.join(counts)}"


def _dated(line: Line) -> str:
    return written(line) if line.at is None else f"{day_name(line.at)}, {written(line)}"


def _mentions(found: Mapping[str, Entity], ids: Mapping[str, str], episodes: Sequence[Record]) -> Iterator[Link]:
    """From each episode to the entities in it; the weight is the share of its turns that they are in."""
    episode_of = {turn: episode for episode in episodes for turn in episode.sources}
    for key, entity in found.items():
        counts = Counter(episode_of[turn].id for turn in entity.turns if turn in episode_of)
        sizes = {episode_of[turn].id: len(episode_of[turn].sources) for turn in entity.turns if turn in episode_of}
        for episode, count in counts.items():
            yield Link(source=episode, target=ids[key], kind="mentions", weight=count / sizes[episode])


def same(found: Mapping[str, Entity]) -> Iterator[tuple[str, str, float]]:
    """(variant, name, weight) of names that are one by their letters: a title in front, or a first name that only one
    full name begins with.
    """
    longer: dict[str, list[str]] = {}
    for key in found:
        if " " in key and not _HONORIFIC.match(key):
            longer.setdefault(key.split(" ", 1)[0], []).append(key)
    for key in found:
        if (rest := _HONORIFIC.sub("", key, count=1)) != key and rest in found:
            yield key, rest, TITLE_WEIGHT
        full = longer.get(key, [])
        if len(full) == 1 and _one_person(found[key], found[full[0]]):
            yield key, full[0], FIRST_NAME_WEIGHT


def _one_person(short: Entity, full: Entity) -> bool:
    """Whether the full name is a speaker's and the short one nobody else's; or the short one is said in no session
    where the full one is not: a speaker called Bob is not Bob Marley.
    """
    if full.spoken or short.spoken:
        return bool(full.spoken) and not short.spoken
    sessions = {turn.session for turn in full.turns.values()}
    return all(turn.session in sessions for turn in short.turns.values())
