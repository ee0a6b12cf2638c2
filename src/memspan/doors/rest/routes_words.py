"""Routes: remember and recall."""

from fastapi import APIRouter
from starlette.responses import Response

from memspan.core.records import Turn
from memspan.doors import fields
from memspan.doors.rest.asked import Reading, Writing
from memspan.doors.rest.bodies import RecallBody, RememberText, RememberTurns
from memspan.doors.rest.replies import reply

router = APIRouter()


@router.post("/remember", status_code=201)
def remember(asked: Writing, body: RememberText | RememberTurns) -> Response:
    """Put a text or turns on disk; when this is answered they are there."""
    with asked.memory() as memory:
        if isinstance(body, RememberTurns):
            turns = [Turn(**turn.model_dump(exclude_none=True)) for turn in body.turns]
            made = memory.remember(turns, again=body.again)
        else:
            made = memory.remember(body.text, **body.model_dump(exclude={"text"}))
    return reply(fields.of_remembered(made), 201)


@router.post("/recall")
def recall(asked: Reading, body: RecallBody) -> Response:
    """Evidence on a question, best first, cited, within a budget."""
    told = body.model_dump(exclude={"question", "explain"})
    with asked.memory() as memory:
        found = memory.recall(body.question, **told)
    return reply(fields.of_recall(found, asked.scope, explain=body.explain))
