"""Opening the package costs next to nothing and does nothing."""

import os
import subprocess
import sys

import pytest

BUDGET_MS = 5.0
RUNS = 7
HEAVY = {"numpy", "apsw", "simsimd", "click", "torch", "sqlite3", "asyncio", "socket", "logging", "ssl"}


def python(code, *flags):
    """Run code in a bare interpreter that sees this checkout."""
    return subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=os.environ
    )


def import_ms():
    """Milliseconds of `import memspan` with what it pulls in, once the interpreter stands."""
    code = "import time; start = time.perf_counter(); import memspan; print((time.perf_counter() - start) * 1000)"
    return float(python(code).stdout)


def test_importing_takes_under_five_milliseconds():
    """The best of several fresh interpreters."""
    best = min(import_ms() for _ in range(RUNS))
    print(f"import memspan: {best:.2f} ms")
    assert best < BUDGET_MS


def test_importing_loads_nothing_heavy():
    """Neither numpy nor apsw nor anything else that opens files, sockets or loops."""
    code = "import sys; before = set(sys.modules); import memspan; print(*sorted(set(sys.modules) - before))"
    loaded = set(python(code).stdout.split())
    assert "memspan" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
    assert {name for name in loaded if name.startswith("memspan.")} == set()


WATCH = """
import sys, threading
seen = []
def hook(event, args):
    if event == "os.putenv" and "memspan" in sys._getframe(2).f_code.co_filename:
        seen.append(event)  # numpy sets a variable of its own
    elif event in ("socket.__new__", "socket.connect", "subprocess.Popen", "os.system", "os.mkdir",
                 "os.remove", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect"):
        seen.append(event)
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append(f"write {args[0]}")
    elif event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".txt", "METADATA", ".bin", ".gz")):
        seen.append(f"read {args[0]}")
class Watched(type(sys.modules["os"].environ)):
    def __getitem__(self, key):
        caller = sys._getframe(1)
        while caller and caller.f_code.co_filename.startswith("<frozen"):
            caller = caller.f_back
        if caller and "memspan" in caller.f_code.co_filename:
            seen.append(f"environment {key}")
        return super().__getitem__(key)
    get = lambda self, key, default=None: self[key] if key in self else default
import os
os.environ.__class__ = Watched
import logging
logging.raiseExceptions
handlers = list(logging.root.handlers)
sys.addaudithook(hook)
sys.dont_write_bytecode = True
MODULES
assert threading.active_count() == 1, threading.enumerate()
assert logging.root.handlers == handlers
assert not [name for name, log in logging.root.manager.loggerDict.items()
            if name.startswith("memspan") and getattr(log, "handlers", None)]
print("SEEN", seen)
"""


@pytest.mark.parametrize(
    "line",
    [
        "import memspan",
        "from memspan import Memory, Turn, Recall, Budget, errors",
        "import memspan.text.memory",
        "import memspan.doors.compat.mem0, memspan.doors.compat.openai_agents",
    ],
)
def test_importing_touches_nothing(line):
    """No file written, no socket, process, thread, log handler, no environment read by us."""
    done = python(WATCH.replace("MODULES", line))
    assert done.stdout.rpartition("SEEN ")[2].strip() == "[]"
    assert done.stderr == ""


def test_the_watch_sees_what_it_watches_for():
    """Negative control: a module that writes a file and opens a socket is caught."""
    line = "import socket; socket.socket(); open(os.devnull, 'w')"
    seen = python(WATCH.replace("MODULES", line)).stdout
    assert "socket.__new__" in seen
    assert "write /dev/null" in seen
