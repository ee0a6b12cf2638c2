"""Secrets: keys, tokens and passwords that somebody typed into a conversation.

The patterns are those of detect-secrets (Yelp, Apache-2.0), extra [secrets]; its guesses by entropy and by the name
of a variable are left out, they are made for source code. Nothing is ever verified over the network.
Ours: kinds of keys younger than its last release, passwords told in plain words, and that the whole run of
characters goes where a pattern matches a part of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any, Literal, get_args

from memspan.core.errors import MissingExtra, UsageError
from memspan.core.records import Json, Turn

Policy = Literal["allow", "redact", "quarantine"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

WINDOW_CHARS = 1_000  # patterns see so much at once: some of them take quadratic time
_OVERLAP_CHARS = 250
_LEAST_CHARS = 18  # the shortest run of characters that a pattern takes for a key

_DETECTORS = (
    ("aws.AWSKeyDetector", "AWS key"),
    ("azure_storage_key.AzureStorageKeyDetector", "Azure key"),
    ("basic_auth.BasicAuthDetector", "password in a URL"),
    ("discord.DiscordBotTokenDetector", "Discord token"),
    ("github_token.GitHubTokenDetector", "GitHub token"),
    ("gitlab_token.GitLabTokenDetector", "GitLab token"),
    ("jwt.JwtTokenDetector", "JSON web token"),
    ("mailchimp.MailchimpDetector", "Mailchimp key"),
    ("openai.OpenAIDetector", "OpenAI key"),
    ("private_key.PrivateKeyDetector", "private key"),
    ("pypi_token.PypiTokenDetector", "PyPI token"),
    ("sendgrid.SendGridDetector", "SendGrid key"),
    ("slack.SlackDetector", "Slack token"),
    ("square_oauth.SquareOAuthDetector", "Square secret"),
    ("stripe.StripeDetector", "Stripe key"),
    ("telegram_token.TelegramBotTokenDetector", "Telegram token"),
    ("twilio.TwilioKeyDetector", "Twilio key"),
)
_YOUNGER = (
    (re.compile(r"AIza[0-9A-Za-z_-]{35}"), "Google key"),
    (re.compile(r"github_pat_[0-9A-Za-z_]{22,255}"), "GitHub token"),
    (re.compile(r"sk-ant-[0-9A-Za-z_-]{20,200}"), "Anthropic key"),
    (re.compile(r"sk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{20,200}"), "OpenAI key"),
    (re.compile(r"\bhf_[0-9A-Za-z]{30,60}"), "Hugging Face token"),
    (re.compile(r"\bnpm_[0-9A-Za-z]{36}"), "npm token"),
)
_TOLD = re.compile(
    r"(?<![\w:/])(?:pass(?:word|phrase|code|wd)|(?:api|secret|access|private|encryption)[ _-]?(?:key|token))s?\b"
    r"[^.\n]{0,25}?(?:\bis\b|[=:]|->)\s{0,3}[\"'`“]?(?P<secret>[^\s\"'`“”]{6,128})"
    r"|\bPIN\b(?: code| number)?(?: is|:| =)\s{0,3}(?P<pin>\d{4,8})\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"[(){}<>\[\]]|//|^\$|^1password$", re.IGNORECASE)
_STAND_IN = re.compile(r":[<{$]?[\w-]*(?:pass|pwd|secret|example)[\w-]*[>}]?@|:[x*.]+@", re.IGNORECASE)
_TOLD_WORDS = ("passw", "passp", "passc", "key", "token", "pin ", "pin:")
_PEM_END = "-----END"
_PEM_CHARS = 20_000  # the longest private key
_KEY_LINES = re.compile(r"-{0,5}(?:\s{0,4}[0-9A-Za-z+/=]{16,80})*")
_TOKEN_CHARS = re.compile(r"[0-9A-Za-z_-]*")
_WEB_TOKEN_CHARS = re.compile(r"[0-9A-Za-z_.=-]*")
_BEFORE = re.compile(r"[0-9A-Za-z_-]*\Z")
_LONGEST_CHARS = 4_096  # of a key before the part that a pattern matches


@dataclass(frozen=True, slots=True)
class Secret:
    """A stretch of text that should not be kept. start, end: positions;  kind: what it is, like "AWS key" """

    start: int
    end: int
    kind: str


def check_policy(policy: str) -> Policy:
    """The policy, if it can be kept.

    policy: "allow" stores what was said; "redact" stores marks in the place of secrets; "quarantine" stores it but
        recall does not see it
    Raises UsageError for another word, MissingExtra where detect-secrets is needed and absent.
    """
    if policy not in POLICIES:
        raise UsageError(f"no policy for secrets is called {policy!r}; there are {', '.join(POLICIES)}")
    if policy != "allow":
        _patterns()
    return policy


def find(text: str) -> list[Secret]:
    """Secrets in a text, in order, none overlapping. Raises MissingExtra where detect-secrets is absent."""
    patterns = _patterns()
    if not _worth(text):
        return []
    windows = list(_windows(text))
    keys = [secret for pattern in patterns for secret in _matches(text, windows, *pattern)]
    return _merged(keys + _told(text, windows))


def redact(text: str) -> str:
    """The text with a mark like "[redacted: AWS key]" for every secret; raises MissingExtra as find does."""
    kept, after = [], 0
    for secret in find(text):
        kept += [text[after : secret.start], f"[redacted: {secret.kind}]"]
        after = secret.end
    return "".join([*kept, text[after:]])


def redacted(turn: Turn) -> Turn:
    """The turn without secrets in its text and in the strings of its meta; the same turn where there are none."""
    text, meta = redact(turn.text), {key: _redacted(value) for key, value in turn.meta.items()}
    return turn if text == turn.text and meta == turn.meta else replace(turn, text=text, meta=meta)


def holds_secret(turn: Turn) -> bool:
    """Whether the text or the meta of a turn holds a secret; raises MissingExtra as find does."""
    return redacted(turn) is not turn


def _redacted(value: Json) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


def _worth(text: str) -> bool:
    """Whether a text could hold a secret at all: a long run of characters, or a word about secrets."""
    if max(map(len, text.split()), default=0) >= _LEAST_CHARS:
        return True
    low = text.lower()
    return any(word in low for word in _TOLD_WORDS)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    for start in range(0, max(1, len(text) - _OVERLAP_CHARS), WINDOW_CHARS - _OVERLAP_CHARS):
        yield start, min(len(text), start + WINDOW_CHARS)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str, Any], ...]:  # Any: the detector, or None where the pattern is ours
    found: list[tuple[re.Pattern[str], str, Any]] = []
    for path, kind in _DETECTORS:
        module, name = path.split(".")
        try:
            detector = getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        except ImportError:
            raise MissingExtra("secrets", "finding secrets") from None
        found += [(pattern, kind, detector) for pattern in detector.denylist]
    return (*found, *((pattern, kind, None) for pattern, kind in _YOUNGER))


def _matches(
    text: str, windows: list[tuple[int, int]], pattern: re.Pattern[str], kind: str, detector: Any
) -> Iterator[Secret]:
    """What one pattern finds; behind a run of characters it goes on, so that time stays linear."""
    valid = getattr(detector, "is_formally_valid", None)
    after = 0
    for start, end in windows:
        while match := pattern.search(text, max(start, after), end):
            first, after = _whole(text, kind, match, after)
            if (valid is None or valid(text[first:after])) and _STAND_IN.search(match[0]) is None:
                yield Secret(first, after, kind)


def _told(text: str, windows: list[tuple[int, int]]) -> list[Secret]:
    """Passwords told in plain words."""
    told = []
    for start, end in windows:
        for match in _TOLD.finditer(text, start, end):
            name = match.lastgroup or ""
            word = match[name].rstrip(".,;:!?)")
            if name == "pin" or _is_made_up(word):
                told.append(Secret(match.start(name), match.start(name) + len(word), "password"))
    return told


def _is_made_up(word: str) -> bool:
    """Whether a word told as a password is one: letters and digits mixed, neither code nor an address."""
    mixed = any(char.isdigit() for char in word) and any(char.isalpha() for char in word)
    return mixed and len(word) >= 6 and _CODE.search(word) is None


def _whole(text: str, kind: str, match: re.Match[str], after: int) -> tuple[int, int]:
    """The whole run of characters a match lies in: what is left of half a key may still be enough to guess."""
    start, end = match.span()
    if kind == "password in a URL":
        return start, end
    if kind == "private key":
        dashes = len(text[max(after, start - 5) : start]) - len(text[max(after, start - 5) : start].rstrip("-"))
        return start - dashes, _end_of_key(text, end)
    before = text[max(after, start - _LONGEST_CHARS) : start]
    run = _BEFORE.search(before)
    assert run is not None
    chars = _WEB_TOKEN_CHARS if kind == "JSON web token" else _TOKEN_CHARS
    rest = chars.match(text, end)
    assert rest is not None
    return start - len(run[0]), max(end, end + len(rest[0].rstrip(".")))


def _end_of_key(text: str, end: int) -> int:
    """Behind the END line of a private key, or behind the lines that look like one."""
    closing = text.find(_PEM_END, end, end + _PEM_CHARS)
    if closing >= 0:
        dashes = text.find("-----", closing + len(_PEM_END), closing + 80)
        return dashes + 5 if dashes >= 0 else closing + len(_PEM_END)
    lines = _KEY_LINES.match(text, end)
    assert lines is not None
    return lines.end()


def _merged(found: list[Secret]) -> list[Secret]:
    merged: list[Secret] = []
    for secret in sorted(found, key=lambda one: (one.start, -one.end)):
        if merged and secret.start < merged[-1].end:
            last = merged.pop()
            secret = Secret(last.start, max(last.end, secret.end), last.kind)
        merged.append(secret)
    return merged
