"""A summary made of sentences that were said: no word in it is ours.

Source: greedy coverage of weighted words with diminishing returns, after Lin and Bilmes 2011, "A Class of Submodular
Functions for Document Summarization", ACL; rarity is replaced by a list of everyday words, because a summary may
depend on its own turns only.
Ours differs: a sentence is worth more when it states something (a name, a number, first person, not a question) and
when the user said it.
"""

import heapq
import re
from collections import Counter
from collections.abc import Sequence, Set
from functools import cache, lru_cache
from math import log

from memspan.core.records import Turn
from memspan.core.tokens import estimate
from memspan.text.consolidate.derived import Line, who
from memspan.text.index.words import words

READ_CHARS = 1_500
READ_CHARS_OF_ANSWERS = 600
"""So much of a turn is read; a longer one says what it is about at its beginning."""
MAX_SENTENCE_CHARS = 400

_SHORT_TOKENS = 12  # under which a sentence is hardly better for being shorter
_ENOUGH = 0.25  # of what the best sentence added; what adds less stays out
_AGAIN = 0.3  # what a word is worth the second time
_EVERYDAY_WORTH = 0.15
_ROLES = {"user": 1.0, "assistant": 0.6, "tool": 0.4, "system": 0.3}

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_MARKER = re.compile(r"(?m)^[ \t]*(?:[-*•#>|]+|\d{1,3}[.)])[ \t]+")
_SHORTENED = ("Dr", "Mr", "Ms", "Mrs", "St", "Prof", "vs", r"e\.g", r"i\.e", "[A-Z]")
_NO_END = "".join(rf"(?<!\b{word}\.)" for word in _SHORTENED)
_BREAK = re.compile(rf"(?:(?<=[.!?…])|(?<=[.!?…][\"”’)*])){_NO_END}\s+|\s*\n\s*|(?<=[。！？])")
_WHEN = re.compile(
    r"\b(?:yesterday|tomorrow|ago|since|(?:last|next) \w+|this (?:week|month|year|\w+day))\b", re.IGNORECASE
)
_NAME_OR_NUMBER = re.compile(r"\d|(?<=[a-z,;] )[A-ZÀ-ÖØ-Þ][\w'’-]*[a-z]|\b[A-Z]{2,}\b")
_FIRST_PERSON = re.compile(r"\b(?:I|my|we|our|me|us)\b", re.IGNORECASE)
_REACTION = re.compile(
    r"(?:thanks|thank you|wow|great|nice|sounds|glad|congrats)\b|.*\byour?\b|\["
    r"|i(?:['’]m| am) (?:so |really |super )?(?:glad|happy|proud|sorry)\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]")

_EVERYDAY = """
able absolutely actually almost alright already always amazing anyone anything appreciate around ask awesome away
awful back bad beautiful believe best better big bit bring call came care chance change check come congrats cool
course cute definitely different easy else end enjoy enough especially even every everyone everything exactly excited
exciting experience fantastic far feel feeling felt find fine first forward found fun gave give glad go going good
gonna got gotta great guess guy guys happen happy hard hear heard hello help helpful helps hey hi hope hot huge idea
important incredible inspiring interesting involve keep kind knew know last lately learn least leave left let life
like little live long look looking lot lots love loved make makes making many matter maybe mean mention mind minute
moment morning much nice nope number often oh ok okay part particular people perfect perhaps person place plan please
point possible pretty probably proud provide put question quite ready real really reason recently remember right
rewarding said say see seem seen sense share show small someone something sometimes soon sorry sound start stay step
still stuff stop super support sure take talk tell thank thanks thing things think thought time today together tomorrow
tonight took totally tough tried try trying understand use used useful using usually want wanted way week well went
whole wish wonderful wonder work world worry wow yeah year yep yes yesterday yet day night new old next nothing need
january february march april may june july august september october november december monday tuesday wednesday
thursday friday saturday sunday kinda bye woah whoa goodbye sir madam dear cheers sweet yay aww
example following include including certainly certain ensure specific consider image photo picture
"""


