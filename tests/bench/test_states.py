"""Generated worlds whose facts change: gold by replaying the text, the reader as a control, what must not answer."""

import json
import re
from collections import defaultdict
from hashlib import sha256

import pytest
from click.testing import CliRunner

from memspan.bench import operations
from memspan.bench.datasets import ama_syn, factcons_syn, halumem_syn, mem2act_syn, memtrack_syn
from memspan.bench.datasets._house import LOCKED, ROOMS, built, trajectory
from memspan.bench.datasets._states import draws, on_day
from memspan.bench.operations import Fact, followed
from memspan.bench.updates.streams import RELATIONS
from memspan.bench.use import call, use_scores
from memspan.doors.cli.bench import bench

MODULES = {
    "factcons": factcons_syn,
    "mem2act": mem2act_syn,
    "memtrack": memtrack_syn,
    "ama": ama_syn,
    "halumem": halumem_syn,
}
CASES = {name: list(module.read({})) for name, module in MODULES.items()}
DIGESTS = {
    "factcons": "93b0f3d07315b74c",
    "mem2act": "9584c3f94bbac7a7",
    "memtrack": "18208e679efde0be",
    "ama": "453f0a74e4526431",
    "halumem": "02e36ef1f7b61db6",
}


def all_of(name):
    """(units by id, question) of every question."""
    return [({unit.id: unit for unit in case.units}, one) for case in CASES[name] for one in case.questions]


@pytest.mark.parametrize("name", MODULES)
def test_it_is_the_same_on_every_machine(name):
    """Units and questions have the hash that they had when figures were published."""
    digest = sha256()
    for case in CASES[name]:
        for unit in case.units:
            digest.update(repr((unit.id, unit.text, unit.speaker, unit.role, unit.session, unit.at)).encode())
        for one in case.questions:
            digest.update(
                repr((one.id, one.text, sorted(one.gold), sorted(one.stale), one.answers, one.as_of)).encode()
            )
    assert digest.hexdigest()[:16] == DIGESTS[name]


@pytest.mark.parametrize("name", MODULES)
def test_a_case_is_in_order_and_names_its_own_units(name):
    """Time never runs back, each id stands once, questions come at the end, and nothing is both right and wrong."""
    for case in CASES[name]:
        times = [unit.at for unit in case.units]
        ids = [unit.id for unit in case.units]
        assert times == sorted(times) and len(set(ids)) == len(ids)
        assert len({one.id for one in case.questions}) == len(case.questions)
        for one in case.questions:
            assert one.visible == len(case.units) and one.at > times[-1]
            assert one.gold | one.stale | one.negatives <= set(ids)
            assert not one.gold & (one.stale | one.negatives) and bool(one.gold) == one.answerable == bool(one.answers)


@pytest.mark.parametrize("name", MODULES)
def test_sets_are_small_and_hard_enough(name):
    """At most 200 questions; what is to be found is a small part of what is there."""
    assert 100 <= sum(len(case.questions) for case in CASES[name]) <= 200
    assert all(sum(len(unit.text) for unit in case.units) / 4 > 3_500 for case in CASES[name])


@pytest.mark.parametrize("name", MODULES)
def test_the_reader_answers_from_the_gold_and_from_nothing_else(name):
    """On the gold alone always, on nothing never, and never on what no longer holds or never did."""
    scored = 0
    for units, one in all_of(name):
        if not (one.reads and one.answers):
            continue
        wrong = use_scores(one, units, sorted(one.stale | one.negatives))
        assert (wrong["EM oracle"], wrong["EM nothing"], wrong["EM"]) == (1.0, 0.0, 0.0), one
        scored += 1
    assert scored >= 90


def test_every_turn_of_the_gold_is_needed_for_a_call():
    """Take one away and the call is no longer right."""
    for units, one in all_of("mem2act"):
        assert len(one.gold) == 3
        for left_out in one.gold:
            assert use_scores(one, units, sorted(one.gold - {left_out}))["EM"] == 0.0


