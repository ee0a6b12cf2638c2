"""The nine tools of the MCP reference memory server, over our store.

Source: https://github.com/modelcontextprotocol/servers, src/memory (names, arguments, answers).
Ours differs: what is given twice in one call is written once; what is deleted is erased from the file for good.
"""

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from memspan.doors.fields import Fields
from memspan.doors.mcp import graph, schema
from memspan.doors.mcp.calls import Given
from memspan.doors.mcp.graph import Entity, Relation, told_of
from memspan.doors.mcp.schema import Schema
from memspan.doors.mcp.shown import Answer
from memspan.doors.mcp.tools import Tool

if TYPE_CHECKING:
    from memspan.text.memory import Memory

_writing = threading.Lock()  # reading the graph and writing what is new is one step


def _answer(told: object, fields: Fields) -> Answer:
    return Answer(json.dumps(told, ensure_ascii=False, indent=2), fields)


def _done(what: str) -> Answer:
    message = f"{what} deleted successfully"
    return Answer(message, {"success": True, "message": message})


def _relations(given: Given) -> list[Relation]:
    return [(one["from"], one["relationType"], one["to"]) for one in given["relations"]]


def _create(memory: "Memory", given: Given) -> Answer:
    wanted = [
        Entity(one["name"], one["entityType"], [("", text) for text in dict.fromkeys(one["observations"])])
        for one in given["entities"]
    ]
    with _writing:
        made = [one.told() for one in graph.create(memory, wanted)]
    return _answer(made, {"entities": made})


def _relate(memory: "Memory", given: Given) -> Answer:
    with _writing:
        made = [told_of(one) for one in graph.relate(memory, _relations(given))]
    return _answer(made, {"relations": made})


def _observe(memory: "Memory", given: Given) -> Answer:
    wanted = [(one["entityName"], one["contents"]) for one in given["observations"]]
    with _writing:
        made = graph.observe(memory, wanted)
    told = [{"entityName": name, "addedObservations": texts} for name, texts in made]
    return _answer(told, {"results": told})


def _delete_entities(memory: "Memory", given: Given) -> Answer:
    with _writing:
        graph.forget(memory, given["entityNames"])
    return _done("Entities")


def _delete_observations(memory: "Memory", given: Given) -> Answer:
    with _writing:
        graph.unobserve(memory, [(one["entityName"], one["observations"]) for one in given["deletions"]])
    return _done("Observations")


def _delete_relations(memory: "Memory", given: Given) -> Answer:
    with _writing:
        graph.unrelate(memory, _relations(given))
    return _done("Relations")


def _read(memory: "Memory", given: Given) -> Answer:
    there = graph.read(memory)
    told: Fields = {
        "entities": [one.told() for one in there.entities.values()],
        "relations": [told_of(one) for one in there.relations],
    }
    return _answer(told, told)


def _search(memory: "Memory", given: Given) -> Answer:
    there, wanted = graph.read(memory), given["query"].lower()
    found = [
        one.name
        for one in there.entities.values()
        if any(wanted in text.lower() for text in (one.name, one.type, *(text for _, text in one.observations)))
    ]
    told = there.told(found)
    return _answer(told, told)


def _open(memory: "Memory", given: Given) -> Answer:
    told = graph.read(memory).told(given["names"])
    return _answer(told, told)


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _object(**parts: Schema) -> Schema:
    return schema.of(parts, tuple(parts), more=True)


_TEXTS = _list({"type": "string"})
_ENTITY = _object(
    name=schema.text("The name of the entity"), entityType=schema.text("The type of the entity"), observations=_TEXTS
)
_RELATION: Schema = schema.of(
    {
        "from": schema.text("The entity where the relation starts"),
        "to": schema.text("The entity where the relation ends"),
        "relationType": schema.text("The type of the relation"),
    },
    ("from", "to", "relationType"),
    more=True,
)
_GRAPH = _object(entities=_list(_ENTITY), relations=_list(_RELATION))
_DONE = _object(success={"type": "boolean"}, message={"type": "string"})


def _tool(name: str, means: str, takes: Schema, gives: Schema, call: Callable[["Memory", Given], Answer]) -> Tool:
    verb = name.partition("_")[0]
    reads, destroys = verb in ("read", "search", "open"), verb == "delete"
    title = name.replace("_", " ").title()
    return Tool(
        name=name, title=title, description=means, takes=takes, gives=gives, call=call,
        reads=reads, destroys=destroys, repeats=reads or destroys,
    )  # fmt: skip


REFERENCE = (
    _tool(
        "create_entities", "Create new entities in the knowledge graph; names that exist are left as they are.",
        _object(entities=_list(_ENTITY)), _object(entities=_list(_ENTITY)), _create,
    ),
    _tool(
        "create_relations", "Create new relations between entities, in active voice.",
        _object(relations=_list(_RELATION)), _object(relations=_list(_RELATION)), _relate,
    ),
    _tool(
        "add_observations", "Add observations to entities that exist.",
        _object(observations=_list(_object(entityName={"type": "string"}, contents=_TEXTS))),
        _object(results=_list(_object(entityName={"type": "string"}, addedObservations=_TEXTS))), _observe,
    ),
    _tool(
        "delete_entities", "Erase entities, their observations and their relations for good.",
        _object(entityNames=_TEXTS), _DONE, _delete_entities,
    ),
    _tool(
        "delete_observations", "Erase observations of entities for good.",
        _object(deletions=_list(_object(entityName={"type": "string"}, observations=_TEXTS))), _DONE,
        _delete_observations,
    ),
    _tool(
        "delete_relations", "Erase relations for good.", _object(relations=_list(_RELATION)), _DONE, _delete_relations,
    ),
    _tool("read_graph", "Read the whole knowledge graph.", _object(), _GRAPH, _read),
    _tool(
        "search_nodes", "Entities whose name, type or observations hold a text, with their relations.",
        _object(query={"type": "string"}), _GRAPH, _search,
    ),
    _tool("open_nodes", "Entities by their names, with their relations.", _object(names=_TEXTS), _GRAPH, _open),
)  # fmt: skip