@cache
def everyday() -> frozenset[str]:
    """Stems of words that any conversation holds and that say nothing of what it is about."""
    return frozenset(words(_EVERYDAY))


def sentences(text: str, most_chars: int = READ_CHARS) -> list[str]:
    """The sentences of a text's first characters, verbatim, without list marks and code blocks.

    >>> sentences("I saw Dr. Lee today. She was kind!\\n- Take two\\n- Rest")
    ['I saw Dr. Lee today.', 'She was kind!', 'Take two', 'Rest']
    """
    plain = text[:most_chars]
    if "```" in plain:
        plain = _FENCED.sub("\n", plain)
    if "\n" in plain or plain[:1] in "-*•#>|0123456789":
        plain = _MARKER.sub("", plain)
    found = [clean for piece in _BREAK.split(plain) if (clean := " ".join(piece.split()))]
    if len(text) > most_chars and len(found) > 1:
        found.pop()  # cut in the middle
    return found


def lines_of(turn: Turn) -> list[Line]:
    """The sentences of a turn with who said them and when; one past 400 characters is cut between words."""
    name = who(turn)
    most = READ_CHARS_OF_ANSWERS if turn.role == "assistant" else READ_CHARS
    return [Line(turn.id, name, turn.at, _cut(sentence)) for sentence in sentences(turn.text, most)]


def _cut(sentence: str) -> str:
    if len(sentence) <= MAX_SENTENCE_CHARS:
        return sentence
    return sentence[:MAX_SENTENCE_CHARS].rsplit(" ", 1)[0] + " …"


def summarise(turns: Sequence[Turn], tokens: int = 160) -> list[Line]:
    """The sentences that say most of what the turns say, in the order of the turns.

    tokens: about so much text comes back [tokens], > 0; at least one sentence if there is any

    >>> talk = [Turn("Hi there!", id="1"), Turn("I moved to Lisbon in May. It is sunny.", id="2")]
    >>> [line.text for line in summarise(talk, tokens=8)]
    ['I moved to Lisbon in May.']
    """
    return pick(turns, [line for turn in turns for line in lines_of(turn)], tokens)


def pick(turns: Sequence[Turn], lines: Sequence[Line], tokens: int) -> list[Line]:
    """The same from lines of the turns: what the user said weighs more than what was answered."""
    worth = {turn.id: _ROLES[turn.role] for turn in turns}
    return choose(lines, tokens, [worth[line.turn] for line in lines])


def choose(lines: Sequence[Line], tokens: int, worth: Sequence[float] | None = None) -> list[Line]:
    """Those of the lines that cover the words of all of them best, in the order given; lines of nothing but everyday
    words only where there are no others.

    tokens: what the chosen may cost together [tokens], > 0;  worth: a factor for each line, 1 where not given
    """
    stems = [words(line.text) for line in lines]
    common = everyday() | {stem for name in {line.who for line in lines} for stem in words(name)}
    says = [place for place, found in enumerate(stems) if not common.issuperset(found)] or range(len(lines))
    costs = [estimate(line.text) for line in lines]
    if sum(costs[place] for place in says) <= tokens:
        return [lines[place] for place in says]
    weights = _weights(lines, stems, common)
    factors = [
        telling(line.text) * (worth[place] if worth else 1.0) / (costs[place] + _SHORT_TOKENS) ** 0.5
        for place, line in enumerate(lines)
    ]
    return [lines[place] for place in sorted(_greedy(stems, weights, factors, costs, tokens))]


def _weights(lines: Sequence[Line], stems: Sequence[Sequence[str]], common: Set[str]) -> dict[str, float]:
    """What each stem is worth: more with the number of turns that hold it, little for an everyday word."""
    said_in = {(stem, line.turn) for line, found in zip(lines, stems, strict=True) for stem in found}
    return {
        stem: (1 + log(count)) * (_EVERYDAY_WORTH if stem in common else 1.0)
        for stem, count in Counter(stem for stem, _ in said_in).items()
    }


