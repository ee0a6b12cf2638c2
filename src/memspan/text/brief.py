"""What matters now, for the beginning of a session: rules, preferences, decisions, what is open, the last sessions.

It fits a budget of tokens.

Everything is read from the file as it is, by rules; nothing need have been consolidated. The layout is made for prompt
caches: what changes slowly stands first, a section holds its older lines before its newer ones, the mark of the fence
depends on the first two sections alone, and time counts by the day (UTC). The same memory on the same day gives the
same bytes.

    line     = "[" id [ " " ISO date ] [ ", " number " turns" ] [ ", " why ] "] " what `recall.context` makes of an item
    why      = "due" | "unanswered" | "left"

Every line cites the turn it is taken from, and says what that turn says: a sentence of it, or its beginning.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from memspan.core.budget import Cost
from memspan.core.changes import Due
from memspan.core.clock import iso
from memspan.core.records import ROLES, Role, Turn
from memspan.core.tokens import CountTokens
from memspan.text.consolidate.standing import holding
from memspan.text.consolidate.summarise import sentences
from memspan.text.due import by_the_clock
from memspan.text.extract.decisions import decides
from memspan.text.extract.reminders import Reminder, reminder
from memspan.text.extract.standing import is_instruction, likes, opens_like_a_rule
from memspan.text.extract.threads import left_open, settles, topic
from memspan.text.index.marks import INSTRUCTION, PREFERENCE, REMINDER, SUSPECT
from memspan.text.patterns import later
from memspan.text.recall import context
from memspan.text.recall.pack import note_of_turn
from memspan.text.safety.trust import USER, trust_of
from memspan.text.store import past
from memspan.text.store.store import Store

Section = Literal["instructions", "preferences", "decisions", "open", "sessions"]
Why = Literal["due", "unanswered", "left", ""]

SHARES: dict[Section, float] = {
    "instructions": 0.35,
    "preferences": 0.15,
    "decisions": 0.2,
    "open": 0.2,
    "sessions": 0.1,
}
"""Of the budget; what one leaves over is there for those behind it, never for those before."""
TITLES: dict[Section, str] = {
    "instructions": "standing instructions:",
    "preferences": "preferences:",
    "decisions": "decisions:",
    "open": "open:",
    "sessions": "last sessions:",
}
RECENT_TURNS = 400
"""So many of the last turns that people and assistants said are read for decisions, open threads and rules inside
longer messages."""
LAST_SESSIONS = 5
MAX_LINE_CHARS = 240
MAX_SESSION_CHARS = 100
MOST = 40
"""Lines of one section that are looked at, the newest first."""

_DAY = 86_400.0
_SETTLED_BY = 2  # words a newer decision must share with the one it replaces
_INSTEAD = later(
    r"\b(?:instead|no longer|rather than|not any ?more|changed (?:our|my) mind|scratch that|after all|back to|drop"
    r"|switch|switched|replac\w+|revert\w*)\b"
)
_NO_REQUEST = later(
    r"\W*(?:(?:ok(?:ay)?|thanks?|thank you|thx|great|good|perfect|nice|cool|yes|yep|no|sure|got it|bye|done|looks good"
    r"|lgtm|awesome|all good|good (?:night|bye)|that'?s (?:all|it)|see you|fine|understood|for now|so much"
    r"|very much|a lot|then|for today|will do|works|it|now|and)\b\W*)*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefItem:
    """A line of a brief.

    section: where it stands;  id: of the turn that it cites;  text: a sentence of it, or its beginning
    at, role, speaker, session: of that turn;  why: what makes it open;  turns: of a session, how many there are
    """

    section: Section
    id: str
    text: str
    at: float | None
    role: Role
    speaker: str
    session: str
    why: Why = ""
    turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What matters now.

    items: in the order in which they stand in the context;  context: the block for a prompt, fenced as data; empty
    where there is nothing to say;  asked: the budget [tokens];  cost: tokens of the context, seconds it took
    """

    items: tuple[BriefItem, ...]
    context: str
    asked: int
    cost: Cost

    def __bool__(self) -> bool:
        return bool(self.items)


