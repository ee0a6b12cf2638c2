"""Finding a data set by the fields inside its files, whatever the files are called."""

import gzip
import json
import lzma
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from memspan.bench.cases import DataSet, Fields, Found, Sniff
from memspan.core.errors import MalformedFile, UsageError

SNIFFED_CHARS = 262_144
READ_CHARS = 1 << 20
_SUFFIXES = (".json", ".jsonl", ".ndjson")
_OPENERS = {".gz": gzip.open, ".xz": lzma.open}
_GAP = re.compile(r"[\s,]*")
_KEY = re.compile(r'"((?:[^"\\]|\\.){1,60})"\s*:')


def find(data: Path, sets: Sequence[DataSet]) -> dict[str, Found]:
    """Files by part, for each data set. Raises UsageError where a part of one is nowhere under `data`."""
    files = list(_candidates(data))
    sniffs = {path: sniff(path) for path in files}
    return {one.name: _parts(one, sniffs, data) for one in sets}


def having(data: Path, name: str, fields: Sequence[str]) -> list[Path]:
    """Files under `data` whose objects have all these fields. Raises UsageError where there is none.

    name: what the data set is called
    """
    files = [path for path in _candidates(data) if sniff(path).has(*fields)]
    if not files:
        raise UsageError(f"no {name} among the JSON files under {data}; docs/benchmarks.md names the fields it has")
    return files


def _parts(one: DataSet, sniffs: dict[Path, Sniff], data: Path) -> Found:
    found = {part: [path for path, seen in sniffs.items() if test(seen)] for part, test in one.parts.items()}
    missing = [part for part, paths in found.items() if not paths]
    if missing:
        raise UsageError(
            f"no {one.name} {' or '.join(missing)} among the {len(sniffs)} JSON files under {data}; "
            "docs/benchmarks.md names the fields it is known by"
        )
    return found


def _candidates(data: Path) -> Iterator[Path]:
    if not data.exists():
        raise UsageError(f"{data} does not exist; give the folder that holds the data sets")
    paths = sorted(data.rglob("*")) if data.is_dir() else [data]
    for path in paths:
        suffixes = [suffix for suffix in path.suffixes if suffix not in _OPENERS]
        if path.is_file() and suffixes and suffixes[-1] in _SUFFIXES:
            yield path


def _open(path: Path) -> IO[str]:
    opener: Any = _OPENERS.get(path.suffix, open)  # Any: three openers of three signatures
    stream: IO[str] = opener(path, "rt", encoding="utf-8")
    return stream


@lru_cache(maxsize=4096)
def sniff(path: Path) -> Sniff:
    """Field names in the first 256 thousand characters. A file that cannot be read has none."""
    try:
        with _open(path) as stream:
            text = stream.read(SNIFFED_CHARS)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError):
        text = ""
    return Sniff(frozenset(_KEY.findall(text)), text)


def records(path: Path) -> list[Fields]:
    """The objects of a file: a list's items, one object alone, or one a line.

    Raises MalformedFile where it is neither.
    """
    with _open(path) as stream:
        text = stream.read()
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return _lines(path, text)
    return list(whole) if isinstance(whole, list) else [whole]


def _lines(path: Path, text: str) -> list[Fields]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as why:
                raise MalformedFile(path, number, f"not JSON ({why})") from None
    return rows


def each(path: Path) -> Iterator[Fields]:
    """The objects of a file one at a time; of a list, no more text is held than twice the longest item.

    Raises MalformedFile where it is no list, no object and no lines of them.
    """
    with _open(path) as stream:
        head = stream.read(READ_CHARS)
        start = len(head) - len(head.lstrip())
        if head.startswith("[", start):
            yield from _items(path, stream, head, start + 1)
            return
    yield from records(path)


def _items(path: Path, stream: IO[str], text: str, place: int) -> Iterator[Fields]:
    """The items of a list whose bracket stands before `place`."""
    decode = json.JSONDecoder().raw_decode
    line = 0
    while True:
        place = _GAP.match(text, place).end()  # type: ignore[union-attr]  # it matches the empty text too
        if text.startswith("]", place):
            return
        try:
            item, place = decode(text, place)
        except json.JSONDecodeError as why:
            # Twice as much each time: a long item is tried a few times, not once for every chunk of it.
            if not (more := stream.read(max(READ_CHARS, len(text) - place))):
                raise MalformedFile(path, line + why.lineno, f"not JSON ({why.msg})") from None
            line += text.count("\n", 0, place)
            text, place = text[place:] + more, 0
        else:
            yield item


def fingerprint(path: Path) -> str:
    """sha256 of the file as it lies on disk."""
    with path.open("rb") as stream:
        digest = sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