def test_a_request_that_leaves_nothing_out_needs_no_memory():
    """The control: every call is right, whatever is in the context."""
    for units, one in all_of("mem2act"):
        full = mem2act_syn.in_full(one)
        assert use_scores(full, units, [])["EM"] == use_scores(full, units, sorted(one.stale))["EM"] == 1.0
        assert not any(value in one.text for value in call(one.answers[0]).values())


def edge_path(text):
    """(subject, [relations in the order in which they are followed]) of a question."""
    left, relations = text.removeprefix("What is ").removesuffix("?"), []
    while left.startswith("the "):
        relation = next(one for one in RELATIONS if left.startswith(f"the {one} of "))
        relations.insert(0, relation)
        left = left.removeprefix(f"the {relation} of ")
    return left, relations


def test_facts_are_those_that_a_replay_ends_with():
    """The last line of each edge is the gold; other objects of the same edges are stale."""
    for case in CASES["factcons"]:
        said = defaultdict(list)
        for unit in case.units:
            number, relation, subject, value = re.fullmatch(
                r"(\d+)\. The (.+?) of ([A-Z].+) is (.+)\.", unit.text
            ).groups()
            assert f"t{number}" == unit.id
            said[relation, subject].append((value, unit.id))
        for one in case.questions:
            subject, relations = edge_path(one.text)
            gold, stale = set(), set()
            for relation in relations:
                versions = said[relation, subject]
                subject = versions[-1][0]
                gold.add(versions[-1][1])
                stale |= {id for value, id in versions if value != subject}
            assert (one.answers, one.gold, one.stale) == ((subject,), gold, stale)
            assert one.category == ("multi-hop" if len(relations) == 2 else "single-hop")


def test_half_of_the_facts_asked_for_were_stated_again():
    """And each size has both kinds of question."""
    for case in CASES["factcons"]:
        for category in ("single-hop", "multi-hop"):
            of = [one for one in case.questions if one.category == category]
            assert len(of) == 30 and sum(bool(one.stale) for one in of) >= 15


TRACKED = re.compile(r"(\w+-\d+): (.+?) (?:set|changed from (.+?)) to (.+?) by (\w+)")
COMMITTED = re.compile(r"commit: (\w+-\d+) (?:is on|moved from branch (\S+) to) branch (\S+) \(author (\w+)\)")


def replayed(case):
    """(ticket, field) -> [(at, value, by, id)] of the source that decides; what a ticket is about -> ticket."""
    said, about = defaultdict(list), {}
    for unit in case.units:
        if unit.speaker == "linear" and (seen := re.fullmatch(r"(\S+) created by \w+: (.+)", unit.text)):
            about[seen[2]] = seen[1]
        elif unit.speaker == "linear":
            ticket, field, before, value, by = TRACKED.fullmatch(unit.text).groups()
            assert before == (said[ticket, field][-1][1] if said[ticket, field] else None)
            said[ticket, field].append((unit.at, value, by, unit.id))
        elif seen := COMMITTED.fullmatch(unit.text):
            said[seen[1], "branch"].append((unit.at, seen[3], seen[4], unit.id))
        elif seen := re.fullmatch(r"The (.+) was reported by the customer (\w+)\.", unit.text):
            said[about[seen[1]], "customer"].append((unit.at, seen[2], unit.speaker, unit.id))
    return said, about


def test_tickets_are_what_a_replay_of_their_sources_says():
    """The tracker before commits before chat; as of the moment that the question names."""
    for case in CASES["memtrack"]:
        said, about = replayed(case)
        for one in case.questions:
            text = one.text
            named = [key for key in about if f"the {key}" in text]
            (ticket,) = [about[key] for key in named] or re.findall(r"\w+-\d+", text)
            words = ("status", "owner", "due date", "priority", "customer", "branch")
            field = next(word for word in words if word in text.lower())
            held = [entry for entry in said[ticket, field] if one.as_of is None or entry[0] <= one.as_of]
            _, value, by, id = held[-1]
            assert one.answers == ((by,) if text.startswith("Who changed") else (value,)) and id in one.gold
            asked = 2 if text.startswith("Who changed") else 1
            assert one.stale == {entry[3] for entry in said[ticket, field] if entry[asked] != held[-1][asked]}
            assert (one.as_of is not None) == (one.category == "as of then")
            if one.as_of is not None:
                assert text.endswith(f"at {on_day(one.as_of)}?") and len(held) < len(said[ticket, field])


