"""What a question asks for: whose word, which days, and which slots.

Slots ("What is my address now?", "Where does Ann live?") are the counterpart of statements.py: what a turn states of
something that has one value at a time is found again by the slot itself, whatever other words the question or the turn
has. A slot that no turn has does no harm: it finds nothing. A subject may be described by a slot of its own ("the
mother of the university of Ann", "the company Ann works for"): then it is followed to the value that it has.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from memspan.text.extract._calendar import DAY_SECONDS
from memspan.text.extract.dates import ranges
from memspan.text.extract.relations import plain, relation
from memspan.text.extract.standing import advice_seeking
from memspan.text.extract.statements import slot
from memspan.text.patterns import later

MAX_ASKED_CHARS = 300
MAX_HOPS = 3
"""How many descriptions one in another are followed."""
MAX_JOINTS = 6
"""A description with more of them is none that anybody gives."""
ValueOf = Callable[[int], str]
"""The value that a slot has, empty where nothing is known of it."""

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
_MINE = later(r"(?:my|our) ", _ANY)
_JOINT = later(r"['’]s? | of ")
_THE = later("the ", _ANY)
_WHO = r"(?P<who>.{1,60}?)"
_PLACE = "(?:which|what) (?:city|town|country|place)"
_DOING = (
    ("residence", rf"where (?:do|does|did|am|is|are|was) {_WHO} (?:live|living|reside|based|staying)"),
    ("residence", rf"{_PLACE} (?:do|does|did|is|am|are) {_WHO} (?:live|living|based)(?: in)?"),
    ("residence", rf"where (?:have|has|had|did) {_WHO} (?:moved?|relocated?)(?: to)?"),
    ("employer", rf"where (?:do|does|did|am|is|are|was) {_WHO} (?:work|working|employed)"),
    ("employer", rf"(?:who|whom|(?:which|what) company) (?:do|does|did) {_WHO} work(?: for| at)?"),
    ("employer", rf"(?:who|whom|(?:which|what) company) (?:is|am|are|was) {_WHO} working(?: for| at)?"),
    ("spouse", rf"who (?:is|am|are|was) {_WHO} married to"),
    ("age", rf"how old (?:is|am|are|was) {_WHO}"),
)  # fmt: skip
_THAT = "(?:(?:that|which|who|whom|where|in which|for which|at which|to whom),? )?"
_KINDS = (
    ("employer", rf"(?:company|firm|employer|business|agency|organi[sz]ation|place) {_THAT}{_WHO} "
     r"(?:works?|worked|is working|was working|am working|is employed|was employed)(?: (?:for|at|by))?"),
    ("residence", rf"(?:city|town|village|country|place|state) {_THAT}{_WHO} "
     r"(?:lives?|lived|is living|was living|am living|resides?|resided|is based|was based|am based)(?: in)?"),
    ("spouse", rf"(?:person|man|woman|one) {_THAT}{_WHO} (?:is|was|am) married to"),
)  # fmt: skip
_DESCRIBED = [(rel, later(rf"(?:the )?{kind}", _ANY)) for rel, kind in _KINDS]
_ONESELF = later(r"\b(?:i|my|mine|me|we|our|ours|us)\b", _ANY)
_I_SAID = later(
    r"\bi(?:['’]ve| have| had)?(?: (?:first|ever|already|also|once))? (?:br(?:ing|ought) up|mention(?:ed)?|t(?:ell|old)"
    r"|ask(?:ed)?|sa(?:y|id)|raised?|discuss(?:ed)?|talk(?:ed)?)\b",
    _ANY,
)
_YOU_SAID = later(
    r"\b(?:did|have|had|what|which|that|as|when|how) you (?:\w+ )?(?:say|said|suggest(?:ed)?|recommend(?:ed)?|tell|told"
    r"|give|gave|given|explain(?:ed)?|mention(?:ed)?|list(?:ed)?|write|wrote|advised?|proposed?|show(?:ed|n)?"
    r"|answer(?:ed)?|provided?)\b"
    r"|\byour (?:\w+ )?(?:advice|answer|suggestion|recommendation|reply|explanation)s?\b",
    _ANY,
)
_LOOKS_BACK = later(
    rf"{_OPEN}(?:wh(?:at|o|om|ose|en|ere|ich|y)|how|did|do|does|was|were|is|are|have|has|had|list|name|show)\b", _ANY
)
_FROM_HERE = ("day", " ago", "last ", "past ", "previous ", "this ", "weekend", "night", " back")
"""Reading times from where one stands costs some 30 us; a question without any of these names none."""
_ENDS_ASKING = later(r"[?？][^\w?？]*$")
_DOES = [(rel, later(rf"{_OPEN}{asks}{_END}", _ANY)) for rel, asks in _DOING]


def asked_slots(question: str, speakers: Iterable[str] = (), value_of: ValueOf | None = None) -> list[int]:
    """The slots that a question may ask for, likeliest first; none for most questions.

    speakers: who "my" and "I" may be
    value_of: follows a described subject to what it is; without it, only what is named is found

    >>> asked_slots("What is Ann's favorite color now?")[0] == slot("Ann", "favourite colour")
    True
    >>> known = {slot("Ann", "boss"): "Karen Miller", slot("Karen Miller", "phone"): "555-0100"}
    >>> slot("Karen Miller", "phone") in asked_slots("What is Ann's boss's phone?", (), lambda it: known.get(it, ""))
    True
    >>> asked_slots("Why did it rain?")
    []
    """
    if len(question) > MAX_ASKED_CHARS:
        return []
    names = tuple(speakers)
    asked = [(who, rel) for who, rel in _asked(" ".join(question.split())) if rel]
    found = [slot(who, rel) for said, rel in asked for who in _whose(said, names)]
    if value_of is not None:
        follow = _Followed(names, value_of)
        found += [one for said, rel in asked for one in follow.slots(said, rel)]
    return list(dict.fromkeys(found))


def asked_ranges(question: str, years: Iterable[int], anchor: float) -> list[tuple[float, float]]:
    """Whole days that a question is about, as in dates.ranges: those it names, else those behind it, seen from now.

    years: as in dates.ranges;  anchor: when it is asked [s]
    What lies ahead ("next week") and what is said in passing ("I'm tired today. Any ideas?") is no time to look at.

    >>> asked_ranges("Whom did I meet yesterday?", [2023], 1683590400.0)
    [(1683504000.0, 1683590400.0)]
    >>> asked_ranges("What should I wear tonight?", [2023], 1683590400.0)
    []
    """
    known = list(years)
    if named := ranges(question, known):
        return named
    low = question.lower()
    if len(question) > MAX_ASKED_CHARS or (low.isascii() and not any(word in low for word in _FROM_HERE)):
        return []
    if _LOOKS_BACK.match(question) is None or advice_seeking(question):
        return []
    tomorrow = (anchor // DAY_SECONDS + 1) * DAY_SECONDS
    return [span for span in ranges(question, known, anchor) if span[1] <= tomorrow]


def of_oneself(question: str) -> bool:
    """Whether the one who asks asks of himself, so that his own word counts most.

    >>> of_oneself("Where did I park?"), of_oneself("Where did Ann park?"), of_oneself("What did you advise me to do?")
    (True, False, False)
    """
    head = question[:MAX_ASKED_CHARS]
    return _ONESELF.search(head) is not None and _YOU_SAID.search(head) is None


def of_what_oneself_said(question: str) -> bool:
    """Whether the one who asks wants to know what he said.

    >>> of_what_oneself_said("What did I tell you of Rome?"), of_what_oneself_said("What did I do in Rome?")
    (True, False)
    """
    return _I_SAID.search(question, 0, MAX_ASKED_CHARS) is not None


def of_the_answer(question: str) -> bool:
    """Whether what the other side once said is asked for.

    >>> of_the_answer("What did you advise me to do?"), of_the_answer("What did you do?")
    (True, False)
    """
    return _YOU_SAID.search(question, 0, MAX_ASKED_CHARS) is not None


def asks(text: str) -> bool:
    """Whether a turn ends with a question.

    >>> asks("I love it! And you?"), asks("Why? Because.")
    (True, False)
    """
    return _ENDS_ASKING.search(text, max(0, len(text) - 40)) is not None


class _Followed:
    """From "the company Ann works for" to what it is.

    speakers: who "my" and "I" may be
    """

    def __init__(self, speakers: Sequence[str], value_of: ValueOf) -> None:
        self._speakers, self._value_of = speakers, value_of

    def slots(self, described: str, rel: str) -> Iterator[int]:
        """The relation of what a description leads to, and the slots that lead there; none where that is not known."""
        for value, path in self._meant(described, MAX_HOPS):
            for name in (value, f"the {value}"):  # values are kept without an article, names are not
                if self._value_of(end := slot(name, rel)):
                    yield from (end, *path)

    def _meant(self, described: str, hops: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """(value, slots that lead to it) of each way to read a description."""
        for said, rel in _described(described) if hops else ():
            ways = [(who, ()) for who in _whose(said, self._speakers)]
            for who, path in (*ways, *self._meant(said, hops - 1)):
                if value := self._value_of(step := slot(who, rel)):
                    yield value, (*path, step)


def _asked(line: str) -> Iterator[tuple[str, str]]:
    """(subject, relation) pairs, as they stand there: every way to read the question."""
    for rel, does in _DOES:
        if (seen := does.match(line)) is not None:
            yield seen["who"], rel
            return
    if (seen := _WHAT.match(line)) is None:
        return
    what = _VALUE_OF.sub("", seen["what"], count=1)
    yield from _split(what)
    yield "", relation(what)


def _described(subject: str) -> Iterator[tuple[str, str]]:
    """What a description may mean, (subject, relation): "the company Ann works for", "my boss", "the boss of X"."""
    for rel, kind in _DESCRIBED:
        if (seen := kind.fullmatch(subject)) is not None:
            yield seen["who"], rel
    if len(_JOINT.findall(subject)) <= MAX_JOINTS:
        yield from _split(_THE.sub("", subject, count=1))


def _split(what: str) -> Iterator[tuple[str, str]]:
    """At every joint, as a relation may have one of its own: "country of citizenship of Ann", "Ann's boss's phone"."""
    if (mine := _MINE.match(what)) is not None:
        yield "me", relation(what[mine.end() :])
    for joint in _JOINT.finditer(what):
        before, after = what[: joint.start()], what[joint.end() :]
        yield (after, relation(before)) if joint[0] == " of " else (before, relation(after))


def _whose(who: str, speakers: Sequence[str]) -> list[str]:
    """The subjects that a word for somebody may mean."""
    words = plain(who).split()
    if words in (["i"], ["we"], ["me"]):
        return [*speakers, "me"]
    if len(words) > 1 and words[0] in ("my", "our"):
        return [*(f"{plain(one)} {' '.join(words[1:])}" for one in [*speakers, "me"]), who]
    return [who]
