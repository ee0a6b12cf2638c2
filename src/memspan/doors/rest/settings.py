"""How a server is set up: what `memspan serve` was told, handed on to every worker."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from memspan.core.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
VARIABLE = "MEMSPAN_SERVER"
RIGHTS = ("read", "write", "forget", "admin")
USUAL_RIGHTS = ("read", "write", "forget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One server.

    place: the memory;  state: the file with keys and answered requests, "" = beside the memory
    host, port: where it listens;  workers: processes;  setting: of recall, None = what the memory has
    key_file: holds the key of an encrypted memory;  cors: origins whose pages may call
    rate: calls a second of one key (or of one address, where there are no keys), 0 = any number
    body_bytes: of one call;  import_bytes: of one import;  header_bytes: of all headers [bytes]
    threads: calls that work at the same time in a worker;  at_once: calls that are taken in at the same time
    wait_s: how long a client may stall;  grace_s: how long calls may still take after a stop [s]
    """

    place: str
    state: str = ""
    host: str = "127.0.0.1"
    port: int = 8377
    workers: int = 1
    setting: str | None = None
    key_file: str | None = None
    cors: tuple[str, ...] = ()
    rate: float = 1000.0
    body_bytes: int = 16_000_000
    import_bytes: int = 1_000_000_000
    header_bytes: int = 16_384
    threads: int = 2
    at_once: int = 256
    wait_s: float = 30.0
    grace_s: int = 30

    @property
    def state_path(self) -> str:
        """Where keys and answered requests are kept. Raises UsageError where nobody said so.

        >>> Settings(place="alice.mem").state_path
        'alice.mem.doors'
        """
        if self.state:
            return self.state
        if "://" in self.place:
            raise UsageError("a memory on a server has no file beside it; say with --state FILE where keys are kept")
        return f"{self.place}.doors"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    def written(self) -> str:
        """As text, for a worker's environment."""
        return json.dumps(asdict(self))


def read(text: str) -> Settings:
    """The settings that `written` made.

    >>> read(Settings(place="a.mem", cors=("https://a.example",)).written()).cors
    ('https://a.example',)
    """
    held: dict[str, Any] = json.loads(text)
    return Settings(**{**held, "cors": tuple(held["cors"])})
