"""What a question is about, without the words that say what is to be made of it.

"Can you list the order in which I brought up different aspects of my budget throughout our conversations?" is about my
budget. The other words lie near every talk about talks, and outweigh the two that matter; they are left out of what is
searched for, while the rules still read the whole question. Only questions that look back over much are touched.
"""

import re

from memspan.text.patterns import later

MAX_CHARS = 600
"""A longer text is no question about what was said."""
LEAST_WORDS = 2
"""What is left must still be about something."""

_SPEAK = r"(?:brought up|mention(?:ed)?|discuss(?:ed)?|talk(?:ed)? about|raised?|introduced?|cover(?:ed)?|went over)"
_TALKS = r"(?:chats?|conversations?|discussions?|talks?|sessions?)"
_WHOLE = r"(?:summary|overview|recap|rundown|outline|timeline)"
_ASKED = (
    r"^\W*(?:(?:can|could|would|will) you (?:please )?)?(?:please )?"
    r"(?:summari[sz]e|recap|outline|(?:walk|take) me through|(?:list|tell me|give me|provide|share|show me|write)"
    rf"(?: (?:me|us))?(?=(?: an?)?(?: [\w,-]+){{0,4}}? {_WHOLE}\b| (?:me )?(?:the )?order in which\b))"
    rf"(?:(?: an?| the)?(?: [\w,-]+){{0,4}}? {_WHOLE}\b(?: (?:of|about|on|that (?:ties together|covers|captures)))?)?"
)
_ORDER = r"\b(?:the order in which|in (?:what|which) order|in order(?! to\b))\b"
_THROUGHOUT = rf"\b(?:throughout|across|during|over(?: the course of)?|in) (?:all )?(?:of )?(?:our|these|my) {_TALKS}\b"
_LOOKS_OVER = later(f"{_ASKED}|{_ORDER}|{_THROUGHOUT}", re.IGNORECASE)
_FRAME = later(
    "|".join((
        r"\(?\bmention (?:only\b|(?:\w+ )?items)[^.)?]*[.)?]?|\(\w+ items[^)]*\)",
        _ASKED,
        _ORDER,
        _THROUGHOUT,
        rf"\b(?:(?:i|we)(?:['’]ve| have)? )?{_SPEAK}\b",
        r"\b(?:different|various|several)\b(?: (?:aspects of|concepts|topics|things)\b)?|\baspects of\b|\beverything\b",
        rf"\bmy {_TALKS} (?:about|on)\b|\bmy focus on\b",
        r"\b(?:develop|progress|change|evolve)(?:d|ed)?\b|\bover (?:time|the past (?:few )?\w+)\b",
    )),
    re.IGNORECASE,
)  # fmt: skip


def matter(question: str) -> str:
    """What a question that looks back over much is about; any other question as it is.

    >>> matter("Can you give me a brief summary of how my garden developed over time?")
    'how my garden ?'
    >>> matter("What was the order I placed in May?")
    'What was the order I placed in May?'
    """
    if len(question) > MAX_CHARS or _LOOKS_OVER.search(question) is None:
        return question
    left = " ".join(_FRAME.sub(" ", question).split())
    return left if len(re.findall(r"\w+", left)) >= LEAST_WORDS else question
