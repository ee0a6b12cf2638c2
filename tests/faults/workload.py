"""What the fault tests make memory do, and how they tell whether it came through."""

import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from memspan import Memory, Turn
from memspan.core.errors import MemspanError
from memspan.text.embed.hashing import Hashing

SCOPE = "alice"
DIM = 16

Step = tuple[Turn, ...] | str
"""What one call does: remember these turns, "reopen" or "rebuild"."""


def memory(path: Path, scope: str = SCOPE, **settings) -> Memory:
    """A memory with a small and fast embedder."""
    return Memory(path, scope=scope, embedders=[Hashing(DIM)], **settings)


@contextmanager
def folder_in_ram() -> Iterator[Path]:
    """A folder without fsync cost where the system has one; what is killed or cut here is a process or a simulation."""
    ram = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=ram if ram.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def turn(number: int, size: int = 1) -> Turn:
    """A turn that differs from every other one."""
    text = " ".join([f"Note {number} about topic {number * 7919 % 1000}."] * size)
    return Turn(text, speaker=f"S{number % 3}", session=f"s{number // 10}", at=1.7e9 + number)


def script(seed: int, calls: int) -> list[Step]:
    """A seeded mix of single turns, bulk, long texts (several pages) and reopening."""
    chance = random.Random(seed)
    steps: list[Step] = []
    number = 0
    for _ in range(calls):
        kind = chance.choice(["one", "one", "one", "bulk", "long", "reopen", "rebuild"])
        if kind in ("reopen", "rebuild"):
            steps.append(kind)
            continue
        count = chance.randint(2, 6) if kind == "bulk" else 1
        size = chance.choice([100, 400]) if kind == "long" else 1
        steps.append(tuple(turn(number + i, size) for i in range(count)))
        number += count
    return steps


def play(path: Path, steps: Sequence[Step], ack: Callable[[int], object], **settings) -> None:
    """Do the steps; ack(n) after the n-th call returned. The last memory is closed."""
    here = memory(path, **settings)
    ack(0)
    for number, step in enumerate(steps, start=1):
        if step == "reopen":
            here.close()
            here = memory(path, **settings)
        elif step == "rebuild":
            here.rebuild()
        else:
            here.remember(step)
        ack(number)
    here.close()


def texts(steps: Sequence[Step]) -> list[str]:
    """Every text the steps remember, in order; said twice, kept once."""
    return list(dict.fromkeys(turn.text for step in steps if not isinstance(step, str) for turn in step))


def condition(path: Path, steps: Sequence[Step], acks: int) -> str | None:
    """What is wrong with the file after `acks` steps were acknowledged and the next one may have begun; None = nothing.

    Checked through public calls: it opens, holds exactly what was acknowledged or that and the whole next step,
    check() is content, each turn has its vector, recall finds the last turn word for word, and it can be written.
    """
    sure, perhaps = texts(steps[:acks]), texts(steps[: acks + 1])
    try:
        with warnings.catch_warnings(), memory(path) as here:
            warnings.simplefilter("error")
            found = [turn.text for turn in here.turns()]
            if found not in (sure, perhaps):
                return f"holds {len(found)} turns, acknowledged {len(sure)}, with the next step {len(perhaps)}"
            if not (health := here.check()).ok:
                return f"check: {health.problems[:3]}"
            stats = here.stats()
            if (stats.turns, dict(stats.without_vector)) != (len(found), {}):
                return f"stats: {stats}"
            if found and found[-1] not in {hit.text for hit in here.recall(found[-1], tokens=None, limit=5)}:
                return "recall does not find the last turn"
            here.remember("after the fault", session="after")
            if here.stats().turns != len(found) + 1:
                return "cannot be written"
    except (MemspanError, UserWarning) as why:
        return f"{type(why).__name__}: {why}"
    return None
