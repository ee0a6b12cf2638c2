"""Processes that end with all they started."""

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that was started in a session of its own, and its group; wait until it is gone."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
