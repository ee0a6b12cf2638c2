"""Routes: import and export, streamed; neither holds more than a piece of it at a time."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Literal

import anyio.from_thread
import anyio.to_thread
from fastapi import Depends, Header, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from memspan.core.errors import MemspanError
from memspan.doors.rest import bodies, shapes, strict
from memspan.doors.rest.asked import Asked, Reading, Writing
from memspan.doors.rest.replies import as_bytes, problem, problem_of, reply
from memspan.doors.rest.spans import tell
from memspan.doors.rest.uploads import How, Tally, Upload, stored
from memspan.text.memory import Memory
from memspan.text.read._detect import formats
from memspan.text.read.jsonl import as_line

router = strict.router()
LINES = "application/x-ndjson"
PIECE_CHARS = 65_536
Trust = Literal["agent", "tool", "import", "unknown"]
_BODY = {LINES: {"schema": {"type": "string", "format": "binary"}}}


def _how(
    format: Annotated[
        str | None,
        Query(description="How the body is written; else recognised.", json_schema_extra={"enum": [*formats(), None]}),
    ] = None,
    session: Annotated[bodies.Name | None, Query(description="Put in place of that of every turn.")] = None,
    speaker: Annotated[bodies.Name, Query(description="Who speaks where the body does not say.")] = "",
    source: Annotated[bodies.Name, Query(description="Where it comes from; forget finds it by that.")] = "",
    trust: Annotated[Trust | None, Query(description="Trust it no more than this.")] = None,
    again: Annotated[bool, Query(description="Take in words that were forgotten here.")] = False,
) -> How:
    said = {"source": source, "trust": trust}
    meta = {name: value for name, value in said.items() if value}
    return How(format=format, session=session, speaker=speaker, meta=meta, again=again)


@router.post(
    "/import",
    response_model=shapes.Imported,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
    openapi_extra={"requestBody": {"content": _BODY}},
)
async def import_(
    asked: Writing,
    how: Annotated[How, Depends(_how)],
    request: Request,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Remember a body of any size while it comes in: JSON lines of turns, or any format that memspan reads.

    Every 500 turns are on disk before the next are read. Asked for application/x-ndjson, it says so line by line:
    each line counts what is safe by now; the last one is done, or holds the problem that ended it.
    Sent again after it was torn, it adds only what is new.
    """
    limiter = asked.door.streams()
    if limiter.available_tokens < 1:
        raise HTTPException(503, "too many uploads and exports at the same time; come again", {"retry-after": "1"})
    work = _Import(asked, how, Upload(request.receive))
    if LINES in accept:
        return work
    await anyio.to_thread.run_sync(work.run, limiter=limiter)
    return work.answer()


class _Import(Response):
    """An upload and what becomes of it; as a response it is told line by line while it happens."""

    def __init__(self, asked: Asked, how: How, upload: Upload) -> None:
        super().__init__()
        self._asked, self._how, self._upload = asked, how, upload
        self._tally, self._ended = Tally(), problem(500, "the import did not begin")
        self._lines: Lines | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do it, and tell each batch."""
        self._lines = lines = Lines(send)
        await anyio.to_thread.run_sync(self.run, limiter=self._asked.door.streams())
        answer = self.answer()
        if not lines.begun and not self._tally.done:
            await answer(scope, receive, send)
            return
        told = bytes(answer.body)
        await lines.put(told + b"\n" if self._tally.done else b'{"problem":' + told + b"}\n", last=True)

    def run(self) -> None:
        """Remember all of it, in a thread. What ends it early becomes the answer."""
        try:
            with self._asked.memory("import") as (memory, span):
                for made in stored(memory, self._upload, self._how, self._tally):
                    self._asked.door.figures.written.inc(made.added)
                    if self._lines is not None:
                        anyio.from_thread.run(self._lines.put, as_bytes(self._tally.told()) + b"\n")
                tell(span, turns=self._tally.read, added=self._tally.added)
        except MemspanError as why:
            self._ended = problem_of(why, imported=self._tally.told())
        except HTTPException as why:
            self._ended = problem(why.status_code, why.detail, headers=why.headers, imported=self._tally.told())

    def answer(self) -> Response:
        """What came of it in the end."""
        return reply(self._tally.told()) if self._tally.done else self._ended


@router.get("/export", response_class=Response, responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}})
async def export(asked: Reading, request: Request) -> Response:
    """All turns as JSON lines, as import takes them. Where it breaks off, the connection does too."""
    limiter = asked.door.streams()
    if limiter.available_tokens < 1:
        raise HTTPException(503, "too many uploads and exports at the same time; come again", {"retry-after": "1"})
    return _Export(asked, request)


class _Export(Response):
    """All turns, sent piece by piece."""

    def __init__(self, asked: Asked, request: Request) -> None:
        super().__init__()
        self._asked, self._request = asked, request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        lines = Lines(send, self._asked.door.settings.wait_s)
        await anyio.to_thread.run_sync(self._run, lines, limiter=self._asked.door.streams())
        await lines.put(b"", last=True)

    def _run(self, lines: "Lines") -> None:
        with self._asked.memory("export") as (memory, _):
            for piece in _pieces(memory):
                if anyio.from_thread.run(self._request.is_disconnected):
                    return
                anyio.from_thread.run(lines.put, piece)


def _pieces(memory: Memory) -> Iterator[bytes]:
    """All turns as lines, some thousand characters at a time."""
    held, chars = list[str](), 0
    for turn in memory.turns():
        held.append(as_line(turn) + "\n")
        chars += len(held[-1])
        if chars >= PIECE_CHARS:
            yield "".join(held).encode()
            held, chars = [], 0
    if held:
        yield "".join(held).encode()


class Lines:
    """A response of JSON lines. begun: whether something was sent;  wait_s: how long a reader may stall [s]"""

    def __init__(self, send: Send, wait_s: float | None = None) -> None:
        self._send, self._wait_s, self.begun = send, wait_s, False

    async def put(self, piece: bytes, last: bool = False) -> None:
        """Send some; the head goes before the first. Raises TimeoutError where nobody takes it."""
        async with asyncio.timeout(self._wait_s):
            if not self.begun:
                self.begun = True
                headers = [(b"content-type", LINES.encode())]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": piece, "more_body": not last})
