"""What stands at the head of every result: the command, the time, the machine, the versions."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "apsw", "simsimd", "onnxruntime")


def head(schema: str, command: Sequence[str], also: Sequence[str] = ()) -> dict[str, object]:
    """The first fields of a result. also: packages whose versions matter too"""
    return {
        "schema": schema,
        "command": shlex.join(command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(also),
    }


def machine() -> dict[str, object]:
    """Processor, cores, memory and operating system."""
    return {
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
    }


def cpu() -> str:
    """The processor's name."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def peak_rss() -> int:
    """Most memory this process ever held [bytes]; 0 where the platform does not tell.

    getrusage would count the parent's too, before exec.
    """
    status = Path("/proc/self/status")
    lines = status.read_text("utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def versions(also: Sequence[str] = ()) -> dict[str, str | None]:
    """Python, memspan, what it stands on, and packages named; None where not installed."""
    found: dict[str, str | None] = {"python": sys.version.split()[0], "memspan": _version("memspan")}
    return found | {name: _version(name) for name in (*PACKAGES, *also)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return getattr(sys.modules.get(name), "__version__", None)


def line(facts: dict[str, object], known: dict[str, str | None]) -> str:
    """One line for a reader."""
    shown = ", ".join(f"{name} {number}" for name, number in known.items() if number)
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB, {facts['system']}; {shown}"
