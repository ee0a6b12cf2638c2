"""Starting and stopping: one process, or several on one port."""

import os
import signal
from tempfile import TemporaryDirectory

import uvicorn

from memspan.core.errors import UsageError
from memspan.doors.rest import settings
from memspan.doors.rest.door import Door
from memspan.doors.rest.figures import FOLDER
from memspan.doors.rest.patient import Patient
from memspan.doors.rest.settings import Settings

FACTORY = "memspan.doors.rest.app:from_environment"


def check(told: Settings, secret: bytes | None = None) -> None:
    """Open everything once, so that what is wrong is said before anybody is let in.

    Raises UsageError for a public address without a key, or an origin that is none; or what opening raises.
    """
    for origin in told.cors:
        if "://" not in origin or origin.endswith("/"):
            raise UsageError(f"--cors {origin!r}: an origin is written like https://notes.example")
    door = Door(told, secret)
    try:
        if not told.loopback and not door.keys.any():
            raise UsageError(
                f"--host {told.host} lets others in, and there are no keys: make one with "
                "`memspan keys add --tenant NAME`, or leave --host out to serve this machine only"
            )
        door.probe()
    finally:
        door.close()


def serve(told: Settings) -> None:
    """Listen until SIGTERM or SIGINT; calls in flight are answered first."""
    os.environ[settings.VARIABLE] = told.written()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _nothing)  # uvicorn raises it again once it has stopped; a clean stop is no failure
    with TemporaryDirectory(prefix="memspan-figures-") as folder:
        if told.workers > 1:
            os.environ[FOLDER] = folder
        uvicorn.run(
            FACTORY,
            factory=True,
            host=told.host,
            port=told.port,
            workers=told.workers,
            http=Patient,
            ws="none",
            access_log=False,  # it would write scopes and words of questions down
            server_header=False,
            proxy_headers=False,  # an address that a client made up is no address to count by
            h11_max_incomplete_event_size=told.header_bytes,
            timeout_graceful_shutdown=told.grace_s,
            log_level="warning",
        )


def _nothing(_signal: int, _frame: object) -> None:
    """Let the stop that was asked for end as a success."""
