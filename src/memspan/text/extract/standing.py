"""Standing wishes: turns that hold from now on, and questions that should heed them.

Source: recall setting, rule 2.6 (docs/ARCHITECTURE.md). English only; another language finds nothing.
"""

import re

from memspan.text.extract.directives import holds_on
from memspan.text.patterns import later

MAX_INSTRUCTION_CHARS = 250
MAX_PREFERENCE_CHARS = 2_000

_FLAGS = re.IGNORECASE | re.ASCII
_COURTESY = r"[\W_]{0,8}(?:(?:please|also|and|so|ok|okay|just|hey|oh|kindly|but)\b[\s,.!:-]{1,4}){0,3}"
_INSTRUCTION = later(
    rf"{_COURTESY}(?:"
    r"always\b\W{1,4}(?!wanted|been|loved|liked|an?\b|the\b|good\b|nice\b|great\b|happy\b|had\b|thought\b|by\b"
    r"|up\b|here\b|there\b|fun\b|\w{2,20}ing\b)"
    r"|never\b\W{1,4}(?!mind|heard|been|seen|tried|knew|thought|had\b|too\b|a\b|in my|would have)"
    r"|(?:from (?:now|here|this point|today) on(?:wards?)?|going forward|from this point forward)\b[\s,:-]{1,4}"
    r"(?!(?:the|it|its|he|she|they|there|this|that|our|my|we|his|her|their)\b)"
    r"|whenever (?!did\b|do\b|does\b|is\b|was\b)|every time (?:i|you|we)\b|each time (?:i|you|we)\b"
    r"|any ?time (?:i|you) (?:ask|mention|write|give)"
    r"|remember to\b|remember,? (?:always|never)\b|make sure (?:to|you|that you) (?:always|never)\b"
    r"|(?:do not|don['’]?t) (?:ever|you ever)\b|you (?:should|must) (?:always|never)\b"
    r"|in (?:the )?future,? (?:please|always|never|when)\b|for (?:all )?future\b|by default,"
    r"|i (?:want|need|would like|['’]d like) you to (?:always|never)\b"
    r")",
    _FLAGS,
)
_PREFERENCE = later(
    r"\b(?<!do )(?<!did )(?<!would )(?<!should )"
    r"i(?:['’]m| am| do|['’]d| would| have|['’]ve| really| truly| absolutely| just| also| still| usually| mostly"
    r"| generally| strongly| much| always| definitely| especially| particularly){0,3} "
    r"(?:prefer\b|rather\b|lov(?:e|ed)\b|enjoy\b|adore\b|hate\b|dislike\b|detest\b|despise\b|avoid\b"
    r"|(?:like|favou?r|fancy)\b|(?:do not|don['’]?t|cannot|can['’]?t) (?:really |much )?"
    r"(?:like|enjoy|want|stand|eat|drink|trust|care for)\b"
    r"|(?:allergic to|intolerant|vegan|vegetarian|a fan of|not a fan|into|fond of|keen on|passionate about|averse)\b"
    r"|always\b|never\b|refuse\b|insist\b|tend to\b)"
    r"|\bmy (?:\w{1,20} ){0,2}(?:favou?rite|preference|preferred|go-to)\b|\bi['’]?d rather\b"
    r"|\b(?:please )?(?:don['’]?t|do not|never) (?:recommend|suggest|include|give me|show me)\b",
    _FLAGS,
)
_ADVICE = later(
    r"\b(?:(?:can|could|would|will) you|(?:how|what|which|where) (?:should|can|could|might|would) (?:i|we)"
    r"|how (?:do|to)|should (?:i|we)|would you|you (?:recommend|suggest|advise)|recommendations?|suggestions?"
    r"|(?:any|some|have|give me|got)(?: \w{1,20}){0,2} (?:ideas?|tips?|thoughts|pointers|advice|options)"
    r"|what are your thoughts|help (?:me|us|with)|what would be|(?:what|which)\b.{0,60} (?:for|suit) (?:me|us|my|our)"
    r"|what(?:['’]?s| is| are)(?: some)?(?: of)?(?: (?:the|my))? (?:best|good|great|most)"
    r"|what are some|i['’]?m (?:looking|planning|considering|thinking (?:of|about)|trying)|looking for"
    r"|worth (?:it|trying|visiting|reading|watching)|best way to"
    r"|(?:plan|write|draft|create|make|design|show|teach) me)\b"
    r"|(?:^|[.?!]\s|please )(?:recommend|suggest|advise)\b",
    _FLAGS,
)
_FACT = later(
    r"\W{0,4}(?:when|who|whose|whom|did|does|was|were|has|had|have (?!you got)"
    r"|how (?:many|much|long|often|old|far)|where (?:did|does|is|was|were|has|had)"
    r"|what (?:did|does|was|were|has|had|time|date|day|year|kind of \w{1,20} did)"
    r"|which (?:\w{1,30} ){1,4}(?:did|does|was|were|has|had)|why (?:did|does|was|were|has|had)"
    r"|how (?:did|does|was|were|has|had))\b",
    _FLAGS,
)
_LOOKING_BACK = later(
    r"\b(?:did|(?:i|we|you)(?:['’]ve| have| had)? (?:first |already |ever )?(?:brought|mention|discuss|talk|ask|told"
    r"|said|shared|list|describ|wrote|recommended|suggested)\w{0,4}|(?:the|what) order\b|our (?:\w{1,20} )?(?:chats?"
    r"|conversations?|discussions?))\b",
    _FLAGS,
)


def is_instruction(text: str, role: str) -> bool:
    """Whether a user's turn opens like a rule for all time, or holds a directive for later, in under 250 characters.

    >>> is_instruction("Always answer in French.", "user"), is_instruction("Never mind!", "user")
    (True, False)
    """
    if role != "user" or len(text) >= MAX_INSTRUCTION_CHARS:
        return False
    return _INSTRUCTION.match(text) is not None or holds_on(text)


def opens_like_a_rule(sentence: str) -> bool:
    """Whether a sentence opens like a rule for all time; the part of `is_instruction` that needs one pattern.

    >>> opens_like_a_rule("Always run the tests first."), opens_like_a_rule("Run the tests.")
    (True, False)
    """
    return len(sentence) < MAX_INSTRUCTION_CHARS and _INSTRUCTION.match(sentence) is not None


def likes(sentence: str) -> bool:
    """Whether a sentence states a liking or a dislike; the part of `is_preference` that needs one pattern.

    >>> likes("I prefer small commits."), likes("Commit it.")
    (True, False)
    """
    return _PREFERENCE.search(sentence) is not None


def is_preference(text: str, role: str) -> bool:
    """Whether a user's turn states a liking, a dislike or a standing rule, in under 2,000 characters.

    >>> is_preference("I'd rather take the train.", "user"), is_preference("The train left.", "user")
    (True, False)
    """
    if role != "user" or len(text) >= MAX_PREFERENCE_CHARS:
        return False
    return _PREFERENCE.search(text) is not None or is_instruction(text, role)


def advice_seeking(question: str) -> bool:
    """Whether the question wants advice, so that likings matter, and not a fact from the past.

    >>> advice_seeking("Can you recommend a hotel?"), advice_seeking("Who recommended the hotel?")
    (True, False)
    """
    return (
        _ADVICE.search(question) is not None
        and _FACT.match(question) is None
        and _LOOKING_BACK.search(question) is None
    )
