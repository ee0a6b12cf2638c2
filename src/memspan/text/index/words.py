"""From text to index words: lower case, no possessive 's, no stop words, Porter stems; pairs of characters for scripts
written without spaces.

Stemming is the Porter stemmer of SQLite's FTS5, reached through apsw.
Stop words cost 5 points of recall when they stay (measured on LoCoMo); stemming brings 4.
"""

import re
import struct
import unicodedata
from collections import Counter
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

MAX_COUNT = 255
MOST_WORDS = 1 << 14
"""Words whose stem and whose hash are kept, some 320 bytes each. With eight times as many a turn of made-up talk is
indexed no faster, and a server that hears ever new words grows for months."""

_STOP = """
a about above after again all also am an and any are aren as at be because been before being below between both but
by can could couldn d did didn do does doesn doing don done down during each ever few for from further get gets got
had hadn has hasn have haven having he her here hers herself him himself his how i if in into is isn it its itself
just ll m me might more most must mustn my myself need no nor not now of off on once one only or other our ours
ourselves out over own re s same shall shan she should shouldn so some such t than that the their theirs them
themselves then there these they this those though through to too under until up upon us ve very was wasn we were weren
what when where which while who whom whose why will with won would wouldn you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOP.split())

# scripts written without spaces: CJK, kana, bopomofo, hangul syllables, Thai, Lao, Khmer, Myanmar
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_POSSESSIVE = re.compile(r"['’]s\b")
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_YEAR_OR_THOUSAND = re.compile(r"\d,\d{3}|\b(?:19|20)\d\d\b")
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_ISO_DAY = re.compile(r"\b((?:19|20)\d\d)-(\d\d)-(\d\d)\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? ((?:19|20)\d\d)\b", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b{_MONTH}\.? (\d{{1,2}})(?:st|nd|rd|th)?,? ((?:19|20)\d\d)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_RUNS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_MARKS = re.compile(r"[\u0300-\u036f]")

BAG = np.dtype([("word", "<u4"), ("count", "u1")])
"""One entry of a bag: 5 bytes."""


def words(text: str) -> list[str]:
    """The index words of a text, in order, with repeats.

    A number with marks between its thousands is also one word, and so is a day, however it is written.

    >>> words("What did Caroline's sisters say about running?")
    ['carolin', 'sister', 'sai', 'run']
    >>> words("我搬到里斯本")
    ['我搬', '搬到', '到里', '里斯', '斯本']
    >>> words("3,160 crowns")
    ['3', '160', 'crown', '3160']
    >>> words("the 3rd of May 2021")[-1] == words("2021-05-03")[-1]
    True
    """
    if text.isascii():
        found = [stem for word in _WORD.findall(_POSSESSIVE.sub("", text.lower())) if (stem := _stem(word))]
        return found + _wholes(text) if _YEAR_OR_THOUSAND.search(text) else found
    plain = _POSSESSIVE.sub("", unicodedata.normalize("NFKC", text).lower())
    if not _HAS_UNSPACED.search(plain):  # taking marks off would break hangul and kana
        plain = _MARKS.sub("", unicodedata.normalize("NFD", plain))
    found = [piece for word in _WORD.findall(plain) for piece in _split(word)]
    return found + _wholes(text) if _YEAR_OR_THOUSAND.search(text) else found


def _wholes(text: str) -> list[str]:
    """Numbers and days as one word each: beside their pieces, as files written before have the pieces only."""
    found = [number.replace(",", "") for number in _THOUSANDS.findall(text)]
    found += [f"{year}-{month}-{day}" for year, month, day in _ISO_DAY.findall(text)]
    found += [_day(year, month, day) for day, month, year in _DAY_MONTH.findall(text)]
    return found + [_day(year, month, day) for month, day, year in _MONTH_DAY.findall(text)]


def _day(year: str, month: str, day: str) -> str:
    return f"{year}-{_MONTHS[month[:3].lower()]:02}-{int(day):02}"


def _split(word: str) -> list[str]:
    """A word, or the pairs of characters of a run without spaces; a Latin run inside it is a word."""
    if not _HAS_UNSPACED.search(word):
        return [stem] if (stem := _stem(word)) else []
    pieces: list[str] = []
    for run in _RUNS.findall(word):
        if not _HAS_UNSPACED.match(run):
            pieces += [stem] if (stem := _stem(run)) else []
        elif len(run) == 1:
            pieces.append(run)
        else:
            pieces += [run[i : i + 2] for i in range(len(run) - 1)]
    return pieces


@lru_cache(maxsize=MOST_WORDS)
def _stem(word: str) -> str:
    """The word's stem; empty for a stop word. Words past 64 letters are cut: nobody searches for them."""
    if word in STOP_WORDS:
        return ""
    if not word.isascii():
        return word[:64]
    stems: Any = _porter()(
        word[:64].encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
    )
    return str(stems[0])


@cache
def _porter() -> apsw.FTS5Tokenizer:
    return apsw.Connection(":memory:").fts5_tokenizer("porter", ["ascii"])


@lru_cache(maxsize=MOST_WORDS)
def word_hash(word: str) -> int:
    """32 bits for a word. Two of 50,000 words share one with a chance of about one in four; they then count as one."""
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest(), "little")


def bag(text: str) -> bytes:
    """The words of a text with their counts, 5 bytes each, ascending by hash; what the file keeps for the index.

    A count stops at 255.

    >>> np.frombuffer(bag("run, running, ran"), BAG)["count"].tolist()
    [1, 2]
    """
    counts = Counter(map(word_hash, words(text)))
    flat = [value for word in sorted(counts) for value in (word, min(counts[word], MAX_COUNT))]
    return struct.pack("<" + "IB" * len(counts), *flat)


def query_words(question: str, most: int = 4096) -> NDArray[np.uint32]:
    """Distinct word hashes of a question, in order of appearance, at most `most`."""
    distinct = dict.fromkeys(map(word_hash, words(question)))
    return np.fromiter(distinct, np.uint32, count=len(distinct))[:most]
