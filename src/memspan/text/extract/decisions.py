"""Decisions that a sentence states: "we decided to keep cents as integers", "let's go with Postgres".

A sentence counts where it says that something was decided, or decides it for both; a question, a condition, a wish and
a decision still to be made are none. What an assistant means to do next ("I'll go with a loop here") is its own way of
working: of its sentences only those count that say "we" or "decision".

Source: own rules, made on made-up project histories; docs/decisions/0019-coding-agents.md says how they do on others.
English only; another language finds nothing.
"""

import re

from memspan.text.patterns import later

MAX_SENTENCE_CHARS = 400

_ANY = re.IGNORECASE
_LEAD = r"(?:(?:ok(?:ay)?|alright|so|and|but|then|yes|yeah|right|good|great|fine|agreed|thanks|perfect)[,.:!]? +){0,3}"
_SETTLED = r"(?:decided|agreed|chosen|chose|settled|opted|concluded|resolved)"
_HINTS = (
    *("decid", "decision", "agree", "chose", "settl", "opt", "conclu", "resolv", "verdict", "plan", "let's", "let’s"),
    *("lets ", " with ", "going", "use", "keep", "take ", "switch", "mov", "drop", "adopt", "support", "no longer"),
    *("won't", "won’t", "want us", "target", "skip", "postpon"),
)
"""One of these is in every sentence that counts; looking for them takes a tenth of the time."""
_BOTH = later(
    rf"\bwe(?:['’]ve| have)?(?: (?:all|both|now|already|finally|just)){{0,2}} {_SETTLED}\b"
    rf"|^\W{{0,4}}{_LEAD}(?:decision|decided|agreed|resolved|verdict)\W{{0,3}}[:–—-]"
    rf"|\bit(?:['’]s| is| was)(?: now)? {_SETTLED}\b|\b(?:our|the|my|final) decision (?:is|was|stands)\b"
    r"|\bthe plan (?:is|stays) (?:now )?to\b",
    _ANY,
)
_TAKEN = (
    r"(?:go(?:ing)? (?:with|for|ahead with)|stick(?:ing)? (?:with|to)|stay(?:ing)? (?:with|on)|settl(?:e|ing) (?:on"
    r"|for)|switch(?:ing)? (?:to|over to)|mov(?:e|ing) (?:to|over to|away from)|standardi[sz](?:e|ing) on"
    r"|us(?:e|ing)|keep(?:ing)?|drop(?:ping)?|adopt(?:ing)?|support(?:ing)?|target(?:ing)?|leav(?:e|ing) out"
    r"|postpon(?:e|ing)|skip(?:ping)?)"
)
_ONES_OWN = later(
    rf"\bi(?:['’]ve| have)?(?: (?:now|already|finally|just)){{0,2}} {_SETTLED}\b"
    rf"|\b(?:let['’]?s|we(?:['’]ll| will|['’]re| are)(?: going to| now)?|i(?:['’]m| am) going to"
    rf"|i want us to) (?:not )?(?:just |simply |then )?{_TAKEN} \S"
    rf"|^\W{{0,4}}{_LEAD}(?:let['’]?s |please )?(?:go|stick|stay) with \S"
    rf"|^\W{{0,4}}{_LEAD}(?:use|keep|take|choose|prefer) .{{2,80}}\b(?:instead of|rather than|not|over) \S"
    r"|\bwe(?:['’]re| are)? no longer (?:us|support|target|ship|need|do)\w{0,4}\b"
    r"|\bwe won['’]?t (?:us|support|ship|do|need|add|have)\w{0,3}\b",
    _ANY,
)
_NONE = later(
    r"\?\W*$|\b(?:if|whether|unless|until|before|once|when|should|could|would|might|may|maybe|perhaps|suppose|what if"
    r"|not sure|haven['’]?t|hasn['’]?t|didn['’]?t|have not|not yet|never|nobody|undecided|need(?:s)? to be|to be"
    r"|remind|wish|hope|about to|still)\b.{0,60}"
    rf"\b(?:{_SETTLED}|decide|agree|choose|settle|decision)\b|\bdecided? (?:later|tomorrow|next|on monday)\b"
    r"|\bagreed? (?:with you|that was|it was)\b|\bfor now,? let['’]?s (?:see|look|try)\b"
    r"|^\W{0,4}(?:if|whether|should)\b",
    _ANY,
)


def decides(sentence: str, role: str) -> bool:
    """Whether a sentence states a decision. role: of who said it

    >>> decides("OK, let's go with Postgres for the queue.", "user"), decides("Should we go with Postgres?", "user")
    (True, False)
    >>> decides("I'll use a loop here.", "assistant"), decides("We decided to keep the old API.", "assistant")
    (False, True)
    """
    low = sentence.lower()
    if len(sentence) > MAX_SENTENCE_CHARS or not any(hint in low for hint in _HINTS):
        return False
    if _BOTH.search(sentence) is None and (role != "user" or _ONES_OWN.search(sentence) is None):
        return False
    return _NONE.search(sentence) is None
