"""A worker's threads share one heap, so that what one frees another can use."""

import os
import subprocess
import sys

import pytest

from memspan.doors.rest import settings
from memspan.doors.rest.settings import Settings

SCRIPT = """
import ctypes, sys, threading
from memspan.doors.rest.app import from_environment
libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit("no glibc")
from_environment()
together = threading.Barrier(9)
def take():
    together.wait()
    held = [bytearray(50_000) for _ in range(20)]
    together.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
[thread.start() for thread in threads]
together.wait(), together.wait()
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


def test_threads_share_a_heap(tmp_path):
    """Eight threads that take memory make no heap of their own."""
    told = Settings(place=str(tmp_path / "m.mem"))
    environment = {**os.environ, settings.VARIABLE: told.written()}
    environment.pop("MALLOC_ARENA_MAX", None)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "heaps")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "no glibc" in done.stderr:
        pytest.skip("only glibc has a heap for each thread")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "heaps").read_text().count("<heap nr=") == 1
