"""API keys: who may do what in which scopes. A key is shown once; the file keeps its hash."""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from memspan.core.clock import Clock, When, now, seconds
from memspan.core.errors import UnknownId, UsageError
from memspan.core.ids import check_scope
from memspan.doors.rest.settings import RIGHTS, USUAL_RIGHTS
from memspan.doors.rest.state import State

Right = Literal["read", "write", "forget", "admin"]
MARK = "msp"
_SECRET_BYTES = 32
_ID_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as the file knows it.

    id: its name, part of the token;  tenant: whose;  scopes: it opens these and what lies below them
    rights: what it may do there: read, write, forget; admin sees the server's figures
    made_at, expires_at, revoked_at: [s]
    """

    id: str
    tenant: str
    scopes: tuple[str, ...]
    rights: tuple[str, ...]
    made_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def opens(self, scope: str) -> bool:
        """Whether a scope lies at or below one of its scopes, part by part.

        >>> key = Key(id="k", tenant="acme", scopes=("acme",), rights=("read",), made_at=0.0)
        >>> key.opens("acme"), key.opens("acme/alice"), key.opens("acme2")
        (True, True, False)
        """
        return any(scope == own or scope.startswith(f"{own}/") for own in self.scopes)

    def alive(self, moment: float) -> bool:
        """Whether it is good at that moment [s]."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


class Keys:
    """The keys in a file. clock: seconds since 1970"""

    def __init__(self, state: State, clock: Clock = now) -> None:
        self._state, self._clock = state, clock
        self._version = -1
        self._known: dict[str, tuple[bytes, Key]] = {}

    def add(
        self,
        tenant: str,
        *,
        scopes: Sequence[str] = (),
        rights: Sequence[str] = USUAL_RIGHTS,
        expires_at: When | None = None,
    ) -> tuple[Key, str]:
        """A new key and its token, which is kept nowhere.

        scopes: at or below the tenant's own, none = the tenant's own
        Raises BadScope, BadTime or UsageError.
        """
        owner = check_scope(tenant)
        opened = tuple(check_scope(scope) for scope in scopes) or (owner,)
        name, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        moment = seconds(self._clock())
        until = None if expires_at is None else seconds(expires_at)
        _check(owner, opened, rights, moment, until)
        key = Key(
            id=name, tenant=owner, scopes=opened, rights=tuple(rights), made_at=moment, expires_at=until
        )  # fmt: skip
        token = f"{MARK}_{name}_{secret}"
        row = (name, self._digest(token), owner, json.dumps(opened), json.dumps(key.rights), moment, until)
        with self._state.alone() as db:
            db.execute("INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        self._version = -1
        return key, token

    def all(self) -> list[Key]:
        """All keys there ever were, the oldest first."""
        return [_key(row) for row in self._state.rows("SELECT * FROM key ORDER BY made_at, id")]

    def revoke(self, name: str) -> Key:
        """That key, which opens nothing any more, in no worker. Raises UnknownId."""
        with self._state.alone() as db:
            db.execute(
                "UPDATE key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (seconds(self._clock()), name)
            )
        row = self._state.row("SELECT * FROM key WHERE id = ?", (name,))
        if row is None:
            raise UnknownId(name)
        self._version = -1
        return _key(row)

    def any(self) -> bool:
        """Whether there ever was a key: from then on nobody comes in without one."""
        self._refresh()
        return bool(self._known)

    def of(self, token: str) -> Key | None:
        """The key a token stands for, None where it opens nothing (any more)."""
        self._refresh()
        parts = token.split("_", 2)
        digest, key = self._known.get(parts[1] if len(parts) == 3 else "", (b"", None))
        if not hmac.compare_digest(digest, self._digest(token)) or key is None:
            return None
        return key if key.alive(seconds(self._clock())) else None

    def _digest(self, token: str) -> bytes:
        return blake2b(token.encode("utf-8", "replace"), key=self._state.secret, digest_size=32).digest()

    def _refresh(self) -> None:
        version = self._state.version()
        if version != self._version:
            rows = self._state.rows("SELECT * FROM key")
            self._known = {row[0]: (row[1], _key(row)) for row in rows}
            self._version = version


def _check(owner: str, scopes: Sequence[str], rights: Sequence[str], moment: float, until: float | None) -> None:
    outside = [scope for scope in scopes if scope != owner and not scope.startswith(f"{owner}/")]
    if outside:
        raise UsageError(f"scope {outside[0]!r} is not of tenant {owner!r}; name one like {owner + '/alice'!r}")
    if not rights or set(rights) - set(RIGHTS):
        raise UsageError(f"rights {', '.join(rights) or 'none'}: there are {', '.join(RIGHTS)}")
    if until is not None and until <= moment:
        raise UsageError("the key would have expired before it is made; give a later moment")


def _key(row: tuple[Any, ...]) -> Key:  # Any: in the order of the table
    name, _, tenant, scopes, rights, made, expires, revoked = row
    return Key(
        id=name, tenant=tenant, scopes=tuple(json.loads(scopes)), rights=tuple(json.loads(rights)),
        made_at=made, expires_at=expires, revoked_at=revoked,
    )  # fmt: skip
