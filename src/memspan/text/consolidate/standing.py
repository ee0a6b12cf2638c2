"""Standing wishes as records of their own: instructions and preferences, one for each turn that states some.

A newer one takes the place of an older one only where both are about the same thing in nearly the same words and the
newer says that it replaces ("instead", "no longer", "now"), or where it repeats the older word for word; otherwise
both stand. What is not a user's, or not trusted, is never a standing wish.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from memspan.core.records import Link, Record, Turn
from memspan.text.consolidate.derived import RECIPE, Basis, Derived, in_order, record_id, who
from memspan.text.consolidate.summarise import sentences
from memspan.text.extract.standing import is_instruction, is_preference
from memspan.text.index.words import words

KINDS = ("instruction", "preference")
LIKE = 0.6
TRUSTED = 1.0

_REPLACES = re.compile(
    r"\b(?:instead(?: of)?|no longer|not any ?more|any ?more|changed my mind|scratch that|actually|rather than"
    r"|(?<!from )(?<!right )(?<!just )now|these days|(?:forget|ignore) what i said|used to)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FRAME = """
prefer rather like love hate enjoy dislike detest avoid favourite favorite want always never please make sure use
remember whenever really
"""


@dataclass(slots=True)
class _Wish:
    """A turn that states a wish, and the newer one that took its place."""

    turn: Turn
    kind: str
    text: str
    words: frozenset[str]
    about: frozenset[str]
    replaces: bool
    heir: "_Wish | None" = None


def standing(turns: Sequence[Turn], basis: Basis, *, floor: float = TRUSTED) -> Derived:
    """A record for each turn that states an instruction or a preference, and links supersedes (newer to older).

    turns: of one scope, in the order in which they came; all, or only those marked as instruction or preference
    floor: turns trusted less are left out [0..1]
    """
    wishes = [wish for turn in in_order(turns) if basis.trust(turn) >= floor and (wish := _wish(turn))]
    _settle(wishes)
    ids = {wish.turn.id: record_id(basis.scope, wish.kind, wish.turn.id) for wish in wishes}
    derived = Derived([], [], {})
    for wish in wishes:
        key = ids[wish.turn.id]
        heir = ids[wish.heir.turn.id] if wish.heir else ""
        of = derived.standing[key] = basis.digest([wish.turn], heir)
        if basis.known.get(key) != of:
            derived.records.append(_record(key, of, wish, basis))
        if heir:
            derived.links.append(Link(source=heir, target=key, kind="supersedes"))
    return derived


def holding(stated: Sequence[tuple[Turn, str, str]]) -> list[tuple[Turn, str, str]]:
    """Of wishes (turn, kind, what it says) in their order, those that none after them replaces or repeats."""
    wishes = [_made(*one) for one in stated]
    _settle(wishes)
    return [one for one, wish in zip(stated, wishes, strict=True) if wish.heir is None]


def _wish(turn: Turn) -> _Wish | None:
    if is_instruction(turn.text, turn.role):
        kind, text = "instruction", " ".join(turn.text.split())
    elif is_preference(turn.text, turn.role):
        said = [sentence for sentence in sentences(turn.text) if is_preference(sentence, turn.role)]
        kind, text = "preference", " ".join(said or turn.text.split())
    else:
        return None
    return _made(turn, kind, text)


def _made(turn: Turn, kind: str, text: str) -> _Wish:
    plain = frozenset(word.casefold() for word in _WORD.findall(_REPLACES.sub(" ", text)))
    about = frozenset(stem for word in plain for stem in words(word)) - _frame()
    return _Wish(turn, kind, text, plain, about, _REPLACES.search(text) is not None)


@cache
def _frame() -> frozenset[str]:
    """Stems that say that something is wished, not what."""
    return frozenset(words(_FRAME))


def _settle(wishes: Sequence[_Wish]) -> None:
    """Give each wish that a newer one replaces or repeats its heir, the first such one."""
    holding: dict[tuple[str, str], list[_Wish]] = {}
    for wish in wishes:
        topics = [(who(wish.turn), stem) for stem in sorted(wish.about)]
        for topic in topics:
            for older in holding.get(topic, ()):
                if older.heir is None and _takes_over(wish, older):
                    older.heir = wish
        for topic in topics:
            still = [older for older in holding.get(topic, ()) if older.heir is None]
            holding[topic] = [*still, wish]


def _takes_over(newer: _Wish, older: _Wish) -> bool:
    """They share a topic; whether they are the same, or nearly the same and the newer says that it replaces."""
    if newer.text.casefold() == older.text.casefold():
        return True
    alike = len(newer.words & older.words) / len(newer.words | older.words)
    return newer.replaces and alike >= LIKE


def _record(key: str, of: str, wish: _Wish, basis: Basis) -> Record:
    turn = wish.turn
    return Record(
        id=key,
        kind=wish.kind,
        text=wish.text,
        sources=(turn.id,),
        valid_from=turn.at,
        valid_to=wish.heir.turn.at if wish.heir else None,
        status="superseded" if wish.heir else "active",
        trust=basis.trust(turn),
        recipe=RECIPE,
        payload={"group": turn.id, "of": of, "turns": 1},
    )
