"""ama-syn: the log of an agent in a house of rooms, doors, keys and things, and questions about what it did and why.

Source: after AMA-Bench (2026; repository AMA-Bench, its synthetic generator): trajectories in bins of tokens, with
questions about order, causes, states and counts. The house, its physics and its sentences are ours. A figure made with
it is no score of that benchmark.
A unit is "step n: action -> observation". The agent carries things about, and does something at random now and then.
Gold: the steps that are needed to answer. Stale: earlier steps of the same kind that no longer answer. Negatives: later
ones that do not answer yet. The rule reader takes the first step of the right kind, so a memory that cannot tell one
step from another of its kind gets little; where several steps are needed there is no rule.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from memspan.bench.cases import Case, DataSet, Found, Question
from memspan.bench.datasets._house import Step, trajectory
from memspan.bench.datasets._states import MINUTE_S, START, Log, draws

BINS = ((4_000, 5), (16_000, 4), (64_000, 2))
"""(size [tokens], how many trajectories of it)."""
Asked = Iterator[Question]


def read(found: Found) -> Iterator[Case]:
    """The trajectories; they are made, so no file is read."""
    for tokens, count in BINS:
        for number in range(count):
            yield _case(tokens, number)


def _case(tokens: int, number: int) -> Case:
    steps, log = trajectory(tokens, draws("ama-syn", tokens, number)), Log()
    for step in steps:
        log.say(step.text, START + step.number * MINUTE_S, speaker="agent", role="assistant", session="run")
    questions = list(_Asking(steps, f"ama-syn/{tokens}/{number}").all())
    end = START + (len(steps) + 1) * MINUTE_S
    questions = [replace(one, id=f"q{place}", visible=len(steps), at=end) for place, one in enumerate(questions)]
    return Case(f"run-{tokens // 1000}k-{number}", log.units, questions, rung=tokens)


class _Asking:
    """Questions about one trajectory, twelve of four kinds."""

    def __init__(self, steps: Sequence[Step], seed: str) -> None:
        self._steps, self._draw = steps, draws(seed, "questions")

    def all(self) -> Asked:
        """Three of order, three of causes, four of states, two of counts."""
        for category, asks in (
            ("temporal", (self._done, self._first, self._last)),
            ("causal", (self._opened, self._opened, self._key)),
            ("state", (self._lay, self._lay, self._room, self._carried)),
            ("counting", (self._taken, self._unlocked)),
        ):
            yield from (replace(ask(), category=category) for ask in asks)

    def _of(self, verb: str) -> list[Step]:
        """Steps that did something."""
        return [step for step in self._steps if step.verb == verb and step.worked]

    def _about(self, verb: str, least: int = 2) -> tuple[str, list[Step]]:
        """A thing something was done to at least so many times, and the steps."""
        things = sorted({step.thing for step in self._of(verb)})
        often = [thing for thing in things if sum(step.thing == thing for step in self._of(verb)) >= least]
        thing = self._draw.choice(often or things)
        return thing, [step for step in self._of(verb) if step.thing == thing]

    def _done(self) -> Question:
        step = self._draw.choice(self._steps)
        return _question(f"What did I do at step {step.number}?", step, step.action, rf"^step {step.number}: (.+?) -> ")

    def _first(self) -> Question:
        thing, steps = self._about("take")
        reads = rf"^step (\d+): take the {thing} -> You"
        return _numbered(f"What was the first step at which I carried the {thing}?", steps, 0, reads)

    def _last(self) -> Question:
        room = self._draw.choice(sorted({step.room for step in self._of("go")}))
        steps = [step for step in self._of("go") if step.room == room]
        reads = rf"^step (\d+): go .+ -> You are in the {room}\b"
        return _numbered(f"At which step did I enter the {room} for the last time?", steps, len(steps) - 1, reads)

    def _opened(self) -> Question:
        return self._cause("open", "go", "Why could I go through the {thing} at step {step}? Name the step.")

    def _key(self) -> Question:
        """What made it possible to unlock a door or to lock it."""
        used = [step for step in self._steps if step.verb in ("unlock", "lock") and step.worked]
        step = self._draw.choice(used)
        key = step.thing.replace("door", "key")
        taken = [one for one in self._of("take") if one.thing == key]
        place = max(place for place, one in enumerate(taken) if one.number < step.number)
        text = f"Which step gave me what I needed to {step.verb} the {step.thing} at step {step.number}?"
        return _numbered(text, taken, place, rf"^step (\d+): take the {key} -> You")

    def _cause(self, earlier: str, later: str, text: str) -> Question:
        """Asks for the last of the earlier steps before a later one, about one thing."""
        thing, steps = self._about(earlier)
        after = [one for one in self._of(later) if one.thing == thing and one.number > steps[0].number]
        step = self._draw.choice(after)
        place = max(place for place, one in enumerate(steps) if one.number < step.number)
        reads = rf"^step (\d+): {earlier} the {thing} -> It"
        return _numbered(text.format(thing=thing, step=step.number), steps, place, reads)

    def _lay(self) -> Question:
        """Where a thing lay that somebody had put down."""
        thing, steps = self._about("drop")
        place = self._draw.randrange(len(steps))
        taken = [one.number for one in self._of("take") if one.thing == thing and one.number > steps[place].number]
        moment = self._draw.randrange(steps[place].number, min(taken, default=len(self._steps) + 1))
        text = f"In which room did the {thing} lie after step {moment}?"
        reads = rf"^step \d+: drop the {thing} -> You put it down in the (.+)\.$"
        return _among(text, steps, place, steps[place].room, reads, lambda step: step.room)

    def _room(self) -> Question:
        moves = self._of("go")
        moment = self._draw.randrange(moves[0].number, len(self._steps))
        step = max((one for one in moves if one.number <= moment), key=lambda one: one.number)
        reads = rf"^step {step.number}: .+ -> You are in the (.+?)\."
        return _question(f"Which room was I in after step {moment}?", step, step.room, reads)

    def _carried(self) -> Question:
        held = [step for step in self._steps if len(step.held) > 1]
        step = self._draw.choice(held or [one for one in self._steps if one.held])
        before = [one for one in self._of("take") if one.number <= step.number]
        last = {one.thing: one for one in before}
        gold = frozenset(_id(last[thing]) for thing in step.held)
        text = f"What was I carrying after step {step.number}?"
        return Question(id="", text=text, gold=gold, visible=0, answers=(", ".join(sorted(step.held)),))

    def _taken(self) -> Question:
        """Between two steps, so that a handful of steps is the answer."""
        thing, steps = self._about("take")
        count = min(len(steps), self._draw.randrange(2, 6))
        place = self._draw.randrange(len(steps) - count + 1)
        chosen = steps[place : place + count]
        text = f"How many times did I take the {thing} from step {chosen[0].number} to step {chosen[-1].number}?"
        return _counted(text, chosen)

    def _unlocked(self) -> Question:
        thing, steps = self._about("unlock", 1)
        return _counted(f"How many times did I unlock the {thing}?", steps)


def _id(step: Step) -> str:
    return f"u{step.number - 1}"


def _question(text: str, step: Step, answer: str, reads: str) -> Question:
    return Question(id="", text=text, gold=frozenset([_id(step)]), visible=0, answers=(answer,), reads=reads)


def _counted(text: str, steps: Sequence[Step]) -> Question:
    return Question(id="", text=text, gold=frozenset(map(_id, steps)), visible=0, answers=(str(len(steps)),))


def _numbered(text: str, steps: Sequence[Step], place: int, reads: str) -> Question:
    """Asks for the number of one of the steps."""
    return _among(text, steps, place, str(steps[place].number), reads, lambda step: str(step.number))


def _among(
    text: str, steps: Sequence[Step], place: int, answer: str, reads: str, says: Callable[[Step], str]
) -> Question:
    """Asks for one of several steps of a kind. says: what a step would answer"""
    before = frozenset(_id(step) for step in steps[:place] if says(step) != answer)
    after = frozenset(_id(step) for step in steps[place + 1 :] if says(step) != answer)
    assert re.compile(reads).search(steps[place].text) is not None
    return replace(_question(text, steps[place], answer, reads), stale=before, negatives=after)


SETS = (DataSet(name="ama-syn", family="", metric="R@10", parts={}, read=read),)
