"""What a turn states of what, where only one value can hold at a time: "My address is now ...", "timeout = 30".

Of two turns with one slot (subject and relation) and different values, the newer holds; the same value is a
repetition. Rules, English, and shy: a relation counts when it is known to have one value (relations.py), never because
a sentence has "is" in it ("my friend is late", "the problem is the cable").
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from memspan.text.extract.relations import HINTS, clause, functional, known, plain, relation, says_nothing, spelt
from memspan.text.patterns import later

MAX_CHARS = 320
"""Longer turns say several things; to let one sentence decide over all of them would bury the others."""
MAX_SENTENCES = 5

_ANY = re.IGNORECASE
_CAPITAL = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁ"
_PROPER = rf"[{_CAPITAL}][\w.&'’-]*"
_NAME = rf"{_PROPER}(?: {_PROPER}){{0,3}}"
_PLACE = rf"(?:the )?{_PROPER}(?: (?:(?:of|de|la|le|du|del|am|the|upon|and|&) ){{0,2}}{_PROPER}){{0,4}}"
_WORDS = r"[A-Za-z][\w'’-]*(?: [A-Za-z][\w'’-]*){0,3}?"
_OWNER = rf"(?:(?P<mine>[Mm]y|[Oo]ur)|(?P<the>[Tt]he)|(?P<name>{_NAME})['’]s?)"
_NOW = r"(?:(?:now|currently|actually|officially|still|just|recently|finally|both|all) )*"
_LATELY = r"(?:['’]ve| have| has| just| recently| finally)*"
_FROM = r"(?: from .{1,60}?)? to (?:be )?(?P<value>\S.*)"
_NEGATED = r"(?P<neg>(?:no longer|not) )?"

_AGED = later(r"(?:['’]m|\bI am) (?:now |already )?\d")
_VERBS = """
live lives living reside resides based moved relocated work works working employed hired job married left quit resigned
stopped laid fired divorced set change update
"""
_HINTS = HINTS | frozenset(_VERBS.split())
_KEY_CHARS = 80
_APART = str.maketrans(dict.fromkeys("!\"#$%&'()*+,./;<>?@[\\]^_`{|}~’“”‘—–…\n\t", " "))
_NUMBERED = later(r"\s*\d{1,7}[.):] (?=\S)")
_SENTENCE = later(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“(]?[A-Z0-9]|i\b)|\n+|;\s+")
_NEWS = (
    r"(?:(?:an?|one|some|just|also|another|quick|small|little|tiny|big|huge|major|minor|short|brief|important|great|good"
    r"|bad|sad|new|latest|last|exciting|personal|life|more|other) ){0,4}(?:news|updates?|changes?|note|notice|reminder"
    r"|heads[ -]up|announcement|correction|habit|routine|rule|development|thing|detail|(?:address|number|job) change)"
    r"(?: (?:of (?:plans?|address|mind|status|number|job|name)|for (?:you|later|the record|your (?:notes?|records?))"
    r"|from (?:me|us|home|work|here)|(?:at|from|on) (?:work|home|my side|our side)|to (?:share|note|mention|add)))?"
    r"|(?:thing|plan|everything|something|it|that|this|a lot|much|(?:my|our|the) (?:situation|plan|setup|mind))s?"
    r"(?:['’]s|['’]ve|['’]re| has| have| is| are)?(?: (?:just|now|recently|since|all|completely)){0,2}"
    r" (?:changed|(?:different|over|no longer so)(?:,? now)?)"
    r"|(?:i|we)(?:['’]ve| have)?(?: just| now| since)? changed (?:my|our) minds?|from (?:now|today|here) on"
    r"(?:,? (?:it|that|this|things|everything)(?:['’]s| is| are)?(?: all)? different)?"
    r"|for (?:later|future reference|the record|your (?:information|records?|notes?|files?))|scratch that|guess what"
)
_ANNOUNCED = later(rf"(?:{_NEWS})(?: ?[:–—]+| -+) +", _ANY)
_LED_IN_CHARS = 60
_OPENERS = 3
_OPENER = later(
    r"(?:(?:oh|well|so|and|but|also|yeah|yes|no|ok|okay|hey|hi|by the way|btw|fyi|anyway|actually|correction|update"
    r"|sorry|in fact|just so you know|(?:just )?(?:a |an )?quick (?:update|note)|for the record|please note|note"
    r"|remember|i was wrong|i misspoke|my mistake|turns out|it turns out|as of (?:today|now|this week)|from now on|now"
    r"|currently|(?:just )?to let you know|i (?:just )?(?:want|wanted|need|have) to (?:tell you|let you know|mention"
    r"|say)|i (?:should|forgot to) (?:mention|say|tell you)|you should know|(?:great|good|big|sad) news)\b"
    r"(?:[,:!.…—-]+|) +(?:that )?){1,4}",
    _ANY,
)
_ASKS = later(
    r", (?:so |and |but )?(?:can|could|will|would|should|how|what|is|are|do|does|did|any|which|where|when|who|why)\b",
    _ANY,
)
_FIRST_PART = later(r",(?!\d)")
_UNSURE = later(r"\b(?:if|unless|whether|suppose|imagine|pretend|i wish|i hope|maybe|might|could|would)\b", _ANY)
_CORRECTION = later(
    r"\b(?:correction\b|i was wrong|i(?:['’]ve| have)? misspoke|my mistake|i meant\b|i mis(?:remember|stat|read|typ)"
    r"|scratch that|make that\b|i take (?:that|it) back|that(?:['’]s| is| was) (?:wrong|not right|incorrect|a mistake)"
    r"|(?:it|that)(?:['’]s| is| was) actually|not actually|in fact,? (?:it|he|she|they|i)\b"
    r"|sorry,? (?:it|i|that|not)\b|contrary to what i|to correct (?:myself|that|what))"
    r"|^\W{0,3}actually,? (?!i (?:think|really|just|love|like)\b)",
    _ANY,
)
_CONTRAST = later(
    r"\bno longer\b|\bany ?more\b|\binstead\b|\brather than\b|\bnever\b|\bnot\b|n['’]t\b|\bonly\b|\bexclusively\b"
    r"|\bsolely\b|\bused to\b|\bchanged\b|\bswitched\b|\bnow\b|\bdiffer(?:ent|ently|s)\b|\bno\b",
    _ANY,
)
_REQUEST = later(
    r"\W{0,3}(?:please )?(?:write|create|generate|draft|make|compose|translate|rewrite|summari[sz]e|give me|help me)\b",
    _ANY,
)

_POSSESSED = later(
    rf"{_OWNER} (?P<rel>{_WORDS})(?: (?:is|are|will be|is going to be|became)| ?['’]s) {_NOW}{_NEGATED}(?P<value>\S.*)"
)
_ALTERED = later(
    rf"{_OWNER} (?P<rel>{_WORDS})(?: has| have| was| is| were| got| just| been| now| recently| officially)* "
    r"(?:changed|moved|updated|pushed|postponed|rescheduled|extended|increased|decreased|raised|reduced|lowered|switched"
    rf"|renamed|set|bumped|cut|grown|gone up)(?: back| up| forward| out| down| again)?{_FROM}"
)
_ALTERING = later(
    r"(?:(?:i|we)(?:['’]ve| have)? (?:just |finally |recently |also )?"
    r"(?:changed|switched|updated|renamed|reset|moved|raised|lowered|extended)|(?:please )?(?:change|update|rename"
    rf"|set)) (?:(?P<mine>my|our)|(?P<the>the)) (?P<rel>{_WORDS}){_FROM}",
    _ANY,
)
_OF = later(rf"[Tt]he (?P<rel>{_WORDS}) of (?P<subject>[^.!?;]{{2,80}}?) (?:is|are) {_NOW}{_NEGATED}(?P<value>\S.*)")
_NUMBERED_FACT = later(
    r"(?P<subject>[^ ].{1,80}?) (?P<rel>(?:is|was|are|were) (?:\w+ ){1,7}?(?:in|by|of|to|with|at|from|as)"
    r"|(?:works|lives|plays|speaks|died|belongs|comes)(?: \w+){0,5}? (?:in|of|to|for|from)|speaks"
    r"|plays) (?P<value>\S.*)"
)
_SUBJECT = (
    r"(?:(?P<me>I|i|We|we)|[Mm]y (?P<kin>mom|mum|mother|dad|father|sister|brother|son|daughter|wife|husband|partner"
    r"|girlfriend|boyfriend|fianc[eé]e?|boss|best friend|grandmother|grandfather|aunt|uncle|cousin|roommate)"
    rf"|(?P<name>{_NAME}))"
)
_BE = r"(?:['’]m|['’]s|['’]re| am| is| are| was| were)"
_HOLDS = (
    ("residence", rf"(?:{_LATELY} {_NOW}(?:live|lives|reside|resides)|{_BE} {_NOW}(?:living|based)) in"),
    ("residence", rf"{_LATELY} (?:moved|relocated)(?: back)? to"),
    ("employer", rf"(?: {_NOW}(?:work|works)|{_BE} {_NOW}(?:working|employed)) (?:at|for|by)"),
    ("employer", rf"{_LATELY}(?: got| was| been)* (?:hired (?:at|by)|(?:started|got) a(?: new)? job at)"),
    ("spouse", rf"(?:{_BE} {_NOW}married to|{_LATELY} got married to)"),
)
_ENDS = (
    ("employer", rf"(?: no longer works?| (?:do|does)(?:n['’]t| not) work) (?:at|for)(?: (?P<value>{_PLACE}))?"),
    ("employer", rf"{_BE} no longer (?:working |employed )?(?:at|with|for|by)(?: (?P<value>{_PLACE}))"),
    (
        "employer",
        rf"{_LATELY} (?:left|quit|resigned from|stopped working (?:at|for)|got laid off from|was laid off (?:from|by)"
        rf"|was fired from) (?P<value>{_PLACE}|(?:my|his|her|the|their) job)",
    ),
    (
        "residence",
        rf"(?:{_BE} no longer living| no longer lives?| (?:do|does)(?:n['’]t| not) live) in(?: (?P<value>{_PLACE}))",
    ),
    ("residence", rf"{_LATELY} moved (?:out of|away from) (?P<value>{_PLACE})"),
    ("spouse", rf"(?:{_BE} no longer married(?: to (?P<value>{_PLACE}))?| got divorced)"),
)
_REST = r"(?P<rest>\W.*|$)"
_DOES = [(rel, later(rf"{_SUBJECT}(?:{verb}) (?P<value>{_PLACE}){_REST}")) for rel, verb in _HOLDS]
_STOPPED = [(rel, later(rf"{_SUBJECT}(?:{verb}){_REST}")) for rel, verb in _ENDS]
_SUBJECT_CHARS = 80
_OWNS = later(r"['’]s? ")
_DOING = later(
    r"\b(?:live|lives|living|reside|resides|based|moved|relocated|works?|working|employed|hired|job|married|left|quit"
    r"|resigned|stopped|laid|fired|divorced)\b"
)
_AGE = later(r"I(?:['’]m| am) (?:now |already )?(?P<value>\d{1,3})(?: years old)?(?: now)?[.!]?$")
_LONG_AGO = later(
    r"\b(?:when (?:i|we|he|she|they) w|ago\b|back in\b|in (?:19|20)\d\d|as a (?:kid|child|teen)|once\b|originally"
    r"|years\b|used to|before\b|after college|after school|until\b|for a (?:while|year|time|few)"
    r"|last (?:summer|winter)\b)",
    _ANY,
)
_PAIR = later(
    r"(?:(?:please )?set +)?(?P<key>[\w][\w./\[\]@#&+' -]{0,59}?) ?(?P<by>: | ?=+>? ?| -> |:(?=[^\s/]))"
    r"(?P<value>\S.{0,120})"
)
_SET = later(r"(?:please )?(?:set|change|update) (?P<key>[\w./-]{2,60}) to (?P<value>\S.{0,100})", _ANY)
_CODE_KEY = later(r"\w*[a-z0-9][A-Z_.\[/-]\w|[a-z]+\d|\d|[a-z]+[._/-][a-z]")
_TICKET_KEY = r"(?:#\d+|[A-Za-z]{2,10}-\d+)"
_TICKET = later(rf"{_TICKET_KEY}|\d+")  # "PAY-86: merged" opens a line of a log, and each line tells something else
_OF_TICKET = later(rf"{_TICKET_KEY} \S")
_LOGGED = later(
    rf"(?P<key>{_TICKET_KEY}):? (?P<field>[A-Za-z][a-z_-]*(?: [a-z_-]+){{0,3}}?)"
    r"(?:(?: (?:has|have|was|were|is|got|been))* (?:changed|set|reset|updated|moved|switched|raised|lowered|increased"
    rf"|decreased|pushed|postponed){_FROM}"
    r"|(?: is now|:|(?: ?(?:=|->|→))) ?(?:\S.{0,60}? (?:->|→) )?(?P<shown>\S.*))"
)
_VALUE_WORDS = 5
_NO_KEY_WORD = later(
    r"\b(?:i|me|you|we|us|he|him|she|it|they|them|this|that|these|those|what|how|why|who|is|are|was|were|be|been|has|have"
    r"|had|do|does|did|can|will|would|should|about|tell|give|write|make|here|there|not|and|but|description)\b"
)
_TALK = later(
    r"\b(?:i|my|you|we|our|he|she|they|it|let['’]?s|please|can|could|would|what|how|why|thanks?|yes|ok(?:ay)?)\b", _ANY
)
_NO_KEY = """
note notes todo reminder user assistant system human ai bot question answer q a ps p.s edit update http https warning
tip example examples me you hint fyi btw re fwd subject hi hello hey dear summary title topic idea ideas goal goals
context background step problem issue issues error input output result results request response correction pro con
pros cons bonus caption image photo day week part option also plus so because remember important task tasks plan agenda
today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday translate translation rewrite
fix thought thoughts joke quote fact news spoiler disclaimer
"""
_NO_SUBJECT = """
i it he she they we you this that there what who where when why how here and but so if then also well yes no oh hey ok
okay everyone everybody someone somebody nobody nothing people some all both each another let my our your his her their
its the a an these those one please thanks sorry maybe just not now today since after before while as once because
although though unless until for from in on at of with like which whose to
"""
_FIELDS = """
assignee component estimate iteration milestone phase priority reporter resolution reviewer severity sprint stage state
status
"""
_NO_KEYS, _NO_SUBJECTS = frozenset(_NO_KEY.split()), frozenset(_NO_SUBJECT.split())
_TICKET_FIELDS = frozenset(_FIELDS.split())


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
    if len(text) > MAX_CHARS or not _may_state(text):
        return None
    if (seen := _NUMBERED.match(text)) is not None:
        return _numbered(text[seen.end() :].strip())
    if (pair := _keyed(text.strip())) is not None:
        return pair
    if _REQUEST.match(text):  # what a request tells is its input, not a fact of the one who asks
        return None
    sentences = list(_sentences(text))
    for sentence in sentences:
        found = _stated(" ".join(sentence.split()), plain(speaker) or "me", alone=len(sentences) == 1)
        if found is not None:
            return found._replace(correction=corrects(text))
    return None


def _may_state(text: str) -> bool:
    """Whether a text could state anything: nine of ten turns of a chat end here."""
    if not _HINTS.isdisjoint(text.lower().translate(_APART).split()):
        return True
    start = text[:_KEY_CHARS]
    if ":" in start or "=" in start or "->" in start or start.lstrip()[:1].isdigit():
        return True
    return "m " in text and _AGED.search(text) is not None


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
    return _number(f"{plain(subject)}\0{relation}")


@lru_cache(maxsize=1 << 14)
def value_number(value: str) -> int:
    """63 bits for a value, never 0; case, articles and spaces make no other value.

    >>> value_number("The  Red one.") == value_number("red one")
    True
    """
    return _number(spelt(value) or value)


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
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def _sentences(text: str) -> Iterator[str]:
    """The first sentences that state something, without what opens them or asks about it; no hypotheses."""
    for bare in map(_unopened, _SENTENCE.split(text.strip())[:MAX_SENTENCES]):
        if bare.rstrip("\"'”’) ").endswith("?"):
            asks = _ASKS.search(bare)
            bare = bare[: asks.start()] if asks else ""
        if bare.strip() and _UNSURE.search(_FIRST_PART.split(bare, maxsplit=1)[0]) is None:
            yield bare


def _unopened(sentence: str) -> str:
    """A sentence without what leads in: "Oh, by the way, small change of plans: "."""
    start = sentence[:_LED_IN_CHARS]
    if ":" not in start and " -" not in start and "—" not in start and "–" not in start:
        seen = _OPENER.match(sentence)
        return sentence[seen.end() :] if seen else sentence
    for _ in range(_OPENERS):
        if (seen := _ANNOUNCED.match(sentence) or _OPENER.match(sentence)) is None:
            break
        sentence = sentence[seen.end() :]
    return sentence


def _stated(sentence: str, me: str, *, alone: bool) -> Statement | None:
    """What one sentence states. alone: it is all that is stated, so that "the" needs no other sentence to say which"""
    first = sentence.split(maxsplit=1)[0].casefold()
    patterns: list[re.Pattern[str]] = [_ALTERING]
    if first in ("my", "our") or (alone and first == "the") or _OWNS.search(sentence, 0, _SUBJECT_CHARS):
        patterns = [_ALTERED, _POSSESSED, _ALTERING]
    for pattern in patterns:
        if (seen := pattern.match(sentence)) is not None and (found := _owned(seen.groupdict(), me)) is not None:
            return found
    if alone and (seen := _OF.match(sentence)) is not None and (rel := functional(seen["rel"], seen["value"])):
        return _made(seen["subject"], rel, clause(seen["value"]), ended=bool(seen["neg"]))
    if _DOING.search(sentence, 0, _SUBJECT_CHARS) is not None:
        for verbs, ended in ((_STOPPED, True), (_DOES, False)):
            for rel, does in verbs:
                if (seen := does.match(sentence)) is not None:
                    return _done(seen, rel, me, ended=ended)
    seen = _AGE.match(sentence)
    return Statement(me, "age", seen["value"]) if seen else None


def _owned(seen: dict[str, str | None], me: str) -> Statement | None:
    """ "My R is V", "Alice's R was changed to V", "the R is V"."""
    owner, raw = seen.get("name"), seen["value"] or ""
    if owner and (plain(owner).split() or ["i"])[0] in _NO_SUBJECTS:
        return None
    rel = functional(seen["rel"] or "", raw, shared=bool(seen["the"]))
    if rel is None:
        return None
    return _made("" if seen["the"] else owner or me, rel, clause(raw), ended=bool(seen.get("neg")))


def _done(seen: re.Match[str], rel: str, me: str, *, ended: bool) -> Statement | None:
    """ "I live in V", "Alice left V", and the like."""
    if not ended and _LONG_AGO.search(seen["rest"]):
        return None
    subject = f"{me} {seen['kin'].casefold()}" if seen["kin"] else seen["name"] or me
    if seen["name"] and (plain(subject).split() or ["i"])[0] in _NO_SUBJECTS:
        return None
    raw = seen.groupdict().get("value") or ""
    return _made(subject, rel, "" if raw.endswith(" job") else raw, ended=ended)


def _numbered(fact: str) -> Statement | None:
    """A fact of a numbered list: "The R of S is V", "S was born in V"; any relation counts."""
    fact = " ".join(fact.split())
    if (seen := _OF.match(fact)) is not None:
        return _made(seen["subject"], relation(seen["rel"]), clause(seen["value"]), ended=bool(seen["neg"]))
    if (seen := _NUMBERED_FACT.match(fact)) is not None and plain(seen["subject"]).split()[:1] != ["the"]:
        return _made(seen["subject"], seen["rel"], clause(seen["value"]))
    return None


def _keyed(text: str) -> Statement | None:
    """ "K: V", "K = V", "set K to V" or a line of a ticket's log, being the whole turn."""
    if "\n" in text or text.endswith("?"):
        return None
    if (seen := _LOGGED.fullmatch(text)) is not None and (logged := _logged(seen)) is not None:
        return logged
    if (seen := _SET.fullmatch(text)) is not None and _CODE_KEY.search(seen["key"]):
        return _made("", relation(seen["key"]), seen["value"])
    if (seen := _PAIR.fullmatch(text)) is None:
        return None
    value = seen["value"].rstrip(" .!")
    if not value or not _is_key(seen["key"], seen["by"], value) or _ANNOUNCED.match(text):
        return None
    return _made("", relation(seen["key"]), value)


