"""Names in a text by rules: people, places, organisations, titles in quotation marks, identifiers.

Made for records of "everything said of X": a name found should be one; a name missed here is found where it stands
more plainly. So a capital where a sentence begins is not enough, and a line of capitals is a heading, not a name.
For English, and as far as it goes for languages that write names alone with a capital. Of Chinese only titles in 《》.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from memspan.text.extract.entities import HONORIFICS, NO_NAMES, UPPER
from memspan.text.extract.identifiers import identifiers

MAX_NAMES = 64
MAX_NAME_WORDS = 6
"""A longer run of capitals is a heading."""
MAX_RUNS = 5_000
"""How many runs of capitals of a text are looked at."""

_WORD = re.compile(rf"(?:[{UPPER}]\w{{0,40}}|(?<![\w'’.-])[a-z]{{1,2}}[A-Z]\w{{1,40}})(?:['’&.-]\w{{1,40}}){{0,4}}")
_SMALL = re.compile(r" |\. | (?:of|of the|de|de la|del|du|van|van der|von|der|di|da|&) ")
_SUFFIX = re.compile(r"['’](?:m|re|ve|ll|d|t)$", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"\n]{2,80})\"|“([^“”\n]{2,80})”|《([^《》\n]{1,80})》")
_INITIALS = re.compile(rf"(?:[{UPPER}]\.){{0,3}}[{UPPER}]")
_MIXED = re.compile(r"\w*[a-z][A-Z]\w*")
_FENCE = re.compile(r"```|~~~")
_DOTTED = frozenset(["dr", "mr", "mrs", "ms", "prof", "st", "mt", "ft", "jr", "sr"])
_OTHER = """
monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays
sundays january february march april may june july august september october november december mon tue tues wed thu
thur thurs fri sat sun jan feb mar apr jun jul aug sept sep oct nov dec christmas easter halloween thanksgiving
hanukkah ramadan diwali valentine spring summer autumn winter english french german spanish italian chinese japanese
korean russian portuguese dutch greek indian american british european african asian mexican canadian australian irish
scottish swedish latin arabic hindi turkish polish thai mom mum mommy dad daddy mama papa grandma grandpa grandmother
grandfather mother father sis bro auntie god jesus ok tv cd dvd pc usb pm am ai api url html css sql json xml http
https pdf faq diy asap fyi btw lol omg imo imho tbh ps eta rsvp vip ceo cfo cto hr pr qa id ii iii iv vs etc gmt utc
est pst usd eur gbp kg km mb gb tb absolutely agreed alas alternatively anyone anytime bet hope thought apologies are
aside ask aww awww based be besides best better big both bravo bring call certainly check cheers choose come consider
create damn definitely depending despite don done each either enjoy enough especially every everyone everything
excellent fantastic feel few find following fun funny furthermore gee get give go goodness got gosh gotta guess guys
happy hello help hopefully huh if include instead interesting it keep kind kinda know lately leave less let life lots
love lucky luckily make many meanwhile moreover most much my nearly new next nobody none nothing nowadays often old
only ooh oops option overall part people plus pretty probably put quite rather remember rest same say seems seriously
several simply somebody someone something sometimes soon speaking start step still stop such super surely take thing
things today tonight too total towards true truly try ugh unfortunately unless until upon use used using usually wait
want welcome whatever whenever whether whoever wish within without woohoo wonderful work world worth yo sup woo phew
man dude hmm ha aha brb nope woah yikes yum yup yummy been being before after during although because since while
"""
_ADJECTIVES = """
new old north south east west american british french german italian spanish english indian chinese japanese african
european asian latin mexican canadian australian irish scottish greek spring summer autumn winter
"""
_PEOPLE = """
hey hi hello hiya dear thanks thank congrats congratulations bye morning told friend buddy brother sister son daughter
wife husband partner girlfriend boyfriend cousin uncle aunt niece nephew boss colleague coworker neighbor neighbour
roommate teacher coach fiance fiancee
"""
_NO_NAME = NO_NAMES | frozenset(_OTHER.split())
_MAY_LEAD, _BEFORE_PEOPLE = frozenset(_ADJECTIVES.split()), frozenset(_PEOPLE.split())
_CUE_CHARS = 32
_SPEAKS = re.compile(
    r"(?:['’]s (?:mom|dad|mother|father|brother|sister|wife|husband|son|daughter|friend|birthday|job)"
    r"| (?:said|says|told|tells|asked|asks|thinks|thought|loves|likes|wants|feels|felt|and I|recommended|suggested"
    r"|mentioned|works|lives|invited|called|texted))\b"
)
_KINDS = {
    "place": "park street st avenue road lake river mountain mountains mount beach city island islands bay valley"
    " forest museum square bridge airport station falls canyon hills springs county desert sea coast canal trail",
    "organisation": "inc ltd llc corp corporation company co group university college school academy institute"
    " hospital clinic club society foundation association bank agency union committee council studio studios team"
    " center centre library church orchestra press records",
}
_FIRST_WORDS = {"lake": "place", "mount": "place", "mt": "place", "fort": "place", "university": "organisation"}
_LAST_WORDS = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_AT_PLACE = re.compile(
    r"\b(?:live[sd]?|living|moved?|trip|travel(?:s|l?ed|l?ing)?|flew|fly|flying|visit(?:s|ed|ing)?|vacation|born|based"
    r"|arrived|stay(?:s|ed|ing)?|house|home|somewhere)(?: back)?(?: in| to| near| around| at)? $"
)
_INSIDE = frozenset(",'’)%$&\x1f")
_FILLER = "\x1f"
_SHOUTED_SHARE = 0.4
_HEADING_SHARE = 0.6
_LINE_CHARS = 200


class Name(NamedTuple):
    """A name as it is written.

    kind: person, place or organisation where the words around it say so, else name; acronym; title; or that of an
    identifier: email, url, handle, hashtag, ticket, version, path, uuid, hash
    """

    text: str
    kind: str

    @property
    def key(self) -> str:
        """What two mentions of one name share.

        >>> Name("ABC-12", "ticket").key
        'abc-12'
        """
        return " ".join(self.text.casefold().split())


def names(text: str, known: Collection[str] = ()) -> list[Name]:
    """The names in a text, each once, as they come; at most 64.

    known: names that count even as the first word of a sentence, and are people: the speakers, those found before

    >>> [tuple(one) for one in names("Last May I read “The Hobbit” to Ann Lee, near Oslo.")]
    [('The Hobbit', 'title'), ('Ann Lee', 'name'), ('Oslo', 'name')]
    >>> names("Melanie paints."), [one.text for one in names("Melanie paints.", known=["Melanie"])]
    ([], ['Melanie'])
    """
    found: dict[str, tuple[int, Name]] = {}
    people = {name.casefold() for name in known}
    for offset, part in _prose(text):
        for place, name in _in_part(part, people):
            found.setdefault(name.key, (offset + place, name))
        if len(found) >= MAX_NAMES:
            break
    return [name for _, name in sorted(found.values(), key=lambda one: one[0])][:MAX_NAMES]


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """The parts outside of fenced code, and where they begin."""
    if "```" not in text and "~~~" not in text:
        yield 0, text
        return
    start, inside = 0, False
    for fence in _FENCE.finditer(text):
        if not inside:
            yield start, text[start : fence.start()]
        start, inside = fence.end(), not inside
    if not inside:
        yield start, text[start:]


def _in_part(text: str, people: set[str]) -> Iterator[tuple[int, Name]]:
    taken: list[tuple[int, int]] = []
    for one in identifiers(text):
        taken.append((one.start, one.end))
        yield one.start, Name(one.text, one.kind)
        if len(taken) >= MAX_NAMES:
            return
    for start, end, title in _titles(text):
        if not any(first < end and start < last for first, last in taken[:MAX_NAMES]):
            taken.append((start, end))
            yield start, Name(title, "title")
        if len(taken) >= 2 * MAX_NAMES:
            return
    yield from _capitalised(_masked(text, sorted(taken)), people)


def _masked(text: str, taken: Sequence[tuple[int, int]]) -> str:
    if not taken:
        return text
    parts, at = [], 0
    for start, end in taken:
        parts += [text[at:start], _FILLER * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def _titles(text: str) -> Iterator[tuple[int, int, str]]:
    """What stands in quotation marks and is written like a title."""
    if '"' not in text and "“" not in text and "《" not in text:
        return
    for match in _QUOTED.finditer(text):
        title = (match[1] or match[2] or match[3] or "").strip()
        if title.endswith(",") or (" " in title and title.endswith(".")):  # the sentence's own, put inside
            title = title[:-1]
        if match[3] or _is_title(title):
            yield match.start(), match.end(), title


def _is_title(title: str) -> bool:
    words = title.split()
    if not words or len(words) > 10 or title[-1] in ".!?…:;" or not title[0].isupper():
        return False
    if len(words) == 1:
        return len(title) > 2 and not title.isupper() and title.lower() not in _NO_NAME
    long = [word.lstrip("(#'’") for word in words if len(word) > 4]
    return all(word[:1].isupper() or word[:1].isdigit() for word in [*long, words[-1]])


def _capitalised(text: str, people: set[str]) -> Iterator[tuple[int, Name]]:
    """Runs of capitalised words that are no headings; a sentence's first word only where it is a name elsewhere."""
    shouted = _is_shouted(text)
    opening: list[tuple[int, str]] = []
    sure: set[str] = set()
    for _, run in zip(range(MAX_RUNS), _runs(text), strict=False):
        kept = _kept(run, shouted)
        if not kept or len(kept) > MAX_NAME_WORDS or all(len(word[0]) == 1 for word in kept):
            continue
        start, name = kept[0].start(), _spelled(text, kept)
        lower = name.casefold()
        if lower not in people and _is_heading(text, kept):
            continue
        if lower in people or not _opens(text, start) or _is_mixed(name) or (len(kept) > 1 and _is_noun(kept[0][0])):
            sure.add(lower)
            yield start, Name(name, _kind(text, kept, name, people))
        else:
            opening.append((start, name))
    yield from ((start, Name(name, "name")) for start, name in opening if name.casefold() in sure)


