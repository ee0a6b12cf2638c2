"""Times said from where one stands, times of day, and the one range that a text means."""

import time
from datetime import UTC, date, datetime
from math import inf, isnan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memspan.text.extract.dates import MAX_MENTIONS, meant, mentions, ranges

WEDNESDAY = datetime(2023, 5, 10, 14, 30, tzinfo=UTC).timestamp()


def shown(at):
    """ "start..end" to the minute; midnights as days, one whole day as itself, open ends as nothing."""
    if at is None:
        return None
    start, end = ("" if abs(edge) == inf else f"{datetime.fromtimestamp(edge, UTC):%Y-%m-%d %H:%M}" for edge in at)
    if at[1] - at[0] == 86_400 and start.endswith("00:00"):
        return start[:10]
    return "..".join(edge.removesuffix(" 00:00") for edge in (start, end))


FROM_HERE = [
    ("I met Al yesterday.", "2023-05-09"),
    ("We leave tomorrow!", "2023-05-11"),
    ("the day before yesterday", "2023-05-08"),
    ("See you the day after tomorrow", "2023-05-12"),
    ("today", "2023-05-10"),
    ("Last night was fun", "2023-05-09 18:00..2023-05-10 06:00"),
    ("tonight", "2023-05-10 18:00..2023-05-11 06:00"),
    ("this morning", "2023-05-10 06:00..2023-05-10 12:00"),
    ("yesterday morning", "2023-05-09 06:00..2023-05-09 12:00"),
    ("tomorrow at 5 pm", "2023-05-11 17:00..2023-05-11 18:00"),
    ("at 5:30 pm tomorrow", "2023-05-11 17:30..2023-05-11 17:31"),
    ("call me at 5 pm", "2023-05-10 17:00..2023-05-10 18:00"),
    ("last Friday", "2023-05-05"),
    ("last Wednesday", "2023-05-03"),
    ("last Tues.", "2023-05-09"),
    ("next Friday", "2023-05-12"),
    ("next Wednesday", "2023-05-17"),
    ("this Friday", "2023-05-12"),
    ("this Monday", "2023-05-08"),
    ("this past Sunday", "2023-05-07"),
    ("this coming Monday", "2023-05-15"),
    ("On Friday I won.", "2023-05-05"),
    ("I'll call you on Friday.", "2023-05-12"),
    ("It was on Monday. It will rain on Monday", "2023-05-08"),
    ("last week", "2023-05-01..2023-05-08"),
    ("this week", "2023-05-08..2023-05-15"),
    ("next week", "2023-05-15..2023-05-22"),
    ("over the past week", "2023-05-03..2023-05-11"),
    ("in the last two weeks", "2023-04-26..2023-05-11"),
    ("for the next 3 days", "2023-05-10..2023-05-14"),
    ("last weekend", "2023-05-06..2023-05-08"),
    ("this weekend", "2023-05-13..2023-05-15"),
    ("next weekend", "2023-05-20..2023-05-22"),
    ("two weekends ago", "2023-04-29..2023-05-01"),
    ("over the weekend", "2023-05-06..2023-05-08"),
    ("last month", "2023-04-01..2023-05-01"),
    ("this month", "2023-05-01..2023-06-01"),
    ("next month", "2023-06-01..2023-07-01"),
    ("last quarter", "2023-01-01..2023-04-01"),
    ("last year", "2022-01-01..2023-01-01"),
    ("next year", "2024-01-01..2025-01-01"),
    ("2 days ago", "2023-05-08"),
    ("two days ago", "2023-05-08"),
    ("a couple of days ago", "2023-05-08"),
    ("a few days ago", "2023-05-06..2023-05-09"),
    ("a week ago", "2023-05-01..2023-05-08"),
    ("two weeks ago", "2023-04-24..2023-05-01"),
    ("three months ago", "2023-02-01..2023-03-01"),
    ("ten years ago", "2013-01-01..2014-01-01"),
    ("2 hours ago", "2023-05-10 12:30..2023-05-10 13:30"),
    ("in 3 days", "2023-05-13"),
    ("in a week", "2023-05-15..2023-05-22"),
    ("in two months' time", "2023-07-01..2023-08-01"),
    ("a week from now", "2023-05-15..2023-05-22"),
    ("last summer", "2022-06-01..2022-09-01"),
    ("this summer", "2023-06-01..2023-09-01"),
    ("next winter", "2023-12-01..2024-03-01"),
    ("last March", "2023-03-01..2023-04-01"),
    ("last June", "2022-06-01..2022-07-01"),
    ("next May", "2024-05-01..2024-06-01"),
    ("last Christmas", "2022-12-25"),
    ("on New Year's Eve", "2022-12-31"),
    ("in December", "2022-12-01..2023-01-01"),
    ("on June 3", "2023-06-03"),
    ("3 years ago in January", "2020-01-01..2020-02-01"),
    ("on the 15th.", "2023-05-15"),
    ("the week after next Friday", "2023-05-13..2023-05-20"),
    ("since last Monday", "2023-05-08.."),
    ("until next Friday", "..2023-05-13"),
    ("昨天我去了北京", "2023-05-09"),
    ("上周很忙", "2023-05-01..2023-05-08"),
    ("上个月", "2023-04-01..2023-05-01"),
    ("去年", "2022-01-01..2023-01-01"),
]


