"""A disguised word is read for what it shows."""

import sys

import pytest

from memspan.text.safety.lookalikes import folded, seen


@pytest.mark.parametrize(
    "disguised",
    ["PASSWORD", "раsswоrd", "ｐａｓｓｗｏｒｄ", "𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "p\u00e1sswörd", "pass\u200bword", "pass\u00adword\ufeff"],
)
def test_a_disguise_is_seen_through(disguised):
    """Case, Cyrillic twins, full width, mathematical letters, accents, what nobody sees."""
    assert folded(disguised) == "password"


@pytest.mark.parametrize("text", ["naïve café ☕️", "می‌خواهم", "👩‍💻 ok", "हिन्दी", "한국어", "Grüße, Łódź"])
def test_what_people_write_is_left_alone(text):
    """Accents, joiners of Persian and Hindi, emoji with their selector."""
    assert seen(text) == text


def test_unseen_characters_go_and_no_other():
    """Of all characters, only those that nothing is drawn for."""
    gone = {char for code in range(sys.maxunicode) if not 0xD800 <= code < 0xE000 and not seen(char := chr(code))}
    assert {"\x1b", "\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041", "\U000e0101", "\u3164"} <= gone
    assert gone.isdisjoint("\t\n \u200c\u200d\ufe0f\u00e9")
    assert len(gone) < 4_400


def test_hangul_stays_whole():
    """Folding takes accents off, not syllables apart."""
    assert folded("한국어") == "한국어"
