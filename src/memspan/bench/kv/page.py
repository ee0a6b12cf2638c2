"""The result as one HTML file that needs nothing else: tables that sort, and every cache a point to look at."""

from html import escape
from pathlib import Path
from typing import Any

from memspan.bench.kv.plots import ALIKE, front
from memspan.bench.kv.tables import WORDS
from memspan.bench.looks import COLOURS
from memspan.bench.page.closed import carried, filled, hashed, part, script

PAGE = "memspan.bench.page"
Result = dict[str, Any]  # Any: read back from JSON


def write(result: Result, path: Path) -> Path:
    """Write the page of a result; gives the path."""
    path.write_text(html(result), encoding="utf-8", newline="\n")
    return path


def html(result: Result) -> str:
    """The page of a result."""
    shades = {
        ground: " ".join(f"--{name}: {pair[place]};" for name, pair in COLOURS.items())
        for place, ground in enumerate(("light", "dark"))
    }
    style = part(PAGE, "ground.css") + filled(part(PAGE, "page.css"), shades) + part(__package__, "page.css")
    code = script([part(PAGE, "0_nodes.js"), part(PAGE, "2_tables.js"), part(__package__, "page.js")])
    policy = (
        f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return filled(
        part(PAGE, "page.html"),
        {
            "policy": policy,
            "title": escape(f"memspan bench kv, {result['at'][:10]}"),
            "style": style,
            "script": code,
            "derived": carried(_derived(result)),
            "result": carried(result),
        },
    )


def _derived(result: Result) -> Result:
    """Words of the tasks, and which rows no other beats."""
    rows = [row for row in result.get("rows", []) if row["resident_bytes"]]
    leads = {
        task: [[row["system"], row["budget"]] for row in front([row for row in rows if row["task"] == task])]
        for task in result.get("tasks", [])
    }
    return {"words": WORDS, "front": leads, "alike": ALIKE}