@pytest.mark.parametrize(("text", "expected"), FROM_HERE)
def test_what_is_said_from_here_is_read_with_an_anchor(text, expected):
    """Said on Wednesday, 10 May 2023, it means that range; without an anchor it means nothing."""
    assert shown(meant(text, WEDNESDAY)) == expected
    assert meant(text) is None


EXACT = [
    ("between April 16, 2020, at 06:22 and April 19, 2020, at 7:22 AM", "2020-04-16 06:22..2020-04-19 07:22"),
    ("between March 14, 2020 and April 1, 2020", "2020-03-14..2020-04-02"),
    ("from May 3, 2023, to May 9, 2023,", "2023-05-03..2023-05-10"),
    ("between 21:47:28 and 22:45:43 on January 11, 2024", "2024-01-11 21:47..2024-01-11 22:45"),
    ("on January 8, 2024, between 9 am and noon", "2024-01-08 09:00..2024-01-08 12:00"),
    ("between January 8, 2024, at 04:31 and 13:44", "2024-01-08 04:31..2024-01-08 13:44"),
    ("from 2023-12-30 00:43:18 to 2023-12-30 00:48:18", "2023-12-30 00:43..2023-12-30 00:48"),
    ("at 2023-12-30T10:15Z", "2023-12-30 10:15..2023-12-30 10:16"),
    ("at 3 pm on May 4, 2025", "2025-05-04 15:00..2025-05-04 16:00"),
    ("the evening of January 11, 2024", "2024-01-11 18:00..2024-01-12"),
    ("May 4, 2025 in the morning", "2025-05-04 06:00..2025-05-04 12:00"),
    ("Friday, May 5, 2023", "2023-05-05"),
    ("the week of May 3, 2023", "2023-05-01..2023-05-08"),
    ("the week before 9 June 2023", "2023-06-02..2023-06-09"),
    ("the weekend before 17 July 2023", "2023-07-15..2023-07-17"),
    ("the Sunday before 25 May 2023", "2023-05-21"),
    ("two weekends before 17 July 2023", "2023-07-08..2023-07-10"),
    ("two days after May 30, 2023", "2023-06-01"),
    ("in the 3 months before May 31, 2023", "2023-02-28..2023-05-31"),
    ("in 12 days after 2:35 pm, March 16, 2023", "2023-03-16 14:35..2023-03-28 14:35"),
    ("the first week of June 2023", "2023-06-01..2023-06-08"),
    ("the last weekend of June 2023", "2023-06-24..2023-06-26"),
    ("the first half of 2022", "2022-01-01..2022-07-01"),
    ("early 2021", "2021-01-01..2021-05-01"),
    ("in mid-May 2023", "2023-05-11..2023-05-21"),
    ("late December 2023", "2023-12-21..2024-01-01"),
    ("the end of 2023", "2023-09-01..2024-01-01"),
    ("between mid-March and early April 2024", "2024-03-11..2024-04-11"),
    ("summer 2020", "2020-06-01..2020-09-01"),
    ("the winter of 2020", "2020-12-01..2021-03-01"),
    ("Q3 2021", "2021-07-01..2021-10-01"),
    ("the second quarter of 2021", "2021-04-01..2021-07-01"),
    ("the 1990s", "1990-01-01..2000-01-01"),
    ("New Year's Day 2024", "2024-01-01"),
    ("Thanksgiving 2023", "2023-11-23"),
    ("Which Halloween costume won in 2021?", "2021-10-31"),
    ("since March 2023", "2023-03-01.."),
    ("after May 5, 2023", "2023-05-06.."),
    ("after 3:14 pm, August 13, 2023", "2023-08-13 15:14.."),
    ("before May 5, 2023", "..2023-05-05"),
    ("by May 5, 2023", "..2023-05-06"),
    ("from May 5, 2023 onwards", "2023-05-05.."),
    ("If he left on May 1, 2023, what did he do between May 3, 2023 and May 5, 2023", "2023-05-03..2023-05-06"),
    ("If he left on May 1, 2023, what happened in June 2023?", "2023-06-01..2023-07-01"),
    ("What happened on May 4 during the trip of 2022?", "2022-05-04"),
]


@pytest.mark.parametrize(("text", "expected"), EXACT)
def test_the_one_range_a_text_means(text, expected):
    """Times of day, cuts and open ends count; no anchor is needed where the year is said."""
    found = meant(text)
    assert found is not None
    assert shown(tuple(edge - edge % 60 if abs(edge) < inf else edge for edge in found)) == expected
    assert meant(text, WEDNESDAY) == found


