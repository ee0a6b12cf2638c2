"""What happens to memory: changes as data, the state they leave, and what the log of changes tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from memspan.core.clock import seconds
from memspan.core.errors import UsageError
from memspan.core.records import MAX_TEXT_CHARS, STATUSES, Link, Record, Status, Turn, check_text

NEVER = float("inf")

_NO_ROWS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What has become of a turn or record since it was written; the defaults say: nothing.

    status: active; superseded (something newer holds); archived (out of the way, recoverable); quarantined
    valid_to: until when it held in the world [s];  retired_at: when memory learned that [s]
    heir: id of what replaced it;  pinned: never evicted;  held: may not be forgotten
    expire_at: hidden from then on and erased by the next reflect() [s]
    uses, used_at: how often it was used, and when last [s]
    """

    status: Status = "active"
    valid_to: float | None = None
    retired_at: float | None = None
    heir: str = ""
    pinned: bool = False
    held: bool = False
    expire_at: float | None = None
    uses: int = 0
    used_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What is to be different about a turn or record from now on; None leaves a field as it is.

    valid_to, expire_at: NEVER takes an end away;  heir: "" takes it away;  used: added to uses
    why: the reason, kept with the change
    """

    id: str
    status: Status | None = None
    valid_to: float | None = None
    heir: str | None = None
    pinned: bool | None = None
    held: bool | None = None
    expire_at: float | None = None
    used: int = 0
    why: str = ""

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in STATUSES:
            raise UsageError(f"status {self.status!r} is none of {', '.join(STATUSES)}")
        check_text("why", self.why, MAX_TEXT_CHARS, empty=True)
        for name in ("valid_to", "expire_at"):
            value = getattr(self, name)
            if value is not None and value != NEVER:
                object.__setattr__(self, name, seconds(value))


@dataclass(frozen=True, slots=True)
class Change:
    """An operation on memory, as data. A store applies a list of them in one transaction.

    op: "add" puts a turn, record or link there (the same turn again changes nothing, the same link takes the new
        weight); "set" changes the state of what is there; "renew" puts a derived record there anew, in the place of
        the one with its id
    """

    op: Literal["add", "set", "renew"]
    item: Turn | Record | Link | Patch


What = Literal[
    "added", "superseded", "corrected", "archived", "quarantined", "restored", "pinned", "unpinned", "held", "released",
    "dated", "used", "forgotten", "undone", "linked", "renewed", "merged",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to memory.

    at: when [s];  what: in a word;  operation: number of the call that did it, which undo() takes
    kind: turn or the record's kind;  id: whose;  text: its words, empty where they are forgotten
    heir: id of what replaced it;  why: the reason given
    """

    at: float
    what: What
    operation: int
    kind: str
    id: str
    text: str = ""
    heir: str = ""
    why: str = ""


ReceiptStatus = Literal["planned", "pending", "erased"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What forget() did.

    operation: its number, 0 of a plan;  at: when [s]
    status: planned (nothing was done yet); pending (erased from every table, but another reader still pins the log,
        where the bytes stay until it is done); erased (no byte of it is left in the file and its log; on a server: no
        row of it is left in any table, not even one that only a reader of its pages could see)
    selector: what was asked for, without any text that was forgotten;  items: how many turns and records
    rows: how many rows went, by table;  digest: keyed hash over all that went, the same for the same selection
    kept: ids that stay because they are held;  ids: of a plan, what would go; never kept with a receipt
    not_covered: where the words may still be
    """

    operation: int
    at: float
    status: ReceiptStatus
    selector: str
    items: int
    rows: Mapping[str, int] = field(default_factory=lambda: _NO_ROWS)
    digest: str
    kept: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    not_covered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What undo() took back.

    operation: of the call that was taken back;  verb: which call it was;  items: how many turns, records and links
    by: the number of the undoing itself
    """

    operation: int
    verb: str
    items: int
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A reminder that has fired.

    id: of the turn that asked for it; archive(id) says that it is done;  what: to be reminded of;  text: of that turn
    since: when it fired [s];  by: id of the turn that told of the event waited for, empty for a moment
    """

    id: str
    what: str
    text: str
    since: float
    by: str = ""
