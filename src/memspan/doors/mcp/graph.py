"""A graph of entities, observations and relations, as turns: what the MCP reference memory server keeps in a file.

An observation is a turn "name: observation", a relation a turn "from relationType to", an entity a turn "name (type)",
all told apart by their meta, as `text.read.mcp_memory` reads them from that server's memory.jsonl. So all of it is
found by recall too, and what is imported is part of the graph.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memspan.core.clock import now
from memspan.core.errors import UsageError
from memspan.core.records import Json, Turn
from memspan.doors.fields import Fields

if TYPE_CHECKING:
    from memspan.text.memory import Memory

Relation = tuple[str, str, str]
"""from, relationType, to"""


@dataclass(slots=True)
class Entity:
    """An entity. observations: (id of the turn, observation);  ids: of its other turns"""

    name: str
    type: str
    observations: list[tuple[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def told(self) -> Fields:
        """As the tools tell it."""
        return {
            "name": self.name,
            "entityType": self.type,
            "observations": [text for _, text in self.observations],
        }


@dataclass(slots=True)
class Graph:
    """All of it, in the order in which it was written. relations: to the ids of their turns"""

    entities: dict[str, Entity] = field(default_factory=dict)
    relations: dict[Relation, list[str]] = field(default_factory=dict)

    def told(self, names: Iterable[str]) -> Fields:
        """The entities of these names, and the relations that touch one of them."""
        wanted = set(names)
        return {
            "entities": [one.told() for one in self.entities.values() if one.name in wanted],
            "relations": [told_of(one) for one in self.relations if one[0] in wanted or one[2] in wanted],
        }

    def take(self, turn: Turn) -> None:
        """Read a turn that is part of the graph; others are none of its business."""
        name, about, parts = (turn.meta.get(key) for key in ("entity", "type", "relation"))
        if isinstance(name, str) and isinstance(about, str):
            entity = self.entities.setdefault(name, Entity(name, about))
            if turn.text.startswith(f"{name}: "):
                entity.observations.append((turn.id, turn.text.removeprefix(f"{name}: ")))
            else:
                entity.ids.append(turn.id)
        elif isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts):
            self.relations.setdefault((parts[0], parts[1], parts[2]), []).append(turn.id)


def told_of(relation: Relation) -> Fields:
    """A relation as the tools tell it."""
    return {"from": relation[0], "to": relation[2], "relationType": relation[1]}


def read(memory: "Memory") -> Graph:
    """The graph of the memory's scope."""
    graph = Graph()
    for turn in memory.turns():
        graph.take(turn)
    return graph


def create(memory: "Memory", wanted: list[Entity]) -> list[Entity]:
    """Write the entities whose name is not there yet; these. Of one name, the first counts."""
    there, made = read(memory).entities, dict[str, Entity]()
    for one in wanted:
        if one.name not in there:
            made.setdefault(one.name, one)
    turns = list[Turn]()
    for one in made.values():
        turns += [_entity(one), *(_observed(one, text) for _, text in one.observations)]
    _write(memory, turns)
    return list(made.values())


def relate(memory: "Memory", wanted: list[Relation]) -> list[Relation]:
    """Write the relations that are not there yet; these."""
    there = read(memory).relations
    made = [one for one in dict.fromkeys(wanted) if one not in there]
    _write(memory, [_turn(" ".join(one), one[0], {"relation": list(one)}) for one in made])
    return made


def observe(memory: "Memory", wanted: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Write what is new about entities: (name, observations). Raises UsageError where there is no such entity."""
    there, made, turns = read(memory).entities, list[tuple[str, list[str]]](), list[Turn]()
    for name, texts in wanted:
        entity = there.get(name)
        if entity is None:
            raise UsageError(f"Entity with name {name} not found")
        known = {text for _, text in entity.observations}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        entity.observations += [("", text) for text in fresh]
        made.append((name, fresh))
        turns += [_observed(entity, text) for text in fresh]
    _write(memory, turns)
    return made


def forget(memory: "Memory", names: list[str]) -> None:
    """Erase entities, what was observed of them, and the relations that touch them."""
    graph, gone = read(memory), set(names)
    entities = [one for one in graph.entities.values() if one.name in gone]
    ids = [id for one in entities for id in (*one.ids, *(id for id, _ in one.observations))]
    ids += [id for one, turns in graph.relations.items() if one[0] in gone or one[2] in gone for id in turns]
    _erase(memory, ids)


def unobserve(memory: "Memory", wanted: list[tuple[str, list[str]]]) -> None:
    """Erase observations: (name, observations); the entity stays."""
    graph, ids = read(memory), list[str]()
    for name, texts in wanted:
        if (entity := graph.entities.get(name)) is None:
            continue
        ids += [id for id, text in entity.observations if text in texts]
        if not entity.ids:
            _write(memory, [_entity(entity)])  # it was imported, and only its observations say that it is there
            entity.ids.append("")
    _erase(memory, ids)


def unrelate(memory: "Memory", wanted: list[Relation]) -> None:
    """Erase relations."""
    graph = read(memory)
    _erase(memory, [id for one in dict.fromkeys(wanted) for id in graph.relations.get(one, [])])


def _entity(entity: Entity) -> Turn:
    return _turn(f"{entity.name} ({entity.type})", entity.name, {"entity": entity.name, "type": entity.type})


def _observed(entity: Entity, text: str) -> Turn:
    return _turn(f"{entity.name}: {text}", entity.name, {"entity": entity.name, "type": entity.type})


def _turn(text: str, session: str, meta: Json) -> Turn:
    return Turn(text, role="assistant", session=session, at=now(), meta=meta)


def _write(memory: "Memory", turns: list[Turn]) -> None:
    if turns:
        memory.remember(turns, again=True)  # whoever creates what was deleted before means it


def _erase(memory: "Memory", ids: list[str]) -> None:
    if ids:
        memory.forget(list(dict.fromkeys(ids)))
