"""What a turn states of what, where only one value can hold at a time: "My address is now ...", "timeout = 30".

Of two turns with one slot (subject and relation) and different values, the newer holds; the same value is a
repetition. Rules, English, and shy: a relation counts when it is known to have one value (an address, a deadline, a
favourite colour), never because a sentence has "is" in it ("my friend is late", "the problem is the cable").
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

MAX_CHARS = 320
"""Longer turns say several things; to let one sentence decide over all of them would bury the others."""
MAX_SENTENCES = 5
MAX_VALUE_WORDS = 8

_NUMBERS = """
age weight height size budget salary income price cost rent fee rate limit balance total count number score deadline
date birthday birthdate anniversary version port phone mobile cell zip postcode code pin quota threshold duration
timeout interval capacity mileage gpa account extension frequency bedtime curfew quorum headcount percentage length
width depth distance speed mortgage deposit allowance target
"""
_TITLES = "job profession occupation role position title"
_NAMES = """
name nickname surname username handle login email mail address residence home hometown birthplace city town country
neighborhood nationality citizenship employer company workplace boss manager supervisor mentor doctor gp dentist
therapist lawyer landlord coach advisor tutor wife husband spouse fiance fiancee girlfriend boyfriend roommate
flatmate ceo president chairman chairperson chancellor governor mayor leader owner founder author director composer
capital headquarters currency university college major bank car laptop computer password passcode passphrase url
website domain hostname endpoint branch repository timezone creator developer manufacturer operator publisher
spokesperson captain continent genre religion
"""
_OPEN = "status color colour"
_SORTS = {
    **dict.fromkeys(_NUMBERS.split(), "number"),
    **dict.fromkeys(_NAMES.split(), "name"),
    **dict.fromkeys(_TITLES.split(), "title"),
    **dict.fromkeys(_OPEN.split(), "open"),
}
_SECRETS = frozenset(["password", "passcode", "passphrase", "username", "handle", "login", "email", "mail", "url", "domain", "hostname", "branch"])
_CHOSEN = frozenset(["favourite", "favorite", "preferred", "default", "go-to"])
_NOTHING_CHOSEN = frozenset(
    ["part", "parts", "thing", "things", "memory", "memories", "moment", "moments", "aspect", "aspects", "one", "ones", "bit", "way", "scene", "quote", "ever", "kind", "sort", "type", "place", "places", "time", "times", "person", "people", "so", "right"]
)
_SPELLINGS = {"favorite": "favourite", "preferred": "favourite", "go-to": "favourite", "color": "colour", "e-mail": "email"}
_PASSING = frozenset(["current", "present", "latest", "new", "actual", "own", "exact", "full", "official"])
_PAST = frozenset(["old", "former", "previous", "ex", "last", "first", "original", "past", "next", "other", "second"])

_CAPITAL = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁ"
_PROPER = rf"[{_CAPITAL}][\w.&'’-]*"
_NAME = rf"{_PROPER}(?: {_PROPER}){{0,3}}"
_PLACE = rf"(?:the )?{_PROPER}(?: (?:(?:of|de|la|le|du|del|am|the|upon|and|&) ){{0,2}}{_PROPER}){{0,4}}"
_WORDS = r"[A-Za-z][\w'’-]*(?: [A-Za-z][\w'’-]*){0,3}?"
_OWNER = rf"(?:(?P<mine>[Mm]y|[Oo]ur)|(?P<the>[Tt]he)|(?P<name>{_NAME})['’]s?)"
_NOW = r"(?:(?:now|currently|actually|officially|still|just|recently|finally|both|all) )*"

_MAYBE = re.compile(
    r"\b(?:my|our|of|the|['’]s)\b|[:=]|\b(?:live|lives|living|reside|moved|relocated|work|works|working|joined|left|quit"
    r"|no longer|any ?more|born|married|set|change|update)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“(]?[A-Z0-9]|i\b)|\n+|;\s+")
_OPENER = re.compile(
    r"(?:(?:oh|well|so|and|but|also|yeah|yes|no|ok|okay|hey|hi|by the way|btw|fyi|anyway|actually|correction|update"
    r"|sorry|in fact|just so you know|(?:just )?(?:a |an )?quick (?:update|note)|for the record|please note|note|remember"
    r"|i was wrong|i misspoke|my mistake|turns out|it turns out|as of (?:today|now|this week)|from now on|now|currently"
    r"|(?:just )?to let you know|i (?:just )?(?:want|wanted|need|have) to (?:tell you|let you know|mention|say)"
    r"|i (?:should|forgot to) (?:mention|say|tell you)|you should know|(?:great|good|big|sad) news)\b"
    r"(?:[,:!.…—-]+|) +(?:that )?){1,4}",
    re.IGNORECASE,
)
_HYPOTHESIS = re.compile(r"\b(?:if|unless|whether|suppose|imagine|pretend|i wish|i hope|maybe|might|could|would)\b", re.I)
_CORRECTION = re.compile(
    r"\b(?:correction\b|i was wrong|i(?:['’]ve| have)? misspoke|my mistake|i meant\b|i mis(?:remember|stat|read|typ)"
    r"|scratch that|make that\b|i take (?:that|it) back|that(?:['’]s| is| was) (?:wrong|not right|incorrect|a mistake)"
    r"|(?:it|that)(?:['’]s| is| was) actually|not actually|in fact,? (?:it|he|she|they|i)\b"
    r"|sorry,? (?:it|i|that|not)\b|contrary to what i|to correct (?:myself|that|what))"
    r"|^\W{0,3}actually,? (?!i (?:think|really|just|love|like)\b)",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"\bno longer\b|\bany ?more\b|\binstead\b|\brather than\b|\bnever\b|\bnot\b|n['’]t\b|\bonly\b|\bexclusively\b"
    r"|\bsolely\b|\bused to\b|\bchanged\b|\bswitched\b|\bnow\b|\bdiffer(?:ent|ently|s)\b|\bno\b",
    re.IGNORECASE,
)

_POSSESSED = re.compile(
    rf"{_OWNER} (?P<rel>{_WORDS})(?: (?:is|are|will be|is going to be|became)| ?['’]s) {_NOW}"
    r"(?P<neg>(?:no longer|not) )?(?P<value>\S.*)"
)
_ALTERED = re.compile(
    rf"{_OWNER} (?P<rel>{_WORDS})"
    r"(?: has| have| was| is| were| got| just| been| now| recently| officially)* "
    r"(?:changed|moved|updated|pushed|postponed|rescheduled|extended|increased|decreased|raised|reduced|lowered|switched"
    r"|renamed|set|bumped|cut|grown|gone up)"
    r"(?: back| up| forward| out| down| again)?(?: from .{1,60}?)? to (?:be )?(?P<value>\S.*)"
)
_ALTERING = re.compile(
    rf"(?:(?:i|we)(?:['’]ve| have)? (?:just |finally |recently |also )?(?:changed|switched|updated|renamed|reset|moved|raised"
    rf"|lowered|extended)|(?:please )?(?:change|update|rename|set)) (?:(?P<mine>my|our)|(?P<the>the)) (?P<rel>{_WORDS})"
    r"(?: from .{1,60}?)? to (?:be )?(?P<value>\S.*)",
    re.IGNORECASE,
)
_OF = re.compile(
    rf"(?P<serial>\d{{1,7}}[.):] )?[Tt]he (?P<rel>{_WORDS}) of (?P<subject>.{{2,80}}?) (?:is|are) {_NOW}"
    r"(?P<neg>(?:no longer|not) )?(?P<value>\S.*)"
)
_SUBJECT = (
    rf"(?P<serial>\d{{1,7}}[.):] )?(?:(?P<me>I|i|We|we)|[Mm]y (?P<kin>mom|mum|mother|dad|father|sister|brother|son|daughter"
    rf"|wife|husband|partner|girlfriend|boyfriend|fianc[eé]e?|boss|best friend|grandmother|grandfather|aunt|uncle"
    rf"|cousin|roommate)|(?P<name>{_NAME}))"
)
_BE = r"(?:['’]m|['’]s|['’]re| am| is| are| was| were)"
_AND_SO_ON = r"(?P<rest>\W.*|$)"
_VERBS = (
    ("residence", rf"(?:(?:['’]ve| have| has)? {_NOW}(?:live|lives|reside|resides)|{_BE} {_NOW}(?:living|based)) in"),
    ("residence", r"(?:['’]ve| have| has| just| recently| finally| permanently)* (?:moved|relocated){1}(?: back)? to"),
    ("employer", rf"(?: {_NOW}(?:work|works)|{_BE} {_NOW}(?:working|employed)) (?:at|for|by)"),
    ("employer", r"(?: (?:just|recently|finally|have|has|got|was|been))* (?:hired (?:at|by)|(?:started|got) a(?: new)? job at)"),
    ("spouse", rf"(?:{_BE} {_NOW}married to| (?:just |recently )?got married to)"),
)
_DOES = [
    (relation, re.compile(rf"{_SUBJECT}(?:{verb}) (?P<value>{_PLACE}){_AND_SO_ON}")) for relation, verb in _VERBS
]
_IS_OF = re.compile(
    r"(?P<serial>\d{1,7}[.):] )(?P<subject>[^ ].{1,80}?) (?P<rel>(?:is|was|are|were) (?:\w+ ){1,7}?"
    r"(?:in|by|of|to|with|at|from|as)|(?:works|lives|plays|speaks|died|belongs|comes)(?: \w+){0,5}? (?:in|of|to|for|from)"
    r"|speaks|plays)(?P<value> \S.*)"
)
_ENDED = (
    ("employer", rf"(?: no longer works?| (?:do|does)(?:n['’]t| not) work) (?:at|for)(?: (?P<value>{_PLACE}))?"),
    ("employer", rf"{_BE} no longer (?:working |employed )?(?:at|with|for|by)(?: (?P<value>{_PLACE}))"),
    ("employer", rf"(?:['’]ve| have| has| just| recently| finally)* (?:left|quit|resigned from|stopped working (?:at|for)"
     rf"|got laid off from|was laid off (?:from|by)|was fired from) (?P<value>{_PLACE}|(?:my|his|her|the|their) job)"),
    ("residence", rf"(?:{_BE} no longer living| no longer lives?| (?:do|does)(?:n['’]t| not) live) in(?: (?P<value>{_PLACE}))"),
    ("residence", rf"(?:['’]ve| have| has| just| recently| finally)* moved (?:out of|away from) (?P<value>{_PLACE})"),
    ("spouse", rf"(?:{_BE} no longer married(?: to (?P<value>{_PLACE}))?| got divorced)"),
)  # fmt: skip
_STOPPED = [(relation, re.compile(rf"{_SUBJECT}(?:{verb}){_AND_SO_ON}")) for relation, verb in _ENDED]
_SUBJECT_CHARS = 80
_OWNS = re.compile(r"['’]s? ")
_DOING = re.compile(
    r"\b(?:live|lives|living|reside|resides|based|moved|relocated|works?|working|employed|hired|job|married|left|quit"
    r"|resigned|stopped|laid|fired|divorced)\b"
)
_AGE = re.compile(r"I(?:['’]m| am) (?:now |already )?(?P<value>\d{1,3})(?: years old)?(?: now)?[.!]?$")
_LONG_AGO = re.compile(
    r"\b(?:when (?:i|we|he|she|they) w|ago\b|back in\b|in (?:19|20)\d\d|as a (?:kid|child|teen)|once\b|originally|years\b"
    r"|used to|before\b|after college|after school|until\b|for a (?:while|year|time|few)|last (?:summer|winter)\b)",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"(?:(?:please )?set +)?(?P<key>[\w][\w./\[\]@#&+' -]{0,59}?) ?(?P<by>: | ?=+>? ?| -> |:(?=[^\s/]))(?P<value>[^\s].{0,120})"
)
_SET = re.compile(r"(?:please )?(?:set|change|update) (?P<key>[\w./-]{2,60}) to (?P<value>\S.{0,100})", re.IGNORECASE)
_NO_KEY = frozenset(
    ["note", "notes", "todo", "reminder", "user", "assistant", "system", "human", "ai", "bot", "question", "answer", "q", "a", "ps", "p.s", "edit", "update", "http", "https", "warning", "tip", "example", "examples", "me", "you", "hint", "fyi", "btw", "re", "fwd", "subject", "hi", "hello", "hey", "dear", "summary", "title", "topic", "idea", "ideas", "goal", "goals", "context", "background", "step", "problem", "issue", "issues", "error", "input", "output", "result", "results", "request", "response", "correction", "pro", "con", "pros", "cons", "bonus", "caption", "image", "photo", "day", "week", "part", "option", "also", "plus", "so", "because", "remember", "here", "important", "task", "tasks", "plan", "agenda", "today", "tomorrow", "yesterday", "tonight", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "translate", "translation", "rewrite", "fix", "thought", "thoughts", "joke", "quote", "fact", "news", "spoiler", "disclaimer"]
)
_CODE_KEY = re.compile(r"\w*[a-z0-9][A-Z_.\[/-]\w|[a-z]+\d|\d|[a-z]+[._/-][a-z]")
_NO_KEY_WORD = re.compile(
    r"\b(?:i|me|you|we|us|he|him|she|it|they|them|this|that|these|those|what|how|why|who|is|are|was|were|be|been|has|have"
    r"|had|do|does|did|can|will|would|should|about|tell|give|write|make|here|there|not|and|but|description)\b"
)
_NO_PAIR = re.compile(r"\b(?:i|you|we|he|she|they|it|let['’]?s|please|can|could|would|what|how|why|thanks?|yes|ok(?:ay)?)\b", re.I)

_CUT = re.compile(
    r"[!?;\n(—–]|\.(?:\s|$)|\.{2,}|,(?!\d{3}\b)(?!\s*\d{2,4}\b)| - | (?:because|since|which|who|though|although|while|when|where"
    r"|if|unless|instead|rather|thanks|after|before|until|so|but|whereas)\b"
    r"| (?:by|as of|due to|from|with) | and (?:i|we|it|he|she|they|my|our|the|so|now|then|you|that|this|is|was|have|has|will|there)\b| not \b",
    re.IGNORECASE,
)
_LEADING = re.compile(r"^(?:(?:now|currently|actually|definitely|probably|still|officially|called|named|on|at|by|around|about"
                      r"|the|a|an|roughly|approximately|(?:set|scheduled|limited|down|up|moved|reduced) (?:for|to|at)|due|estimated at|the city of|the country of|the town of|the continent of) )+")  # fmt: skip
_TRAILING = re.compile(r"(?: (?:now|currently|these days|any ?more|any longer|at the moment|right now|again|too|as well|today"
                       r"|at present|for now|though|by the way|btw|already))+$")  # fmt: skip
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_EDGE = re.compile(r"^[\W_]+|[^\w%°€$£+)]+$")
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri"
    r"|satur|sun)day|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|tomorrow|noon|midnight)\b",
    re.IGNORECASE,
)
_STARTS_PROPER = re.compile(rf"[\"“'‘*]?(?:(?:the|a|an|dr\.?|mr\.?|mrs\.?|ms\.?) )?[{_CAPITAL}\d@#/\"“‘]")
_NO_VALUE = frozenset(
    ["it", "that", "this", "there", "here", "so", "very", "too", "really", "quite", "pretty", "always", "going", "getting", "being", "just", "all", "not", "never", "what", "how", "whatever", "something", "anything", "nothing", "everything", "mine", "yours", "good", "great", "bad", "fine", "better", "worse", "best"]
)
_NO_SUBJECT = frozenset(
    ["i", "it", "he", "she", "they", "we", "you", "this", "that", "there", "what", "who", "where", "when", "why", "how", "here", "and", "but", "so", "if", "then", "also", "well", "yes", "no", "oh", "hey", "ok", "okay", "everyone", "everybody", "someone", "somebody", "nobody", "nothing", "people", "some", "all", "both", "each", "another", "let", "my", "our", "your", "his", "her", "their", "its", "the", "a", "an", "these", "those", "one", "please", "thanks", "sorry", "maybe", "just", "not", "now", "today"]
)


class Statement(NamedTuple):
    """That the relation of the subject has the value: now (unless `ended`) and, if another was said, instead of it.

    ended: it no longer has it; an empty value then means whatever it was
    correction: said as a correction ("actually", "I was wrong")
    """

    subject: str
    relation: str
    value: str
    ended: bool = False
    correction: bool = False


def statement(text: str, speaker: str = "") -> Statement | None:
    """What a turn states of something that has one value at a time; the first such thing, or None.

    >>> statement("My address is now 5 Elm Street.", "Alice")
    Statement(subject='alice', relation='address', value='5 elm street', ended=False, correction=False)
    >>> statement("My friend is now in Lisbon.", "Alice")
    """
    if len(text) > MAX_CHARS or _MAYBE.search(text) is None:
        return None
    me = _plain(speaker) or "me"
    if (pair := _keyed(text.strip())) is not None:
        return pair
    sentences = list(_sentences(text))
    for sentence in sentences:
        if (found := _stated(sentence, me, alone=len(sentences) == 1)) is not None:
            return found._replace(correction=corrects(text))
    return None


def columns(text: str, speaker: str = "") -> tuple[int, int] | None:
    """The statement as two numbers for an index: slot, and value > 0; None where nothing is stated.

    A value below zero ends what has the value of that number without its sign; zero ends whatever there was.

    >>> columns("colour: red") == (slot("", "colour"), value_number("red"))
    True
    """
    found = statement(text, speaker)
    if found is None:
        return None
    number = value_number(found.value) if found.value else 0
    return slot(found.subject, found.relation), -number if found.ended else number


@lru_cache(maxsize=1 << 14)
def slot(subject: str, relation: str) -> int:
    """63 bits for what is stated of what, never 0."""
    return _number(f"{_plain(subject)}\0{relation}")


@lru_cache(maxsize=1 << 14)
def value_number(value: str) -> int:
    """63 bits for a value, never 0; case, articles and spaces make no other value.

    >>> value_number("The  Red one.") == value_number("red one")
    True
    """
    return _number(_spelt(value) or value)


def corrects(text: str) -> bool:
    """Whether a text says that it corrects something.

    >>> corrects("Actually, it's Tuesday, not Monday."), corrects("I actually like it.")
    (True, False)
    """
    return _CORRECTION.search(text) is not None


def contrasts(text: str) -> bool:
    """Whether a text says that something is otherwise than it was or might be thought: never, instead, only, now.

    >>> contrasts("She never went to Lisbon."), contrasts("She went to Lisbon.")
    (True, False)
    """
    return _CONTRAST.search(text) is not None


def _number(text: str) -> int:
    return (int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1) or 1


def _plain(name: str) -> str:
    """Case, form, outer punctuation and spaces make no other name."""
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().replace("’", "'").split())
    return _EDGE.sub("", folded.removesuffix("'s"))


def _sentences(text: str) -> Iterator[str]:
    """The first sentences that state something: no questions, no hypotheses; without what merely opens them."""
    for sentence in _SENTENCE.split(text.strip())[:MAX_SENTENCES]:
        bare = _OPENER.sub("", sentence, count=1) if _OPENER.match(sentence) else sentence
        if bare and not bare.rstrip("\"'”’) ").endswith("?") and _HYPOTHESIS.search(bare) is None:
            yield bare


def _stated(sentence: str, me: str, *, alone: bool) -> Statement | None:
    """What one sentence states. alone: it is the whole turn, so that "the" needs no other sentence to say which"""
    first = sentence.split(maxsplit=1)[0].casefold()
    owned = first in ("my", "our") or _OWNS.search(sentence, 0, _SUBJECT_CHARS)
    if owned or (alone and first == "the"):
        for pattern in (_ALTERED, _POSSESSED):
            if (seen := pattern.match(sentence)) is not None and (found := _owned(seen.groupdict(), me)) is not None:
                return found
    if (seen := _ALTERING.match(sentence)) is not None and (found := _owned(seen.groupdict(), me)) is not None:
        return found
    if alone and (seen := _OF.match(sentence)) is not None and (found := _of(seen)) is not None:
        return found
    if _DOING.search(sentence, 0, _SUBJECT_CHARS) is not None:
        for patterns, ended in ((_STOPPED, True), (_DOES, False)):
            for relation, does in patterns:
                if (seen := does.match(sentence)) is not None:
                    return _done(seen, relation, me, ended=ended)
    if (seen := _AGE.match(sentence)) is not None:
        return Statement(me, "age", seen["value"])
    if alone and (seen := _IS_OF.match(sentence)) is not None:
        return _made(seen["subject"], seen["rel"], _clause(seen["value"]))
    return None


def _owned(seen: dict[str, str | None], me: str) -> Statement | None:
    """"My R is V", "Alice's R was changed to V", "the R is V"."""
    words = [_SPELLINGS.get(word, word) for word in (seen["rel"] or "").casefold().replace("’", "'").split()]
    if _PAST.intersection(words):
        return None
    sort = _sort(words)
    owner, raw = seen.get("name"), seen["value"] or ""
    if sort is None or (seen["the"] and sort not in ("number", "open") and words[-1] not in _SECRETS):
        return None
    if owner and (_plain(owner).split() or ["i"])[0] in _NO_SUBJECT:
        return None
    if not _fits(sort, words[-1], raw):
        return None
    subject = "" if seen["the"] else owner or me
    relation = " ".join(word for word in words if word not in _PASSING)
    return _made(subject, relation, _clause(raw), ended=bool(seen.get("neg")))


def _sort(words: list[str]) -> str | None:
    """What values a relation takes, None where it is not known to have one at a time."""
    if not words or words[-1] in _NOTHING_CHOSEN:
        return None
    if _CHOSEN.intersection(words[:-1]):
        return "chosen"
    return _SORTS.get(words[-1])


def _fits(sort: str, head: str, raw: str) -> bool:
    """Whether the value is of the kind that the relation takes, so that "my boss is late" names nobody."""
    first = raw.split(maxsplit=1)[0].casefold().strip(",.!?'\"") if raw.split() else ""
    if first in _NO_VALUE or first.endswith("n't"):
        return False
    if head in _SECRETS:
        return len(_spelt(_clause(raw)).split()) == 1
    if sort == "number":
        return _NUMBER.search(_clause(raw)) is not None
    if sort == "name":
        return _STARTS_PROPER.match(raw) is not None
    if sort == "title":
        return first in ("a", "an") or _STARTS_PROPER.match(raw) is not None
    return not first.endswith("ing") or sort == "chosen"


def _of(seen: re.Match[str]) -> Statement | None:
    """"The R of S is V": known relations, or any in a numbered fact, or of a proper name that has a proper value."""
    words = seen["rel"].casefold().split()
    subject, raw = seen["subject"], seen["value"]
    if _PAST.intersection(words) or re.search(r"\b(?:is|are|was)\b|[.!?;]", subject):
        return None
    sort = _sort(words)
    if seen["serial"] is None and (sort is None or not _fits(sort, words[-1], raw)):
        return None
    relation = " ".join(_SPELLINGS.get(word, word) for word in words if word not in _PASSING)
    return _made(subject, relation, _clause(raw), ended=bool(seen["neg"]))


def _done(seen: re.Match[str], relation: str, me: str, *, ended: bool) -> Statement | None:
    """"I live in V", "Alice left V", and the like."""
    if not ended and _LONG_AGO.search(seen["rest"]):
        return None
    subject = me if seen["me"] else f"{me} {seen['kin'].casefold()}" if seen["kin"] else seen["name"]
    if _plain(subject).split()[0] in _NO_SUBJECT - {"me"}:
        return None
    raw = seen.groupdict().get("value") or ""
    return _made(subject, relation, "" if raw.endswith(" job") else raw, ended=ended)


def _keyed(text: str) -> Statement | None:
    """"K: V", "K = V" or "set K to V", being the whole turn."""
    if "\n" in text or text.endswith("?"):
        return None
    if (seen := _SET.fullmatch(text)) is not None and _CODE_KEY.search(seen["key"]):
        return _made("", seen["key"].casefold(), seen["value"].rstrip(" .!"))
    if (seen := _PAIR.fullmatch(text)) is None:
        return None
    value = seen["value"].rstrip(" .!")
    words = seen["key"].casefold().split()
    if not value or not _keys(words, seen["key"], seen["by"], value):
        return None
    return _made("", " ".join(_SPELLINGS.get(word, word) for word in words), value)


def _keys(words: list[str], key: str, by: str, value: str) -> bool:
    """Whether the words name something that has a value, and do not open a sentence, a list or a line of a transcript."""
    if not 0 < len(words) <= 5 or words[0] in _NO_KEY or words[-1] in _NO_KEY or _NO_KEY_WORD.search(" ".join(words)):
        return False
    if words[-1][-1].isdigit() and value[0].isdigit():  # 12:45, 2024-04-14 19:00
        return False
    if by == ":" and len(words) > 1:
        return False
    if "=" in by or "-" in by or words[-1] in _SORTS or _CODE_KEY.search(key):
        return True
    return len(value.split()) <= 5 and not _NO_PAIR.search(value) and not _name_like(key, value)


def _name_like(key: str, value: str) -> bool:
    """Whether "Bob: see you" may be a line of a transcript: one capitalised word before a lower-case phrase."""
    return key[:1].isupper() and " " not in key and " " in value and not any(sign.isdigit() for sign in value)


def _made(subject: str, relation: str, raw: str, *, ended: bool = False) -> Statement | None:
    value = _spelt(raw)
    words = value.split()
    if len(words) > MAX_VALUE_WORDS or (words and words[0] in _NO_VALUE) or (not words and not ended):
        return None
    return Statement(_plain(subject), relation, value, ended)


def _clause(raw: str) -> str:
    """The value without what follows it in the sentence."""
    cut = _CUT.search(raw, 1)
    return raw[: cut.start()] if cut else raw


def _spelt(raw: str) -> str:
    """A value in one spelling: lower case, without articles, edges, "now" and ordinal endings."""
    folded = " ".join(unicodedata.normalize("NFKC", raw).casefold().replace("’", "'").split())
    bare = _TRAILING.sub("", _EDGE.sub("", folded))
    return _ORDINAL.sub(r"\1", _EDGE.sub("", _LEADING.sub("", bare)))
