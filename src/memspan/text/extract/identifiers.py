"""Things with a written form of their own: addresses, handles, tickets, versions, paths, hashes.

Ours throughout. A form counts only where it stands free of other word characters, and trailing punctuation is not
part of it. Dates, amounts, phone numbers and clock times are none of these.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_CHARS = 200
"""No identifier is longer; a longer run of characters is none."""


class Identifier(NamedTuple):
    """An identifier where it stands. kind: email, url, handle, hashtag, ticket, version, path, uuid or hash"""

    text: str
    kind: str
    start: int
    end: int


_ENDINGS = (
    "py|pyi|ipynb|js|jsx|ts|tsx|json|jsonl|ya?ml|toml|csv|tsv|txt|md|rst|html?|css|scss|sql|sh|bash|go|rs|java|kt"
)
_MORE = (
    "cpp|cc|c|h|hpp|cs|rb|php|swift|r|lua|xml|ini|cfg|conf|env|lock|log|pdf|docx?|xlsx?|pptx?|png|jpe?g|gif|svg|zip|gz"
)
_FORMS = re.compile(
    r"(?P<url>\b(?:https?://|www\.)[^\s<>\"'`{}|\\^]{3,200})"
    r"|(?P<email>(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}\b)"
    r"|(?P<handle>(?<![\w@./])@[A-Za-z]\w{1,29}\b)"
    r"|(?P<hashtag>(?<![\w#&/])#[A-Za-z]\w{1,49}\b)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<ticket>(?<![\w-])[A-Z][A-Z0-9]{1,9}-\d{1,7}(?![\w-]))"
    r"|(?P<version>(?<![\w.])(?:v\d{1,4}(?:\.\d{1,5}){0,3}|\d{1,4}\.\d{1,5}\.\d{1,6})(?:-(?:alpha|beta|rc|dev)[.\d]{0,6})?"
    r"(?!\w|\.\d))"
    r"|(?P<path>(?<![\w/.:~])(?:[A-Za-z]:\\|~?/|\.{1,2}/)?(?:[\w.@-]{1,60}[/\\]){1,12}[\w-]{1,60}\.(?:"
    + _ENDINGS
    + "|"
    + _MORE
    + r")\b|(?<![\w/.:~<])(?:~/|\.{1,2}/|/)(?:[\w.@-]{1,60}/){1,12}(?:[\w.@-]{1,60})?"
    r"|(?<![\w/.@-])[\w-]{1,60}\.(?:" + _ENDINGS + "|" + _MORE + r")\b(?![/.]\w))"
    r"|(?P<hash>\b(?=[a-f]{0,39}\d)(?=\d{0,39}[a-f])[0-9a-f]{7,40}\b)"
)
_SEEN = re.compile(r"[@#/\\]|www\.|\d[a-f-]|[a-f]\d|-\d|\d\.\d|\bv\d|\.[a-z]")
_TRAILING = ".,;:!?)]}'\"*_…”’"


def identifiers(text: str) -> Iterator[Identifier]:
    """The identifiers of a text, in order.

    >>> [(one.text, one.kind) for one in identifiers("See ABC-123, mail al@x.org or read src/a.py (v2.1).")]
    [('ABC-123', 'ticket'), ('al@x.org', 'email'), ('src/a.py', 'path'), ('v2.1', 'version')]
    """
    if not _SEEN.search(text):
        return
    for match in _FORMS.finditer(text):
        found = match[0].rstrip(_TRAILING) if match.lastgroup in ("url", "path") else match[0]
        if len(found) > 1:
            yield Identifier(found, match.lastgroup or "", match.start(), match.start() + len(found))
