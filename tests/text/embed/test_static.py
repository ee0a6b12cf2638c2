"""Static vectors follow their formula, whatever the batch; the shipped table is the one its recipe names."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.core.protocols import Embedder
from memspan.text.embed import static
from memspan.text.embed.static import BULK_PIECES, METHOD, Static, Table, facts, shipped

WORDS = st.sampled_from(
    ["dog", "Lisbon", "running!", "naïve", "日本 and some English", "xylophonist", "☃☃☃", "", " ", "1999"]
)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12)


def by_hand(text: str) -> np.ndarray:
    """unit(sum of scale * row), one piece after the other in double precision."""
    table, total = shipped(), np.zeros(256)
    for piece in table.tokenizer.encode(text):
        total += float(table.scales[piece]) * table.rows[piece].astype(float)
    length = np.sqrt((total**2).sum())
    return total / length if length else total


def test_it_is_an_embedder() -> None:
    """It has what the engine reads."""
    assert METHOD is Static
    assert isinstance(Static(), Embedder)
    assert (Static.name, Static.dim, Static.neighbour_weight, Static.remove_common) == ("static", 256, 0.3, True)


@given(texts=TEXTS)
@settings(deadline=None)
def test_a_vector_is_the_unit_sum_of_the_rows(texts: list[str]) -> None:
    """Against a slow sum in double precision, in batches of any size."""
    found = Static().embed(texts)
    assert found.shape == (len(texts), 256)
    assert found.dtype == np.float32
    for row, text in zip(found, texts, strict=True):
        np.testing.assert_allclose(row, by_hand(text), atol=2e-6)


@pytest.mark.parametrize("count", [1, BULK_PIECES - 1, BULK_PIECES, BULK_PIECES + 1, 5 * BULK_PIECES])
def test_a_long_text_counts_wholly(count: int) -> None:
    """Also past the bulk size, where the sum is made another way, and beside short texts."""
    text = "alpha " * (count - 1) + "omega"
    found = Static().embed(["one", text, "", text, "two"])
    np.testing.assert_allclose(found[1], by_hand(text), atol=2e-6)
    np.testing.assert_array_equal(found[1], found[3])
    np.testing.assert_allclose(found[4], by_hand("two"), atol=2e-6)


@pytest.mark.parametrize("text", ["", " \n\t", "\x00", "☃☃☃", "x" * 101])
def test_a_text_without_a_known_piece_is_zero(text: str) -> None:
    """And no warning comes of it."""
    assert not Static().embed([text]).any()


@pytest.mark.parametrize(
    ("text", "read"), [("北京的天气", False), ("어제 만났어요", False), ("Peking 北京", True), ("Ünïcödé", True)]
)
def test_scripts_without_spaces_are_left_to_the_words(text: str, read: bool) -> None:
    """A text that is mostly in such a script gets no vector: the table was fitted to English."""
    assert Static().embed([text]).any() == read


def test_no_texts_give_no_rows() -> None:
    """An empty list is answered with an empty matrix."""
    assert Static().embed([]).shape == (0, 256)


def test_a_hundred_thousand_characters_pass() -> None:
    """Words, one endless word, and ideographs among words."""
    found = Static().embed(["lorem ipsum " * 8334, "a" * 100_000, "北京 opera " * 11_111])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)


def test_the_sums_of_a_small_table_are_exact() -> None:
    """Rows 2*(1, 2) and 3*(0, 1): [a a b] -> (4, 11)."""
    rows = np.array([[0, 0], [1, 2], [0, 1]], np.int8)
    table = Table(rows, np.array([1, 2, 3], np.float32), ["[UNK]", "a", "b"])
    assert table.sums([[1, 1, 2], [2]]).tolist() == [[4, 11], [0, 3]]
    assert table.long_sum([1, 1, 2]).tolist() == [4, 11]


def test_near_in_meaning_is_near_in_space() -> None:
    """The fitted table reaches over words: no pair below shares one."""
    pairs = ["my dog is ill", "the puppy needs a vet", "we flew to Rome", "a holiday trip in Italy"]
    likeness = Static().embed(pairs) @ Static().embed(pairs).T
    assert min(likeness[0, 1], likeness[2, 3]) > max(likeness[0, 2:].max(), likeness[1, 2:].max()) + 0.15


def test_the_table_is_the_one_its_recipe_names() -> None:
    """Every file's hash is the one written down, and the fingerprint follows from them."""
    named = facts()["files"]
    assert isinstance(named, dict)
    for name, digest in named.items():
        assert hashlib.sha256((files(static.__package__) / "data" / name).read_bytes()).hexdigest() == digest
    whole = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
    assert facts()["table_sha256"] == whole
    assert Static().fingerprint == f"static:{whole[:16]}:1"


def test_the_table_has_one_row_a_piece() -> None:
    """int8, 256 wide, [UNK] zero, no control token left."""
    table = shipped()
    assert table.rows.dtype == np.int8
    assert table.rows.shape == (len(table.tokenizer.ids), 256) == (29_524, 256)
    assert table.scales.shape == (29_524,)
    assert table.tokenizer.ids["[UNK]"] == 0
    assert not table.rows[0].any()
    assert not {"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[unused0]"} & set(table.tokenizer.ids)


def test_the_table_is_read_at_the_first_text() -> None:
    """Making the embedder and reading its fingerprint leaves the rows on disk."""
    code = (
        "from memspan.text.embed.static import Static, shipped\n"
        "fingerprint = Static().fingerprint\n"
        "assert shipped.cache_info().currsize == 0\n"
        "Static().embed(['a'])\n"
        "assert shipped.cache_info().currsize == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
