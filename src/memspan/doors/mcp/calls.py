"""What each tool does with the memory: the same verbs as `Memory`, answered for a model."""

from typing import TYPE_CHECKING, Any

from memspan.core.changes import Event, Receipt
from memspan.core.clock import iso
from memspan.core.errors import UnknownId
from memspan.core.records import Turn
from memspan.doors import fields
from memspan.doors.fields import Fields
from memspan.doors.mcp import shown
from memspan.doors.mcp.shown import Answer, Line

if TYPE_CHECKING:  # numpy and apsw load after the client has its answer
    from memspan.text.memory import Memory

Given = dict[str, Any]  # Any: arguments that follow the tool's schema

TOKENS = 1000
FOUND = 10  # results of search
EXAMPLES = 20  # of a plan to forget
EXAMPLE_TOKENS = 600
EVENTS = 200
ENOUGH = 4000  # tokens within which something would be found, if there is anything
_TRIES, _SAFE = 6, 0.97


def remember(memory: "Memory", given: Given) -> Answer:
    """Put a text on disk."""
    made = memory.remember(given.pop("text"), **{"role": "assistant", **given})
    told = {name: value for name, value in fields.of_remembered(made).items() if name != "cost"}
    return Answer(shown.compact(told), told)


def recall(memory: "Memory", given: Given) -> Answer:
    """Evidence on a question; ids and fields fit the budget too."""
    question, tokens, how = given["question"], given.get("tokens", TOKENS), _rest(given, "question", "tokens")
    room = tokens
    for _ in range(_TRIES):
        found = memory.recall(question, **how, tokens=room)
        answer = shown.of_recall(found)
        if not found:
            break
        if answer.tokens() <= tokens:
            return answer
        room = int(_SAFE * min(room, found.cost.tokens) * tokens / answer.tokens())  # ids cost as much as words
    nothing = shown.of_recall(memory.recall(question, **how, tokens=0))
    if not memory.recall(question, **how, tokens=max(tokens, ENOUGH)):
        return nothing
    return Answer(f"Something is remembered about that, but not within {tokens} tokens; ask for more.", nothing.fields)


def _rest(given: Given, *names: str) -> Given:
    return {name: value for name, value in given.items() if name not in names}


def forget(memory: "Memory", given: Given) -> Answer:
    """Erase by ids; by anything broader first show what would go, and erase with the digest of that."""
    ids, confirm = given.pop("ids", None), given.pop("confirm", "")
    dry = given.pop("dry_run", ids is None and not confirm)
    if confirm or ids is not None or dry:
        done = memory.forget(ids, dry_run=dry, confirm=confirm, **given)
    else:
        done = memory.forget(dry_run=True, **given)  # a model that says dry_run=false has not seen what would go
    return _planned(memory, done) if done.status == "planned" else _erased(done)


def _planned(memory: "Memory", plan: Receipt) -> Answer:
    some = [shown.line_of(memory.item(id)[0]) for id in plan.ids[:EXAMPLES]]
    head = (
        f"Nothing is erased yet. {plan.items} would go, {plan.selector}. Show this to the person; if they agree, call "
        f"memory_forget again with the same arguments and confirm={plan.digest!r}."
    )

    def build(count: int) -> Answer:
        told: Fields = {**_receipt(plan), "left_out": plan.items - count}
        return shown.of_listing(told, some[:count], [f"id {shown.compact(line.id)}" for line in some[:count]], head)

    return shown.fitted(len(some), EXAMPLE_TOKENS, build)


def _erased(done: Receipt) -> Answer:
    told = _receipt(done)
    return Answer(shown.compact(told), told)


def _receipt(receipt: Receipt) -> Fields:
    told = fields.of_receipt(receipt)
    return {name: told[name] for name in ("operation", "status", "selector", "items", "digest", "kept")}


def correct(memory: "Memory", given: Given) -> Answer:
    """Put a new version in the place of a wrong one."""
    fresh = memory.correct(given["id"], given["text"], reason=given.get("reason", ""), role=given.get("role"))
    told = {"id": fresh, "replaces": given["id"]}
    return Answer(shown.compact(told), told)


def changes(memory: "Memory", given: Given) -> Answer:
    """What happened to memory; of too much, the newest."""
    tokens, limit = given.pop("tokens", TOKENS), given.pop("limit", EVENTS)
    events = memory.changes(**given)
    newest = events[-limit:] if limit else []
    lines = [_line_of_event(memory, event) for event in newest]

    def build(count: int) -> Answer:
        kept, words = newest[len(newest) - count :], lines[len(newest) - count :]
        told: Fields = {"events": [_event(event) for event in kept], "left_out": len(events) - count}
        head = "" if kept else "Nothing has changed." if not events else "Nothing fits; raise tokens."
        return shown.of_listing(told, words, [_happened(event) for event in kept], head)

    return shown.fitted(len(newest), tokens, build)


def _line_of_event(memory: "Memory", event: Event) -> Line:
    try:
        line = shown.line_of(memory.item(event.id)[0])
    except UnknownId:
        line = Line(event.id, "(forgotten)")
    text = event.text or line.text
    return Line(event.id, f"{text}\nreason: {event.why}" if event.why else text, line.speaker, event.at, line.note)


def _event(event: Event) -> Fields:
    return {name: value for name, value in fields.of_event(event).items() if name not in ("text", "why") and value}


def _happened(event: Event) -> str:
    heir = f", replaced by {shown.compact(event.heir)}" if event.heir else ""
    return f"{event.what} {iso(event.at)}, id {shown.compact(event.id)}{heir}, operation {event.operation}"


def due(memory: "Memory", given: Given) -> Answer:
    """Reminders whose time has come."""
    fired = memory.due(given.get("now"))
    lines = [shown.line_of(memory.item(one.id)[0]) for one in fired]

    def build(count: int) -> Answer:
        told: Fields = {
            "due": [{name: fields.of_due(one)[name] for name in ("id", "since", "by")} for one in fired[:count]],
            "left_out": len(fired) - count,
        }
        notes = [f"due since {iso(one.since)}, id {shown.compact(one.id)}" for one in fired[:count]]
        return shown.of_listing(told, lines[:count], notes, "" if fired else "Nothing is due.")

    return shown.fitted(len(fired), given.get("tokens", TOKENS), build)


def search(memory: "Memory", given: Given) -> Answer:
    """What bears on a question, as ids, titles and addresses."""
    found = memory.recall(given["query"], tokens=None, limit=FOUND)
    items = [memory.item(hit.id)[0] for hit in found.hits]
    told: Fields = {
        "results": [
            {"id": item.id, "title": shown.title_of(item), "url": shown.address("record", item.id)} for item in items
        ]
    }
    return Answer(shown.compact(told), told)


def fetch(memory: "Memory", given: Given) -> Answer:
    """One turn or record whole."""
    item, state = memory.item(given["id"])
    about = fields.of_item(item, state)
    told: Fields = {
        "id": item.id,
        "title": shown.title_of(item),
        "text": shown.fenced([shown.line_of(item)], len(item.text)),
        "url": shown.address("record", item.id),
        "metadata": _metadata(about, isinstance(item, Turn)),
    }
    return Answer(shown.compact(told), told)


def _metadata(about: Fields, is_turn: bool) -> Fields:
    names = ("kind", "speaker", "role", "session", "at") if is_turn else ("kind", "valid_from", "valid_to", "recipe")
    told = {name: str(about[name]) for name in names if about[name]}
    return {**told, "status": about["state"]["status"], **({} if is_turn else {"sources": ", ".join(about["sources"])})}
