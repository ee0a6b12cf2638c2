"""Claims: turns that say one thing of somebody or something named, as facts kept for an agent do.

A claim can be overtaken by a later one about the same; what people say in a chat ("I had such a day!"), questions,
and what happened on one day cannot. English; names are words with a capital letter.
"""

import re

MAX_CLAIM_CHARS = 320

_CAPITAL = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁ"
_NAME = re.compile(rf"\b[{_CAPITAL}][\w’'-]+")
_ADDRESSED = re.compile(r"\b(?:I|I['’]\w+|[Yy]ou|[Yy]our|[Ww]e|our|my|me|us|let['’]s|mine|yours)\b")
_TITLES = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Jr|Sr|St|Prof|PhD|No|vs)\.")
_SENTENCES = re.compile(rf"[.!?][\"'”’)]*\s+[{_CAPITAL}\"“]|\n")
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY = re.compile(
    rf"\b\d{{4}}-\d\d?-\d\d?\b|\b\d{{1,2}}:\d\d\b|\b\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b"
    rf"|\b{_MONTH} \d{{1,2}}\b|\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}\b"
)


def is_claim(text: str) -> bool:
    """Whether the text is one sentence, no question, in the third person, about something named, of no one day.

    >>> is_claim("Ada Byron is based in Berlin."), is_claim("I'm in Berlin!"), is_claim("Ada left on 2024-05-08.")
    (True, False, False)
    """
    if len(text) > MAX_CLAIM_CHARS or _ADDRESSED.search(text) or _DAY.search(text):
        return False
    bare = _TITLES.sub("", text.strip().strip('"“”'))
    return not bare.endswith("?") and _SENTENCES.search(bare) is None and _NAME.search(bare) is not None


def names(text: str) -> frozenset[str]:
    """The words with a capital letter, in lower case, without a possessive 's.

    >>> sorted(names("Ada's book about Charles Babbage"))
    ['ada', 'babbage', 'charles']
    """
    return frozenset(re.sub(r"['’]s?$", "", name).lower() for name in _NAME.findall(text))
