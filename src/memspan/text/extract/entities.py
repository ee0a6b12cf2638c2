"""Names: what a turn opens with, and which speakers a question names.

Source: recall setting, rule 2.5 (docs/ARCHITECTURE.md). The head entity is the capitalised phrase that opens a
unit, followed by "(", ":", "," or is/was/are.
Ours differs: openers that are no names ("Well,", "It is") are left out.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_HEAD_CHARS = 80

UPPER = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΫА-ЯЁ"
_NAME_WORD = rf"[{UPPER}\d][\w.&'’/-]*"
_SMALL = "of|the|and|de|la|le|del|der|di|da|von|van|for|in|on|at|to|a|an|&"
_HEAD = re.compile(
    rf"\s{{0,8}}[\"“‘'*#]{{0,3}}((?=[{UPPER}]){_NAME_WORD}(?: (?:(?:{_SMALL}) ){{0,2}}{_NAME_WORD}){{0,9}})"
    r"[\"”’'*]{0,3}(?: ?[(:,]|, | (?:is|was|are)\b)"
)
_OPENERS = """
a absolutely actually ah alright also although am amazing an and another any anyway are as at awesome because
but by bye can congrats congratulations cool could dear did do does exactly finally first for from glad good
goodbye great had haha has have he hello her here hers hey hi his how however i if in indeed is it its just
last lately later let like look maybe me mine my nah nice no nope not note now of oh ok okay on once one or
our ours perfect perhaps please really right second see she should since so some sorry sounds still sure
tell thank thanks that the their theirs then there therefore these they third this those though time to
today tomorrow tonight totally true two very was we well were what when where which while who whoa whose why
will wow would yay yeah yep yes yesterday you your yours
"""
_HONORIFICS = "mr mrs ms miss dr prof professor doctor sir madam aunt uncle the my"
_HOMONYMS = "will may can do so i me my you the a an art mark bill"
NO_NAMES, HONORIFICS, _WORDS_TOO = (frozenset(words.split()) for words in (_OPENERS, _HONORIFICS, _HOMONYMS))
"""In lower case: words that open a sentence and are no names; words that stand before a name."""
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff]")


def head_entity(text: str) -> str | None:
    """The name that opens the text, or None.

    >>> head_entity("Lake Bohinj (Slovenia) is a glacial lake.")
    'Lake Bohinj'
    >>> head_entity("Well, it was fun.")
    """
    match = _HEAD.match(text, 0, MAX_HEAD_CHARS + 20)
    if match is None:
        return None
    name = match[1].rstrip(".'’-/&")
    if len(name) < 3 or len(name) > MAX_HEAD_CHARS or name.lower() in NO_NAMES:
        return None
    return name


def named(question: str, names: Iterable[str]) -> set[str]:
    """Those of the names that the question names, in any case, possessive or not.

    The first word of a longer name is enough, unless another name stands there in full.

    >>> sorted(named("What is Caroline's job?", ["Caroline", "Melanie"]))
    ['Caroline']
    """
    said = _WORD.findall(question)
    words = [word.casefold() for word in said]
    capital = {word.casefold() for word in said[1:] if word[0].isupper()}
    line = " ".join(["", *words, ""])
    known = set(words)
    folded = question.casefold()
    full, partly = set(), set()
    for name in names:
        parts = _parts(name)
        if not parts or (len(parts) == 1 and parts[0] in _WORDS_TOO and parts[0] not in capital):
            continue
        if f" {' '.join(parts)} " in line or (_CJK.search(name) and name.casefold() in folded):
            full.add(name)
        elif parts[0] in known and (parts[0] not in _WORDS_TOO or parts[0] in capital):
            partly.add(name)
    taken = {_parts(name)[0] for name in full}
    return full | {name for name in partly if _parts(name)[0] not in taken}


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[str, ...]:
    """Its words in lower case, without titles in front."""
    words = [word.casefold() for word in _WORD.findall(name)]
    while len(words) > 1 and words[0] in HONORIFICS:
        words.pop(0)
    return tuple(words)
