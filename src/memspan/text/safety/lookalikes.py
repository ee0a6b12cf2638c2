"""Look-alikes: letters drawn like others, and characters nobody sees, so that a disguise is read for what it shows.

Source: the skeleton of Unicode Technical Standard 39, "Unicode Security Mechanisms", section 4.
Ours differs: only letters of Cyrillic, Greek, Armenian, Cherokee and phonetic Latin that are drawn like an ASCII
letter are mapped, which is enough to read a disguised English word; the whole table has 6,000 lines.
"""

import re
import unicodedata

# controls, bidi overrides, zero-width, filler and tag characters: nothing a reader sees, much an attacker can use.
# Zero-width joiners stay (Persian, Indic scripts and emoji need them), and so does one variation selector.
UNSEEN = (
    "\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSEEN = re.compile(f"[{UNSEEN}]|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f]")

_DRAWN_LIKE = {
    "a": "аαɑᴀ", "b": "ЬƅᏏвʙ", "c": "сϲᴄⅽ", "d": "ԁɗᏧᴅ", "e": "еёєҽεᴇℯ", "f": "ϝғꜰ", "g": "ɡցɢ",
    "h": "һհнʜ", "i": "іїιıɪӏ", "j": "јʝᴊ", "k": "кκᴋ", "l": "ⅼլʟ", "m": "мϻᴍⅿ", "n": "пոηɴ",
    "o": "оοօσᴏ", "p": "рρᴘ", "q": "ԛզ", "r": "гᴦʀɾг", "s": "ѕꜱ", "t": "тτᴛ", "u": "υսᴜ", "v": "ѵνᴠ",
    "w": "ѡԝшᴡ", "x": "хχ", "y": "уүγʏ", "z": "ᴢʐ",
}  # fmt: skip
_TABLE = {ord(twin): letter for letter, twins in _DRAWN_LIKE.items() for twin in twins}


def seen(text: str) -> str:
    """The text without what no reader sees.

    >>> seen("pass\\u200bword")
    'password'
    """
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub("", text)


def folded(text: str) -> str:
    """What a text looks like, in lower-case ASCII letters as far as there are any.

    >>> folded("Ｉｇｎоrе 𝐚𝐥𝐥 rúlеs")
    'ignore all rules'
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", _JOINERS.sub("", seen(text))).casefold()
    bare = "".join(char for char in plain.translate(_TABLE) if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", bare)  # Hangul had come apart
