"""The n-th system call on the file fails: no room, or a broken disk; once or for ever after; whole or after 100 bytes.

SQLite's Unix layer lets its system calls be replaced; the replacement is plain ctypes, so SQLite itself sees the error,
and swallows or reports it as it would. What is replaced holds for the whole process: use it in a child.
"""

import ctypes
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw
from tests.faults.kills import SYSTEM_VFS, in_child
from tests.faults.workload import Step, folder_in_ram, memory, texts, turn

from memspan import Memory
from memspan.core.errors import DiskFull, MemspanError, StoreError

_PWRITE = (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
_WRITE = ctypes.CFUNCTYPE(*_PWRITE, use_errno=True)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int64, use_errno=True)


@dataclass(frozen=True)
class Mode:
    """How a call fails. code: errno;  lasting: every later call too;  after: bytes that still get through"""

    code: int
    lasting: bool
    after: int = 0

    def __str__(self) -> str:
        return f"{errno.errorcode[self.code]} {'for ever' if self.lasting else 'once'} after {self.after} bytes"


MODES = [
    Mode(code, lasting, after) for code in (errno.ENOSPC, errno.EIO) for lasting in (False, True) for after in (0, 100)
]


class Failing:
    """While armed, the n-th write or truncation of this process fails."""

    def __init__(self, number: int, mode: Mode) -> None:
        self.left, self.mode, self.armed = number, mode, True
        self.hit = self.short = False
        self.vfs = apsw.VFS("failing", SYSTEM_VFS)
        self._write, self._truncate = _WRITE(self.pwrite), _TRUNCATE(self.ftruncate)
        for name, call in (("pwrite64", self._write), ("ftruncate", self._truncate)):
            pointer = ctypes.cast(call, ctypes.c_void_p).value
            assert pointer is not None
            if not self.vfs.xSetSystemCall(name, pointer):
                raise NotImplementedError(f"this SQLite does not call {name}")

    def fails(self) -> bool:
        self.left -= 1
        now = self.armed and (self.left == 0 or (self.left < 0 and self.mode.lasting))
        self.hit = self.hit or now
        return now

    def pwrite(self, file: int, buffer: int, size: int, offset: int) -> int:
        data = ctypes.string_at(buffer, size)
        if not self.fails():
            return os.pwrite(file, data, offset)
        if self.mode.after and not self.short and size > self.mode.after:
            self.left, self.short = 1, True  # SQLite writes on after a short write, and meets the error itself
            return os.pwrite(file, data[: self.mode.after], offset)
        ctypes.set_errno(self.mode.code)
        return -1

    def ftruncate(self, file: int, size: int) -> int:
        if self.fails():
            ctypes.set_errno(self.mode.code)
            return -1
        os.ftruncate(file, size)
        return 0


@dataclass
class Tally:
    """Counts of one run.

    faults: injected;  raised: that reached the caller;  swallowed: that did not have to
    vague: no room while reopening, reported as another error than DiskFull
    """

    faults: int = 0
    vague: int = 0
    raised: int = 0
    swallowed: int = 0
    wrong: list[str] = field(default_factory=list)


def _play(path: Path, steps: Sequence[Step], number: int, mode: Mode, pipe: int) -> None:
    """In the child: says H (fault met), E (typed error reached us), V (a vague one), and !what is wrong."""
    here = memory(path)
    failing = Failing(number, mode)
    done: list[Step] = []
    for step in steps:
        failing.armed = True
        try:
            if isinstance(step, str):
                here.close()
                here = memory(path)
            else:
                here.remember(step)
        except StoreError as why:
            os.write(pipe, b"E")
            failing.armed = False
            here = _again(here, path, step, done, why, mode, pipe)
        done.append(step)
        if (found := [turn.text for turn in here.turns()]) != texts(done):
            os.write(pipe, f"!{len(found)} turns for {len(texts(done))}\n".encode())
    failing.armed = False
    if failing.hit:
        os.write(pipe, b"H")
    here.close()


def _again(here: Memory, path: Path, step: Step, done: list[Step], why: StoreError, mode: Mode, pipe: int) -> Memory:
    """After an error: typed, nothing half there, and the same memory works once the disk does."""
    if mode.code == errno.ENOSPC and not isinstance(why, DiskFull):
        what = f"!no room was reported as {type(why).__name__}: {why}\n"
        os.write(pipe, b"V" if isinstance(step, str) else what.encode())
    if isinstance(step, str):
        here.close()
        return memory(path)
    before, after = texts(done), texts([*done, step])
    found = [turn.text for turn in here.turns()]
    if found not in ((before,) if mode.code == errno.ENOSPC else (before, after)):
        os.write(pipe, f"!after {type(why).__name__} {len(found)} turns, before {len(before)}\n".encode())
    here.remember(step)
    return here


def everywhere(steps: Sequence[Step], mode: Mode) -> Tally:
    """For every n until none is left: the n-th call fails, memory goes on, and the file is whole afterwards."""
    tally = Tally()
    for number in range(1, 10_000):
        with folder_in_ram() as folder:
            path = folder / "live.mem"

            def work(pipe: int, path: Path = path, number: int = number) -> None:
                try:
                    _play(path, steps, number, mode, pipe)
                except MemspanError as why:
                    os.write(pipe, f"!{type(why).__name__}: {why}\n".encode())

            status, said = in_child(work)
            marks, *wrong = said.decode().split("!")
            tally.wrong += [f"n={number}, {mode}: {line.strip()}" for line in wrong]
            if status:
                tally.wrong.append(f"n={number}, {mode}: the child ended with {status}")
            if not wrong and not marks:
                return tally
            tally.faults += 1
            tally.raised += "E" in marks
            tally.swallowed += "E" not in marks
            tally.vague += "V" in marks
            with memory(path) as here:
                if [turn.text for turn in here.turns()] != texts(steps) or not here.check().ok:
                    tally.wrong.append(f"n={number}, {mode}: the file is not whole")
    return tally


__all__ = ["MODES", "Failing", "Mode", "Tally", "everywhere", "turn"]
