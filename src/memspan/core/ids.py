"""Ids and scopes.

A turn's id is a hash of what makes it that turn: scope, session, speaker, time, text. Remembering it again
finds the same id, so a retry never stores twice.
"""

import unicodedata
from hashlib import blake2b

from memspan.core.errors import BadScope

MAX_SCOPE_CHARS = 256
MAX_SCOPE_PARTS = 8


def turn_id(scope: str, session: str, speaker: str, at: float | None, text: str, nth: int = 0) -> str:
    """21 characters, the same for the same turn.

    nth: 0 for the first turn with these words in one call, 1 for the second, ...: a list of turns without
    times may hold "yes" twice and keeps both.

    >>> turn_id("alice", "s1", "Alice", 0.0, "hello")
    't026399cdd667aea455d8'
    """
    parts = (scope, session, speaker, "" if at is None else repr(float(at)), text, str(nth) if nth else "")
    digest = blake2b(digest_size=10, person=b"memspan.turn")
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return "t" + digest.hexdigest()


def check_scope(scope: object) -> str:
    """The scope, normalised (NFC); 1 to 8 parts joined by '/'. Raises BadScope where it is not one."""
    if not isinstance(scope, str):
        raise BadScope(scope, "must be text")
    clean = unicodedata.normalize("NFC", scope)
    if not clean or len(clean) > MAX_SCOPE_CHARS:
        raise BadScope(scope[:40], f"must have 1 to {MAX_SCOPE_CHARS} characters")
    parts = clean.split("/")
    if len(parts) > MAX_SCOPE_PARTS or any(part.strip() in ("", ".", "..") for part in parts):
        raise BadScope(scope, f"must be 1 to {MAX_SCOPE_PARTS} non-empty names joined by '/'")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Cf", "Zl", "Zp") for char in clean):
        raise BadScope(scope, "holds a control or invisible character")
    return clean
