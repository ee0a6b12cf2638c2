"""Regular expressions compiled when they are first used.

The rules hold some hundred large patterns; compiling all of them took a tenth of a second of every start, also of a
recall that needs five.
"""

import re
from typing import Any, cast


class _Later:
    """Stands for a pattern; its methods are the compiled one's from the first time they are asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:  # Any: whatever a pattern has
        if "_compiled" not in self.__dict__:
            self._compiled = re.compile(*self._source)
        value = getattr(self._compiled, name)
        setattr(self, name, value)
        return value


def later(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """What re.compile gives, but compiled on first use.

    >>> later(r"\\d+").findall("7 and 12")
    ['7', '12']
    """
    return cast("re.Pattern[str]", _Later(pattern, flags))
