"""Which format a file has: each format looks at its beginning, the surest one reads it."""

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Protocol

from memspan.core.errors import UsageError
from memspan.core.records import Turn
from memspan.text.read import _characters, _json
from memspan.text.read._source import Source

_HERE = "memspan.text.read"


@dataclass(frozen=True)
class Head:
    """The beginning of a file. text: its first characters;  suffix: the ending of its name, a hint"""

    text: str
    suffix: str

    @cached_property
    def keys(self) -> set[str]:
        """The keys of the first object, where it is JSON; else nothing."""
        start = self.text.lstrip()
        return _json.keys(start) if start[:1] in ("{", "[") else set()


class Reader(Protocol):
    """A format. Its file's name is its key; the file ends with `METHOD = ` its class."""

    def recognises(self, head: Head) -> int:
        """How sure it is that the file is its own: 0 no, 1 if nobody else, 2 by the name, 3 by the content."""
        ...

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns, as they are found. Raises MalformedFile at the first line that breaks the format."""
        ...


def formats() -> list[str]:
    """Names of all formats, sorted.

    >>> "claude" in formats(), "nothing" in formats()
    (True, False)
    """
    path = import_module(_HERE).__path__
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))


def reader(name: str) -> Reader:
    """The reader of that format. Raises UsageError where there is none."""
    if name not in formats():
        raise UsageError(f"no format is called {name!r}; there are {', '.join(formats())}")
    made: Reader = import_module(f"{_HERE}.{name}").METHOD()
    return made


def detect(source: Source) -> str:
    """The name of the format the beginning of the file looks like."""
    head = Head(_characters.head(source), source.suffix)
    sure = {name: reader(name).recognises(head) for name in formats()}
    return max(formats(), key=lambda name: sure[name])
