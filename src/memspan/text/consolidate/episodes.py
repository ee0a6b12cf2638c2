"""Episodes: what one sitting was about, in sentences said in it.

A session is an episode. One that is long (over 60 turns or 12 hours) is split where nobody spoke for 30 minutes, and
so are turns without a session. No episode holds more than 100 turns, so each cites all of its own.
The group's key is the session with the id of the first turn: what comes later leaves earlier episodes alone.
"""

from collections.abc import Iterator, Sequence

from memspan.core.records import ROLES, Record, Turn
from memspan.text.consolidate.derived import (
    CITED,
    RECIPE,
    Basis,
    Derived,
    counted,
    day_name,
    in_order,
    listed,
    moment,
    record_id,
    shown,
    span,
    who,
    written,
)
from memspan.text.consolidate.summarise import lines_of, pick, topics

KIND = "episode"
LONG_TURNS = 60
LONG_S = 12 * 3600.0
GAP_S = 30 * 60.0
TOKENS_A_TURN = 2


def episodes(turns: Sequence[Turn], basis: Basis, *, tokens: int = 160) -> Derived:
    """A record for each episode of the turns given; a session is given whole or not at all.

    turns: of one scope, in the order in which they came;  tokens: about how long a summary is, and 2 more for each turn
        [tokens], > 0
    """
    derived = Derived([], [], {})
    for group, run in groups(turns):
        key, of = record_id(basis.scope, KIND, group), basis.digest(run, str(tokens))
        derived.standing[key] = of
        if basis.known.get(key) != of:
            derived.records.append(_episode(key, group, of, run, basis, tokens))
    return derived


def groups(turns: Sequence[Turn]) -> Iterator[tuple[str, list[Turn]]]:
    """(key, turns) of each episode; those of a session follow one another in order of time."""
    sessions: dict[str, list[Turn]] = {}
    for turn in in_order(turns):
        sessions.setdefault(turn.session, []).append(turn)
    for session, held in sessions.items():
        for run in _runs(session, held):
            yield f"{session}/{run[0].id}", run


def _runs(session: str, turns: list[Turn]) -> Iterator[list[Turn]]:
    times = [_known(turn) for turn in turns]
    whole = session != "" and len(turns) <= LONG_TURNS and max(times) - min(times) <= LONG_S
    start = 0
    for place in range(1, len(turns) + 1):
        ends = place == len(turns) or (not whole and times[place] - times[place - 1] > GAP_S)
        if ends or place - start == CITED:
            yield turns[start:place]
            start = place


def _known(turn: Turn) -> float:
    """When it was, or when memory learned it."""
    return turn.at if turn.at is not None else turn.seen_at or 0.0


def _episode(key: str, group: str, of: str, run: list[Turn], basis: Basis, tokens: int) -> Record:
    lines = [line for turn in run for line in lines_of(turn)]
    said = pick(run, lines, tokens + TOKENS_A_TURN * len(run))
    first, last = span(turn.at for turn in run)
    speakers = list(dict.fromkeys(map(who, run)))
    answers = {turn.id for turn in run if turn.role == "assistant"}
    about = topics([line for line in lines if line.turn not in answers] or lines, without=speakers)
    return Record(
        id=key,
        kind=KIND,
        text="\n".join([_title(first, speakers, len(run), about), *map(written, said)]),
        sources=tuple(turn.id for turn in run),
        entities=tuple(speaker for speaker in speakers if speaker not in ROLES),
        valid_from=first,
        valid_to=last,
        trust=basis.least_trust(run),
        recipe=RECIPE,
        payload={"group": group, "of": of, "turns": len(run), "about": about, "lines": shown(said)},
    )


def _title(first: float | None, speakers: Sequence[str], turns: int, about: Sequence[str]) -> str:
    clock = "" if first is None or first % 86400 == 0 else f", {moment(first):%H:%M}"
    when = "" if first is None else f"{day_name(first)}{clock}: "
    what = f", about {listed(about)}" if about else ""
    return f"{when}{listed(speakers)}, {counted(turns, 'turn')}{what}"
