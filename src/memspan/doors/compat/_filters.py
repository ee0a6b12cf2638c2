"""mem0's filters: which stored fields meet one.

Source: mem0 2.x, `Memory.search`, and https://docs.mem0.ai/open-source/features/metadata-filtering.
Ours differs: "gt" and its like also compare texts, in the order of their characters, "icontains" folds case; an
operator that is not documented is refused, never ignored.
"""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from types import MappingProxyType
from typing import Any

from memspan.core.errors import UsageError
from memspan.core.records import Json

_ANY = "*"
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType({"gt": gt, "gte": ge, "lt": lt, "lte": le})
_OPERATORS = ("eq", "ne", "in", "nin", *_ORDER, "contains", "icontains")
_JOINS = ("AND", "OR", "NOT")


def check(filters: Mapping[str, Json]) -> None:
    """Raises UsageError where a filter is none."""
    for key, wanted in filters.items():
        if key in _JOINS:
            if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
                raise UsageError(f"filter {key}: must be a list of filters with at least one in it")
            for one in wanted:
                check(one)
        elif key.startswith("$"):
            raise UsageError(f"filter {key!r}: there are {', '.join(_JOINS)} and fields")
        elif isinstance(wanted, dict):
            for operator, operand in wanted.items():
                _check_operator(key, operator, operand)


def _check_operator(key: str, operator: str, operand: Json) -> None:
    if operator not in _OPERATORS:
        raise UsageError(f"filter on {key!r}: no operator {operator!r}; there are {', '.join(_OPERATORS)}")
    if operator in ("in", "nin") and not isinstance(operand, (list, tuple)):
        raise UsageError(f"filter on {key!r}: {operator!r} takes a list")


def meets(fields: Mapping[str, Json], filters: Mapping[str, Json]) -> bool:
    """Whether fields meet a filter that was checked.

    >>> meets({"user_id": "ann", "rank": 3}, {"user_id": "ann", "rank": {"gte": 3}})
    True
    >>> meets({"kind": "a"}, {"OR": [{"kind": "b"}, {"NOT": [{"kind": "c"}]}]})
    True
    """
    return all(_meets_one(fields, key, wanted) for key, wanted in filters.items())


def _meets_one(fields: Mapping[str, Json], key: str, wanted: Json) -> bool:
    if key == "AND":
        return all(meets(fields, one) for one in wanted)
    if key == "OR":
        return any(meets(fields, one) for one in wanted)
    if key == "NOT":
        return not any(meets(fields, one) for one in wanted)
    if isinstance(wanted, dict):
        return all(_compared(fields.get(key), operator, operand) for operator, operand in wanted.items())
    return bool(wanted == _ANY or _is_in(fields.get(key), wanted if isinstance(wanted, list) else [wanted]))


def _compared(value: Json, operator: str, operand: Json) -> bool:
    if operator in _ORDER:
        try:
            return bool(_ORDER[operator](value, operand))
        except TypeError:
            return False
    if operator in ("contains", "icontains"):
        return _contains(value, operand, folded=operator == "icontains")
    within = _is_in(value, list(operand) if operator in ("in", "nin") else [operand])
    return within if operator in ("eq", "in") else value is not None and not within


def _is_in(value: Json, wanted: list[Json]) -> bool:
    """Whether a value, or one of a list of values, is one of those wanted."""
    return any(one in wanted for one in (value if isinstance(value, list) else [value]))


def _contains(value: Json, part: Json, *, folded: bool) -> bool:
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    wanted = str(part)
    return any(wanted.casefold() in text.casefold() if folded else wanted in text for text in texts)
