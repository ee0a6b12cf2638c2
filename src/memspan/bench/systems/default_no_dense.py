"""memspan lite that ranks by words alone, with its rules, except those that need a vector.

Standing instructions and preferences are sought by vector, so they fall away too.
"""

from types import MappingProxyType

from memspan.bench.systems._ablations import Ablation


class NoDense(Ablation):
    """Without the static vectors."""

    title = "memspan lite, no vectors"
    without = MappingProxyType({"embedders": (), "weights": MappingProxyType({"lexical": 1.0})})


SYSTEM = NoDense
