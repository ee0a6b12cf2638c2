"""What makes a page one closed file: its parts put together, data carried inside, a policy that names them by hash."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any


def carried(value: Any) -> str:  # Any: what json.dumps takes
    """JSON that can stand inside a script element: nothing in it can end the element.

    >>> carried({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def part(package: str, name: str) -> str:
    """A file that lies in a package of ours."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def script(parts: Iterable[str]) -> str:
    """One closed function of all parts: nothing leaks into the page, and the order of the parts is plain."""
    return '"use strict";(() => {\n' + "\n".join(parts) + "})();"


def hashed(text: str) -> str:
    """How a policy names a script or a style: 'sha256-...', without the quotes."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each {{name}} replaced, in one pass: what is put in is not looked at again.

    >>> filled("<p>{{a}}</p>", {"a": "{{b}}"})
    '<p>{{b}}</p>'
    """
    found = text.split("{{")
    return found[0] + "".join(_put(piece, values) for piece in found[1:])


def _put(piece: str, values: Mapping[str, str]) -> str:
    name, rest = piece.split("}}", 1)
    return values[name] + rest
