"""Routes: remember, recall and forget."""

from typing import Any

from starlette.responses import Response

from memspan.core.records import Turn
from memspan.doors import fields
from memspan.doors.rest import shapes, strict
from memspan.doors.rest.asked import Forgetting, Name, Reading, Writing
from memspan.doors.rest.bodies import ForgetBody, RecallBody, RememberText, RememberTurns, UsedBody
from memspan.doors.rest.replies import as_bytes, reply
from memspan.doors.rest.spans import tell

router = strict.router()


@router.post("/remember", status_code=201, response_model=shapes.Remembered)
def remember(asked: Writing, body: RememberText | RememberTurns, name: Name = None) -> Response:
    """Put a text or turns on disk; when this is answered they are there."""

    def act(moment: float) -> tuple[int, bytes]:
        with asked.memory("remember") as (memory, span):
            if isinstance(body, RememberTurns):
                turns = [Turn(**turn.model_dump(exclude_none=True)) for turn in body.turns]
                made = memory.remember(turns, again=body.again)
            else:
                told = body.model_dump(exclude={"text"})
                made = memory.remember(body.text, **{**told, "at": moment if body.at is None else body.at})
            tell(span, turns=len(made.ids), added=made.added)
        asked.door.figures.written.inc(made.added)
        return 201, as_bytes(fields.of_remembered(made))

    return asked.once("remember", name, body, act)


@router.post("/recall", response_model=shapes.Recalled)
def recall(asked: Reading, body: RecallBody) -> Response:
    """Evidence on a question, best first, cited, within a budget."""
    told = body.model_dump(exclude={"question", "explain"})
    with asked.memory("recall") as (memory, span):
        found = memory.recall(body.question, **told)
        tell(span, hits=len(found.hits), tokens=found.cost.tokens, confidence=found.confidence)
    return reply(fields.of_recall(found, asked.scope, explain=body.explain))


@router.post("/used", response_model=shapes.Used)
def used(asked: Writing, body: UsedBody) -> Response:
    """Count a use of each; what is used stays longer. Ids that are gone count for nothing."""
    with asked.memory("used") as (memory, _):
        memory.used(body.ids)
    return reply({"used": len(body.ids)})


@router.post("/forget", response_model=shapes.Receipt)
def forget(asked: Forgetting, body: ForgetBody, name: Name = None) -> Response:
    """Erase turns and records, and all that was made of them; says what went.

    A query needs `confirm`: the digest of a dry run, or of the 409 that is answered without it.
    """

    def act(_moment: float) -> tuple[int, bytes]:
        with asked.memory("forget") as (memory, span):
            receipt = memory.forget(body.ids, dry_run=body.dry_run, confirm=body.confirm, **_where(body))
            tell(span, items=receipt.items, status=receipt.status)
        if receipt.items and not body.dry_run:
            asked.door.answers.forget(asked.scope)
        return 200, as_bytes(fields.of_receipt(receipt))

    return asked.once("forget", name, body, act)


def _where(body: ForgetBody) -> Any:  # Any: the keywords of Memory.forget
    names = ("session", "speaker", "source", "since", "until", "query")
    told = {name: value for name in names if (value := getattr(body, name)) is not None}
    return {**told, "everything": True} if body.everything else told


@router.get("/receipts", response_model=shapes.Receipts)
def receipts(asked: Reading) -> Response:
    """What was forgotten in this scope, the oldest first."""
    with asked.memory("receipts") as (memory, _):
        return reply({"receipts": [fields.of_receipt(receipt) for receipt in memory.receipts()]})
