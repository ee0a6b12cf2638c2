"""Sessions become episodes."""

from itertools import pairwise

from hypothesis import given
from tests.text.consolidate.talk import DAY_S, MAY_8, conversations, talk

from memspan import Turn
from memspan.text.consolidate.derived import CITED, Basis
from memspan.text.consolidate.episodes import GAP_S, LONG_TURNS, episodes, groups

BASIS = Basis(scope="s")


def _turns(count, every, first=MAY_8):
    return [Turn(f"Item {n}.", session="a", at=(at := first + n * every), id=f"{at}") for n in range(count)]


def test_an_episode_says_who_when_and_what_and_cites_all_its_turns():
    """A title, then sentences that were said; valid from its first turn to its last."""
    record = episodes(talk(), BASIS, tokens=40).records[0]
    assert record.text.splitlines() == [
        "8 May 2023, 13:56: Ana and Ben, 6 turns, about pottery class, Lisbon and Lee",
        "Ben: I'm swamped, my pottery class started yesterday.",
        "Ben: Dr. Lee does.",
        "Ben: She showed us her blue bowls from Kyoto.",
        "Ana: I moved to Lisbon in March, and I miss the river at home.",
        "Ben: My sister lives near Porto.",
    ]
    assert record.sources == ("t0", "t1", "t2", "t3", "t4", "t5")
    assert (record.valid_from, record.valid_to) == (MAY_8, MAY_8 + 300)
    assert record.entities == ("Ana", "Ben") and record.kind == "episode"


@given(turns=conversations())
def test_every_turn_is_in_one_episode_of_its_session(turns):
    """Nothing is lost and nothing is told twice; no episode is too long to cite all of its turns."""
    runs = [run for _, run in groups(turns)]
    assert sorted(turn.id for run in runs for turn in run) == sorted(turn.id for turn in turns)
    assert all(len({turn.session for turn in run}) == 1 and len(run) <= CITED for run in runs)


@given(turns=conversations(timed=True))
def test_turns_without_a_session_are_split_where_nobody_spoke_for_half_an_hour(turns):
    """There and nowhere else."""
    runs = [run for _, run in groups([turn for turn in turns if turn.session == ""])]
    assert all(later.at - one.at <= GAP_S for run in runs for one, later in pairwise(run))
    assert all(later[0].at - one[-1].at > GAP_S for one, later in pairwise(runs))


def test_notes_without_a_time_are_split_by_when_memory_learned_them():
    """A note each week is not one episode."""
    notes = [Turn(f"Note {n}.", seen_at=MAY_8 + n * 7 * DAY_S, id=f"n{n}") for n in range(3)]
    records = episodes(notes, BASIS).records
    assert [len(record.sources) for record in records] == [1, 1, 1]
    assert {record.valid_from for record in records} == {None}


def test_a_short_session_stays_whole_and_a_long_one_is_split_at_its_gaps():
    """Long: more turns than one reads at a time, or more than half a day."""
    assert len(list(groups(_turns(3, 2 * GAP_S)))) == 1
    assert len(list(groups(_turns(LONG_TURNS, 60)))) == 1
    assert len(list(groups(_turns(3, DAY_S)))) == 3
    halves = [*_turns(31, 60), *_turns(30, 60, first=MAY_8 + 2 * 3600)]
    assert [len(run) for _, run in groups(halves)] == [31, 30]


def test_a_run_without_gaps_is_cut_at_a_hundred_turns():
    """An episode cites every turn it stands on."""
    assert [len(run) for _, run in groups(_turns(250, 1))] == [100, 100, 50]


def test_what_comes_later_leaves_earlier_episodes_alone():
    """The group's key is its first turn, not its number."""
    before, after = episodes(_turns(150, 1), BASIS), episodes(_turns(250, 1), BASIS)
    first, second = before.records
    assert after.standing[first.id] == first.payload["of"]
    assert after.standing[second.id] != second.payload["of"]


def test_a_turn_without_a_time_stays_where_it_was_said():
    """Behind its session's last turn that has one."""
    turns = [
        Turn("Later.", session="b", at=MAY_8 + 9, id="3"),
        Turn("First.", session="a", at=MAY_8, id="1"),
        Turn("Behind.", session="a", id="2"),
    ]
    assert [[turn.id for turn in run] for _, run in groups(turns)] == [["1", "2"], ["3"]]
