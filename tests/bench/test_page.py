"""The page of a run as a file: complete, closed, and safe to open."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest
from tests.bench.fake_result import EVIL, fake

from memspan.bench import page
from memspan.bench.looks import COLOURS, KINDS, looks
from memspan.bench.verdicts import verdict
from memspan.core.errors import UsageError

SMALL = {"locomo", "realmem", "pi-syn", "ama-syn"}


@pytest.fixture(scope="module")
def result():
    return fake(SMALL)


@pytest.fixture(scope="module")
def text(result):
    return page.html(result)


def element(text, start):
    """What stands in the first element that starts so."""
    return text.split(start, 1)[1].split(">", 1)[1].split("</", 1)[0]


def test_it_carries_the_whole_result(result, text):
    """Programs can read the page too."""
    assert json.loads(element(text, '<script type="application/json" id="result"')) == result


def test_nothing_in_the_result_ends_the_element_that_holds_it(text):
    """Hostile words stay words: no tag of theirs is in the file."""
    assert EVIL not in text
    assert "<img" not in text
    assert text.count("<script") == 3 == text.count("</script>")


def test_the_policy_names_the_one_script_and_the_one_style_and_nothing_else(text):
    """By hash: another script does not run, nothing is loaded."""
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    script = text.rsplit("<script>", 1)[1].split("</script>")[0]
    style = element(text, "<style")
    hashes = ["sha256-" + b64encode(sha256(part.encode()).digest()).decode() for part in (script, style)]
    assert policy.startswith("default-src 'none';")
    assert [f"script-src '{hashes[0]}'" in policy, f"style-src '{hashes[1]}'" in policy] == [True, True]
    assert "unsafe" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style") < text.index("<script")


def test_it_asks_for_no_other_file(text):
    """No address outside the carried result, but the name space of SVG."""
    own = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert re.findall(r"https?://[^\s\"'`)]+", own) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|innerHTML|<link|<iframe|\ssrc=", own)
    assert "{{" not in own.split("<script", 1)[0]


def test_it_is_written_where_it_is_wanted(result, tmp_path, text):
    """The path comes back; the same result gives the same file."""
    assert page.write(result, tmp_path / "report.html").read_text(encoding="utf-8") == text


def test_an_older_result_is_refused():
    """With what to do about it."""
    with pytest.raises(UsageError, match=r"run/1.*run it again"):
        page.html({"schema": "memspan.bench.run/1"})


def test_what_is_no_number_is_refused(result):
    """JSON has no nan; a page that cannot be read is not written."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        page.html(result | {"seconds": float("nan")})


def test_colours_stay_readable_on_their_ground():
    """3 : 1 at least, on white and on the dark ground (WCAG 2.2, 1.4.11)."""
    for shades in COLOURS.values():
        for shade, ground in zip(shades, ("#ffffff", "#14171b"), strict=True):
            assert contrast(shade, ground) >= 3


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_systems_of_a_kind_look_alike(kind):
    """Ten of a kind differ in colour or mark; what a system looks like depends on no other kind."""
    ten = [{"name": str(n), "kind": kind} for n in range(10)]
    found = looks(ten)
    assert len({(look.colour, look.mark) for look in found.values()}) == 10
    assert looks([{"name": "x", "kind": other} for other in KINDS if other != kind] + ten)["3"] == found["3"]


PAIR = {"metric": "R@10", "difference": 0.1, "clusters": 10, "p": 0.002, "p_holm": 0.01}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "better"),
        ({"difference": -0.1}, "worse"),
        ({"metric": "negative"}, "worse"),
        ({"p_holm": 0.05}, "no difference shown"),
        ({"clusters": 5}, "not testable"),
        ({"clusters": 7, "p": 2 / 2**7, "p_holm": 7 * 2 / 2**7}, "not testable"),
        ({"clusters": 7, "p": 2 / 2**7, "p_holm": 2 * 2 / 2**7}, "better"),
        ({"p_holm": None}, "not testable"),
        ({"difference": 0.0}, "no difference shown"),
    ],
)
def test_a_verdict_needs_enough_clusters_and_an_adjusted_p(changed, word):
    """And knows which figures count mistakes."""
    assert verdict(PAIR | changed) == word
