"""Systems that behave badly in known ways, put in place of the real ones inside a worker process."""

import os
import time

from memspan.bench import runner
from memspan.bench.systems import Packed


class Honest:
    """Finds what it was given, the newest first."""

    def __init__(self, folder):
        self.ids = []

    def remember(self, turns):
        self.ids += [turn.id for turn in turns]

    def recall(self, ask, k):
        return self.ids[::-1][:k]

    def pack(self, ask, tokens):
        return Packed(tuple(self.ids[-1:]), tokens=3)

    def elsewhere(self, ask):
        return []

    def bytes_on_disk(self):
        return 7

    def close(self):
        pass


class Hangs(Honest):
    def recall(self, ask, k):
        time.sleep(60)


class Crashes(Honest):
    def recall(self, ask, k):
        os._exit(9)


class Raises(Honest):
    def recall(self, ask, k):
        raise ValueError("no such table")


class Leaks(Honest):
    def elsewhere(self, ask):
        return ["u0"]


class Slow(Honest):
    def recall(self, ask, k):
        time.sleep(0.3)
        return super().recall(ask, k)


KINDS = {kind.__name__.lower(): kind for kind in (Honest, Hangs, Crashes, Raises, Leaks, Slow)}


def install():
    """Run in the worker before its first job."""
    runner.load = KINDS.__getitem__
