"""Time: seconds since 1970 in UTC inside, ISO 8601 at the doors.

Years 1 to 9999 are valid, so times before 1970 are negative numbers.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from time import time as now

from memspan.core.errors import BadTime

Clock = Callable[[], float]
When = float | int | str | datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()
LATEST = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH).total_seconds()

__all__ = ["EARLIEST", "LATEST", "Clock", "When", "iso", "now", "seconds"]


def seconds(when: When) -> float:
    """Seconds since 1970, UTC. A time without a zone is taken as UTC.

    when: seconds, a datetime, or ISO 8601 text (a date alone is its midnight)
    Raises BadTime where it is none of these or lies outside the years 1 to 9999.

    >>> seconds("2024-06-01T10:00Z")
    1717236000.0
    >>> seconds("1969-12-31")
    -86400.0
    """
    if isinstance(when, bool):
        raise BadTime(when)
    if isinstance(when, (int, float)):
        return _within(float(when), when)
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when.strip())
        except ValueError:
            raise BadTime(when) from None
    if not isinstance(when, datetime):
        raise BadTime(when)
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return _within((aware - _EPOCH).total_seconds(), when)


def _within(value: float, seen: When) -> float:
    if not isfinite(value) or not EARLIEST <= value <= LATEST:
        raise BadTime(seen, "outside the years 1 to 9999")
    return value + 0.0  # -0.0 is 0.0


def iso(when: float) -> str:
    """ISO 8601 in UTC, to the second where the time is whole.

    >>> iso(1717236000.0)
    '2024-06-01T10:00:00Z'
    """
    moment = _EPOCH + timedelta(seconds=when)
    return moment.isoformat(timespec="auto").replace("+00:00", "Z")
