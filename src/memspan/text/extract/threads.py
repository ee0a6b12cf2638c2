"""Threads left open: sentences that say that something is still to be done, and those that say that it is done.

"TODO: ...", "next step: ...", "we still need to ...", "I'll ... tomorrow", "the migration is not done yet", "leave the
docs for later". One is settled by a later sentence that tells of an end ("done", "fixed", "merged", "never mind") and
shares most of its words.

Source: own rules, made on made-up project histories; docs/decisions/0019-coding-agents.md says how they do on others.
English only; another language finds nothing.
"""

import re
from functools import cache, lru_cache
from math import ceil

from memspan.text.index.words import words
from memspan.text.patterns import later

MAX_SENTENCE_CHARS = 400
SHARE = 0.5
"""Of the words of an open thread, what a sentence must have to settle it."""

_ANY = re.IGNORECASE
_LATER = (
    r"(?:later|tomorrow|tonight|afterwards?|another (?:day|time)|next (?:time|week|session|month|sprint|release)"
    r"|(?:on |this |next )(?:mon|tues|wednes|thurs|fri|satur|sun)day|in (?:a|the) (?:follow[- ]up|next|later"
    r"|separate)\b|after (?:that|this|lunch|the (?:release|freeze|weekend|review|holidays?)))"
)
_HINTS = (
    *("todo", "to do", "to-do", "fixme", "follow", "next", "remain", "still", "left", "open", "outstanding", "action"),
    *("n't", "n’t", "not ", "later", "tomorrow", "tonight", "another", "after", "day", "remind", "forget", "missing"),
)
"""One of these is in every sentence that counts; looking for them takes a tenth of the time."""
_OPEN = later(
    r"^\W{0,4}(?:todo|to do|to-do|fixme|follow[- ]?ups?|next(?: steps?| up| time)?|remaining|still (?:open|to do"
    r"|missing|left)|left to do|open (?:points?|questions?|issues?|items?)|outstanding|action items?)\W{0,3}[:–—-] ?\S"
    r"|\b(?:we|i|you)(?:['’]ll)?(?: both)? still (?:need|have|want|ought) to\b"
    r"|\b(?:needs?|has|have|is|are) still (?:to be|missing|open|failing|broken|untested|pending)\b"
    r"|\bstill (?:needs?|has|have) (?:to be|to|an?|some|more)\b"
    r"|\b(?:was|were) still (?:to be|missing|open|pending)\b"
    r"|\b(?:is|are|was|were)(?:n['’]t| not) (?:yet )?(?:done|finished|fixed|merged|implemented|tested|covered|ported|"
    r"documented|released|deployed|handled)(?: yet)?\b|\bnot (?:done|finished|fixed|implemented|tested|ported) yet\b"
    r"|\b(?:i|we) (?:have not|haven['’]t|did not|didn['’]t) (?:yet )?(?:get|got|gotten|finish|touch|do|start|writ|"
    r"test|port|run|fix|updat|migrat|add)\w{0,5}\b"
    rf"|\b(?:i|we)(?:['’]ll| will|['’]m going to| am going to| shall) .{{2,120}}\b{_LATER}"
    rf"|\blet['’]?s .{{2,80}}\b{_LATER}|\b{_LATER},? (?:i|we)(?:['’]ll| will| need to| have to| should| must) \S"
    rf"|\bleave .{{2,80}}\b(?:for|until|till) {_LATER}|\bremains? (?:to be|open|undone|broken)\b"
    r"|\b(?:remind me|don['’]?t (?:let me )?forget) to \S|\bwhat(?:['’]s| is) (?:left|missing)(?: is)?\W{1,3}\S",
    _ANY,
)
_NOT_OPEN = later(
    r"\?\W*$|\b(?:no longer|nothing) (?:is |are )?(?:left|open|missing|to do)\b|\bif (?:you|we|i|it|that|the)\b"
    r"|\bnext time,? (?:please|don['’]?t|always|never)\b|^\W{0,4}(?:always|never|whenever|every time)\b",
    _ANY,
)
_ENDED = later(
    r"\b(?:done|finished|fixed|implemented|added|merged|shipped|wrote|written|removed|updated|landed|resolved|closed"
    r"|completed?|deployed|released|renamed|moved|migrated|ported|documented|tested|covered|handled|replaced|pushed"
    r"|bumped|created|set up|cleaned up|sent|told|called|paid|booked|passes|pass|works|in place|reviewed|answered"
    r"|upgraded)\b"
    r"|\b(?:never ?mind|no longer (?:needed|necessary|want)|not needed|don['’]?t need|forget about|cancel(?:led|ed)?"
    r"|dropped|won['’]?t (?:do|need)|obsolete)\b",
    _ANY,
)
_END_HINTS = (
    *("done", "finish", "ed", "shipped", "wrote", "written", "complete", "sent", "told", "paid", "pass", "works"),
    *("set up", "in place", "never", "no longer", "not need", "n't", "n’t", "forget", "cancel", "obsolete"),
)
_NOT_ENDED = later(
    r"\b(?:not|never(?! ?mind)|isn['’]t|aren['’]t|wasn['’]t|hasn['’]t|haven['’]t|still|yet|to be|will be|must be"
    r"|(?:should|needs?|has|have|want) (?:to )?be|once|until|when|if)\b|\?\W*$",
    _ANY,
)
_DROPS = later(
    r"\b(?:never ?mind|no longer|not needed|don['’]?t need|forget about|cancel(?:led|ed)?|won['’]?t (?:do|need))\b",
    _ANY,
)
_FRAME = """
todo next step still need later tomorrow remaining open left follow up remind forget leave done finish fix write add
make sure time session week point item issue get let want
"""


def left_open(sentence: str) -> bool:
    """Whether a sentence says that something is still to be done.

    >>> left_open("We still need to port the CLI tests."), left_open("The CLI tests are ported.")
    (True, False)
    """
    low = sentence.lower()
    if len(sentence) > MAX_SENTENCE_CHARS or not any(hint in low for hint in _HINTS):
        return False
    return _OPEN.search(sentence) is not None and _NOT_OPEN.search(sentence) is None


@lru_cache(maxsize=4_096)  # asked once for each thing that is open
def ends(sentence: str) -> bool:
    """Whether a sentence says that something is done, or not wanted any more.

    >>> ends("The CLI tests are ported."), ends("The CLI tests are not ported yet.")
    (True, False)
    """
    low = sentence.lower()
    if not any(hint in low for hint in _END_HINTS) or not _ENDED.search(sentence):
        return False
    return not _NOT_ENDED.search(sentence) or _DROPS.search(sentence) is not None


def settles(opened: str, sentence: str) -> bool:
    """Whether a later sentence says that what an open one is about is done, or not wanted any more.

    >>> settles("TODO: port the CLI tests", "The CLI tests are ported now."), settles("TODO: docs", "Tests are done.")
    (True, False)
    """
    if not ends(sentence):
        return False
    about = topic(opened)
    return bool(about) and len(about & topic(sentence)) >= ceil(SHARE * len(about))


def topic(sentence: str) -> frozenset[str]:
    """The stems that say what a sentence is about, without those that say that it is open or done."""
    return frozenset(words(sentence)) - _frame()


@cache
def _frame() -> frozenset[str]:
    return frozenset(words(_FRAME))
