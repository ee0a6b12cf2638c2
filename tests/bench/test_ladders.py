"""The generated ladders: the same words each time, gold that answers, near misses and void statements that do not."""

import re
from collections import Counter, defaultdict
from functools import cache
from hashlib import sha256
from itertools import islice

import pytest

from memspan.bench.cases import Case
from memspan.bench.datasets import _facts, convomem_syn, pick, rewriting_syn, sort_syn
from memspan.bench.use import exact, read, use_scores
from memspan.core.tokens import estimate

PINNED = {
    "evermem-syn-1k": "ac903d168d6b5c1f",
    "convomem-syn": "0f8c76c943244ecd",
    "rewriting-syn": "9fa168996551e47c",
    "sort-syn": "02966e6fc63391e3",
    "ruler-syn-needles": "0d36b6a28204d921",
    "ruler-syn-chain": "09050016ea47aa97",
}
QUICK = list(PINNED)
HIGHER = {"evermem-syn-10k": "fe85faf0ab3cd508", "evermem-syn-100k": "abdf92ec43fedd0a"}


@cache
def cases(name: str) -> list[Case]:
    (one,) = pick([name])
    return list(one.read({}))


def asked(*names):
    return [(case, one) for name in names or QUICK for case in cases(name) for one in case.questions]


def texts(case):
    return {unit.id: unit.text for unit in case.units}


