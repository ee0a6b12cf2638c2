"""memspan lite that gives nothing for a time in a range the question names."""

from types import MappingProxyType

from memspan.bench.systems._ablations import Ablation


class NoDates(Ablation):
    """Without the boost for dates; `as_of` works as before."""

    title = "memspan lite, no dates"
    without = MappingProxyType({"date": 0.0})


SYSTEM = NoDates
