"""Where a memory lies: a file, or a database of a PostgreSQL server."""

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from memspan.core.errors import UsageError

SCHEMES = ("postgresql://", "postgres://")
_SECRET = ("password", "sslpassword")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.%-]*)(:\d{1,5})?")
_BROKEN = re.compile(r"%(?![0-9a-fA-F]{2})|%00|\s")


class Server:
    """A database of a PostgreSQL server. Its password is in no text of it.

    url: as libpq takes it, like postgresql://user@host:5432/database
    Raises UsageError where it cannot be one.

    >>> print(Server("postgresql://ana:geheim@db.example/notes"))
    postgresql://ana@db.example/notes
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._shown = _without_password(url)

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Server({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Server) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)


Place = str | os.PathLike[str] | Server
Location = Path | Server


def is_url(place: object) -> bool:
    """Whether a text names a server and no file.

    >>> is_url("postgresql://ana@/notes"), is_url("notes.mem")
    (True, False)
    """
    return isinstance(place, str) and place.startswith(SCHEMES)


def placed(place: Place) -> Location:
    """The file or the server that is meant. Raises UsageError."""
    if isinstance(place, Server):
        return place
    return Server(place) if isinstance(place, str) and is_url(place) else Path(place)


def spelt(where: Location) -> str:
    """What opens it again, the password of a server included: for another process, for nobody's eyes.

    >>> spelt(Path("a.mem")), spelt(Server("postgresql://ana:geheim@/notes"))
    ('a.mem', 'postgresql://ana:geheim@/notes')
    """
    return where.url if isinstance(where, Server) else str(where)


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("//@@")  # refused below
    user, at, hosts = parts.netloc.rpartition("@")
    odd = "@" in f"{user}{parts.path}{parts.query}" or parts.fragment or _BROKEN.search(url)
    if odd or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise UsageError(  # libpq would take part of such a password for the host, and say it
            "the server's URL cannot be read; write it like postgresql://user@host:5432/database, and @ : / ? # % in a "
            "password as %40 %3A %2F %3F %23 %25"
        )
    asked = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _SECRET]
    shown = urlencode(asked, safe="/", quote_via=quote)
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{hosts}{parts.path}" + (f"?{shown}" if shown else "")
