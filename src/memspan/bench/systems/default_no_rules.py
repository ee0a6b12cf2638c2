"""memspan lite with nothing but its two arms: words and vectors, summed.

Two rules have no number and stay: what was superseded steps back, and of two claims about the same the newer goes
first.
"""

from types import MappingProxyType

from memspan.bench.systems._ablations import Ablation


class NoRules(Ablation):
    """Without boosts for dates, speakers, users, bridges and stated values, without standing block and lifting."""

    title = "memspan lite, no rules"
    without = MappingProxyType(
        {"date": 0.0, "speaker": 0.0, "user": 0.0, "bridge": 0.0, "asked": 0.0}
        | {"lifted": 0, "standing": 0, "crowded": 1.0}
    )


SYSTEM = NoRules
