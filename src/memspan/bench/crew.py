"""Worker processes that run stints: one system over the cases of one data set, within a time limit.

A stint that hangs is killed, one that crashes is reported, and neither stops the others.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Literal

from memspan.bench.runner import Job, Outcome, work
from memspan.core.errors import PeerFailed


@dataclass(frozen=True, slots=True)
class Stint:
    """One system over some cases of one data set.

    cases: their places in the set;  jobs: makes the job of one of them, by its index, when its turn comes
    limit_s: no case begins later than this;  patience_s: a case that takes longer ends with its process [s]
    prepare: run in the worker before the first job
    """

    set: str
    system: str
    cases: Sequence[int]
    jobs: Callable[[int], Job]
    limit_s: float
    patience_s: float
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """One case is done. place: its index in the stint"""

    stint: Stint
    place: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stint ended before its last case: "cut" by the time limit, or "failed"."""

    stint: Stint
    status: Literal["cut", "failed"]
    why: str


@dataclass(slots=True)
class _Seat:
    """A running stint. began: when;  place: index of the case in work;  sent: when it began"""

    stint: Stint
    process: BaseProcess
    pipe: Connection
    began: float = field(default_factory=monotonic)
    place: int = 0
    sent: float = 0.0

    def send(self) -> None:
        self.sent = monotonic()
        with suppress(BrokenPipeError):  # a worker that died before tells of itself when it is listened to
            self.pipe.send(self.stint.jobs(self.place))

    @property
    def deadline(self) -> float:
        return self.sent + self.stint.patience_s

    def close(self) -> None:
        self.pipe.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def serve(pipe: Connection, prepare: Callable[[], None] | None) -> None:
    """What a worker does: jobs in, outcomes out, until the pipe closes. An exception goes out as status and text."""
    if prepare:
        prepare()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(work(job))
        except KeyboardInterrupt:
            return
        except PeerFailed as why:
            pipe.send(("cut" if why.late else "failed", str(why)))
        except Exception as why:  # noqa: BLE001  whatever a measured system raises is its row's status
            pipe.send(("failed", f"{type(why).__name__}: {why}"))


def run(stints: Sequence[Stint], processes: int) -> Iterator[Done | Stopped]:
    """What comes of the stints, as it comes; at most so many processes at a time."""
    waiting = list(reversed(stints))
    seats: list[_Seat] = []
    try:
        while waiting or seats:
            while waiting and len(seats) < processes:
                seats.append(_seated(waiting.pop()))
            ready = wait([seat.pipe for seat in seats], timeout=_patience(seats))
            for seat in list(seats):
                news = _news(seat) if seat.pipe in ready else _late(seat)
                if news is None:
                    continue
                yield news
                if isinstance(news, Stopped) or not (stop := _next(seat)):
                    seats.remove(seat)
                    seat.close()
                elif isinstance(stop, Stopped):
                    seats.remove(seat)
                    seat.close()
                    yield stop
    finally:
        for seat in seats:
            seat.process.kill()
            seat.close()


def _seated(stint: Stint) -> _Seat:
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    process = fresh.Process(target=serve, args=(theirs, stint.prepare), daemon=False)
    process.start()
    theirs.close()
    seat = _Seat(stint, process, ours)
    seat.send()
    return seat


def _patience(seats: Sequence[_Seat]) -> float:
    return max(0.0, min(seat.deadline for seat in seats) - monotonic())


def _news(seat: _Seat) -> Done | Stopped:
    try:
        said = seat.pipe.recv()
    except (EOFError, ConnectionResetError):
        seat.process.join(timeout=5)
        return Stopped(seat.stint, "failed", f"its process ended with code {seat.process.exitcode}")
    if isinstance(said, Outcome):
        return Done(seat.stint, seat.place, said)
    return Stopped(seat.stint, *said)


def _late(seat: _Seat) -> Stopped | None:
    if monotonic() < seat.deadline:
        return None
    seat.process.kill()
    return Stopped(seat.stint, "cut", f"one case took more than {seat.stint.patience_s:.0f} s")


def _next(seat: _Seat) -> bool | Stopped:
    """Send the next case; False where all are done."""
    seat.place += 1
    if seat.place == len(seat.stint.cases):
        return False
    if monotonic() - seat.began > seat.stint.limit_s:
        return Stopped(seat.stint, "cut", f"time limit of {seat.stint.limit_s:.0f} s")
    seat.send()
    return True
