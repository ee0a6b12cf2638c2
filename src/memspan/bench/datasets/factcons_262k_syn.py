"""factcons-262k-syn: the kind of world of factcons-syn at 262,000 tokens, by itself because slow systems take hours.

Source: as factcons-syn.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Found
from memspan.bench.datasets.factcons_syn import world

TOKENS = 262_000


def read(found: Found) -> Iterator[Case]:
    """One world; it is made, so no file is read."""
    yield world(TOKENS)


SETS = (DataSet(name="factcons-262k-syn", family="", metric="MRR", parts={}, read=read),)
