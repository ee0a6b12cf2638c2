"""How many servers so many tenants need: disk, memory, processor, and how long the slowest calls take."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, sqrt

from memspan.core.errors import UsageError
from memspan.plan.queue import Mix, Queue, quantile, queue

DAY_S = 86_400
SPREAD = 5.0
"""Tenants fall on servers by a hash; the fullest is taken to have the mean and so many standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one scope of about 1,000 turns costs; measured by tools/measure_scope.py.

    bytes_a_record: on disk [bytes];  open_bytes: held by a process for each scope it keeps open [bytes]
    warm_s, cold_s, remember_s: processor time of a recall in an open scope, of opening and a first recall, of a
        remember [s];  door_s: what REST adds to each [s]
    """

    bytes_a_record: int
    open_bytes: int
    warm_s: float
    cold_s: float
    remember_s: float
    door_s: float = 0.001


# medians of ten scopes of 1,000 turns on two cores that others used too, 2026-11-21
COSTS: Mapping[str, Cost] = {
    "file": Cost(
        bytes_a_record=1041, open_bytes=3_720_000, warm_s=0.00254, cold_s=0.0299, remember_s=0.00151
    ),
    "postgres": Cost(
        bytes_a_record=3045, open_bytes=3_640_000, warm_s=0.00594, cold_s=0.0393, remember_s=0.00185
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Who comes, and how often.

    recalls, remembers: of one tenant on a day;  peak: the busiest time against the mean of the day
    open_share: of the recalls that meet a scope which is open already [0..1]
    """

    tenants: int
    records: int
    recalls: float = 20.0
    remembers: float = 20.0
    peak: float = 3.0
    open_share: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One server. cores: workers that serve;  memory, disk: for memspan [bytes];  busy: its cores at most [0..1]"""

    cores: int = 16
    memory: int = 64 * 10**9
    disk: int = 2 * 10**12
    busy: float = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is needed. limit: what decides the number of servers;  disk, memory: of all, and of the fullest [bytes]

    open_scopes: that one server keeps open;  queue: of the busiest server at the busiest time
    p50_s, p99_s: of a call there, wait and service [s]
    """

    servers: int
    limit: str
    tenants_a_server: int
    disk: int
    disk_a_server: int
    open_scopes: int
    memory_a_server: int
    calls_a_second: float
    queue: Queue
    p50_s: float
    p99_s: float


def plan(load: Load, cost: Cost, machine: Machine | None = None) -> Plan:
    """The fewest servers on which everything fits. Raises UsageError for a number that cannot be.

    >>> cost = Cost(bytes_a_record=1000, open_bytes=4_000_000, warm_s=0.002, cold_s=0.03, remember_s=0.002)
    >>> made = plan(Load(tenants=10_000, records=1000), cost)
    >>> made.servers, made.disk
    (1, 10000000000)
    """
    on = machine or Machine()
    _check(load, on)
    mix, mean = service(load, cost)
    _check_one(load, cost, on, mean)
    disk = load.tenants * load.records * cost.bytes_a_record
    calls = load.tenants * (load.recalls + load.remembers) / DAY_S * load.peak
    wanted = {
        "disk": ceil(disk / on.disk),
        "processor": ceil(calls * mean / (on.cores * on.busy)),
    }
    servers = max(1, *wanted.values())
    while not _fits(load, cost, on, servers, mean):
        servers += 1
    fullest = _fullest(load.tenants, servers)
    found = queue(on.cores, calls * fullest / load.tenants, mix)
    open_scopes = min(fullest, on.memory // cost.open_bytes)
    return Plan(
        servers=servers,
        limit=max(wanted, key=lambda name: wanted[name]),
        tenants_a_server=fullest,
        disk=disk,
        disk_a_server=fullest * load.records * cost.bytes_a_record,
        open_scopes=open_scopes,
        memory_a_server=open_scopes * cost.open_bytes,
        calls_a_second=calls,
        queue=found,
        p50_s=quantile(found, mix, 0.5),
        p99_s=quantile(found, mix, 0.99),
    )


def service(load: Load, cost: Cost) -> tuple[Mix, float]:
    """The calls by what they take, and the mean [s]."""
    recall = load.recalls / (load.recalls + load.remembers)
    mix = [
        (recall * load.open_share, cost.warm_s + cost.door_s),
        (recall * (1 - load.open_share), cost.cold_s + cost.door_s),
        (1 - recall, cost.remember_s + cost.door_s),
    ]
    return mix, sum(share * seconds for share, seconds in mix)


def _fits(load: Load, cost: Cost, on: Machine, servers: int, mean: float) -> bool:
    """Whether the fullest server holds and serves its tenants."""
    fullest = _fullest(load.tenants, servers)
    calls = fullest * (load.recalls + load.remembers) / DAY_S * load.peak
    return calls * mean <= on.cores * on.busy and fullest * load.records * cost.bytes_a_record <= on.disk


def _fullest(tenants: int, servers: int) -> int:
    """Tenants of the fullest server, where a hash deals them out.

    >>> _fullest(1000, 1), _fullest(1_000_000, 4)
    (1000, 252166)
    """
    if servers == 1:
        return tenants
    mean = tenants / servers
    return min(tenants, ceil(mean + SPREAD * sqrt(mean * (1 - 1 / servers))))


def _check(load: Load, on: Machine) -> None:
    rates = (load.recalls, load.remembers, load.peak)
    if min(load.tenants, load.records, on.cores, on.disk) < 1 or min(rates) < 0 or not load.recalls + load.remembers:
        raise UsageError(f"{load} on {on}: there have to be tenants, records, calls, cores and a disk")
    if not 0 <= load.open_share <= 1 or not 0 < on.busy < 1 or inf in rates:
        raise UsageError(f"{load} on {on}: shares lie between 0 and 1, rates are finite")


def _check_one(load: Load, cost: Cost, on: Machine, mean: float) -> None:
    """A tenant is never cut in two, so one alone has to fit."""
    if load.records * cost.bytes_a_record > on.disk:
        raise UsageError(f"one tenant of {load.records:,} records is larger than a disk of {on.disk:,} bytes")
    calls = (load.recalls + load.remembers) / DAY_S * load.peak
    if calls * mean > on.cores * on.busy:
        raise UsageError(
            f"one tenant makes {calls:,.0f} calls a second at the peak, more than {on.cores} cores can serve"
        )
