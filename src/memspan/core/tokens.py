"""Counting tokens without a tokenizer.

`estimate` needs no file and no network. Plug an exact counter in where the model is known:
`Memory(..., count_tokens=lambda text: len(encoding.encode(text)))`.
"""

import re
from collections.abc import Callable

CountTokens = Callable[[str], int]

CHARS_PER_TOKEN = 4
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


def estimate(text: str) -> int:
    """Tokens, roughly: a quarter of the characters, and one for each CJK character.

    Its error against a real tokenizer is measured and stated in docs/concepts.md.

    >>> estimate("I moved to Lisbon in May.")
    7
    >>> estimate("我搬到了里斯本")
    7
    """
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return wide + -(-(len(text) - wide) // CHARS_PER_TOKEN)