def test_tickets_are_disputed_where_they_are_said_to_be():
    """A lesser source says otherwise, after the last word of the one that decides."""
    for case in CASES["memtrack"]:
        at = {unit.id: unit.at for unit in case.units}
        for one in case.questions:
            if one.category == "disputed":
                assert max(at[id] for id in one.negatives) > max(at[id] for id in one.gold)
        assert {one.category for one in case.questions} == {
            *("now", "as of then", "who", "disputed", "by what it is about")
        }


def walked(case):
    """(action, what was seen, room, carried, where things were put) after each step, from the log alone."""
    room, held, places, states = ROOMS[0], [], {}, []
    for unit in case.units:
        action, seen = re.fullmatch(r"step \d+: (.+?) -> (.+)", unit.text).groups()
        thing = action.partition(" the ")[2]
        if found := re.match(r"You are in the (\w+)\.", seen):
            room = found[1]
        elif action.startswith("take") and seen.startswith("You carry"):
            held = sorted([*held, thing])
        elif action.startswith("drop"):
            held, places = [one for one in held if one != thing], places | {thing: room}
        elif action.startswith("check"):
            assert seen == f"You carry: {', '.join(held) or 'nothing'}."
        states.append((action, seen, room, held, places))
    return states


def when(states, action, seen="", before=None):
    """Numbers of the steps that did this, up to a step."""
    steps = enumerate(states[:before], 1)
    return [place for place, state in steps if state[0].startswith(action) and state[1].startswith(seen)]


QUESTIONS = (
    (r"What did I do at step (\d+)\?", lambda states, k: states[int(k) - 1][0]),
    (r"Which room was I in after step (\d+)\?", lambda states, k: states[int(k) - 1][2]),
    (r"What was I carrying after step (\d+)\?", lambda states, k: ", ".join(states[int(k) - 1][3])),
    (r"In which room did the (.+) lie after step (\d+)\?", lambda states, thing, k: lying(thing, states[int(k) - 1])),
    (
        r"What was the first step at which I carried the (.+)\?",
        lambda states, thing: next(place for place, state in enumerate(states, 1) if thing in state[3]),
    ),
    (
        r"At which step did I enter the (.+) for the last time\?",
        lambda states, room: when(states, "go", f"You are in the {room}.")[-1],
    ),
    (
        r"Why could I go through the (.+) at step (\d+)\? Name the step\.",
        lambda states, door, k: when(states, f"open the {door}", "It opens", int(k))[-1],
    ),
    (
        r"Which step gave me what I needed to (?:un)?lock the (.+) door at step (\d+)\?",
        lambda states, colour, k: when(states, f"take the {colour} key", "You carry", int(k))[-1],
    ),
    (
        r"How many times did I take the (.+) from step (\d+) to step (\d+)\?",
        lambda states, thing, a, b: sum(place >= int(a) for place in when(states, f"take the {thing}", "You", int(b))),
    ),
    (
        r"How many times did I unlock the (.+)\?",
        lambda states, door: len(when(states, f"unlock the {door}", "It clicks")),
    ),
)


def lying(thing, state):
    """Where a thing lies, which nobody carries."""
    assert thing not in state[3]
    return state[4][thing]


def test_answers_about_a_log_are_those_of_a_second_reading():
    """By a walk over its lines, which knows nothing of the house that wrote them."""
    for case in CASES["ama"]:
        states = walked(case)
        for one in case.questions:
            ((seen, answer),) = [(seen, to) for pattern, to in QUESTIONS if (seen := re.fullmatch(pattern, one.text))]
            assert one.answers == (str(answer(states, *seen.groups())),), one
        kinds = [one.category for one in case.questions]
        assert [kinds.count(kind) for kind in ("temporal", "causal", "state", "counting")] == [3, 3, 4, 2]


