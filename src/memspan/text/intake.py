"""What happens to turns on their way in: ids, secrets, and what only repeats a recall."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from memspan.core.changes import Change, Patch
from memspan.core.errors import BadText, UsageError
from memspan.core.ids import turn_id
from memspan.core.records import Hit, Turn, stored_turn
from memspan.text.safety import secrets
from memspan.text.safety.echo import Echoes
from memspan.text.safety.secrets import Policy

SAID_BACK = "said back of a recall"
_RECALLS = 64


@dataclass(slots=True)
class Batch:
    """Turns ready to be written, and what else the same transaction does.

    quarantined: id -> why;  echoes: id of a turn that only says back -> id of what it repeats
    used: ids of turns that some of these repeat
    """

    turns: list[Turn] = field(default_factory=list)
    redacted: list[str] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    echoes: dict[str, str] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    def changes(self, known: set[str]) -> list[Change]:
        """Everything to write. known: ids that are there already, whose state stays as it is"""
        return [
            *(Change("add", turn) for turn in self.turns),
            *(
                Change("set", Patch(id=wanted, status="quarantined", why=why))
                for wanted, why in self.quarantined.items()
                if wanted not in known
            ),
            *(
                Change("set", Patch(id=wanted, status="superseded", heir=first, why=SAID_BACK))
                for wanted, first in self.echoes.items()
                if wanted not in known
            ),
            *(Change("set", Patch(id=wanted, used=times, why=SAID_BACK)) for wanted, times in self.used.items()),
        ]


class Intake:
    """Prepares turns of one scope. policy: what happens to a turn with a secret in it"""

    def __init__(self, scope: str, policy: Policy) -> None:
        self.scope, self.policy = scope, policy
        self._echoes = Echoes()
        self._recalled: deque[Sequence[Hit]] = deque(maxlen=_RECALLS)

    def recalled(self, hits: Sequence[Hit]) -> None:
        """Note what was given out; it is read only when an assistant says something."""
        self._recalled.append(hits)

    def forget(self) -> None:
        """Let go of everything that was given out: some of it is forgotten now."""
        self._recalled.clear()
        self._echoes = Echoes()

    def take(self, given: Sequence[Turn], moment: float) -> Batch:
        """The turns with scope, id and the time they were learned. moment: now [s]

        Raises BadText or UsageError where one is no turn, or of another scope.
        """
        batch = Batch()
        seen: Counter[str] = Counter()
        for turn in given:
            batch.turns.append(self._one(self._checked(turn), moment, seen, batch))
        return batch

    def _checked(self, turn: Turn) -> Turn:
        if not isinstance(turn, Turn):
            raise BadText("what", f"must be text or Turns, not {type(turn).__name__}")
        if turn.scope not in ("", self.scope):
            raise UsageError(f"a turn of scope {turn.scope!r} was given to a memory of scope {self.scope!r}")
        return turn

    def _one(self, turn: Turn, moment: float, seen: Counter[str], batch: Batch) -> Turn:
        why = ""
        if self.policy != "allow" and (clean := secrets.redacted(turn)) is not turn:
            why = ", ".join(sorted({secret.kind for secret in secrets.find(turn.text)})) or "in meta"
            turn = clean if self.policy == "redact" else turn
        wanted = turn.id or self._id(turn, seen)
        learned = moment if turn.seen_at is None else turn.seen_at
        if why and self.policy == "redact":
            batch.redacted.append(wanted)
        elif why:
            batch.quarantined[wanted] = f"secret: {why}"
        elif turn.role != "user" and (echoed := self._repeated(turn)):
            batch.echoes[wanted] = echoed[0]
            batch.used.update(echoed)
        return stored_turn(
            *(turn.text, turn.speaker, turn.role, turn.session, turn.at, learned, turn.meta, wanted, self.scope)
        )

    def _id(self, turn: Turn, seen: Counter[str]) -> str:
        first = turn_id(self.scope, turn.session, turn.speaker, turn.at, turn.text)
        nth, seen[first] = seen[first], seen[first] + 1
        return turn_id(self.scope, turn.session, turn.speaker, turn.at, turn.text, nth) if nth else first

    def _repeated(self, turn: Turn) -> list[str]:
        """Ids of the recalled turns that this one mostly repeats."""
        while self._recalled:
            self._echoes.recalled([_at_its_source(hit) for hit in self._recalled.popleft()])
        echo = self._echoes.of(turn)
        return list(echo.ids) if echo.mostly else []


def _at_its_source(hit: Hit) -> Hit:
    """A record's words count as those of a turn it cites, so that what says them back goes when that turn goes."""
    return hit if hit.kind == "turn" else replace(hit, id=hit.sources[0])
