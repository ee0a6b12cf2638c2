"""Tombstones: keyed hashes of words that were forgotten, so that they are not learned again.

A hash is keyed with the file's secret and the scope, so that nobody can test from outside what was forgotten, and no
scope sees another's.
Case, spacing, punctuation and Unicode form do not matter; a paraphrase is another text.

A short text such as "yes, thanks" forgotten with its session must not be forbidden for good: unless it was forgotten
by its id, a text of fewer than MIN_CHARS letters and digits without a digit in it is refused only from the same
speaker in the same session.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from memspan.core.records import Turn
from memspan.text.store import turn_rows
from memspan.text.store.sql import Connection

MIN_CHARS = 20
_OTHER = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")


def normalised(text: str) -> str:
    """Letters and digits only, in one case and one Unicode form.

    >>> normalised("My  PIN is: 47-11!") == normalised("my pin is 4711")
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _OTHER.sub("", folded)


class Hasher:
    """Digests of one scope's texts. secret: the file's;  scope: its number in the file;  key: instead of both"""

    def __init__(self, secret: bytes, scope: int, key: bytes | None = None) -> None:
        self.key = key or blake2b(scope.to_bytes(8, "little"), key=secret, digest_size=32).digest()

    def of(self, text: str) -> bytes:
        """Of a text, wherever it is said. (16,) bytes"""
        return blake2b(normalised(text).encode(), key=self.key, digest_size=16).digest()

    def wide(self, turn: Turn) -> bytes:
        """Of a turn's words, whoever says them."""
        return self.of(turn.text)

    def near(self, turn: Turn) -> bytes:
        """Of a turn's words said by the same speaker in the same session. (16,) bytes"""
        parts = "\0".join((normalised(turn.text), turn.speaker, turn.session))
        return blake2b(parts.encode(), key=self.key, digest_size=16, person=b"near").digest()

    def of_turn(self, turn: Turn, *, by_id: bool) -> bytes:
        """The digest that keeps a turn from coming back. by_id: whether the user named this very turn"""
        return self.wide(turn) if by_id or is_telling(turn.text) else self.near(turn)


def is_telling(text: str) -> bool:
    """Whether a text is more than small talk: long enough, or with a number in it.

    >>> is_telling("Yes, thanks!"), is_telling("It is 4711.")
    (False, True)
    """
    return len(normalised(text)) >= MIN_CHARS or _DIGIT.search(text) is not None


def buried(connection: Connection, scope: int, hasher: Hasher, turns: Sequence[Turn]) -> frozenset[str]:
    """Ids of those turns whose words were forgotten in this scope.

    Only their own digests are looked up: what was ever forgotten may be far more.
    """
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM tombstone WHERE scope = ?)", (scope,)).get:
        return frozenset()
    found: set[str] = set()
    for some in turn_rows.batches(turns):
        owners: dict[bytes, list[str]] = {}
        for turn in some:
            for digest in (hasher.wide(turn), hasher.near(turn)):
                owners.setdefault(digest, []).append(turn.id)
        query = f"SELECT digest FROM tombstone WHERE scope = ? AND digest IN ({turn_rows.marks(owners)})"
        for (digest,) in connection.execute(query, (scope, *owners)):
            found.update(owners[bytes(digest)])
    return frozenset(found)


def put(connection: Connection, scope: int, digests: Iterable[bytes], at: float) -> int:
    """Write tombstones; how many are new."""
    before = connection.total_changes()
    connection.executemany(
        "INSERT INTO tombstone (scope, digest, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ((scope, digest, at) for digest in digests),
    )
    return connection.total_changes() - before


def lift(connection: Connection, scope: int, digests: Iterable[bytes]) -> None:
    """Take tombstones away: the user wants these words learned again."""
    for some in turn_rows.batches(list(digests)):
        connection.execute(
            f"DELETE FROM tombstone WHERE scope = ? AND digest IN ({turn_rows.marks(some)})", (scope, *some)
        )
