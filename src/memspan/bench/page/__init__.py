"""The result as one HTML file that needs nothing else: no server, no network, no other file."""

import json
from base64 import b64encode
from dataclasses import asdict
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from memspan.bench.looks import COLOURS, looks
from memspan.bench.verdicts import verdict
from memspan.core.errors import UsageError

SCHEMA = "memspan.bench.run/2"
Result = dict[str, Any]  # Any: read back from JSON
_SCRIPTS = ("1_result", "2_tables", "3_overview", "4_compared", "5_charts", "6_plots", "7_sets")


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
    style, script = _style(), _script()
    return _filled(
        _part("page.html"),
        {
            "policy": _policy(style, script),
            "title": escape(f"memspan bench, {result['at'][:10]}"),
            "style": style,
            "script": script,
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


def carried(value: Any) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element.

    >>> carried({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _part(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    # one closed function: nothing leaks into the page, and the order of the parts is plain
    return '"use strict";(() => {\n' + "\n".join(_part(f"{name}.js") for name in _SCRIPTS) + "})();"


def _style() -> str:
    return _filled(_part("page.css"), {ground: _colours(place) for place, ground in enumerate(("light", "dark"))})


def _colours(place: int) -> str:
    return " ".join(f"--{name}: {shades[place]};" for name, shades in COLOURS.items())


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and nothing runs or paints but what stands here, known by its hash."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _filled(text: str, values: dict[str, str]) -> str:
    """The text with each {{name}} replaced, in one pass: what is put in is not looked at again."""
    found = text.split("{{")
    return found[0] + "".join(_put(piece, values) for piece in found[1:])


def _put(piece: str, values: dict[str, str]) -> str:
    name, rest = piece.split("}}", 1)
    return values[name] + rest
