"""Dates named in questions."""

import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.dates import MAX_MENTIONS, ranges


def days(question, years=(2023, 2024)):
    """The ranges as "first..last" days, a single day as itself."""
    found = []
    for start, end in ranges(question, years):
        first, last = (datetime.fromtimestamp(at, UTC).date() for at in (start, end - 86_400))
        found.append(str(first) if first == last else f"{first}..{last}")
    return found


ONE_DAY = [
    ("What did Anna paint on May 8, 2023?", "2023-05-08"),
    ("What did Anna paint on May 8th 2023?", "2023-05-08"),
    ("On Sept. 5, 2022 who called?", "2022-09-05"),
    ("on September the 5th of 2022", "2022-09-05"),
    ("Who came on 31 October, 2022?", "2022-10-31"),
    ("the 4th of May 2023", "2023-05-04"),
    ("08 May 2023", "2023-05-08"),
    ("08-May-2023", "2023-05-08"),
    ("on 2024-05-08", "2024-05-08"),
    ("since 2024/5/8", "2024-05-08"),
    ("at 2024-05-08T10:00Z", "2024-05-08"),
    ("from 14:55 to 16:10 on the afternoon of May 4, 2025?", "2025-05-04"),
    ("In 2020 we met, on May 4, 1896 we parted", "1896-05-04"),
    ("2023年5月8日他在哪里", "2023-05-08"),
    ("他2023年 5月 8号去了", "2023-05-08"),
]


@pytest.mark.parametrize(("question", "day"), ONE_DAY)
def test_a_full_date_is_one_day(question, day):
    """A day with its year is that day, whatever else is named."""
    assert days(question) == [day]


EVERY_YEAR = [
    ("What did Ma cook on the morning of May 19th?", ["2023-05-19", "2024-05-19"]),
    ("on the 3rd of June", ["2023-06-03", "2024-06-03"]),
    ("on 8 may", ["2023-05-08", "2024-05-08"]),
    ("What happened 8 May?", ["2023-05-08", "2024-05-08"]),
    ("5月8日", ["2023-05-08", "2024-05-08"]),
    ("on February 29", ["2024-02-29"]),
    ("in early March", ["2023-03-01..2023-03-31", "2024-03-01..2024-03-31"]),
    ("In mid-May, what", ["2023-05-01..2023-05-31", "2024-05-01..2024-05-31"]),
    ("What did Jon do in feb", ["2023-02-01..2023-02-28", "2024-02-01..2024-02-29"]),
    ("5月做了什么", ["2023-05-01..2023-05-31", "2024-05-01..2024-05-31"]),
    ("January 10:30 train", ["2023-01-01..2023-01-31", "2024-01-01..2024-01-31"]),
    ("on March 45", ["2023-03-01..2023-03-31", "2024-03-01..2024-03-31"]),
]


@pytest.mark.parametrize(("question", "expected"), EVERY_YEAR)
def test_without_a_year_every_year_present_counts(question, expected):
    """No year said means every year the collection has."""
    assert days(question) == expected
    assert days(question, []) == []


COARSE = [
    ("in May 2024", ["2024-05-01..2024-05-31"]),
    ("May of 2024", ["2024-05-01..2024-05-31"]),
    ("2023年5月", ["2023-05-01..2023-05-31"]),
    ("What changed in 2022?", ["2022-01-01..2022-12-31"]),
    ("在2022年发生了什么", ["2022-01-01..2022-12-31"]),
    ("In 2020 or in May 2024?", ["2024-05-01..2024-05-31"]),
    ("In June and July 2025", ["2025-06-01..2025-06-30", "2025-07-01..2025-07-31"]),
]


@pytest.mark.parametrize(("question", "expected"), COARSE)
def test_months_count_only_without_days_and_years_only_without_months(question, expected):
    """The finest level named is the one that counts."""
    assert days(question) == expected


