"""Ids for what a file says, so that reading it again adds only what is new."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b

from memspan.core.records import Turn


def with_stable_ids(turns: Iterable[Turn]) -> Iterator[Turn]:
    """The turns; those without a time, and repeats, get an id made of their content.

    How many equal turns came before goes into it, not the place: a paragraph put into the middle of a file does
    not change the ids after it. A turn that has an id, or a time of its own, stays as it is:
    memory makes its id.
    """
    before = defaultdict[bytes, int](int)
    for turn in turns:
        if turn.id:
            yield turn
            continue
        key = _digest(turn)
        nth, before[key] = before[key], before[key] + 1
        if nth or turn.at is None:
            yield replace(turn, id=f"f{key.hex()}" + (f".{nth + 1}" if nth else ""))
        else:
            yield turn


def _digest(turn: Turn) -> bytes:
    """What makes a turn that turn, as in `core.ids`, but for the scope, which a file knows nothing of."""
    digest = blake2b(digest_size=10, person=b"memspan.read")
    for part in (turn.session, turn.speaker, "" if turn.at is None else repr(turn.at), turn.text):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()
