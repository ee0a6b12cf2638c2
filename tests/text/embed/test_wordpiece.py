"""WordPiece gives the ids of the `tokenizers` library, for every character and every text."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.text.embed.static import shipped
from memspan.text.embed.wordpiece import CACHED_CHARACTERS, WordPiece

tokenizers = pytest.importorskip("tokenizers", reason="the reference; pip install tokenizers")

DATA = Path(os.environ.get("MEMSPAN_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(scope="module")
def ours() -> WordPiece:
    """A tokenizer over the shipped vocabulary."""
    return WordPiece(list(shipped().tokenizer.ids))


@pytest.fixture(scope="module")
def theirs() -> Any:  # the library has no type for its parts
    """BERT's pipeline in the library, over the same vocabulary, without control tokens."""
    model = tokenizers.models.WordPiece(shipped().tokenizer.ids, unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return tokenizer


@given(text=st.text(max_size=80))
@settings(max_examples=400, deadline=None)
def test_any_unicode_text_has_the_library_s_ids(ours: WordPiece, theirs: Any, text: str) -> None:
    """Arbitrary Unicode, surrogates aside (the library takes none)."""
    assert ours.encode(text) == theirs.encode(text).ids


@given(text=st.text(alphabet="aÀéǅİΣς ß\u0301\u200d\ufe0f\t\n\x0b\x1c\x85\xa0\u3000,.'-中あ한😀", max_size=60))
@settings(max_examples=400, deadline=None)
def test_difficult_characters_in_any_order_have_the_library_s_ids(ours: WordPiece, theirs: Any, text: str) -> None:
    """Accents, case, joiners, odd spaces, controls and scripts in every mixture."""
    assert ours.encode(text) == theirs.encode(text).ids


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("我爱北京", ["我", "[UNK]", "北", "京"]),
        ("東京タワー2024年", ["東", "京", "タ", "##ワ", "##ー", "##20", "##24", "年"]),
        ("私はあなた", ["[UNK]", "は", "##あ", "##な", "##た"]),
        ("한국어", ["ᄒ", "##ᅡ", "##ᆫ", "##ᄀ", "##ᅮ", "##ᆨ", "##ᄋ", "##ᅥ"]),
        ("Café-au-LAIT!", ["cafe", "-", "au", "-", "lai", "##t", "!"]),
        ("ΟΔΟΣ ὁδός", ["ο", "##δ", "##ο", "##σ", "ο", "##δ", "##ος"]),
        ("[SEP] [MASK]", ["[", "sep", "]", "[", "mask", "]"]),
        ("x" * 100 + " " + "x" * 101, None),
        ("a\x1cb\x85c\u2028d", ["abc", "d"]),
    ],
)
def test_scripts_and_edges(ours: WordPiece, theirs: Any, text: str, pieces: list[str] | None) -> None:
    """CJK, Hangul, Greek, control tokens in the text, the longest word, separators."""
    assert ours.encode(text) == theirs.encode(text).ids
    names = list(ours.ids)
    assert pieces is None or [names[n] for n in ours.encode(text)] == pieces


def test_a_lone_surrogate_is_dropped(ours: WordPiece) -> None:
    """The library refuses such a string; ours reads the rest."""
    assert ours.encode("a\ud800b") == ours.encode("ab")


@given(texts=st.lists(st.text(max_size=200), max_size=20))
@settings(deadline=None)
def test_the_cache_changes_nothing_and_stays_bounded(texts: list[str]) -> None:
    """A cache of three chunks gives the same ids as none."""
    small, large = WordPiece(list(shipped().tokenizer.ids), limit=3), shipped().tokenizer
    for text in texts:
        assert small.encode(text) == large.encode(text)
        assert len(small) <= 3
        assert all(len(chunk) <= CACHED_CHARACTERS for chunk in small)


@pytest.mark.slow
def test_every_character_has_the_library_s_ids(ours: WordPiece, theirs: Any) -> None:
    """All 1,112,064 code points, inside a word and alone."""
    for point in (*range(0xD800), *range(0xE000, 0x110000)):
        text = f"a{chr(point)}b {chr(point)}"
        assert ours.encode(text) == theirs.encode(text).ids, hex(point)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key), *_strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _texts(path: Path) -> Iterator[str]:
    """Every string in a data file: of JSON, of JSON lines, or the lines themselves."""
    opened = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        text = str(file.read())
    try:
        yield from _strings(json.loads(text))
    except ValueError:
        for line in text.splitlines():
            yield from _strings(json.loads(line)) if "jsonl" in path.name else iter([line])


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no labelled data: set MEMSPAN_DATA to its folder")
def test_every_text_of_the_data_has_the_library_s_ids(ours: WordPiece, theirs: Any) -> None:
    """Every string of every data set at hand."""
    checked = 0
    for path in sorted(DATA.rglob("*.*")):
        texts = list(_texts(path)) if path.suffix in {".xz", ".gz", ".json", ".jsonl", ".txt", ".md"} else []
        for text, wanted in zip(texts, theirs.encode_batch(texts), strict=True):
            assert ours.encode(text) == wanted.ids, (path.name, text[:200])
        checked += len(texts)
    assert checked > 100_000