SPANS = [
    ("between August 11 and August 15 2023", ["2023-08-11..2023-08-15"]),
    ("between August and November 2023?", ["2023-08-01..2023-11-30"]),
    ("between March 3 and 7, 2023", ["2023-03-03..2023-03-07"]),
    ("(May 5th to 11th, 2024)", ["2024-05-05..2024-05-11"]),
    ("from 5 to 11 May 2024", ["2024-05-05..2024-05-11"]),
    ("Dec 28 to Jan 3, 2024", ["2023-12-28..2024-01-03"]),
    ("from December 28, 2023 until January 3", ["2023-12-28..2024-01-03"]),
    ("from November to February", ["2023-11-01..2024-02-29", "2024-11-01..2025-02-28"]),
    ("from 2019 to 2021", ["2019-01-01..2021-12-31"]),
    ("in 2019-2021", ["2019-01-01..2021-12-31"]),
    ("between mid-March and early April 2024", ["2024-03-01..2024-04-30"]),
    ("from 2023-05-08 to 2023-05-12", ["2023-05-08..2023-05-12"]),
    ("2023年5月8日到12日", ["2023-05-08..2023-05-12"]),
    ("on December 23 and 25, 1896", ["1896-12-23", "1896-12-25"]),
    ("on May 1, 3, and 5, 2023", ["2023-05-01", "2023-05-03", "2023-05-05"]),
]


@pytest.mark.parametrize(("question", "expected"), SPANS)
def test_ranges_and_lists_of_days(question, expected):
    """ "X to Y" and "between X and Y" are one range, "X and Y" are two days."""
    assert days(question) == expected


NOTHING = [
    "",
    "Where does Alice live?",
    "May I march in the parade?",
    "It may rain, what should I wear?",
    "What did Jan decide about the Mar account?",
    "A group of 8 may have come",
    "It cost $2000 or 2000% more",
    "at 10:30 in room 1203a",
    "1个月",
    "2024-13-45",
    "13月",
    "version 1.2023",
    "05/08/2024",
]


@pytest.mark.parametrize("question", NOTHING)
def test_what_only_looks_like_a_date_is_none(question):
    """Verbs, names, prices and impossible days name no date."""
    assert days(question) == []


@given(st.text(max_size=300), st.lists(st.integers(-5, 12_000), max_size=5))
def test_any_text_gives_sane_ranges(question, years):
    """It never raises; ranges ascend, are not empty and lie within the years 1 to 9999."""
    found = ranges(question, years)
    assert found == sorted(set(found))
    assert all(-62_135_596_800 <= start < end <= 253_402_300_800 for start, end in found)


DATE_WORDS = ["May", "march", "jan", "5", "8th", "31", "2023", ",", "and", "to", "between", "of", "in", "-", "5月"]


@given(st.lists(st.sampled_from(DATE_WORDS), max_size=12).map(" ".join), st.lists(st.integers(1, 9999), max_size=3))
def test_any_jumble_of_date_words_gives_sane_ranges(question, years):
    """Nor does a jumble of months, numbers and connecting words."""
    assert all(start < end for start, end in ranges(question, years))


@given(st.dates(date(1000, 1, 1), date(2999, 12, 31)))
def test_every_day_is_found_however_it_is_written(day):
    """ISO, "Month D, Y", "D of Month Y" and Chinese name the same day."""
    start = (day - date(1970, 1, 1)).days * 86_400.0
    name = f"{day:%B}"
    forms = [
        day.isoformat(),
        f"{name} {day.day}, {day.year}",
        f"{day.day} of {name} {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
    ]
    assert [ranges(f"What happened on {form}?", []) for form in forms] == [[(start, start + 86_400.0)]] * 4


@pytest.mark.parametrize("piece", ["May ", "5, ", "may-", "between ", "1st and ", "2023 ", "5月", " "])
def test_a_question_of_any_length_is_read_once(piece):
    """100,000 characters take well under a second, and at most 32 dates are read."""
    question = (piece * 100_000)[:100_000]
    started = time.perf_counter()
    assert len(ranges(question, [2023])) <= MAX_MENTIONS + 8
    assert time.perf_counter() - started < 1.0
