"""Trust: how far a text's origin may speak for the user, from 0 (nobody knows) to 1 (the user's own words).

Text filters do not stop planted text, structure does (docs/SECURITY.md): what a level may do is decided here and
nowhere else. A turn may say that it is to be trusted less than its role allows, never that it is to be trusted more.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from memspan.core.records import Json, Role

USER = 1.0
AGENT = 0.75
TOOL = 0.5
IMPORT = 0.25
UNKNOWN = 0.0
LEVELS: Mapping[str, float] = MappingProxyType(
    {"user": USER, "agent": AGENT, "tool": TOOL, "import": IMPORT, "unknown": UNKNOWN}
)
_OF_ROLE: Mapping[Role, float] = MappingProxyType({"user": USER, "assistant": AGENT, "system": AGENT, "tool": TOOL})
_TRUST, _SOURCE = "trust", "source"


def trust_of(role: Role, meta: Mapping[str, Json]) -> float:
    """Trust of a turn [0..1]: its role's, or what meta["trust"] says where that is less.

    meta["trust"]: a number [0..1] or the name of a level; what cannot be read as either counts as unknown

    >>> trust_of("user", {}), trust_of("tool", {"trust": 1.0}), trust_of("user", {"trust": "import"})
    (1.0, 0.5, 0.25)
    """
    most = _OF_ROLE[role]
    return min(most, _claimed(meta[_TRUST])) if _TRUST in meta else most


def _claimed(trust: Json) -> float:
    if isinstance(trust, str):
        return LEVELS.get(trust.strip().casefold(), UNKNOWN)
    if isinstance(trust, bool) or not isinstance(trust, int | float):
        return UNKNOWN
    return float(min(trust, USER)) if trust >= UNKNOWN else UNKNOWN  # not a number is not >= anything


def level(trust: float) -> str:
    """The name of the highest level a trust reaches.

    >>> level(1.0), level(0.6), level(0.1)
    ('user', 'tool', 'unknown')
    """
    return next((name for name, least in LEVELS.items() if trust >= least), "unknown")


def source_of(role: Role, speaker: str, meta: Mapping[str, Json]) -> str:
    """Where a turn came from: meta["source"], else its speaker, else its role.

    >>> source_of("tool", "weather", {}), source_of("tool", "weather", {"source": "api.example"})
    ('weather', 'api.example')
    """
    named = meta.get(_SOURCE)
    return named.strip() if isinstance(named, str) and named.strip() else speaker or role


def derived_trust(trusts: Iterable[float]) -> float:
    """Trust of what was made from sources: that of the least trusted one; of nothing, none.

    >>> derived_trust([1.0, 0.5, 0.75]), derived_trust([])
    (0.5, 0.0)
    """
    return min(trusts, default=UNKNOWN)


def may_stand(role: Role, meta: Mapping[str, Json]) -> bool:
    """Whether a turn may become a standing instruction, a preference or a reminder: only the user's own words.

    >>> may_stand("user", {}), may_stand("user", {"trust": "import"}), may_stand("tool", {"trust": 1})
    (True, False, False)
    """
    return role == "user" and trust_of(role, meta) >= USER
