"""Small readings that several data sets share."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_CJK = re.compile("[\u3400-\u9fff]")


def moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> float | None:
    """Seconds since 1970, or None where there is no such day."""
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def month(name: str) -> int:
    """1 to 12, or 0 where it is no month.

    >>> month("August")
    8
    """
    return _MONTHS.index(name.lower()) + 1 if name.lower() in _MONTHS else 0


def stamp(text: object) -> float | None:
    """Seconds of an ISO-like time, or None where it is none.

    >>> stamp("2025-01-03 07:15:30")
    1735888530.0
    """
    try:
        return datetime.fromisoformat(str(text).strip()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def joined(parts: Iterable[object], by: str = " ") -> str:
    """The parts that say something, as one text, without what cannot be stored."""
    return clean(by.join(str(part).strip() for part in parts if part not in (None, "", "None")))


def clean(text: str) -> str:
    """The text without NUL and lone surrogates, which no memory takes."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").strip()


def chinese(text: str) -> bool:
    """True where Chinese characters stand in it."""
    return _CJK.search(text) is not None