NOTHING = [
    "",
    "Where does Alice live?",
    "It may rain, what should I wear?",
    "the last two of us",
    "I came back to a house",
    "the next one in line",
    "in a few words",
    "room 1203a at 10%",
    "at 25:00",
    "Sun, sea and sand",
    "I sat there",
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_sounds_like_a_time_is_none(text):
    """Neither with an anchor nor without."""
    assert meant(text, WEDNESDAY) is None and mentions(text, WEDNESDAY) == []


def test_a_turn_can_name_several_times():
    """Each with its own words, in order."""
    found = mentions("I saw Al last Friday and, two weeks ago, Bo. We fly on June 3 at 8 am.", WEDNESDAY)
    assert [one.words for one in found] == ["last Friday", "two weeks ago", "June 3 at 8 am"]
    assert [shown(one[:2]) for one in found] == [
        "2023-05-05",
        "2023-04-24..2023-05-01",
        "2023-06-03 08:00..2023-06-03 09:00",
    ]


def test_a_question_asked_now_is_boosted_where_it_points():
    """For recall it is whole days, and a range before a date reaches to the date."""
    assert [shown(at) for at in ranges("What did I do last week?", [], WEDNESDAY)] == ["2023-05-01..2023-05-08"]
    assert [shown(at) for at in ranges("in the week before 9 June 2023", [])] == ["2023-06-02..2023-06-10"]
    assert ranges("What did I do last week?", [2023]) == []


MOMENTS = st.floats() | st.integers(-70_000_000_000, 260_000_000_000).map(float)


@given(st.text(max_size=300), MOMENTS)
def test_any_text_at_any_moment_gives_sane_times(text, moment):
    """Never an error, an empty range or no number."""
    for one in mentions(text, moment):
        assert one.start < one.end and one.words
        assert not isnan(one.start) and not isnan(one.end)


WORDS = [
    *(
        "last",
        "next",
        "this",
        "the",
        "past",
        "in",
        "two",
        "a few",
        "9999",
        "12",
        "couple of",
        "days",
        "weeks",
        "weekend",
    ),
    *("months", "years", "decade", "ago", "from now", "before", "after", "since", "until", "between", "and", "to", ","),
    *(
        "Friday",
        "yesterday",
        "Christmas",
        "summer",
        "Q3",
        "2023",
        "9999",
        "0001",
        "May",
        "5",
        "5th",
        "at",
        "6:22",
        "pm",
    ),
    *(
        "noon",
        "early",
        "late",
        "first",
        "half",
        "week",
        "of",
        "evening",
        "on",
        "onwards",
        "1990s",
        "if",
        "上周",
        "hours",
    ),
]


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), MOMENTS)
@example("1990s", inf)
@example("in 9999 decades", 0.0)
def test_any_jumble_of_time_words_gives_sane_times(text, moment):
    """However they are put together; the one meant is one of those mentioned."""
    found = [one[:2] for one in mentions(text, moment)]
    assert all(start < end for start, end in found)
    assert (meant(text, moment) in found) if found else (meant(text, moment) is None)
    assert all(start < end for start, end in ranges(text, [2023], moment))


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.integers(1, 400))
def test_days_ago_and_days_ahead_are_counted(day, count):
    """ "N days ago" and "in N days" are that far away."""
    anchor = (day - date(1970, 1, 1)).days * 86_400.0
    assert meant(f"{count} days ago", anchor) == (anchor - count * 86_400, anchor - (count - 1) * 86_400)
    assert meant(f"in {count} days", anchor) == (anchor + count * 86_400, anchor + (count + 1) * 86_400)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1)), st.sampled_from(["Monday", "Thursday", "Sunday"]))
def test_last_and_next_weekday_are_the_nearest(moment, weekday):
    """ "last Monday" lies one to seven days back, "next Monday" as far ahead, and both are Mondays."""
    anchor = moment.replace(tzinfo=UTC).timestamp()
    today = anchor // 86_400
    for words, least, most in ((f"last {weekday}", -7, -1), (f"next {weekday}", 1, 7)):
        start, end = meant(words, anchor)
        assert least <= start / 86_400 - today <= most and end - start == 86_400
        assert f"{datetime.fromtimestamp(start, UTC):%A}" == weekday


PIECES = [
    "last ",
    "the week before ",
    "two days ago ",
    "between ",
    "at 5 pm ",
    "in the 3 days before ",
    "if ",
    "of the ",
]


@pytest.mark.parametrize(
    "piece", [*PIECES, "1", "a few ", "May 5 at 6:22 ", "early ", "上", "'s ", "1990s ", "first week of "]
)
def test_a_turn_of_any_length_is_read_in_linear_time(piece):
    """300,000 characters take a fraction of a second, and at most some 32 times are read."""
    text = (piece * 300_000)[:300_000]
    started = time.perf_counter()
    assert len(mentions(text, WEDNESDAY)) <= 2 * MAX_MENTIONS + 8
    assert time.perf_counter() - started < 2.0
