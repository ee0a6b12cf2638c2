"""The page as files and as one file: complete, closed, and safe to open whatever was remembered."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest
from click.testing import CliRunner
from tests.doors.web.remembered import TRAPS, friendly, hostile

from memspan import Memory
from memspan.core.clock import seconds
from memspan.doors.cli.main import cli
from memspan.doors.web import carry, page

SCOPE = "a<b>&\"'"
NOW = seconds("2025-05-01")
BLOCK = re.compile(r'<script type="application/json" id="carried">(.*?)</script>', re.S)


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """What a page carries of the memory that is all traps."""
    path = tmp_path_factory.mktemp("page") / "hostile.mem"
    hostile(path, SCOPE)
    with Memory(path, scope=SCOPE, read_only=True) as memory:
        return carry.of(memory, NOW)


@pytest.fixture(scope="module")
def text(carried):
    return page.html(carried)


def hashed(part):
    return "sha256-" + b64encode(sha256(part.encode()).digest()).decode()


def test_the_files_are_what_the_page_names():
    """Each is there with its type; the page loads nothing else, and by no absolute address."""
    files = page.files()
    assert set(files) == {"index.html", "page.css", "page.js", "icon.svg"}
    assert [kind.split(";")[0] for _, kind in files.values()] == [
        "text/html", "text/css", "text/javascript", "image/svg+xml",
    ]  # fmt: skip
    index = files["index.html"][0].decode()
    assert sorted(re.findall(r'(?:src|href)="([^"#]+)"', index)) == ["icon.svg", "page.css", "page.js"]
    assert not re.search(r"\son\w+=|style=|<script>|\{\{", index)


def test_no_code_of_ours_makes_markup_or_code_of_text():
    """Text reaches the page as text nodes only, and no address of elsewhere is in it."""
    script = page.files()["page.js"][0].decode()
    assert re.findall(r"https?://[^\s\"'`)]+", script) == ["http://www.w3.org/2000/svg"]
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|srcdoc|\bimport\(|DOMParser"
    assert not re.search(forbidden, script)
    assert not re.search(r"@import|url\(", page.files()["page.css"][0].decode())


def test_the_policy_lets_nothing_in():
    """Own files only, own server only, no frame, no inline, no string that becomes markup."""
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers()["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {policy[f"{what}-src"] for what in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in page.headers()["Content-Security-Policy"]


def test_the_one_file_names_its_script_and_style_by_hash(text):
    """Another script does not run; nothing can be asked for."""
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    script = text.rsplit("<script>", 1)[1].split("</script>")[0]
    style = text.split("<style>", 1)[1].split("</style>")[0]
    assert policy.startswith(f"default-src 'none'; script-src '{hashed(script)}'; style-src '{hashed(style)}'; ")
    assert "unsafe" not in policy and "connect-src" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style") < text.index("<script")


def test_no_remembered_text_leaves_the_block_that_carries_it(text, carried):
    """Between the block's tags there is no '<' at all; what is read back is what was put in."""
    blocks = BLOCK.findall(text)
    assert len(blocks) == 1
    assert "<" not in blocks[0]
    assert json.loads(blocks[0]) == json.loads(json.dumps(carried))
    assert text.count("<script") == 2 == text.count("</script>")
    rest = BLOCK.sub("", text)
    assert not any(trap[:60] in rest for trap in TRAPS)


def test_it_carries_what_the_memory_holds(carried):
    """Turns in order with their states, records, links, what happened, under the scope's own name."""
    assert carried["scope"] == SCOPE
    assert [turn["text"] for turn in carried["turns"]][: len(TRAPS)] == TRAPS
    assert {len(carried["records"]), len(carried["links"]) - 1} == {2 * len(TRAPS), len(TRAPS)}
    assert [turn["state"]["status"] for turn in carried["turns"]].count("superseded") == 1
    assert {event["what"] for event in carried["events"]} == {"corrected"}
    assert carried["left_out"] == 0


def test_a_large_memory_is_cut_to_the_newest_and_says_so(tmp_path):
    """Items, links and events of what is not there are not there either."""
    with Memory(friendly(tmp_path / "a.mem"), scope="demo") as memory:
        everything, few = carry.of(memory, NOW), carry.of(memory, NOW, most=10)
        total = memory.stats().turns + memory.stats().records
    assert [turn["id"] for turn in few["turns"]] == [turn["id"] for turn in everything["turns"]][-10:]
    held = {one["id"] for one in (*few["turns"], *few["records"])}
    assert len(held) == 20 == total - few["left_out"]
    assert all({link["source"], link["target"]} <= held for link in few["links"])
    assert all(event["id"] in held for event in few["events"] if event["text"])


def test_what_is_quarantined_stays_out_of_the_file(tmp_path):
    """Neither its words nor what happened to them."""
    pytest.importorskip("detect_secrets")
    with Memory(tmp_path / "a.mem", scope="a", secrets="quarantine") as memory:
        memory.remember("The key is AKIAIOSFODNN7EXAMPLE, keep it.")  # the published example of one
        memory.remember("The bike is red.")
        got = carry.of(memory, NOW)
    assert [turn["text"] for turn in got["turns"]] == ["The bike is red."]
    assert "AKIA" not in json.dumps(got) and got["left_out"] == 1


def test_the_command_writes_the_page(tmp_path):
    """And says what is in it; a memory that is not there is not made."""
    friendly(tmp_path / "a.mem")
    asked = ["report", "--memory", str(tmp_path / "a.mem"), "--scope", "demo", "--out", str(tmp_path / "page.html")]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0 and re.match(r"wrote .*page\.html: 62 turns and \d+ records, [\d.]+ kB\n$", done.output)
    held = json.loads(BLOCK.search((tmp_path / "page.html").read_text(encoding="utf-8"))[1])
    assert held["stats"]["turns"] == 62
    assert [due["what"] for due in held["due"]] == ["call Teresa about the accordion"]
    missing = CliRunner().invoke(cli, ["report", "--memory", str(tmp_path / "none.mem"), "--out", str(tmp_path / "x")])
    assert missing.exit_code == 2 and not (tmp_path / "none.mem").exists() and not (tmp_path / "x").exists()
