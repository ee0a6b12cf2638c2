"""What the fault tests do to memory that changes: every step is there wholly or not at all, and the receipt is true.

What should be there after each step is what a run without a fault shows; times and digests are left out.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.faults.workload import folder_in_ram, memory

from memspan import Memory, Turn
from memspan.core.errors import MemspanError

Step = tuple[str, ...]
"""A verb and what it takes: remember id text session, correct id text, forget session, undo, reflect, reopen."""

LONG = "the secret otterburn once more " * 200
STEPS: tuple[Step, ...] = (
    ("remember", "one", "My phone number is 555 1234.", "s1"),
    ("remember", "two", "The secret brambling sits in Basel.", "s2"),
    ("correct", "two", "The secret wagtail sits in Berne.", "not a brambling"),
    ("undo",),
    ("remember", "three", LONG, "s2"),
    ("correct", "three", "The secret pipit sits in Thun."),
    ("reflect",),
    ("forget", "s2"),
    ("remember", "four", "My phone number is 555 9876.", "s3"),
    ("undo",),
)
SHORT: tuple[Step, ...] = (STEPS[0], STEPS[1], STEPS[2], STEPS[7], STEPS[8])
FORGOTTEN = (b"ambling", b"agtail", b"erburn", b"pipit")


def opened(path: Path, **settings) -> Memory:
    """A memory whose clock stands, so that every run is the same."""
    return memory(path, clock=lambda: 1.75e9, **settings)


def do(here: Memory, step: Step) -> None:
    """One step, but for reopening."""
    verb, *given = step
    if verb == "remember":
        wanted, text, session = given
        here.remember(Turn(text, id=wanted, session=session, speaker="Ann", at=1.7e9))
    elif verb == "correct":
        here.correct(given[0], given[1], reason=" ".join(given[2:]))
    elif verb == "forget":
        here.forget(session=given[0])
    else:
        getattr(here, verb)()


def play(path: Path, steps: Sequence[Step], ack: Callable[[int], object], **settings) -> None:
    """Do the steps; ack(n) after the n-th call returned. The last memory is closed."""
    here = opened(path, **settings)
    ack(0)
    for number, step in enumerate(steps, start=1):
        if step == ("reopen",):
            here.close()
            here = opened(path, **settings)
        else:
            do(here, step)
        ack(number)
    here.close()


@dataclass(frozen=True)
class View:
    """All that a memory shows. told: of the way there;  erased: whether it holds a receipt"""

    shown: str
    told: str
    erased: bool


def view(here: Memory) -> View:
    """What is there now."""
    receipts = here.receipts()
    hits = here.recall("phone number secret", tokens=None, limit=50, history=True).hits
    shown = [
        [(turn.id, turn.text) for turn in here.turns()],
        [(receipt.items, sorted(receipt.rows.items()), receipt.status) for receipt in receipts],
        [(hit.id, hit.status, hit.heir) for hit in hits],
        sorted((record.id, record.text, record.sources) for record in here.records()),
        here.links(),
    ]
    told = [(event.what, event.id, event.text, event.heir, event.why) for event in here.changes()]
    return View(repr(shown), repr(told), bool(receipts))


@cache
def views(steps: tuple[Step, ...]) -> tuple[View, ...]:
    """What is to be seen after each step, after none first."""
    with folder_in_ram() as folder:
        here = opened(folder / "sound.mem")
        found = [view(here)]
        for step in steps:
            do(here, step)
            found.append(view(here))
        here.close()
    return tuple(found)


def condition(path: Path, steps: tuple[Step, ...], acks: int) -> str | None:
    """What is wrong with the file after `acks` steps were acknowledged and the next one may have begun; None = nothing.

    It opens and shows what it showed after the acknowledged steps, or after the next one as well. Where the forgetting
    was acknowledged, no word of it is in any file before it is opened; where it is done at all, none is afterwards.
    Reflecting that was cut off is finished by the next call, to the same end.
    """
    expected = views(steps)
    after = min(acks + 1, len(steps))
    if expected[acks].erased and (words := _words(path)):
        return f"the receipt was given and {words} are still there"
    try:
        with warnings.catch_warnings(), opened(path) as here:
            warnings.simplefilter("error")
            now = view(here)
            if steps[acks:after] == (("reflect",),):  # many transactions on purpose: the next call goes on
                here.reflect()
                now = View(view(here).shown, expected[after].told, now.erased)
            if now not in (expected[acks], expected[after]):
                return f"shows {now.shown}\ninstead of {expected[acks].shown}\nor {expected[after].shown}"
            if now.erased and (words := _words(path)):
                return f"it is forgotten, but {words} are still there"
            if not (health := here.check()).ok:
                return f"check: {health.problems[:3]}"
            if here.remember("after the fault", session="after").added != 1:
                return "cannot be written"
    except (MemspanError, UserWarning) as why:
        return f"{type(why).__name__}: {why}"
    return None


def _words(path: Path) -> list[bytes]:
    raw = b"".join(file.read_bytes() for file in path.parent.iterdir()).lower()
    return [word for word in FORGOTTEN if word in raw]
