"""memspan lite with one part taken out, to see what the part brings.

Nothing in the product is switched for this: numbers of the setting are replaced in the object that answers, and what
no number governs is taken out at the door (a turn without a session's company has no neighbours).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memspan.bench.systems import Kind
from memspan.bench.systems.default import Default

_NOTHING: Mapping[str, Any] = MappingProxyType({})  # Any: fields of a Setting are of several types


class Ablation(Default):
    """memspan lite with other numbers in its setting. without: fields of Setting and what they are here"""

    kind: Kind = "ablation"
    without: Mapping[str, Any] = _NOTHING

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        answerer = self._memory._answerer
        answerer.setting = replace(answerer.setting, **self.without)
