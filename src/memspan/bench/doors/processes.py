"""A server of ours as a process: started by its command, watched, stopped."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from types import TracebackType

from memspan.core.errors import PeerFailed

COMMAND = (sys.executable, "-c", "from memspan.doors.cli.main import main; main()")
START_S, STOP_S = 60.0, 60.0
_HERTZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Server:
    """A command that runs until it is told to stop.

    name: in errors;  arguments: of `memspan`;  pipes: whether it is spoken to through stdin and stdout
    """

    def __init__(self, name: str, arguments: Sequence[str], *, pipes: bool = False) -> None:
        self.name = name
        self._said = TemporaryFile()  # noqa: SIM115 (closed with the server)
        pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
        self.process = subprocess.Popen(  # noqa: S603 (our own command, as it runs here)
            [*COMMAND, *arguments],
            stdin=pipe,
            stdout=pipe if pipes else self._said,
            stderr=self._said,
            start_new_session=True,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def await_port(self, port: int) -> None:
        """Until it listens. Raises PeerFailed where it ends before, or takes too long."""
        until = monotonic() + START_S
        while monotonic() < until:
            if self.process.poll() is not None:
                raise self.failed("did not start")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                sleep(0.02)
            else:
                return
        raise self.failed(f"does not listen after {START_S:g} s")

    def failed(self, why: str) -> PeerFailed:
        """The error, with the last it said."""
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return PeerFailed(self.name, f"{why}: {said[-1][:300] if said else 'without a word'}")

    def stop(self) -> int:
        """Ask it to stop, wait, and see to it; its exit code. Twice is fine."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._said.close()
        return code

    def cpu_s(self) -> float:
        """Processor time that it and its workers have used [s]; 0 where the platform does not tell."""
        return sum(_cpu_ticks(pid) for pid in _tree(self.process.pid)) / _HERTZ

    def rss(self) -> int:
        """Memory that it and its workers hold [bytes], shared pages counted in each; 0 where it is not told."""
        return sum(_rss(pid) for pid in _tree(self.process.pid))


def free_port() -> int:
    """A port of the loopback that nobody listens at, at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text("ascii").split()
        except OSError:  # gone meanwhile
            continue
        for child in children:
            yield from _tree(int(child))


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _rss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)
