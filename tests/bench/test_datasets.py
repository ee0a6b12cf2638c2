"""Loaders: known by their fields, gold apart from text."""

import os
import re
from pathlib import Path

import pytest
from tests.bench import tiny

from memspan.bench import cards, files
from memspan.bench.datasets import beam, known, lifebench, locomo, pick, real_texts
from memspan.bench.files import find, fingerprint, records
from memspan.core.errors import MalformedFile, UnknownMethod, UsageError

ALL = [name for name, sets in known().items() if not any(one.made for one in sets)]
SHARED = Path(os.environ.get("MEMSPAN_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def data(tmp_path):
    return tiny.write_all(tmp_path)


def load(data, name):
    chosen = pick([name])[0]
    return list(chosen.read(find(data, [chosen])[name]))


def case(data, name):
    (only,) = load(data, name)
    return only


def texts(case):
    return [unit.text for unit in case.units]


def test_every_file_is_known_by_its_fields(data):
    """Each data set finds its own files and no other's, under names that say nothing."""
    found = find(data, pick(ALL))
    names = {name: sorted(path.name for paths in parts.values() for path in paths) for name, parts in found.items()}
    assert names == {
        "locomo": ["one.json.xz"],
        "beam-100k": ["chat-small.json.xz"],
        "beam-500k": ["chat-middle.json"],
        "beam-1m": ["chat-large.json.gz"],
        "realmem": ["life.json.gz"],
        "knowme-d3": ["q.jsonl.gz", "s.json"],
        "lifebench": ["phone.json"],
        "madial-en": ["d.jsonl", "m.jsonl"],
        "madial-zh": ["d.jsonl.xz", "m.jsonl.gz"],
        "memdaily": ["x.jsonl"],
        "prefeval": ["x.jsonl.xz"],
        "hotpotqa": ["1.jsonl"],
        "2wiki": ["2.jsonl"],
        "musique": ["3.jsonl"],
        "longmemeval-sessions": ["haystacks.json"],
        "longmemeval-turns": ["haystacks.json"],
        "locomo-clean": ["one.json.xz", "wrong.json"],
        "nq-open": ["wiki.jsonl.xz"],
        "locomo-plus": ["pairs.jsonl.gz"],
        "letta-core-read": ["one.jsonl", "two.jsonl"],
        "letta-core-update": ["two.jsonl"],
        "agent-tasks": ["house.jsonl", "lab.jsonl"],
        "arc-concepts": ["notes.jsonl"],
        "kv-retrieval": ["pairs.jsonl"],
        "personamem-32k": ["asked.json.gz", "talks.json.xz"],
        "memorybank": ["asked.json", "past.json"],
    }


def test_nothing_an_author_knew_reaches_a_unit(data):
    """Answers, summaries, labels and answer-bearing ids stand in no unit and no question."""
    for chosen in pick(ALL):
        for case in chosen.read(find(data, [chosen])[chosen.name]):
            for n, unit in enumerate(case.units):
                assert unit.id == f"u{n}"
                assert tiny.SECRET not in f"{unit.text} {unit.speaker} {unit.session}"
            assert all(tiny.SECRET not in one.text for one in case.questions)


def test_every_unit_can_be_remembered(data):
    """A unit is a valid turn; gold names units or sessions that are there and visible."""
    for chosen in pick(ALL):
        for case in chosen.read(find(data, [chosen])[chosen.name]):
            seen = [unit.turn() for unit in case.units]
            for one in case.questions:
                visible = seen[: one.visible]
                assert one.gold <= {turn.id if chosen.level == "unit" else turn.session for turn in visible}


def test_locomo_evidence_survives_its_dirt(data):
    """Two ids in one string, a colon too many, a leading zero, a missing number, an id no turn has."""
    only = case(data, "locomo")
    assert [sorted(one.gold) for one in only.questions] == [["u0"], ["u1", "u4"], ["u27"], ["u6"], []]
    assert [one.category for one in only.questions] == [
        "single-hop",
        "multi-hop",
        "temporal",
        "open-domain",
        "adversarial",
    ]
    assert [one.answerable for one in only.questions] == [True] * 4 + [False]
    assert only.units[0].text == "My tomatoes are ripe. [image: a bowl of tomatoes]"
    assert (only.units[0].speaker, only.units[0].session, only.units[0].at) == ("Ida", "s1", 1683554160.0)
    assert only.units[2].at == 1685577900.0


def test_locomo_gives_no_answer_to_an_adversarial_question(data):
    """The file's answer to it is wrong by design; of an open-domain answer the reason is cut off."""
    answers = {one.category: one.answers for one in case(data, "locomo").questions}
    assert answers.pop("adversarial") == ()
    assert set(answers.values()) == {(tiny.SECRET,)}
    assert locomo.answers({"category": 3, "answer": "Yes; she said so"}) == ("Yes",)
    assert locomo.answers({"category": 2, "answer": 2022}) == ("2022",)


def test_locomo_without_what_an_audit_lists(data, tmp_path):
    """Listed questions go, by place and words; a list that fits no question is the wrong list."""
    assert [one.id for one in case(data, "locomo-clean").questions] == ["q1", "q3", "q4"]
    (data / "m" / "wrong.json").write_text(tiny.json.dumps(tiny.locomo_errors()[2:]), encoding="utf-8")
    with pytest.raises(UsageError, match="none of the 1 questions"):
        load(data, "locomo-clean")


def test_beam_gold_is_flattened_and_time_carried_forward(data):
    """Ids in a dict of nested lists; a message without an anchor has the last one's time."""
    only = case(data, "beam-100k")
    assert {one.category: sorted(one.gold) for one in only.questions} == {
        "abstention": [],
        "knowledge_update": ["u2", "u3"],
        "instruction_following": ["u0"],
    }
    assert [unit.at for unit in only.units] == [1710460800.0] * 3 + [1712016000.0]
    assert [(unit.role, unit.speaker, unit.session) for unit in only.units[1:4:2]] == [
        ("assistant", "assistant", "s0"),
        ("user", "user", "s1"),
    ]


def test_beam_tells_old_information_from_new(data):
    """The message that was overtaken is stale; one that says both is not; statements that disagree are neither."""
    update = next(one for one in case(data, "beam-100k").questions if one.category == "knowledge_update")
    assert (update.stale, update.gold, update.answers) == ({"u2"}, {"u2", "u3"}, (tiny.SECRET,))
    assert beam.stale({"original_info": [1], "updated_info": [1, 2]}) == set()
    assert beam.stale({"first_statement": [1], "second_statement": [2]}) == beam.stale([1, 2]) == set()


def test_questions_know_when_they_are_asked(data):
    """To the minute, to the day, to the end of the month."""
    for name, at in (("memdaily", 1712216520.0), ("realmem", 1764547200.0), ("lifebench", 1767225599.0)):
        assert case(data, name).questions[0].at == at


def test_choices_hold_the_right_answer(data):
    """Named by a letter in the file, given in words."""
    assert case(data, "memdaily").questions[0].choices == (tiny.SECRET,)
    for given, right in (("B", ("milk",)), ("Tea.", ("Tea.",)), (None, ())):
        row = {"answer": given, "options": [{"option": "A", "content": "tea"}, {"option": "B", "content": "milk"}]}
        assert lifebench.chosen(row) == (right, ("tea", "milk"))


def test_realmem_sees_earlier_sessions_only(data):
    """Gold and memory end where the session of the question begins."""
    first, second = case(data, "realmem").questions
    assert (first.gold, first.visible) == (frozenset(), 0)
    assert (second.gold, second.visible) == ({"s0"}, 5)


def test_knowme_joins_what_a_record_says(data):
    """Fields that are null stay out; ids of the file become positions."""
    only = case(data, "knowme-d3")
    assert texts(only) == ["At home I lit the lamp.", "Garden I thought of the sea.", "Street I met Luise."]
    assert [sorted(one.gold) for one in only.questions] == [["u2"], []]


def test_lifebench_orders_by_time_and_drops_dangling_questions(data):
    """Records of all kinds stand in one stream; a question whose evidence is not there is not asked."""
    only = case(data, "lifebench")
    assert texts(only) == [
        "Dentist Bring the card 2025-01-03 07:15:30",
        "Remind me of the card.",
        "Dentist moved to Friday. Praxis 2025-01-05 08:00:00",
    ]
    assert [(one.id, sorted(one.gold)) for one in only.questions] == [("q0", ["u0", "u2"])]


def test_madial_asks_with_the_talk_before_the_test_turn(data):
    """Utterances up to the first test turn, without marks; each language has its own memories."""
    only = case(data, "madial-en")
    assert only.questions[0].text == '<Bart>: "It is so windy today!"'
    assert texts(only)[0] == "2023-05-01 Activity Happy Bart flew a kite."
    assert only.questions[0].gold == {"u0"}
    assert texts(case(data, "madial-zh")) == ["2023-05-01 活动类 开心 他放了风筝。"]


def test_memdaily_is_one_case_a_trajectory(data):
    """The category is the kind of question."""
    only = case(data, "memdaily")
    assert (only.questions[0].category, only.questions[0].gold) == ("01", {"u1"})


def test_prefeval_pools_preferences(data):
    """Each question wants its own preference."""
    only = case(data, "prefeval")
    assert texts(only) == ["I never eat mushrooms.", "I travel by train only."]
    assert [sorted(one.gold) for one in only.questions] == [["u0"], ["u1"]]


def test_passages_are_pooled_once_and_headed_by_their_title(data):
    """One passage a title (MuSiQue: title and text); the title comes first, once."""
    hotpot, wiki, musique = (case(data, name) for name in ("hotpotqa", "2wiki", "musique"))
    assert texts(hotpot) == [f"{name}: {name} is a place." for name in ("Aar", "Bonn", "Celle", "Dorf")]
    assert [sorted(one.gold) for one in hotpot.questions] == [["u0", "u2"], ["u3"]]
    assert texts(wiki)[0] == "Aar: It is a place. It is small."
    assert texts(musique) == ["Elbe: A river.", "Elbe: A ship.", "Fulda: A town."]
    assert musique.questions[0].gold == {"u0", "u2"}


def test_longmemeval_numbers_sessions_by_time(data):
    """The file's ids say which sessions are evidence; the first of the file is the second by date."""
    several, update, absent, rubric = load(data, "longmemeval-sessions")
    assert [unit.session for unit in several.units] == ["s0", "s0", "s1", "s1", "s2"]
    assert texts(several)[0] == "How do I boil an egg?"
    assert several.questions[0].gold == {"s1", "s2"}
    assert (several.questions[0].at, several.units[0].at) == (1685490000.0, 1684549260.0)
    assert several.questions[0].answers == (tiny.SECRET,)
    assert update.questions[0].gold == {"s2"}
    assert (absent.questions[0].gold, absent.questions[0].answerable, absent.questions[0].answers) == (set(), False, ())
    assert (rubric.questions[0].gold, rubric.questions[0].answers) == ({"s1"}, ())


def test_longmemeval_turns_where_they_are_labelled(data):
    """Turns with has_answer; a haystack without such labels has no gold."""
    assert [sorted(case.questions[0].gold) for case in load(data, "longmemeval-turns")] == [
        ["u2", "u4"],
        [],
        [],
        ["u2", "u4"],
    ]


def test_a_passage_of_two_questions_stands_once(data):
    """NQ-open: pooled over the file."""
    only = case(data, "nq-open")
    assert texts(only) == ["Elba: Elba is far away.", "Ruhr: The Ruhr is a river.", "Fyn: Fyn is far away."]
    assert [sorted(one.gold) for one in only.questions] == [["u0"], ["u0"], ["u2"]]


def test_a_trigger_wants_its_own_cue(data):
    """LoCoMo-Plus: both lines of the cue are one unit."""
    only = case(data, "locomo-plus")
    assert texts(only)[0] == "A: I quit sugar.\nB: Good."
    assert [sorted(one.gold) for one in only.questions] == [["u0"], ["u1"]]


def test_letta_facts_before_and_after_the_contradiction(data):
    """Read: the old facts answer. Update: the new fact is last and right, the old ones are stale."""
    before = case(data, "letta-core-read")
    assert [sorted(one.gold) for one in before.questions] == [["u0", "u2"], ["u3"]]
    after = load(data, "letta-core-update")
    assert [(case.units[-1].text, len(case.units)) for case in after] == [("Bob sings.", 5), ("Ann paints.", 5)]
    assert [(case.questions[0].gold, case.questions[0].stale) for case in after] == [
        ({"u4"}, {"u0", "u2"}),
        ({"u4"}, {"u3"}),
    ]
    assert {one.cluster_of(one.questions[0]) for one in [before, *after]} == {"g7/"}


def test_agent_tasks_ask_for_what_was_done_before(data):
    """Gold is earlier tasks of the same kind, in an order that has nothing to do with the kinds."""
    house, lab = load(data, "agent-tasks")
    kinds = {f"Your task is to: {goal}.": kind for goal, kind in tiny.ALFWORLD_TASKS}
    assert sorted(texts(house)) == sorted(kinds)
    assert [kinds[text] for text in texts(house)] == ["heat", "clean", "clean", "heat"]
    for n, one in enumerate(house.questions):
        same = {f"u{m}" for m in range(n) if kinds[texts(house)[m]] == kinds[texts(house)[n]]}
        assert (one.gold, one.visible, one.text) == (same, n, texts(house)[n])
    assert [len(one.gold) for one in lab.questions] == [0, 1]


def test_concepts_are_worded_by_the_puzzle_that_describes_them(data):
    """Two descriptions a puzzle; how a concept is implemented stays out."""
    only = case(data, "arc-concepts")
    assert texts(only) == ["holes: empty spaces rings dots", "lines: rings dots"]
    assert [sorted(one.gold) for one in only.questions] == [["u0", "u1"]] * 2 + [["u0"]] * 2


def test_a_pair_is_found_by_its_key(data):
    """And says its value as the rule reader reads it."""
    only = case(data, "kv-retrieval")
    (asked,) = only.questions
    assert asked.gold == {"u1"}
    assert re.findall(asked.reads, "\n".join(texts(only))) == list(asked.answers) == ["bb-2"]


def test_personamem_is_for_a_reader(data):
    """The persona stays out; replies are choices; there is no gold."""
    only = case(data, "personamem-32k")
    assert [(unit.role, unit.text) for unit in only.units] == [("user", "I play the oboe."), ("assistant", "How nice.")]
    (asked,) = only.questions
    assert (asked.answers, len(asked.choices), asked.gold) == (("The oboe.",), 4, set())


def test_memorybank_is_there_to_run_over(data):
    """Days in order; a name with a blank is the same person."""
    only = case(data, "memorybank")
    assert [(unit.text, unit.session) for unit in only.units][:3] == [("Hi.", "s0"), ("Hi!", "s0"), ("It rains.", "s1")]
    assert [(one.text, one.gold) for one in only.questions] == [("How was the weather?", set())]


def test_another_part_in_another_folder_loads(tmp_path):
    """The same fields elsewhere, with other conversations, are the same data set."""
    for part in ("locomo", "locomo-holdout"):
        talks = tiny.locomo()
        talks[0]["sample_id"] = part
        folder = tmp_path / part
        folder.mkdir()
        (folder / "x.json").write_text(tiny.json.dumps(talks), encoding="utf-8")
    assert [one.id for one in load(tmp_path, "locomo")] == ["locomo", "locomo-holdout"]
    assert [one.id for one in load(tmp_path / "locomo-holdout", "locomo")] == ["locomo-holdout"]


def test_a_single_file_will_do(data):
    """The data folder may be one file."""
    assert len(load(data / "a" / "one.json.xz", "locomo")) == 1


def test_missing_data_says_what_is_missing(data, tmp_path):
    """A set without files, a folder that is not there, and a set nobody knows."""
    with pytest.raises(UsageError, match="no knowme-d3 stream or questions among the 1 JSON files"):
        load(data / "a", "knowme-d3")
    with pytest.raises(UsageError, match="does not exist"):
        load(tmp_path / "nowhere", "locomo")
    with pytest.raises(UnknownMethod, match="Did you mean 'locomo'"):
        pick(["lokomo"])


def test_a_malformed_line_is_named(tmp_path):
    """A broken record names its line."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\n{"a": \n', encoding="utf-8")
    with pytest.raises(MalformedFile, match="line 3"):
        records(path)


@pytest.mark.parametrize("chars", [1, 7, 64, 1 << 20])
def test_a_list_is_read_one_object_at_a_time(tmp_path, monkeypatch, chars):
    """The same objects whatever the size of a read, from a list on one line or many, and from lines."""
    monkeypatch.setattr(files, "READ_CHARS", chars)
    rows = [{"n": n, "text": "æ ] , [" * n, "deep": [{"a": [n]}]} for n in range(9)]
    for name, text in (
        ("one", tiny.json.dumps(rows)),
        ("many", "\n " + tiny.json.dumps(rows, indent=2) + "\n"),
        ("lines", tiny.lines(rows)),
        ("none", "[]"),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        assert list(files.each(path)) == (rows if name != "none" else [])


def test_only_what_is_asked_for_is_read(tmp_path):
    """The first object comes before a file that breaks off far behind it is read to its end; then the line is named."""
    path = tmp_path / "long.json"
    path.write_text("[\n" + ",\n".join(['{"a": "' + "x" * 4000 + '"}'] * 1000) + ',\n{"a": ', encoding="utf-8")
    rows = files.each(path)
    assert len(next(rows)["a"]) == 4000
    with pytest.raises(MalformedFile, match="line 1002"):
        list(rows)


def test_fingerprint_is_the_sha256_of_the_file(tmp_path):
    """As sha256sum prints it."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_groups_name_all_their_parts():
    """`beam` is its three scales; a part can be asked for alone."""
    assert [one.name for one in known()["multihop"]] == ["hotpotqa", "2wiki", "musique"]
    assert [one.name for one in pick(["beam-1m", "beam"])] == ["beam-1m", "beam-100k", "beam-500k"]


def test_real_texts_are_locomo_turns(data):
    """What the speed run recombines."""
    assert len(real_texts(data)) == 28


MEASURED = [one.name for name in ALL for one in known()[name] if cards.known_hashes(one.name)]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no labelled data at {SHARED}; set MEMSPAN_DATA")
@pytest.mark.parametrize("name", sorted(set(MEASURED)))
def test_counts_of_the_real_files(name):
    """Cases, units, questions and questions with gold are as many as the card says, of the files it names."""
    chosen = pick([name])[0]
    found = find(SHARED, [chosen])[name]
    assert all(cards.known(name, path) for paths in found.values() for path in paths)
    cases = list(chosen.read(found))
    questions = [one for case in cases for one in case.questions]
    counted = (
        len(cases),
        sum(len(one.units) for one in cases),
        len(questions),
        sum(bool(one.gold) for one in questions),
    )
    assert "{} cases, {} units, {} questions, {} scored".format(*counted) == cards.card(name).size.split(";")[0]