def _logged(seen: re.Match[str]) -> Statement | None:
    """ "PAY-84: owner changed from A to B", of any field; "PAY-84 status: open", of those that have one value."""
    field = relation(seen["field"].replace("_", " "))
    told = bool(seen["value"]) or field in _TICKET_FIELDS or known(field.split()[-1] if field else "")
    if not told or _NO_KEY_WORD.search(field):
        return None
    return _made(seen["key"], field, clause(seen["value"] or seen["shown"]))


def _is_key(key: str, by: str, value: str) -> bool:
    """Whether the words name something with a value, and do not open a sentence, a list or a line of a transcript."""
    words = key.casefold().split()
    if not 0 < len(words) <= 5 or words[0] in _NO_KEYS or words[-1] in _NO_KEYS or _NO_KEY_WORD.search(key.casefold()):
        return False
    if words[-1][-1].isdigit() and value[0].isdigit():  # 12:45, 2024-04-14 19:00
        return False
    if by == ":" and len(words) > 1:
        return False
    if by.startswith(":") and (_TICKET.fullmatch(key) or (_OF_TICKET.match(key) and "by" in words)):
        return False
    if "=" in by or "-" in by or known(words[-1]) or _CODE_KEY.search(key):
        return True
    name_like = key[:1].isupper() and len(words) == 1 and " " in value and not any(sign.isdigit() for sign in value)
    return len(value.split()) <= _VALUE_WORDS and not _TALK.search(value) and not name_like


def _made(subject: str, rel: str, raw: str, *, ended: bool = False) -> Statement | None:
    value = spelt(raw)
    if not rel or (says_nothing(value) and not (ended and not value)):
        return None
    return Statement(plain(subject), rel, value, ended)