def test_counts_name_every_step_they_count():
    """As many as the answer says."""
    for _, one in all_of("ama"):
        if one.category == "counting":
            assert str(len(one.gold)) == one.answers[0]


def test_a_house_obeys_its_physics():
    """Nobody walks through a closed door, opens a locked one, or carries more than three things."""
    house = built(draws("test"))
    door = sorted(house.locks)[0]
    house.room = house.doors[door][0]
    assert house.do("go", door) == (False, "It is closed.") and house.do("open", door) == (False, "Locked.")
    assert house.do("unlock", door)[0] and house.do("open", door)[0] and house.do("go", door)[0]
    assert house.room == house.doors[door][1] and not house.do("lock", door)[0] and house.do("close", door)[0]
    assert house.do("lock", door)[0] and house.is_locked(door) and len(house.locks) == LOCKED
    steps = trajectory(20_000, draws("test"))
    assert max(len(step.held) for step in steps) == 3 and [step.number for step in steps] == list(
        range(1, len(steps) + 1)
    )


def heard(case):
    """(subject, attribute) -> [(value, id)] of what the user says is so."""
    said = defaultdict(list)
    for unit in case.units:
        if unit.role != "user":
            continue
        for name, one in halumem_syn.attributes().items():
            for subject in ("I", "My sister", "Nora"):
                for wording in one["mine" if subject == "I" else "theirs"]:
                    pattern = re.escape(wording.replace("{who}", subject)).replace(r"\{\}", "(.+)")
                    if seen := re.fullmatch(rf"(?:[\w ]+: )?{pattern}\.", unit.text):
                        said[subject, name].append((seen[1], unit.id))
    return said


def test_points_are_what_the_user_said_and_nothing_else():
    """Guesses and hypotheses are points that are not to be believed; all else is found again in the words."""
    for case, points in halumem_syn.points():
        said = heard(case)
        true = [one for one in points if one.kind != "interference"]
        assert sorted((one.subject, one.attribute, one.value, one.unit) for one in true) == sorted(
            (*key, *entry) for key, entries in said.items() for entry in entries
        )
        units = {unit.id: unit for unit in case.units}
        for one in points:
            assert one.value in units[one.unit].text and units[one.unit].session == one.session
            if one.before:
                assert [value for value, _ in said[one.subject, one.attribute]] == [one.before, one.value]
        for one in case.questions:
            if one.answerable:
                (entries,) = [entries for entries in said.values() if entries[-1][1] in one.gold]
                assert one.answers == (entries[-1][0],) and one.stale == {id for _, id in entries[:-1]}


class Perfect:
    """A stand-in that derives every point as it is told, and forgets what it replaces."""

    def __init__(self, points):
        self.points, self.told = points, set()

    def remember(self, turns):
        self.told |= {turn.id for turn in turns}

    def close(self):
        """Nothing to close."""

    def facts(self):
        known = [one for one in self.points if one.unit in self.told and one.kind != "interference"]
        replaced = {(one.subject, one.attribute, one.before) for one in known if one.before}
        return [self.put(one) for one in known if (one.subject, one.attribute, one.value) not in replaced]

    def put(self, one):
        return Fact(one.subject, one.attribute, one.value, one.unit)


class Gullible(Perfect):
    """Believes guesses too, and never lets go of what was replaced."""

    def facts(self):
        return [self.put(one) for one in self.points if one.unit in self.told]


class Vague(Perfect):
    """Knows what something is about, not what it is."""

    def put(self, one):
        return Fact(one.subject, one.attribute, "", one.unit)


class Inventive(Perfect):
    """Right about what, always wrong about the value."""

    def put(self, one):
        return Fact(one.subject, one.attribute, "purple rain", one.unit)


class Silent(Perfect):
    """Derives nothing."""

    def facts(self):
        return []