def _greedy(
    stems: Sequence[Sequence[str]],
    weights: dict[str, float],
    factors: Sequence[float],
    costs: Sequence[int],
    tokens: int,
) -> list[int]:
    """Places chosen. What a line adds only shrinks as others are chosen, so an old bound is good enough to skip it."""
    left = dict(weights)
    bounds = [(-factors[place] * sum(map(left.__getitem__, set(found))), place) for place, found in enumerate(stems)]
    heapq.heapify(bounds)
    chosen: list[int] = []
    room, best = tokens, 0.0
    while bounds and room > 0:
        _, place = heapq.heappop(bounds)
        if chosen and costs[place] > room:
            continue
        gain = -factors[place] * sum(map(left.__getitem__, set(stems[place])))
        if bounds and (gain, place) > bounds[0]:
            heapq.heappush(bounds, (gain, place))
            continue
        best = min(best, gain)
        if chosen and gain >= _ENOUGH * best:
            break
        chosen.append(place)
        room -= costs[place]
        for stem in set(stems[place]):
            left[stem] *= _AGAIN
    return chosen


def telling(sentence: str) -> float:
    """How far a sentence states something, 0.2 to 1.8: names, numbers, times and first person count for it, a
    question or a reaction to the other one against it.

    >>> telling("I moved to Lisbon last May.") > telling("You moved?") > 0
    True
    """
    factor = 0.5 if sentence.endswith("?") else 1.0
    factor *= 1.25 if _NAME_OR_NUMBER.search(sentence) else 1.0
    factor *= 1.2 if _WHEN.search(sentence) else 1.0
    factor *= 1.2 if _FIRST_PERSON.search(sentence) else 1.0
    return factor * 0.5 if _REACTION.match(sentence) else factor


def topics(lines: Sequence[Line], most: int = 3, without: Sequence[str] = ()) -> list[str]:
    """Words and pairs of words that the lines are about, best first, as they were first written.

    without: names that are no topic here, such as the speakers

    >>> said = ["The pottery class is in Porto.", "A pottery class? Lovely.", "Clay takes patience."]
    >>> topics([Line(str(n), "Ann", None, text) for n, text in enumerate(said)], most=2)
    ['pottery class', 'Porto']
    """
    skip = {stem for name in without for stem in words(name)}
    forms: dict[tuple[str, ...], str] = {}
    turns: dict[tuple[str, ...], set[str]] = {}
    for line in lines:
        before: tuple[str, str] | None = None
        for word in _TOKEN.findall(line.text):
            stem = _topical(word)
            if not stem or stem in skip:
                before = None
                continue
            found: dict[tuple[str, ...], str] = {(stem,): word}
            if before:
                found[(before[0], stem)] = f"{before[1]} {word}"
            for key, form in found.items():
                if forms.setdefault(key, form) != form and form.islower():
                    forms[key] = form  # a capital at the head of a sentence means nothing
                turns.setdefault(key, set()).add(line.turn)
            before = (stem, word)
    scores = {key: _topic_score(forms[key], len(key), len(said)) for key, said in turns.items()}
    taken: set[str] = set()
    best: list[str] = []
    for key in sorted(scores, key=lambda key: -scores[key]):
        if len(best) == most or scores[key] <= 0:
            break
        if not taken & set(key):
            taken |= set(key)
            best.append(forms[key])
    return best


def _topic_score(form: str, length: int, turns: int) -> float:
    """Higher for what more turns say, for names, and for pairs that were said twice; 0 for other pairs."""
    name = any(letter.isupper() for letter in form)
    if length == 2:
        return 1.6 * turns if turns > 1 else 0.0
    return turns * (1.3 if name else 1.0)


@lru_cache(maxsize=1 << 16)
def _topical(word: str) -> str:
    """The stem of a word that can be a topic, else empty: not everyday, not a number, not punctuation."""
    found = words(word) if len(word) > 2 and not word.isdigit() else []
    return found[-1] if found and found[-1] not in everyday() else ""
