"""factcons-syn: numbered facts that later ones replace, asked for one edge or for two in a row.

Source: after FactConsolidation of MemoryAgentBench (Hu et al. 2025, "Evaluating Memory in LLM Agents via Incremental
Multi-Turn Interactions", arXiv:2507.05257, section 3): facts carry numbers, the larger number is newer and holds.
Ours differs: every name and object is invented, and a fact is a unit of its own, so that gold can name it. A figure
made with it is no score of that benchmark.
A unit is "i. The {relation} of {subject} is {object}."; 30 % of the edges are stated again with another object. Gold:
the last fact of each edge of the question. Stale: facts of these edges that no longer hold. Negatives, of two edges:
facts about what the first edge used to lead to. The rule reader knows the edge to read last, so in "multi-hop" it
measures whether that fact was found, not whether somebody could have inferred where to look.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._states import draws
from memspan.bench.updates.streams import STEP_S, Edge, Facts, Told, numbered_facts

RUNGS = (6_000, 32_000, 64_000)
EACH = 30
"""Questions of each category in a case."""
CHAINED = 0.3
CHUNK = 200
"""Facts that are told in one session."""
Path = tuple[Edge, ...]
"""Edges in the order in which they are followed."""


def read(found: Found) -> Iterator[Case]:
    """A world of each size; they are made, so no file is read."""
    for tokens in RUNGS:
        yield world(tokens)


def world(tokens: int, each: int = EACH) -> Case:
    """One world and what is asked of it at its end. tokens: size [tokens];  each: questions of each category"""
    draw = draws("factcons-syn", tokens)
    facts = numbered_facts(tokens, draw, CHAINED)
    single = [(edge,) for edge in sorted(facts.versions)]
    paths = [path for all in (single, sorted(_pairs(facts))) for path in _half_restated(facts, all, each, draw)]
    questions = [_question(facts, path, len(facts.told)) for path in paths]
    units = [_unit(told, number) for number, told in enumerate(facts.told)]
    return Case(f"facts-{tokens // 1000}k", units, questions, rung=tokens)


def _unit(told: Told, number: int) -> Unit:
    return Unit(told.id, told.text, session=f"s{number // CHUNK}", at=told.at)


def _half_restated(facts: Facts, paths: Sequence[Path], count: int, draw: Random) -> list[Path]:
    """So many of the paths, half of them with an edge that was stated again."""
    again = [path for path in paths if any(len(facts.versions[edge]) > 1 for edge in path)]
    once = [path for path in paths if all(len(facts.versions[edge]) == 1 for edge in path)]
    return draw.sample(again, count // 2) + draw.sample(once, count - count // 2)


def _pairs(facts: Facts) -> Iterator[tuple[Edge, Edge]]:
    """Edges of which the second starts where the first leads to now."""
    starting: dict[str, list[Edge]] = {}
    for edge in facts.versions:
        starting.setdefault(edge[1], []).append(edge)
    for edge, said in facts.versions.items():
        yield from ((edge, after) for after in starting.get(said[-1][1], ()) if after[1] != edge[1])


def _question(facts: Facts, path: Path, visible: int) -> Question:
    relation, subject = path[-1]
    answer = facts.versions[path[-1]][-1][1]
    asked = " of ".join(f"the {edge[0]}" for edge in reversed(path))
    return Question(
        id="/".join(f"{edge[0]} of {edge[1]}" for edge in path),
        text=f"What is {asked} of {path[0][1]}?",
        gold=frozenset(facts.versions[edge][-1][2] for edge in path),
        visible=visible,
        category="multi-hop" if len(path) > 1 else "single-hop",
        cluster=path[0][1],
        at=facts.told[-1].at + STEP_S,
        answers=(answer,),
        stale=frozenset(id for edge in path for id in _over(facts, edge)),
        negatives=frozenset(_led_to(facts, path)),
        reads=rf"\d+\. The {re.escape(relation)} of {re.escape(subject)} is (.+)\.$",
    )


def _over(facts: Facts, edge: Edge) -> Iterator[str]:
    """Facts of an edge whose object is not the one that holds."""
    said = facts.versions[edge]
    return (id for _, value, id in said if value != said[-1][1])


def _led_to(facts: Facts, path: Path) -> Iterator[str]:
    """What is said, by the same relation, of those to whom an edge led once and no longer leads."""
    for edge, after in pairwise(path):
        said = facts.versions[edge]
        for name in {value for _, value, _ in said} - {said[-1][1]}:
            yield from (id for _, _, id in facts.versions.get((after[0], name), ()))


SETS = (DataSet(name="factcons-syn", family="", metric="MRR", parts={}, read=read),)
