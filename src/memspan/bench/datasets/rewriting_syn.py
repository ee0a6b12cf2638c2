"""rewriting-syn: the last cue holds and every earlier one is void, asked while the writing goes on.

Source: the memory-rewriting benchmark (Endless T-Maze, Color-Cubes; Quartz-Admirer/Memory-Rewriting@865fc7a, page only;
its code is not published). Ours differs: there the memory is a policy network's and the score a reward; here the cues
are sentences, the memory is a store, and the score is whether the latest valid cue ranks first.
Categories: `maze fixed` and `maze random` (corridors of equal or drawn length; a fresh cue in each),
`cubes trivial` (every event states all cubes), `cubes medium` (only the one that moved), `cubes extreme` (colours are
hidden: where all four stand is said, and three of them are glimpsed, so that the fourth follows by elimination).
A stand-in: it gives no score of the benchmark.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._ladders import draws, material, with_article

MAZES = 4
CORRIDORS = 12
WORLDS = 4
EVENTS = 8
FIXED = 5
COLOURS = ("red", "blue", "green", "yellow")
CELLS = tuple(f"{column}{row}" for column in "ABCDEF" for row in range(1, 7))
_START, _STEP = 1_735_812_000.0, 60.0

_CUES = (
    "Next to {mark} a lamp lights up: turn {way} at the next junction.",
    "Above {mark} somebody has chalked: turn {way} at the next junction.",
    "A voice from behind {mark} says: turn {way} at the next junction.",
    "The floor before {mark} shows an arrow: turn {way} at the next junction.",
)
_WALK = (
    "I walk on; the corridor is {look}.",
    "Nothing but {look} walls for ten paces.",
    "The corridor bends a little and stays {look}.",
    "My steps echo, it is {look} here.",
)
_LOOKS = ("dim", "dusty", "cold", "narrow", "damp", "bare", "silent", "draughty", "whitewashed", "low")
_ALL_JUMP = (
    "At the start {stand}.",
    "The cubes have jumped: {stand}.",
    "A gong sounds and everything moves; {stand}.",
    "The board has been shuffled once more, while I was not looking, and {stand}.",
)
_ONE_JUMPS = (
    "With a bang the {colour} cube now stands on {cell}.",
    "The {colour} cube has jumped: the {colour} cube now stands on {cell}.",
    "I look up and see that the {colour} cube now stands on {cell}, where nothing was before.",
)
"""Worded in several lengths, as the cues are: nothing but time tells the last one."""
_READS_WAY = r"turn (left|right) at the next junction"
_READS_CELL = r"{colour} cube (?:now )?stands on ([A-F][1-6])"


@dataclass(slots=True)
class _Log:
    """What is written so far, and what is asked on the way."""

    units: list[Unit]
    questions: list[Question]

    def write(self, text: str) -> str:
        """The id under which it stands."""
        number = len(self.units)
        self.units.append(Unit(f"u{number}", text, at=_START + number * _STEP))
        return f"u{number}"

    def ask(self, text: str, category: str, gold: Iterable[str], stale: Iterable[str], answer: str, reads: str) -> None:
        """Ask about what is written so far."""
        self.questions.append(
            Question(
                id=f"q{len(self.questions)}",
                text=text,
                gold=frozenset(gold),
                visible=len(self.units),
                category=category,
                at=_START + len(self.units) * _STEP,
                answers=(answer,),
                stale=frozenset(stale),
                reads=reads,
            )
        )


def maze(number: int, *, fixed: bool) -> Case:
    """One maze: in each corridor a cue, a walk, and the question at the junction, before the next corridor."""
    category = f"maze {'fixed' if fixed else 'random'}"
    draw, log = draws("rewriting", category, number), _Log([], [])
    cues: list[str] = []
    for mark in draw.sample(material("objects"), CORRIDORS):
        way = draw.choice(("left", "right"))
        cues.append(log.write(draw.choice(_CUES).format(mark=with_article(mark), way=way)))
        for _ in range(FIXED if fixed else draw.randint(1, 2 * FIXED - 1)):
            log.write(draw.choice(_WALK).format(look=draw.choice(_LOOKS)))
        text = "I stand at a junction. Which way do I turn?"
        log.ask(text, category, cues[-1:], cues[:-1], way, _READS_WAY)
    return Case(f"{category} {number}".replace(" ", "-"), log.units, log.questions)


def cubes(number: int, mode: str) -> Case:
    """One board of four cubes that jump; after each event one of them is asked for. mode: trivial, medium, extreme"""
    category = f"cubes {mode}"
    draw, log = draws("rewriting", category, number), _Log([], [])
    event = {"trivial": _trivial, "medium": _medium, "extreme": _extreme}[mode]
    board = _Board({colour: [] for colour in COLOURS}, {colour: [] for colour in COLOURS}, draw)
    _all_jump(board, log, _ALL_JUMP[0])
    for _ in range(EVENTS):
        event(board, log, category)
    return Case(f"{category} {number}".replace(" ", "-"), log.units, log.questions)


@dataclass(frozen=True, slots=True)
class _Board:
    """Where each cube has stood, and the ids of the units that have said so; the last of both hold.

    No cube comes back to a cell, so what was once true of it is never true again.
    """

    been: dict[str, list[str]]
    told: dict[str, list[str]]
    draw: Random

    def jump(self, colour: str) -> str:
        """The cell on which it stands from now on."""
        taken = {cells[-1] for cells in self.been.values() if cells}
        self.been[colour].append(
            self.draw.choice([cell for cell in CELLS if cell not in taken and cell not in self.been[colour]])
        )
        return self.been[colour][-1]

    def now(self) -> dict[str, str]:
        """Colour -> cell."""
        return {colour: cells[-1] for colour, cells in self.been.items()}


def _where(colour: str) -> str:
    return f"Where does the {colour} cube stand?"


def _trivial(board: _Board, log: _Log, category: str) -> None:
    _all_jump(board, log, board.draw.choice(_ALL_JUMP[1:]))
    asked = board.draw.choice(COLOURS)
    *old, new = board.told[asked]
    log.ask(_where(asked), category, [new], old, board.now()[asked], _READS_CELL.format(colour=asked))


def _all_jump(board: _Board, log: _Log, wording: str) -> None:
    order = board.draw.sample(COLOURS, len(COLOURS))
    stand = ", ".join(f"the {colour} cube now stands on {board.jump(colour)}" for colour in order)
    unit = log.write(wording.format(stand=stand))
    for units in board.told.values():
        units.append(unit)


def _medium(board: _Board, log: _Log, category: str) -> None:
    moved, asked = board.draw.choice(COLOURS), board.draw.choice(COLOURS)
    cell = board.jump(moved)
    board.told[moved].append(log.write(board.draw.choice(_ONE_JUMPS).format(colour=moved, cell=cell)))
    log.write(board.draw.choice(_WALK).format(look=board.draw.choice(_LOOKS)))
    *old, new = board.told[asked]
    log.ask(_where(asked), category, [new], old, board.now()[asked], _READS_CELL.format(colour=asked))


def _extreme(board: _Board, log: _Log, category: str) -> None:
    for colour in COLOURS:
        board.jump(colour)
    asked = board.draw.choice(COLOURS)
    taken = ", ".join(sorted(board.now().values()))
    gold = [log.write(f"All cubes have jumped at once. Taken are {taken}; the colours are hidden.")]
    for colour in board.draw.sample([one for one in COLOURS if one != asked], len(COLOURS) - 1):
        log.write(board.draw.choice(_WALK).format(look=board.draw.choice(_LOOKS)))
        gold.append(log.write(f"A glimpse through the fog: the {colour} cube stands on {board.now()[colour]}."))
    stale = {unit for units in board.told.values() for unit in units}
    log.ask(_where(asked), category, gold, stale, board.now()[asked], "")
    for units in board.told.values():
        units.extend(gold)


def possible(taken: Sequence[str], glimpsed: Mapping[str, str], colour: str) -> set[str]:
    """Cells on which a cube may stand, given which cells are taken and where others were seen.

    >>> possible(["A1", "B2", "C3", "D4"], {"red": "A1", "blue": "C3", "green": "D4"}, "yellow")
    {'B2'}
    """
    boards = (dict(zip(COLOURS, cells, strict=True)) for cells in permutations(taken))
    return {board[colour] for board in boards if glimpsed.items() <= board.items()}


def read(found: Found) -> Iterator[Case]:
    """The mazes and boards; they are made, so no file is read."""
    for number in range(MAZES):
        yield maze(number, fixed=True)
        yield maze(number, fixed=False)
    for number in range(WORLDS):
        for mode in ("trivial", "medium", "extreme"):
            yield cubes(number, mode)


SETS = (DataSet(name="rewriting-syn", family="", metric="MRR", parts={}, read=read, protocol="interleaved"),)
