"""Loaders: known by their fields, gold apart from text."""

import os
from pathlib import Path

import pytest
from tests.bench import tiny

from memspan.bench.datasets import known, pick, real_texts
from memspan.bench.files import find, fingerprint, records
from memspan.core.errors import MalformedFile, UnknownMethod, UsageError

ALL = ["locomo", "beam", "realmem", "knowme-d3", "lifebench", "madial", "memdaily", "prefeval", "multihop"]
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


COUNTS = {
    "locomo": (7, 4035, 1435),
    "beam-100k": (14, 3894, 247),
    "beam-500k": (24, 26566, 431),
    "beam-1m": (6, 10442, 106),
    "realmem": (7, 9857, 968),
    "knowme-d3": (1, 8423, 415),
    "lifebench": (7, 55291, 583),
    "madial-en": (1, 160, 112),
    "madial-zh": (1, 171, 112),
    "memdaily": (2100, 18605, 2100),
    "prefeval": (1, 700, 700),
    "hotpotqa": (1, 3463, 350),
    "2wiki": (1, 2545, 350),
    "musique": (1, 1324, 70),
}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no labelled data at {SHARED}; set MEMSPAN_DATA")
@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_real_files(name):
    """Cases, units and questions with gold are as many as the data's own notes say."""
    cases = load(SHARED, name)
    scored = sum(bool(one.gold) for one in cases for one in one.questions)
    assert (len(cases), sum(len(one.units) for one in cases), scored) == COUNTS[name]
