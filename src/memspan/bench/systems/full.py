"""memspan with the MiniLM embedder beside the static one: setting full. Absent where its model is not built."""

from memspan.bench.systems.default import Default


class Full(Default):
    """The same memory with two embedders."""

    title = "memspan full"
    setting = "full"


SYSTEM = Full
