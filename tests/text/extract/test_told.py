"""The days that a turn tells of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.told import MAX_BACK, MAX_DAYS, MOST, packed, told, unpacked

MONDAY = 1683504000.0 + 10 * 3600  # 8 May 2023, 10 o'clock


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We went to the lake yesterday.", [(1, 1)]),
        ("I saw her last Friday.", [(3, 1)]),
        ("It was two days ago, not yesterday.", [(2, 1), (1, 1)]),
        ("Last week was hard.", [(7, 7)]),
        ("last night we danced", [(1, 2)]),
        ("I ran today.", []),
        ("I leave tomorrow, back next Friday.", []),
        ("That was three years ago.", []),
        ("Everything lasts as it did in the past.", []),
        ("", []),
    ],
)
def test_days_before_its_own(text, found):
    """Days that lie behind, counted back; the day itself, what lies ahead and what is long say nothing."""
    assert list(told(text, MONDAY)) == found


def test_without_a_time_nothing_is_told():
    assert list(told("We went there yesterday.", None)) == []


@given(
    st.lists(st.sampled_from(["yesterday", "last Friday", "two days ago", "last week", "a week ago", "\n"]), max_size=9)
)
def test_packed_and_unpacked(said):
    """What is packed comes out as it went in, within 48 bits."""
    text = ", ".join(said)
    times = list(told(text, MONDAY))
    assert list(unpacked(packed(text, MONDAY))) == times
    assert len(times) <= MOST and packed(text, MONDAY) < 1 << 48
    assert all(0 < one.back <= MAX_BACK and 1 <= one.days <= MAX_DAYS for one in times)
