"""A real server, started as a process on a free port."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx

from memspan.doors.rest.settings import Settings

START = """
import sys
from memspan.doors.rest import settings
from memspan.doors.rest.server import check, serve
told = settings.read(sys.argv[1])
check(told)
serve(told)
"""
STARTS_WITHIN_S = 60


class Server:
    """One running server. url: where it answers;  process: the one that was started;  settings: what it was told"""

    def __init__(self, settings, process):
        self.settings, self.process = settings, process
        self.url = f"http://127.0.0.1:{settings.port}"

    def client(self, token=None, **more):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=False, **more)

    def stop(self, how=signal.SIGTERM):
        """Its exit code after that signal."""
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def errors(self):
        """What it said on stderr; it must have ended."""
        return self.process.stderr.read()


@contextmanager
def running(place, prelude="", **told):
    """A server of that memory, stopped at the end. prelude: code that its process runs first"""
    settings = Settings(place=str(place), port=free_port(), **told)
    process = subprocess.Popen(
        [sys.executable, "-c", prelude + START, settings.written()],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    server = Server(settings, process)
    try:
        _wait(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        process.stderr.close()
        process.stdout.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server):
    last = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            with server.client() as client:
                if client.get("/ready").status_code == 200:
                    return
        except httpx.TransportError:
            pass
        assert server.process.poll() is None, server.errors()
        assert time.monotonic() < last, "the server did not start"
        time.sleep(0.03)