@dataclass(slots=True)
class _Row:
    """What the file's index says of a turn that is in sight."""

    seq: int
    session: str
    role: str
    marks: int


@dataclass(slots=True)
class _Line:
    """A line before it is known to fit."""

    section: Section
    turn: Turn
    text: str
    why: Why = ""
    turns: int = 0

    def shown(self) -> str:
        day = "" if self.turn.at is None or self.section in ("instructions", "preferences") else iso(self.turn.at)[:10]
        many = f"{self.turns:,} turns" if self.turns > 1 else "1 turn" if self.turns else ""
        head = ", ".join(filter(None, (f"{self.turn.id} {day}".strip(), many, self.why)))
        return context.line(head, self.turn.speaker, self.text, note_of_turn(0, self.turn))

    def item(self) -> BriefItem:
        turn = self.turn
        return BriefItem(
            section=self.section,
            id=turn.id,
            text=self.text,
            at=turn.at,
            role=turn.role,
            speaker=turn.speaker,
            session=turn.session,
            why=self.why,
            turns=self.turns,
        )


def brief(
    store: Store, scope: str, tokens: int, now: float, count: CountTokens, fired: Callable[[float], list[Due]]
) -> tuple[tuple[BriefItem, ...], str]:
    """The items and the block.

    tokens: the block costs at most so many;  now: [s]; the end of its day is what counts;  count: counts tokens
    fired: the reminders that have fired by a moment, asked only where one waits for words
    """
    end_of_day = (now // _DAY + 1) * _DAY - 1.0
    rows = _in_sight(store, scope, end_of_day)
    found = _Found(store, scope, rows, end_of_day, fired)
    chosen = _fitting(found.lines(), tokens, count)
    block = _block(chosen, store.secret())
    while chosen and count(block) > tokens:  # a counter need not add up
        chosen.pop()
        block = _block(chosen, store.secret())
    return tuple(line.item() for line in chosen), block


def _in_sight(store: Store, scope: str, now: float) -> list[_Row]:
    """Turns that hold and are neither hidden nor suspect, in the order they were written."""
    with store.snapshot():
        gone = {
            seq
            for seq, state, _ in past.states(store, scope, None)
            if state.status != "active" or (state.expire_at is not None and state.expire_at <= now)
        }
        return [
            _Row(row[0], row[1], ROLES[row[3]], (row[7] or 0) & 0xFF)
            for row in store.scan(scope, 0)
            if row[0] not in gone and not (row[7] or 0) & SUSPECT
        ]


@dataclass(slots=True)
class _Found:
    """Finds the lines of each section."""

    store: Store
    scope: str
    rows: list[_Row]
    now: float
    fired: Callable[[float], list[Due]]
    _turns: dict[int, Turn] = field(default_factory=dict)
    _said: list[tuple[Turn, list[str]]] = field(default_factory=list)
    _shown: set[tuple[str, str]] = field(default_factory=set)

    def lines(self) -> Iterator[tuple[Section, list[_Line]]]:
        """The lines of each section, oldest first; a sentence stands in the first that wants it."""
        marked = [row for row in self.rows if row.role == "user" and row.marks & (INSTRUCTION | PREFERENCE | REMINDER)]
        said = list(islice((row for row in reversed(self.rows) if row.role in ("user", "assistant")), RECENT_TURNS))
        last = _last_sessions(self.rows)
        fetched = self.store.fetch(self.scope, sorted({row.seq for row in (*marked, *said, *last)}))
        self._turns = dict(sorted(fetched.items()))
        recent = [self._turns[row.seq] for row in reversed(said) if row.seq in self._turns]
        self._said = [(turn, sentences(turn.text)) for turn in recent]
        marks = {row.seq: row.marks for row in marked}
        wishes = list(self._wishes(marks))
        yield "instructions", self._once(line for line in wishes if line.section == "instructions")
        yield "preferences", self._once(line for line in wishes if line.section == "preferences")
        yield "decisions", self._once(_holding_decisions(self._decisions()))
        yield "open", self._open(marks)
        yield "sessions", list(self._last(last))

    def _once(self, lines: Iterable[_Line]) -> list[_Line]:
        kept = list[_Line]()
        for line in lines:
            key = (line.turn.id, line.text)
            if key not in self._shown:
                self._shown.add(key)
                kept.append(line)
        return kept

    def _wishes(self, marks: dict[int, int]) -> Iterator[_Line]:
        """Instructions and preferences that no later one replaces."""
        stated = dict[int, list[tuple[Turn, str, str]]]()
        for seq, mark in marks.items():
            turn = self._turns.get(seq)
            if turn is not None and trust_of(turn.role, turn.meta) >= USER:
                stated[seq] = list(_of_marks(turn, mark))
        recent = {turn.id: said for turn, said in self._said if turn.role == "user"}
        for seq, turn in self._turns.items():
            if turn.id in recent and seq not in stated and trust_of(turn.role, turn.meta) >= USER:
                rules = [one for one in recent[turn.id] if opens_like_a_rule(one)]
                stated[seq] = [(turn, "instruction", rule) for rule in rules]
        for turn, kind, text in holding([one for seq in sorted(stated) for one in stated[seq]]):
            yield _Line("instructions" if kind == "instruction" else "preferences", turn, _cut(text))

    def _decisions(self) -> Iterator[_Line]:
        for turn, said in self._said:
            for sentence in said:
                if decides(sentence, turn.role):
                    yield _Line("decisions", turn, _cut(sentence))

    def _open(self, marks: dict[int, int]) -> list[_Line]:
        """The rest by age, then what is due, which is kept longest; a reminder that is not due yet is not open."""
        reminders = {self._turns[seq].id: one for seq, one in self._reminders(marks).items()}
        due = self._once(self._due(reminders))
        unanswered = self._once(line for line in self._unanswered() if line.turn.id not in reminders)
        left = self._once(line for line in self._left() if line.turn.id not in reminders)
        place = {turn.id: number for number, (turn, _) in enumerate(self._said)}
        return [*sorted([*left, *unanswered], key=lambda line: place[line.turn.id]), *due]

    def _left(self) -> list[_Line]:
        """What is said to be still to do, and nobody said later that it was done."""
        left = list[_Line]()
        for turn, said in self._said:
            for sentence in said:
                left = [line for line in left if not settles(line.text, sentence)]
                if left_open(sentence) and not decides(sentence, turn.role):
                    about = topic(sentence)
                    left = [line for line in left if topic(line.text) != about]
                    left.append(_Line("open", turn, _cut(sentence), why="left"))
        return left

    def _unanswered(self) -> Iterator[_Line]:
        """The last word of a session, where it is the user's, asks for something, and was not seen to elsewhere."""
        last = {turn.session: place for place, (turn, _) in enumerate(self._said)}
        for place in last.values():
            turn, _ = self._said[place]
            if turn.role != "user" or _NO_REQUEST.fullmatch(turn.text[:MAX_LINE_CHARS]):
                continue
            text = _cut(turn.text)
            later = (sentence for _, said in self._said[place + 1 :] for sentence in said)
            if not any(settles(text, sentence) for sentence in later):
                yield _Line("open", turn, text, why="unanswered")

    def _reminders(self, marks: dict[int, int]) -> dict[int, Reminder]:
        found = dict[int, Reminder]()
        for seq, mark in marks.items():
            if mark & REMINDER and (turn := self._turns.get(seq)) is not None:
                said_at = turn.seen_at if turn.at is None else turn.at
                if (wanted := reminder(turn.text, turn.role, said_at)) is not None:
                    found[seq] = wanted
        return found

    def _due(self, reminders: dict[str, Reminder]) -> list[_Line]:
        turns = [turn for turn in self._turns.values() if turn.id in reminders]
        if any(wanted.at is None for wanted in reminders.values()):
            fired = {due.id for due in self.fired(self.now)}
        else:
            fired = {key for key, wanted in reminders.items() if by_the_clock(wanted, self.now) is not None}
        return [_Line("open", turn, _cut(turn.text), why="due") for turn in turns if turn.id in fired]

    def _last(self, firsts: Sequence[_Row]) -> Iterator[_Line]:
        """The first thing that was asked in each of the last sessions, and how many turns it has."""
        counts = Counter(row.session for row in self.rows)
        for row in firsts:
            if (turn := self._turns.get(row.seq)) is not None:
                yield _Line("sessions", turn, _cut(turn.text, MAX_SESSION_CHARS), turns=counts[row.session])


def _last_sessions(rows: Sequence[_Row]) -> list[_Row]:
    """The first turn of the user in each of the last sessions, the session that ended last at the end."""
    last = dict[str, int]()
    first = dict[str, _Row]()
    for row in rows:
        last[row.session] = row.seq
        if row.role == "user":
            first.setdefault(row.session, row)
    ended = sorted(first, key=lambda session: last[session])
    return [first[session] for session in ended[-LAST_SESSIONS:]]


def _of_marks(turn: Turn, mark: int) -> Iterator[tuple[Turn, str, str]]:
    """(turn, kind, what it says) of a turn that is marked: the sentences that say it, else all of it."""
    said = sentences(turn.text)
    if mark & INSTRUCTION:
        rules = said if len(said) < 2 else [sentence for sentence in said if is_instruction(sentence, turn.role)]
        yield turn, "instruction", " ".join(rules or turn.text.split())
    elif mark & PREFERENCE and (liked := [sentence for sentence in said if likes(sentence)]):
        yield turn, "preference", " ".join(liked)


def _holding_decisions(lines: Iterable[_Line]) -> list[_Line]:
    """Decisions without those that a later one takes back in nearly their words, or says again."""
    kept = list[_Line]()
    for line in lines:
        about = topic(line.text)
        instead = _INSTEAD.search(line.text.lower()) is not None
        kept = [old for old in kept if not _replaced(topic(old.text), about, instead=instead)]
        kept.append(line)
    return kept


def _replaced(old: frozenset[str], new: frozenset[str], *, instead: bool) -> bool:
    return old == new or (instead and len(old & new) >= _SETTLED_BY)


def _cut(text: str, most: int = MAX_LINE_CHARS) -> str:
    """The text on one line, cut between words where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 4].rsplit(' ', 1)[0]} ..."


def _fitting(sections: Iterable[tuple[Section, list[_Line]]], tokens: int, count: CountTokens) -> list[_Line]:
    """The lines that fit; of those of a section the newest are tried first."""
    spent = count(context.FENCE)
    room, share, chosen = tokens - spent, 0.0, list[_Line]()
    for section, lines in sections:
        share += SHARES[section]
        text, taken = f"{TITLES[section]}\n", list[_Line]()
        for line in lines[: -MOST - 1 : -1]:
            longer = text + line.shown()
            if spent + count(longer) <= tokens - room * (1.0 - share) + 1e-6:
                text = longer
                taken.append(line)
        if taken:
            chosen += reversed(taken)
            spent += count(text)
    return chosen


def _block(lines: Sequence[_Line], secret: bytes) -> str:
    """The fenced block; empty where there are no lines."""
    if not lines:
        return ""
    parts, slow, section = list[str](), list[str](), ""
    for line in lines:
        title = f"{TITLES[line.section]}\n" if line.section != section else ""
        section = line.section
        parts.append(title + line.shown())
        if section in ("instructions", "preferences"):
            slow.append(parts[-1])
    return context.fenced("".join(parts), secret, by="".join(slow))
