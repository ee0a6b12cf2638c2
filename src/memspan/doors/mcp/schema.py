"""What a tool takes: a small part of JSON Schema, written down for the model and held to when it calls.

The keywords are `type`, `enum`, `items`, `maxItems`, `minimum`, `maximum`, `properties`, `required` and
`additionalProperties: false`. A value that is null counts as not given: models like to fill in every argument.
"""

from collections.abc import Mapping
from typing import Any

from memspan.core.errors import UsageError

Schema = dict[str, Any]  # Any: JSON Schema nests

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_SHOWN_CHARS = 40


def text(means: str, *, among: tuple[str, ...] = ()) -> Schema:
    """Schema of a text. among: nothing else may be said"""
    return {"type": "string", "description": means, **({"enum": list(among)} if among else {})}


def whole(means: str, *, least: int, most: int, default: int | None = None) -> Schema:
    """Schema of a whole number."""
    told: Schema = {"type": "integer", "description": means, "minimum": least, "maximum": most}
    return told if default is None else {**told, "default": default}


def flag(means: str) -> Schema:
    """Schema of true or false, false where it is not given."""
    return {"type": "boolean", "description": means, "default": False}


def texts(means: str, *, most: int) -> Schema:
    """Schema of a list of texts."""
    return {"type": "array", "description": means, "items": {"type": "string"}, "maxItems": most}


def of(takes: Mapping[str, Schema], needs: tuple[str, ...] = (), *, more: bool = False) -> Schema:
    """Schema of an object. needs: what must be given;  more: what it does not name is left aside, not refused"""
    closed = {} if more else {"additionalProperties": False}
    return {"type": "object", "properties": dict(takes), "required": list(needs), **closed}


def checked(schema: Schema, value: Any, name: str = "") -> Any:  # Any: JSON, as it came and as it may be used
    """The value, without what is null or not named. Raises UsageError where it does not follow the schema.

    >>> checked(of({"limit": whole("hits", least=1, most=9)}), {"limit": 3.0})
    {'limit': 3}
    >>> checked(of({"limit": whole("hits", least=1, most=9)}), {"limit": "3"})
    Traceback (most recent call last):
    memspan.core.errors.UsageError: limit: must be a whole number, not text ('3')
    """
    kind = schema["type"]
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if _type(value) != kind and (kind, _type(value)) != ("number", "integer"):
        raise UsageError(f"{name or 'arguments'}: must be {_WORDS[kind]}, not {_told(value)}")
    if "enum" in schema and value not in schema["enum"]:
        raise UsageError(f"{name}: {_short(value)} is none of {', '.join(schema['enum'])}")
    if "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
        raise UsageError(f"{name}: {value} is not between {schema['minimum']} and {schema['maximum']}")
    if kind == "array":
        return _list(schema, value, name)
    return _object(schema, value, name) if "properties" in schema else value


def _list(schema: Schema, value: list[Any], name: str) -> list[Any]:
    most = schema.get("maxItems", len(value))
    if len(value) > most:
        raise UsageError(f"{name}: holds {len(value):,}, the limit is {most}; use several calls")
    return [checked(schema["items"], item, f"{name}[{place}]") for place, item in enumerate(value)]


def _object(schema: Schema, value: dict[str, Any], name: str) -> dict[str, Any]:
    known, before = schema["properties"], f"{name}." if name else ""
    given = {key: item for key, item in value.items() if item is not None}
    unknown = [key for key in given if key not in known]
    if unknown and "additionalProperties" in schema:
        raise UsageError(f"{before}{_short(unknown[0])} is no argument; there are {', '.join(known) or 'none'}")
    if missing := [key for key in schema["required"] if key not in given]:
        raise UsageError(f"{before}{missing[0]}: is missing")
    return {key: checked(known[key], item, f"{before}{key}") for key, item in given.items() if key in known}


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    types = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return types.get(type(value), "null")


def _told(value: Any) -> str:
    kind = _WORDS.get(_type(value), "null")
    return f"{kind} ({_short(value)})" if isinstance(value, str | int | float) else kind


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARS else f"{shown[: _SHOWN_CHARS - 3]}..."
