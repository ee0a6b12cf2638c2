"""memspan full whose best candidates MiniLM reads again: quality high. Absent where its model is not built."""

from memspan.bench.systems.full import Full
from memspan.core.records import Quality


class FullHigh(Full):
    """The same file as full's."""

    title = "memspan full, quality high"
    quality: Quality = "high"


SYSTEM = FullHigh
