"""The two halves of the clusters: settings are chosen on `dev`; `test` is looked at once a release."""

from hashlib import sha256
from typing import Literal

Part = Literal["dev", "test"]


def part_of(cluster: str) -> Part:
    """The half a cluster belongs to, the same on every machine.

    cluster: data set and Case.cluster_of(question), joined by a slash

    >>> part_of("locomo/conv-26/")
    'dev'
    """
    return "dev" if sha256(cluster.encode()).digest()[0] % 2 == 0 else "test"
