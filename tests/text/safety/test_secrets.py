"""Secrets are found, marked and, where wished, not kept. The keys here open nothing: they are made up on the spot."""

import subprocess
import sys
import time
from itertools import pairwise

import pytest

from memspan import Turn
from memspan.core.errors import MissingExtra, UsageError
from memspan.text.safety import secrets

pytest.importorskip("detect_secrets", reason="the extra [secrets] is not installed")

BODY = "Qq7Zx2Lm9Vb4Nc8Wd3Ee"
FOUND = {
    "AWS key": "AKIA" + "ABCDEFGHIJ234567",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "Google key": "AIza" + "Sy12_" * 7,
    "Anthropic key": "sk-ant-api03-" + BODY * 2,
    "OpenAI key": "sk-proj-" + BODY * 2,
    "Hugging Face token": "hf_" + "AbCd1" * 7,
    "npm token": "npm_" + "aB3dE6" * 6,
    "Slack token": "xoxb-" + "123456789012-abcdEFGH",
    "Stripe key": "sk_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
}
ORDINARY = (
    "I lost my house key and my password notebook.", "The password is 8-12 characters.", "A monkey stole the token.",
    "See https://example.com/a/very/long/path/that/goes/on?x=1", "user:password@localhost is a placeholder",
    "postgresql://username:password@localhost:5432/db", "password = db.Column(db.String(120))",
)  # fmt: skip


@pytest.mark.parametrize(("kind", "key"), FOUND.items())
def test_a_key_goes_whole(kind, key):
    """Not a character of it is left, and the words around it are."""
    assert secrets.redact(f"Here it is: {key}, keep it.") == f"Here it is: [redacted: {kind}], keep it."
    assert secrets.redact(f"`{key}{'xyz' if kind != 'JSON web token' else ''}`") == f"`[redacted: {kind}]`"


def test_passwords_told_in_words_are_found():
    """In a sentence, in a setting, in an address."""
    assert secrets.redact("My wifi password is Tulip77!") == "My wifi password is [redacted: password]!"
    assert secrets.redact("passphrase: 'c0rrect-horse'") == "passphrase: '[redacted: password]'"
    assert secrets.redact("my PIN is 4921 now") == "my PIN is [redacted: password] now"
    assert secrets.redact("ftp://bob:s3cr3tz@host/x") == "ftp[redacted: password in a URL]host/x"


def test_a_private_key_goes_with_its_body():
    """To its END line, or as far as its lines go."""
    body = "\n".join([BODY * 3] * 4)
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert secrets.redact(f"a {key} b") == "a [redacted: private key] b"
    cut = secrets.redact(f"a -----BEGIN PRIVATE KEY-----\n{body}\nand so on")
    assert BODY not in cut and cut.endswith("and so on")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_left_alone(text):
    """Words about secrets, code, placeholders."""
    assert secrets.find(text) == [] and secrets.redact(text) is not None and secrets.redact(text) == text


def test_a_turn_is_redacted_in_text_and_meta():
    """At any depth of meta; a turn without secrets comes back itself."""
    key = FOUND["AWS key"]
    turn = Turn(f"key {key}", speaker="Ann", session="s", meta={"raw": [{"k": key}], "n": 1})
    clean = secrets.redacted(turn)
    assert key not in f"{clean.text}{clean.meta}" and clean.meta["n"] == 1 and clean.speaker == "Ann"
    assert secrets.holds_secret(turn) and not secrets.holds_secret(clean)
    assert secrets.redacted(clean) is clean


def test_spans_are_in_order_and_do_not_overlap():
    """Also where two patterns see the same characters."""
    found = secrets.find(" ".join(FOUND.values()) + " password: " + FOUND["GitHub token"])
    assert all(one.end <= after.start for one, after in pairwise(found))
    assert len(found) == len(FOUND) + 1


def test_a_policy_is_one_of_three():
    """Another word is refused."""
    assert [secrets.check_policy(name) for name in secrets.POLICIES] == list(secrets.POLICIES)
    with pytest.raises(UsageError, match="'hide'"):
        secrets.check_policy("hide")


def test_without_the_extra_it_says_what_to_install():
    """Whoever chooses redact or quarantine is told; allow needs nothing."""
    code = (
        "import sys; sys.modules['detect_secrets'] = None\n"
        "from memspan.text.safety import secrets\n"
        "from memspan.core.errors import MissingExtra\n"
        "assert secrets.check_policy('allow') == 'allow'\n"
        "for call in (lambda: secrets.check_policy('redact'), lambda: secrets.find('x')):\n"
        "    try:\n        call()\n    except MissingExtra as why:\n        print(why)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.count('pip install "memspan[secrets]"') == 2
    assert issubclass(MissingExtra, ImportError)


HOSTILE = ("a", "eyJ", "eyJa.", "://a:a", "://", FOUND["AWS key"], "BEGIN RSA PRIVATE KEY", "password is ", "xoxb-1-")


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_stays_linear(unit):
    """200,000 characters made to make patterns slow."""
    began = time.process_time()
    secrets.find(unit * (200_000 // len(unit)))
    assert time.process_time() - began < 3.0