Words = list[re.Match[str]]


def _runs(text: str) -> Iterator[Words]:
    """Capitalised words that follow one another."""
    run: Words = []
    for match in _WORD.finditer(text):
        if run and _continues(text, run[-1], match):
            run[MAX_NAME_WORDS + 2 :] = [match]  # a longer run is no name, so that its words need not be kept
            continue
        if run:
            yield run
        run = [match]
    if run:
        yield run


def _continues(text: str, last: re.Match[str], match: re.Match[str]) -> bool:
    gap = text[last.end() : match.start()]
    if gap == " ":
        return not last[0].endswith(("'s", "’s"))
    if len(gap) > 9 or not _SMALL.fullmatch(gap):
        return False
    return gap != ". " or _INITIALS.fullmatch(last[0]) is not None or last[0].lower() in _DOTTED


def _kept(run: Words, shouted: bool) -> Words:
    """The run without the words at its ends that are no part of a name."""
    first, after = 0, len(run)
    while first < after and _is_no_name(run[first][0], shouted):
        if after - first > 1 and run[first][0].lower() in _MAY_LEAD:
            break
        first += 1
    while after - first > 1 and _is_pronoun(run[after - 1][0]):
        after -= 1
    return run[first:after]


def _is_pronoun(word: str) -> bool:
    return word.lower() in NO_NAMES or _SUFFIX.search(word) is not None


