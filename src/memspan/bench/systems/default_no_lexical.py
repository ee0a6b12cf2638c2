"""memspan lite that ranks by the static vectors alone, with its rules."""

from types import MappingProxyType

from memspan.bench.systems._ablations import Ablation


class NoLexical(Ablation):
    """Without the words' share of the sum."""

    title = "memspan lite, no words"
    without = MappingProxyType({"weights": MappingProxyType({"lexical": 0.0, "static": 1.0})})


SYSTEM = NoLexical