def rendered(name):
    digest = sha256()
    for case in cases(name):
        for unit in case.units:
            digest.update(f"{unit.id}|{unit.role}|{unit.session}|{unit.at}|{unit.text}\n".encode())
        for one in case.questions:
            ids = [sorted(some) for some in (one.gold, one.stale, one.negatives)]
            digest.update(f"{one.id}|{one.text}|{one.answers}|{one.visible}|{one.reads}|{ids}\n".encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("name", QUICK)
def test_it_is_the_same_every_time(name):
    """Every unit and question, word for word: changing one is a decision, and no figure made before holds."""
    assert rendered(name) == PINNED[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(HIGHER))
def test_the_higher_rungs_are_the_same_every_time_and_gold_is_all_that_answers(name):
    """What holds for the lowest rung of evermem-syn, where generation takes seconds."""
    assert rendered(name) == HIGHER[name]
    nothing_else_answers(name)


def test_gold_is_there_in_time_and_stands_apart():
    """Gold is visible, its text is said once, and nothing is two of gold, void and near miss."""
    for case in (case for name in QUICK for case in cases(name)):
        said, known = Counter(unit.text for unit in case.units), texts(case)
        assert list(known) == [f"u{place}" for place in range(len(case.units))]
        for one in case.questions:
            assert all(int(id[1:]) < one.visible for id in one.gold | one.stale)
            assert one.negatives <= set(known) and one.answerable == bool(one.gold)
            assert not (one.gold & one.stale or one.gold & one.negatives or one.stale & one.negatives)
            assert all(said[known[gold]] == 1 for gold in one.gold)


WITH_READER = ("evermem-syn-1k", "convomem-syn", "ruler-syn-needles", "ruler-syn-chain", "rewriting-syn")


@cache
def units(case_id, name):
    (case,) = [case for case in cases(name) if case.id == case_id]
    return {unit.id: unit for unit in case.units}


def read_by():
    for name in WITH_READER:
        yield from ((one, units(case.id, name)) for case, one in asked(name) if one.reads)


def test_who_reads_the_gold_answers_and_who_reads_nothing_does_not():
    """The rule reader is right on the gold alone, every time, and wrong without it, every time."""
    scores = []
    for one, known in read_by():
        gold = {id: known[id] for id in sorted(one.gold, key=lambda id: int(id[1:]))}
        scores.append(use_scores(one, gold, list(gold)))
    assert len(scores) > 450
    assert {(score["EM"], score["EM oracle"], score["EM nothing"]) for score in scores} == {(1.0, 1.0, 0.0)}


def test_reading_what_does_not_hold_answers_wrongly():
    """Near misses, and what held before, never state the right answer (of two ways out of a maze one may return)."""
    for one, known in read_by():
        if not one.category.startswith("maze"):
            for wrong in islice(sorted(one.negatives | one.stale), 12):
                assert exact(read(one, known, [wrong]), one.answers) == 0.0


def stated(size):
    every = [one for needle in _facts.needles() for one in _facts.stated_golds(needle) + _facts.near_misses(needle)]
    every += islice(_facts.background(_facts.needles()), size)
    return {one.text: one.fact for one in every}


def nothing_else_answers(name):
    for case in cases(name):
        facts, fits = stated(case.rung), [defaultdict(set) for _ in range(5)]
        for id, text in texts(case).items():
            for slot, ids in enumerate(fits):
                ids[_facts.given(facts[text], slot)].add(id)
        for needle, one in zip(_facts.needles(), case.questions, strict=True):
            assert one.text == _facts.ask(needle)
            wanted = [_facts.given(gold, needle.asked) for gold in needle.golds]
            assert set.union(*(fits[needle.asked][slots] for slots in wanted)) == one.gold


def test_evermem_gold_is_all_that_answers():
    """Slot by slot, over every unit of a rung."""
    nothing_else_answers("evermem-syn-1k")
    for needle in _facts.needles():
        assert all(map(needle.answered_by, needle.golds)) and not any(map(needle.answered_by, needle.near))


def test_evermem_sentences_state_their_facts():
    """Each slot, in one of the ways it is written."""
    facts = stated(1000)
    for unit in cases("evermem-syn-1k")[0].units:
        assert all(any(way in unit.text for way in _facts.says(facts[unit.text], slot)) for slot in range(5))


def test_evermem_near_misses_differ_in_one_slot_and_in_the_answer():
    """One of the four slots given; never in two, never in none."""
    for needle in _facts.needles():
        answers = {gold[needle.asked] for gold in needle.golds}
        assert len(needle.near) >= 8
        for near in needle.near:
            differs = min(
                sum(mine != theirs for mine, theirs in zip(*pair, strict=True))
                for pair in [
                    (_facts.given(near, needle.asked), _facts.given(gold, needle.asked)) for gold in needle.golds
                ]
            )
            assert differs == 1 and near[needle.asked] not in answers


def test_evermem_near_misses_collide_with_their_question():
    """BM25 or the static embedder ranks each among its first 20, among all near misses and 1,000 other facts."""
    needles = _facts.needles()
    pool = [one for needle in needles for one in _facts.stated_golds(needle) + _facts.near_misses(needle)]
    pool += islice(_facts.background(needles), 1000)
    found = _facts.colliding([_facts.ask(one) for one in needles], [one.text for one in pool])
    for needle, places in zip(needles, found, strict=True):
        assert set(needle.near) <= {pool[place].fact for place in places}
        assert len(places) <= 2 * _facts.RANK


def test_other_facts_that_come_near_are_left_out():
    """A fact that shares three of the four slots given is no company for that question."""
    fact, *others = [one.fact for one in islice(_facts.background([]), 50)]
    needle = _facts.Needle(2, (fact._replace(role="nobody", place="nowhere"),), (), 0)
    assert [one.fact for one in islice(_facts.background([needle]), 49)] == others


def test_the_collision_test_and_the_symbolic_check_refuse():
    """A far text does not collide; a right answer in other words is no near miss."""
    needle = _facts.needles()[0]
    pool = [one.text for one in islice(_facts.background(_facts.needles()), 60)] + ["The kettle hums on the stove."]
    (found,) = _facts.colliding([_facts.ask(needle)], [_facts.tell(needle.golds[0], 7), *pool])
    assert 0 in found and len(pool) not in found
    assert _facts.answers_any(needle.golds[0], _facts.needles())


@pytest.mark.slow
def test_evermem_asks_the_same_on_every_rung():
    """Only the company grows."""
    rungs = [case for name in ("evermem-syn-1k", *HIGHER) for case in cases(name)]
    golds = [
        [texts(case)[gold] for one in case.questions for gold in sorted(one.gold, key=texts(case).get)]
        for case in rungs
    ]
    assert all_equal(golds) and all_equal([[one.text for one in case.questions] for case in rungs])
    assert (
        [len(case.units) for case in rungs]
        == [case.rung for case in rungs]
        == [1000] * 2 + [10_000] * 2 + [100_000] * 2
    )
    assert len({case.cluster_of(one) for case in rungs for one in case.questions}) == 40


def all_equal(some):
    return all(one == some[0] for one in some)


def test_evermem_benign_has_the_same_facts_without_their_near_misses():
    """Same size, same questions, same gold; no near miss is said at all."""
    adversarial, benign = cases("evermem-syn-1k")
    assert len(adversarial.units) == len(benign.units) == adversarial.rung == 1000
    for one, other in zip(adversarial.questions, benign.questions, strict=True):
        assert one.text == other.text and adversarial.cluster_of(one) == benign.cluster_of(other)
        assert {texts(adversarial)[id] for id in one.gold} == {texts(benign)[id] for id in other.gold}
        assert one.negatives and not other.negatives
        assert not {texts(adversarial)[id] for id in one.negatives} & set(texts(benign).values())


HISTORIES = [(person, count) for person in range(convomem_syn.PEOPLE) for count in convomem_syn.RUNGS]


@pytest.mark.parametrize(("person", "count"), HISTORIES)
def test_convomem_evidence_is_enough_and_needed(person, count):
    """The three checks: it answers alone; all else without it does not; without any message of it nothing does."""
    every = [said for talk in convomem_syn.conversations(person, count) for said in talk]

    def solved(kept, topic):
        return convomem_syn.solve([fact for said in kept for fact in said.facts], topic.path)

    for number, topic in enumerate(convomem_syn.topics(person)):
        evidence = [said for said in every if said.topic == number and said.evidence]
        others = [said for said in every if said.topic == number and not said.evidence]
        assert [said.facts for said in evidence] == [said.facts for said in topic.said]
        assert all(one.text.endswith(said.text) for one, said in zip(evidence, topic.said, strict=True))
        assert others and solved(others, topic) is None
        if topic.category == "abstention":
            assert evidence == [] and solved(every, topic) is None
            continue
        needed = evidence[-1:] if topic.category == "changing fact" else evidence
        assert solved(needed, topic) == solved(every, topic) == topic.answer
        for one in needed:
            assert solved([said for said in every if said is not one], topic) != topic.answer


def test_convomem_covers_its_kinds_and_lengths():
    """Six kinds, one to four messages of evidence, on every rung in the same words."""
    assert {one.category for _, one in asked("convomem-syn")} == {
        *("user fact", "assistant fact", "changing fact", "abstention", "preference", "implicit connection")
    }
    assert {len(one.gold) for _, one in asked("convomem-syn")} == {0, 1, 2, 3, 4}
    golds = {}
    for case, one in asked("convomem-syn"):
        golds.setdefault(case.cluster_of(one), set()).add(tuple(texts(case)[id] for id in sorted(one.gold | one.stale)))
        assert len({unit.session for unit in case.units}) == case.rung
    assert all(len({frozenset(said) for said in some}) == 1 for some in golds.values())


def test_rewriting_gold_is_the_last_word():
    """No cue of its kind comes after it; every earlier one is void."""
    for case, one in asked("rewriting-syn"):
        if one.category == "cubes extreme":
            continue
        subject = "turn" if one.category.startswith("maze") else re.search(r"(\w+) cube", one.text)[1] + " cube"
        cues = [
            unit.id
            for unit in case.units[: one.visible]
            if re.search(rf"{subject} .*(?:junction|on [A-F]\d)", unit.text)
        ]
        assert one.gold == {cues[-1]} and one.stale == set(cues[:-1])


def test_rewriting_extreme_follows_by_elimination_from_all_of_its_evidence():
    """Which cells are taken and three glimpses leave one cell; with less, more are left."""
    for case, one in asked("rewriting-syn"):
        if one.category == "cubes extreme":
            said = [texts(case)[id] for id in one.gold]
            (taken,) = [re.findall(r"[A-F]\d", text) for text in said if "Taken" in text]
            glimpsed = dict(
                re.search(r"the (\w+) cube stands on (..)", text).groups() for text in said if "fog" in text
            )
            colour = re.search(r"the (\w+) cube", one.text)[1]
            assert rewriting_syn.possible(taken, glimpsed, colour) == set(one.answers)
            for left_out in glimpsed:
                less = {seen: cell for seen, cell in glimpsed.items() if seen != left_out}
                assert len(rewriting_syn.possible(taken, less, colour)) == 2


def test_sort_retellings_fit_one_scene():
    """What a question says of a moment is true of its gold only."""
    for story in range(sort_syn.STORIES):
        told = sort_syn.scenes(story)
        retold = sort_syn.retellings(told, sort_syn.draws("test", story))
        assert len(set(retold)) == len(told)
        fits = defaultdict(list)
        for scene in told:
            for hint in sort_syn.HINTS:
                fits[scene.retold(hint)].append(scene)
        assert [fits[text] for text in retold] == [[scene] for scene in told]


def test_sort_answers_with_the_earlier_and_quotes_none():
    """The order is that of the story; no unit holds what a question says."""
    for case, one in asked("sort-syn"):
        first = sort_syn.scenes(int(case.id.removeprefix("story-")))[min(int(id[1:]) for id in one.gold)]
        assert one.answers[0] in {first.retold(hint) for hint in sort_syn.HINTS}
        earlier, later = sorted(int(id[1:]) for id in one.gold)
        assert 0 < later - earlier <= 0.8 * len(case.units)
        shown = re.match(r".*\(A\) (.*), or \(B\) (.*)\?$", one.text).groups()
        assert one.answers[0] in shown
        assert not any(text in unit.text for text in shown for unit in case.units)


def test_ruler_needles_lie_in_as_much_noise_as_the_rung_says():
    """Sizes in tokens, each value in its own needle only."""
    for name in ("ruler-syn-needles", "ruler-syn-chain"):
        for case in cases(name):
            assert sum(estimate(unit.text) for unit in case.units) == pytest.approx(case.rung, rel=0.02)
    for case, one in asked("ruler-syn-needles"):
        holding = {id for id, text in texts(case).items() for answer in one.answers if answer in text}
        assert holding == one.gold


def test_ruler_chains_lead_from_the_value_to_every_variable():
    """Following the copies from the value named reaches the gold and no other line."""
    for case, one in asked("ruler-syn-chain"):
        lines = {id: tuple(re.findall(r"VAR (\w+)|= (\d+)", text)) for id, text in texts(case).items() if "VAR" in text}
        value, reached, names = re.search(r"\d+", one.text)[0], set(), set()
        for _ in lines:
            for id, found in lines.items():
                (new, _), (old, number) = found
                if number == value or old in names:
                    reached.add(id)
                    names.add(new)
        assert reached == one.gold and names == set(one.answers)


def test_the_million_is_asked_for_by_its_own_name():
    """`evermem-syn` stops at 100,000 units."""
    assert [one.name for one in pick(["evermem-syn"])] == ["evermem-syn-1k", "evermem-syn-10k", "evermem-syn-100k"]
    assert [one.name for one in pick(["evermem-syn-1m"])] == ["evermem-syn-1m"]