def _is_no_name(word: str, shouted: bool) -> bool:
    bare = word.removesuffix("'s").removesuffix("’s")
    if bare.lower() in _NO_NAME or _SUFFIX.search(bare):
        return True
    return bare.isupper() and len(bare) > 1 and (shouted or len(bare) > 6)


def _spelled(text: str, kept: Words) -> str:
    name = text[kept[0].start() : kept[-1].end()]
    return name.removesuffix("'s").removesuffix("’s")


def _opens(text: str, start: int) -> bool:
    """Whether a sentence, a line or a quotation begins there."""
    at = start - 1
    while at >= 0 and start - at < 4 and text[at] == " ":
        at -= 1
    if at < 0:
        return True
    before = text[at]
    if before == "." and text[max(0, at - 4) : at].rpartition(" ")[2].lower() in _DOTTED:
        return False
    return not (before.isalnum() or before in _INSIDE)


def _is_heading(text: str, kept: Words) -> bool:
    """Whether the run stands in a heading, a label ("Next Steps: ...") or what is set in bold."""
    start, end = kept[0].start(), kept[-1].end()
    left = max(text.rfind("\n", max(0, start - _LINE_CHARS), start) + 1, start - _LINE_CHARS, 0)
    right = text.find("\n", end, end + _LINE_CHARS)
    line = text[left : right if right >= 0 else end + _LINE_CHARS]
    if text[max(0, start - 2) : start] in ("**", "__") or text[end : end + 2] in ("**", "__"):
        return True
    label, colon, _ = line.partition(":")
    if colon and end <= left + len(label) + 1 and (_is_capitalised(label) or _opens(text, start)):
        return True
    return _is_capitalised(line) or (len(kept) > 1 and right in (end, end + 1) and _opens(text, start))


def _is_capitalised(line: str) -> bool:
    """Whether most of its words begin with a capital, as those of a heading do, and it is no sentence."""
    words = [word for word in line.split() if word[0].isalpha()]
    if len(words) < 4 or words[-1][-1] in ".!?,;":
        return False
    return sum(word[0].isupper() for word in words) > _HEADING_SHARE * len(words)


def _is_noun(word: str) -> bool:
    return not word.lower().endswith(("ing", "ed", "ly"))


def _is_mixed(name: str) -> bool:
    """One word written like "YouTube" or "iPhone": a capital after a small letter."""
    return _MIXED.fullmatch(name) is not None


def _is_shouted(text: str) -> bool:
    head = text[:400]
    capitals = sum(map(str.isupper, head))
    return capitals > _SHOUTED_SHARE * max(1, sum(map(str.isalpha, head)))


def _kind(text: str, kept: Words, name: str, people: set[str]) -> str:
    words = name.lower().split()
    first, last = words[0].rstrip("."), words[-1]
    if name.casefold() in people or first in HONORIFICS:
        return "person"
    if len(kept) == 1 and name.isupper():
        return "acronym"
    if len(kept) > 1 and (kind := _FIRST_WORDS.get(first) or _LAST_WORDS.get(last)):
        return kind
    if _SPEAKS.match(text, kept[0].start() + len(name)):
        return "person"
    before = text[max(0, kept[0].start() - _CUE_CHARS) : kept[0].start()]
    if before.rstrip(" ,").rpartition(" ")[2].lower() in _BEFORE_PEOPLE:
        return "person"
    return "place" if _AT_PLACE.search(before) else "name"
