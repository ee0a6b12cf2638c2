"""Waiting at a server with several workers: M/G/c, calls that come at random and take different times.

Source: Erlang's C formula; the correction for service times that are not exponential is Allen and Cunneen's:
A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd ed., 1990, section 5.3.3.
Ours adds: whoever waits is taken to wait an exponential time, so that a quantile of wait and service can be given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf

Mix = Sequence[tuple[float, float]]
"""(share of the calls, seconds of service), shares adding up to 1."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A server at work.

    load: share of the time its workers are busy [0..1];  waits: share of the calls that wait at all [0..1]
    wait_s: mean wait of those that do [s]
    """

    load: float
    waits: float
    wait_s: float


def erlang_c(workers: int, offered: float) -> float:
    """Share of calls that find all workers busy. offered: calls a second times seconds of service, < workers

    >>> round(erlang_c(2, 1.0), 4), erlang_c(1, 0.3)
    (0.3333, 0.3)
    """
    blocked = 1.0
    for number in range(1, workers + 1):  # Erlang B, by recursion
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / workers * (1 - blocked))


def queue(workers: int, calls_a_second: float, mix: Mix) -> Queue:
    """The queue before so many workers.

    >>> queue(1, 0.5, [(1.0, 1.0)])  # M/D/1: half the wait of M/M/1
    Queue(load=0.5, waits=0.5, wait_s=1.0)
    """
    mean = sum(share * seconds for share, seconds in mix)
    offered = calls_a_second * mean
    if offered >= workers:
        return Queue(offered / workers, 1.0, inf)
    squares = sum(share * seconds**2 for share, seconds in mix)
    spread = squares / mean**2 / 2  # (Ca^2 + Cs^2) / 2 with Ca = 1
    return Queue(offered / workers, erlang_c(workers, offered), spread * mean / (workers - offered))


def quantile(found: Queue, mix: Mix, share: float) -> float:
    """Within how long that share of the calls is answered: wait and service [s].

    >>> round(quantile(Queue(0.5, 0.5, 1.0), [(1.0, 1.0)], 0.99), 2)
    4.91
    """
    if found.wait_s == inf:
        return inf
    low, high = 0.0, max(seconds for _, seconds in mix)
    while _later(found, mix, high) > 1 - share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _later(found, mix, middle) > 1 - share else (low, middle)
    return high


def _later(found: Queue, mix: Mix, after: float) -> float:
    """Share of calls that take longer."""
    return sum(share * _waits_longer(found, after - seconds) for share, seconds in mix)


def _waits_longer(found: Queue, than: float) -> float:
    if than < 0:
        return 1.0
    return found.waits * exp(-than / found.wait_s) if found.wait_s else 0.0
