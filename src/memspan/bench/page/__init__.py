"""The result as one HTML file that needs nothing else: no server, no network, no other file."""

from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from memspan.bench.looks import COLOURS, looks
from memspan.bench.page.closed import carried, filled, hashed, part, script
from memspan.bench.verdicts import verdict
from memspan.core.errors import UsageError

SCHEMA = "memspan.bench.run/2"
Result = dict[str, Any]  # Any: read back from JSON
_SCRIPTS = ("0_nodes", "1_result", "2_tables", "3_overview", "4_compared", "5_charts", "6_plots", "7_sets")


def write(result: Result, path: Path | str) -> Path:
    """Write the page of a result; gives the path.

    Raises UsageError for a result of another schema.
    """
    path = Path(path)
    path.write_text(html(result), encoding="utf-8", newline="\n")
    return path


def html(result: Result) -> str:
    """The page of a result; raises UsageError for a result of another schema."""
    if result.get("schema") != SCHEMA:
        raise UsageError(f"the page shows results of schema {SCHEMA}, not {result.get('schema')!r}; run it again")
    style, code = _style(), script(part(__name__, f"{name}.js") for name in _SCRIPTS)
    return filled(
        part(__name__, "page.html"),
        {
            "policy": _policy(style, code),
            "title": escape(f"memspan bench, {result['at'][:10]}"),
            "style": style,
            "script": code,
            "derived": carried(_derived(result)),
            "result": carried(result),
        },
    )


def _derived(result: Result) -> Result:
    """What the tables and plots say in the same words and colours."""
    return {
        "looks": {name: asdict(look) for name, look in looks(result["systems"]).items()},
        "verdicts": [verdict(pair) for pair in result["compared"]],
    }


def _style() -> str:
    shades = {ground: _colours(place) for place, ground in enumerate(("light", "dark"))}
    return part(__name__, "ground.css") + filled(part(__name__, "page.css"), shades)


def _colours(place: int) -> str:
    return " ".join(f"--{name}: {shades[place]};" for name, shades in COLOURS.items())


def _policy(style: str, code: str) -> str:
    """Nothing is loaded, and nothing runs or paints but what stands here, known by its hash."""
    return (
        f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
