"""Which slots a question asks for: "What is my address now?", "Where does Ann live?", "What is the capital of X?".

The counterpart of statements.py: what a turn states of something that has one value at a time is found again by the
slot itself, whatever other words the question or the turn has. A slot that no turn has does no harm: it finds nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from memspan.text.extract.relations import plain, relation
from memspan.text.extract.statements import slot
from memspan.text.patterns import later

MAX_ASKED_CHARS = 300

_ANY = re.IGNORECASE
_OPEN = (
    r"\W*(?:(?:so|and|ok|okay|hey|please|can you tell me|could you tell me|do you (?:know|remember)|remind me|tell me)"
    r"\b,? )?"
)
_END = (
    r"(?: (?:now|currently|today|right now|at the moment|these days|again|then|back then|at that time|by now|any ?more"
    r"|still|in \w+(?: \d{4})?|on [\w ,]{3,20}|as of .{2,30}))*\W*$"
)
_WHAT = later(
    rf"{_OPEN}(?:what|who|when|where)(?: (?:is|was|are|were)|['’]s) (?:now )?(?:the )?(?P<what>.{{2,160}}?){_END}", _ANY
)
_VALUE_OF = later(r"(?:(?:current|latest|last|present|new|newest) )?(?:value|setting) (?:of|for) (?:the )?", _ANY)
_OWNED = later(r"(?:(?P<mine>my|our)|(?P<name>[^'’]{1,60})['’]s?) (?P<rel>[\w'’ -]{2,60})", _ANY)
_WHO = r"(?P<who>.{1,60}?)"
_PLACE = "(?:which|what) (?:city|town|country|place)"
_DOING = (
    ("residence", rf"where (?:do|does|did|am|is|are|was) {_WHO} (?:live|living|reside|based|staying)"),
    ("residence", rf"{_PLACE} (?:do|does|did|is|am|are) {_WHO} (?:live|living|based)(?: in)?"),
    ("residence", rf"where (?:have|has|had|did) {_WHO} (?:moved?|relocated?)(?: to)?"),
    ("employer", rf"where (?:do|does|did|am|is|are|was) {_WHO} (?:work|working|employed)"),
    ("employer", rf"(?:who|whom|(?:which|what) company) (?:do|does|did|is|am) {_WHO} (?:work|working)(?: for| at)?"),
    ("spouse", rf"who (?:is|am|are|was) {_WHO} married to"),
    ("age", rf"how old (?:is|am|are|was) {_WHO}"),
)  # fmt: skip
_DOES = [(rel, later(rf"{_OPEN}{asks}{_END}", _ANY)) for rel, asks in _DOING]


def asked_slots(question: str, speakers: Iterable[str] = ()) -> list[int]:
    """The slots that a question may ask for, likeliest first; none for most questions.

    speakers: who "my" and "I" may be

    >>> asked_slots("What is Ann's favorite color now?")[0] == slot("Ann", "favourite colour")
    True
    >>> asked_slots("Why did it rain?")
    []
    """
    if len(question) > MAX_ASKED_CHARS:
        return []
    found = _asked(" ".join(question.split()), tuple(speakers))
    return list(dict.fromkeys(slot(subject, rel) for subject, rel in found if rel))


def _asked(line: str, speakers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(subject, relation) pairs: every way to read the question."""
    for rel, does in _DOES:
        if (seen := does.match(line)) is not None:
            yield from ((who, rel) for who in _whose(seen["who"], speakers))
            return
    if (seen := _WHAT.match(line)) is None:
        return
    what = _VALUE_OF.sub("", seen["what"], count=1)
    if (owned := _OWNED.fullmatch(what)) is not None:
        whose = _whose("me", speakers) if owned["mine"] else [owned["name"]]
        yield from ((who, relation(owned["rel"])) for who in whose)
    for of in re.finditer(" of ", what):  # a relation may have one of its own: "country of citizenship of Ann"
        yield what[of.end() :], relation(what[: of.start()])
    yield "", relation(what)


def _whose(who: str, speakers: Sequence[str]) -> list[str]:
    """The subjects that a word for somebody may mean."""
    words = plain(who).split()
    if words in (["i"], ["we"], ["me"]):
        return [*speakers, "me"]
    if len(words) > 1 and words[0] in ("my", "our"):
        return [f"{plain(one)} {' '.join(words[1:])}" for one in [*speakers, "me"]]
    return [who]
