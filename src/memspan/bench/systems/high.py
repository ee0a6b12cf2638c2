"""memspan lite whose best candidates MiniLM reads again: quality high. Absent where its model is not built."""

from pathlib import Path

from memspan.bench.systems.default import Default
from memspan.core.records import Quality
from memspan.text.embed.onnx import Onnx


class High(Default):
    """The same file as lite's."""

    title = "memspan lite, quality high"
    quality: Quality = "high"

    def __init__(self, folder: Path) -> None:
        Onnx()  # says at once what is missing
        super().__init__(folder)


SYSTEM = High
