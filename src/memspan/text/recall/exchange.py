"""Question and answer between people: the answer is the evidence, and the question has its words.

"Where did you camp?" - "By the lake, with the kids." A question for the camping trip finds the first turn by its words,
while the second tells. So the answer takes a share of the question's score, and the question steps back: it asks, and
tells nothing. A question put to an assistant keeps its place, for it tells of the one who asks.
Measured on LoCoMo: R@10 +3.2 points; a penalty on all questions costs BEAM, whose users ask an assistant, 5.
"""

import numpy as np
from numpy.typing import NDArray

from memspan.text.index.marks import ASKS
from memspan.text.index.scope import ScopeIndex
from memspan.text.recall.setting import Setting

Floats = NDArray[np.float32]
Units = NDArray[np.int64]

MOST_ASKED = 3.0
"""A question's score counts up to here, lest one that has a date or all the words brings up whatever follows it."""


def gains(index: ScopeIndex, units: Units, total: Floats, setting: Setting) -> Floats:
    """What is added to each unit's sum, (count + 1,); zero but for the ranked units.

    units: that are ranked;  total: sums of all units, (count + 1,), -inf of what is not seen
    """
    added = np.zeros(len(total), np.float32)
    before, after = (index.neighbours[units, side].astype(np.int64) for side in (1, 2))
    replies = _answers(index, before, units)
    added[units[replies]] = setting.replies * np.clip(total[before[replies]], 0, MOST_ASKED)
    added[units[_answers(index, units, after)]] -= setting.questions
    return added


def _answers(index: ScopeIndex, first: Units, second: Units) -> NDArray[np.bool_]:
    """Where a unit asks and the one after it is another person's. first, second: neighbours, 0 = nobody"""
    people = (first > 0) & (second > 0) & index.user[first] & index.user[second]
    others = index.speaker[first] != index.speaker[second]
    found: NDArray[np.bool_] = people & others & ((index.marks[first] & ASKS) > 0)
    return found
