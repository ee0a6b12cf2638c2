"""Text for terminals: nothing that was remembered can move the cursor, change a title or turn the line around."""

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from memspan.core.clock import iso

INDENT = "    "
WIDEST = 100
_EVERY_S = 0.1

# C0 and C1 controls, the marks that reorder text, line separators
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\n\t]")
# what json.dumps leaves as it is and a terminal would act on
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    r"""The text with control characters written out; line breaks and tabs stay.

    >>> print(safe("red: \x1b[31m"))
    red: \x1b[31m
    """
    return _UNSAFE.sub(_written_out, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same for a name or a message: line breaks are written out too."""
    return _BREAKS.sub(_written_out, safe(text))


def _written_out(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def as_json(value: Any) -> str:  # Any: what json.dumps takes
    """The value as indented JSON, safe to print."""
    raw = json.dumps(value, ensure_ascii=False, indent=2)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", raw)


def wrapped(text: str, indent: str = INDENT) -> str:
    """The text, indented and broken at the terminal's width; its own line breaks stay."""
    width = max(40, min(WIDEST, shutil.get_terminal_size().columns))
    lines = safe(text).expandtabs(4).split("\n")
    return "\n".join(textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent) for line in lines)


def when(at: float | None, *, seconds: bool = False) -> str:
    """The time in UTC to the minute or second; the date alone at midnight; "" where it is not known.

    >>> when(1717236000.0)
    '2024-06-01 10:00'
    """
    if at is None:
        return ""
    day, _, clock = iso(at).rstrip("Z").partition("T")
    return day if clock == "00:00:00" else f"{day} {clock[: 8 if seconds else 5]}"


def amount(count: int, thing: str) -> str:
    """A number with its thing.

    >>> amount(1, "turn"), amount(12000, "turn")
    ('1 turn', '12,000 turns')
    """
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """
    >>> duration(0.0042), duration(3.21)
    ('4.2 ms', '3.2 s')
    """
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(count: int) -> str:
    """
    >>> size(1_500_000)
    '1.5 MB'
    """
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lines of two columns."""
    pairs = [(name, one_line(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    yield from (f"{name.ljust(width)}  {value}" for name, value in pairs)


class Bar:
    """A line on stderr that grows while something takes long; nothing where stderr is no terminal."""

    def __init__(self, label: str) -> None:
        self.label, self.note = one_line(label), ""
        self._on, self._last, self._shown = sys.stderr.isatty(), time.monotonic(), False

    def __call__(self, done: int, total: int) -> None:
        """Progress as the library reports it: (done, total), total 0 = not known."""
        if not self._on or time.monotonic() - self._last < _EVERY_S:
            return
        self._last, self._shown = time.monotonic(), True
        share = f"{min(1.0, done / total):4.0%}  " if total else ""
        click.echo(f"\r\x1b[K{self.label}  {share}{self.note}", nl=False, err=True)

    def clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
