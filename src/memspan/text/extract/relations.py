"""Relations that have one value at a time, what values they take, and one spelling for a value.

A positive list: what is not known to have one value (friend, day, plan, problem, question) never counts.
"""

import re
import unicodedata

from memspan.text.patterns import later

MAX_VALUE_WORDS = 8

_NUMBERS = """
age weight height size budget salary income price cost rent fee rate limit balance total count number score deadline
date birthday birthdate anniversary version port phone mobile cell zip postcode code pin quota threshold duration
timeout interval capacity mileage gpa account extension frequency bedtime curfew quorum headcount percentage length
width depth distance speed mortgage deposit allowance target time record streak
"""
_NAMES = """
name nickname surname username handle login email mail address residence home hometown birthplace city town country
neighborhood nationality citizenship employer company workplace boss manager supervisor mentor doctor gp dentist
therapist lawyer landlord coach advisor tutor wife husband spouse fiance fiancee girlfriend boyfriend roommate
flatmate ceo president chairman chairperson chancellor governor mayor leader owner founder author director composer
capital headquarters currency university college major bank car laptop computer password passcode passphrase url
website domain hostname endpoint branch repository timezone creator developer manufacturer operator publisher
spokesperson captain continent genre religion
"""
_SORTS = {
    **dict.fromkeys(_NUMBERS.split(), "number"),
    **dict.fromkeys(_NAMES.split(), "name"),
    **dict.fromkeys(("job", "profession", "occupation", "role", "position", "title"), "title"),
    **dict.fromkeys(("status", "colour"), "open"),
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


HEADS = frozenset(_SORTS)
"""The last words of relations with one value, but for what is somebody's favourite or default."""

_ONE_WORD = _set("password passcode passphrase username handle login email mail url domain hostname branch")
_CHOSEN = _set("favourite default")
_MANY = _set(
    """
    part parts thing things memory memories moment moments aspect aspects one ones bit way scene quote ever kind sort
    type place places times person people so right
    """
)
_PASSING = _set("current present latest new actual own exact full official")
_PAST = _set("old former previous ex last first original past next other second")
_SPELLINGS = {
    "favorite": "favourite",
    "preferred": "favourite",
    "go-to": "favourite",
    "color": "colour",
    "e-mail": "email",
}
HINTS = HEADS | _CHOSEN | _set("favorite preferred go-to color e-mail")
"""One of these words is in every text that names such a relation."""
_NO_VALUE = _set(
    """
    it that this there here so very too really quite pretty always going getting being just all not never what how
    whatever something anything nothing everything mine yours good great bad fine better worse best
    """
)

_CLAUSE = later(
    r"[!?;\n(—–]|\.(?:\s|$)|\.{2,}|,(?!\d{3}\b)(?!\s*\d{2,4}\b)| - "
    r"| (?:because|since|which|who|though|although|while|when|where|if|unless|instead|rather|thanks|after|before|until"
    r"|so|but|whereas)\b| (?:by|as of|due to|from|with) | not \b"
    r"| and (?:i|we|it|he|she|they|my|our|the|so|now|then|you|that|this|is|was|have|has|will|there)\b",
    re.IGNORECASE,
)
_LEADING = later(
    r"^(?:(?:the (?:city|country|town|continent) of|now|currently|actually|definitely|probably|still|officially|called"
    r"|named|on|at|by|around|about|the|a|an"
    r"|roughly|approximately|(?:set|fixed|scheduled|limited|down|up|moved|reduced) (?:for|to|at)|due|estimated at) )+"
)
_TRAILING = later(
    r"(?: (?:now|currently|these days|any ?more|any longer|at the moment|right now|again|too|as well|today|at present"
    r"|for now|though|by the way|btw|already))+$"
)
_ORDINAL = later(r"\b(\d+)(?:st|nd|rd|th)\b")
_EDGE = later(r"^[\W_]+|[^\w%°€$£+)]+$")
_HAS_NUMBER = later(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri"
    r"|satur|sun)day|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|tomorrow|noon|midnight)\b",
    re.IGNORECASE,
)
_STARTS_PROPER = later(r"[\"“'‘*]?(?:(?:the|a|an|dr\.?|mr\.?|mrs\.?|ms\.?) )?[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁ\d@#/\"“‘]")


def known(head: str) -> bool:
    """Whether a noun names a relation with one value.

    >>> known("address"), known("friend")
    (True, False)
    """
    return _SPELLINGS.get(head, head) in _SORTS


def functional(phrase: str, raw: str, *, shared: bool = False) -> str | None:
    """The relation in one spelling if it has one value at a time and `raw` is such a value; else None.

    shared: it is nobody's in particular ("the deadline"), where fewer relations are plain

    >>> functional("new favorite color", "blue"), functional("friend", "late"), functional("boss", "late")
    ('favourite colour', None, None)
    """
    words = relation(phrase).split()
    if not words or words[-1] in _MANY or _PAST.intersection(words):
        return None
    sort = "chosen" if _CHOSEN.intersection(words[:-1]) else _SORTS.get(words[-1])
    if sort is None or (shared and sort not in ("number", "open") and words[-1] not in _ONE_WORD):
        return None
    return " ".join(words) if _fits(sort, words[-1], raw) else None


def relation(phrase: str) -> str:
    """A relation in one spelling, without "new" and "current".

    >>> relation("Current favorite color")
    'favourite colour'
    """
    words = [_SPELLINGS.get(word, word) for word in phrase.casefold().replace("’", "'").split()]
    return " ".join(word for word in words if word not in _PASSING)


def _fits(sort: str, head: str, raw: str) -> bool:
    """Whether the value is of the kind that the relation takes, so that "my boss is late" names nobody."""
    first = raw.split(maxsplit=1)[0].casefold().strip(",.!?'\"") if raw.split() else ""
    if first in _NO_VALUE or first.endswith("n't"):
        return False
    if head in _ONE_WORD:
        return len(spelt(clause(raw)).split()) == 1
    if sort == "number":
        return _HAS_NUMBER.search(clause(raw)) is not None
    if sort == "name":
        return _STARTS_PROPER.match(raw) is not None
    if sort == "title":
        return first in ("a", "an") or _STARTS_PROPER.match(raw) is not None
    return sort == "chosen" or not first.endswith("ing")


def plain(name: str) -> str:
    """A name in one spelling: case, form, outer punctuation and spaces make no other.

    >>> plain(" Ada  Byron's ")
    'ada byron'
    """
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().replace("’", "'").split())
    return _EDGE.sub("", folded.removesuffix("'s"))


def clause(raw: str) -> str:
    """A value without what follows it in the sentence.

    >>> clause("5 Elm Street, and I love it")
    '5 Elm Street'
    """
    cut = _CLAUSE.search(raw, 1)
    return raw[: cut.start()] if cut else raw


def spelt(raw: str) -> str:
    """A value in one spelling: lower case, without articles, edges, "now" and ordinal endings.

    >>> spelt("the 5th of May now.")
    '5 of may'
    """
    folded = " ".join(unicodedata.normalize("NFKC", raw).casefold().replace("’", "'").split())
    bare = _TRAILING.sub("", _EDGE.sub("", folded))
    return _ORDINAL.sub(r"\1", _EDGE.sub("", _LEADING.sub("", bare)))


def says_nothing(value: str) -> bool:
    """Whether a spelt value is none: blank, too long to be one, or a word like "it" and "great".

    >>> says_nothing("great"), says_nothing("lisbon")
    (True, False)
    """
    words = value.split()
    return not words or len(words) > MAX_VALUE_WORDS or words[0] in _NO_VALUE
