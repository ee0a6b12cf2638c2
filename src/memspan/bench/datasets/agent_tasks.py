"""Agent tasks: has something like this been done before? Evidence is earlier tasks of the same kind.

Source: tasks of ALFWorld, ScienceWorld and PDDL planning as bingreeky/GMemory gives them to its agents.
Ours: the authors score agents, and name no task that should be remembered at another. Here the tasks of a file come
one after the other; before each, memory is asked with its goal, and the earlier tasks of its kind are the evidence.
A unit is a goal, a session of its own. A goal that stands twice is taken once, and the order is that of a hash of the
goal, for the files are sorted by kind: there the last task would mostly be right. The first of a kind has no gold.
A kind is ALFWorld's task_type, ScienceWorld's env_name, PDDL's domain; it stands in no text.
"""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records


def kind(row: Fields) -> str:
    """What kind of task it is.

    >>> kind({"additional_info": {"env_name": "boil"}})
    'boil'
    """
    more = row.get("additional_info") or {}
    return str(row.get("task_type") or more.get("env_name") or more.get("subtask") or "")


def _case(name: str, rows: list[Fields]) -> Case:
    goals = {clean(row["goal"]): kind(row) for row in reversed(rows)}
    order = sorted(goals, key=lambda goal: sha256(goal.encode()).digest())
    before: dict[str, set[str]] = defaultdict(set)
    questions: list[Question] = []
    for n, goal in enumerate(order):
        gold = frozenset(before[goals[goal]])
        questions.append(Question(id=f"q{n}", text=goal, gold=gold, visible=n, category=name, cluster=f"q{n}"))
        before[goals[goal]].add(f"u{n}")
    return Case(name, [Unit(f"u{n}", goal, session=f"s{n}") for n, goal in enumerate(order)], questions)


def _world(row: Fields) -> str:
    return "alfworld" if "gamefile" in row else str(row.get("task", "tasks"))


def read(found: Found) -> Iterator[Case]:
    """One case a world."""
    worlds: dict[str, list[Fields]] = defaultdict(list)
    for path in found["tasks"]:
        for row in records(path):
            worlds[_world(row)].append(row)
    return (_case(name, rows) for name, rows in worlds.items())


def _known(seen: Sniff) -> bool:
    return seen.has("goal", "gamefile", "task_type") or seen.has("goal", "subgoals", "difficulty", "additional_info")


# In no macro mean: the gold is ours, made of labels that were meant for something else.
SETS = (
    DataSet(name="agent-tasks", family="", metric="MRR", protocol="interleaved", parts={"tasks": _known}, read=read),
)