SCORES = {
    Perfect: {"recall": 1, "weighted recall": 1, "target accuracy": 1, "accuracy": 1, "interference": 1, "F1": 1}
    | {"fabrications": 0, "update correct": 1},
    Gullible: {"recall": 1, "interference": 0, "fabrications": 0, "update other": 1},
    Vague: {"recall": 0, "weighted recall": 0.5, "target accuracy": 0.5, "accuracy": 0.5, "F1": 0, "interference": 1},
    Inventive: {"recall": 0, "weighted recall": 0, "accuracy": 0, "fabrications": 1, "update hallucination": 1},
    Silent: {"recall": 0, "target accuracy": 0, "accuracy": 0, "interference": 1, "F1": 0, "update omission": 1},
}


@pytest.mark.parametrize("kind", SCORES, ids=lambda kind: kind.__name__)
def test_operations_tell_one_kind_of_system_from_another(kind):
    """HaluMem's figures for systems that are right, credulous, vague, inventive and silent."""
    case, points = next(halumem_syn.points())
    figures = followed(case, points, kind(points)).figures()
    assert {name: figures[name] for name in SCORES[kind]} == SCORES[kind]
    if kind is Gullible:
        assert 0 < figures["accuracy"] < 1


@pytest.mark.parametrize(
    ("fact", "same"),
    [
        (("sam", "Residence", "x"), ("I", "residence")),
        (("me", "home", "x"), ("I", "residence")),
        (("sam sister", "car", "x"), ("My sister", "car")),
        (("sam", "sister's car", "x"), ("My sister", "car")),
        (("Nora", "company", "x"), ("Nora", "employer")),
    ],
)
def test_one_thing_may_be_put_in_several_ways(fact, same):
    """Who is meant, and by which name the attribute goes; but never somebody else."""
    points = {
        (subject, name): halumem_syn.Point(subject, name, "x", "primary", "u0", "s0", 1.0)
        for subject in ("I", "My sister", "Nora")
        for name in halumem_syn.attributes()
    }
    assert [key for key, point in points.items() if operations._same_thing(Fact(*fact), point, "sam")] == [same]


def test_memspan_derives_statements_and_believes_no_guess(tmp_path):
    """Some of what is said, in the user's own words only; what a later word replaces is gone."""
    case, points = next(halumem_syn.points())
    system = operations.made("default", tmp_path)
    early = {f"s{number}" for number in range(8)}
    case.units[:] = [unit for unit in case.units if unit.session in early]
    try:
        tally = followed(case, points, system)
        words = {unit.id: unit.text for unit in case.units}
        assert all(one.value in words[one.source_id].casefold() for one in system.facts())
    finally:
        system.close()
    figures = tally.figures()
    assert tally.derived > 0 and 0 < figures["recall"] < 1
    assert figures["interference"] == 1.0 and figures["fabrications"] == 0.0


def test_the_command_shows_a_dash_for_what_derives_nothing(tmp_path, monkeypatch):
    """JSON for machines, a table for readers."""
    one = next(halumem_syn.points())
    monkeypatch.setattr(operations, "points", lambda: iter([one, one]))
    out = [tmp_path / "o.json", tmp_path / "o.md"]
    ran = CliRunner().invoke(bench, ["operations", "--systems", "bm25", "--json", str(out[0]), "--md", str(out[1])])
    assert ran.exit_code == 0, ran.output
    (result,) = json.loads(out[0].read_text())["results"]
    assert result == {"system": "bm25", "derives": False, "counts": {}, "figures": {}}
    assert re.search(r"\| recall +\| +- \|", ran.stdout) and out[1].read_text() == ran.stdout


def test_cases_are_added_up(monkeypatch):
    """Twice the same case: twice the counts, the same figures."""
    case, points = next(halumem_syn.points())
    monkeypatch.setattr(operations, "points", lambda: iter([(case, points)] * 2))
    monkeypatch.setattr(operations, "made", lambda name, folder: Gullible(points))
    (result,) = operations.measure(["gullible"], ["x"])["results"]
    alone = followed(case, points, Gullible(points))
    assert result["figures"] == alone.figures() and result["counts"]["stated"] == 2 * alone.stated
    assert result["counts"]["updates"]["other"] == 2 * alone.updates["other"] > 0
