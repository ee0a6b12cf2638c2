"""Starting and stopping: one process, or several on one port."""

import os
import signal

import uvicorn

from memspan.doors.rest import settings
from memspan.doors.rest.settings import Settings

FACTORY = "memspan.doors.rest.app:from_environment"


def serve(told: Settings) -> None:
    """Listen until SIGTERM or SIGINT; calls in flight are answered first."""
    os.environ[settings.VARIABLE] = told.written()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _nothing)  # uvicorn raises it again when it has stopped; a clean stop is no failure
    uvicorn.run(
        FACTORY,
        factory=True,
        host=told.host,
        port=told.port,
        workers=told.workers,
        access_log=False,  # it would write scopes and search words down
        server_header=False,
        proxy_headers=False,
        ws="none",
        h11_max_incomplete_event_size=told.header_bytes,
        timeout_graceful_shutdown=told.grace_s,
        log_level="warning",
    )


def _nothing(_signal: int, _frame: object) -> None:
    """Let the stop that was asked for end as a success."""
