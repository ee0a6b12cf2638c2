"""Trust is lowered by what a turn says of itself, never raised; what is derived is trusted like its least source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.records import ROLES
from memspan.text.safety.trust import (
    AGENT,
    LEVELS,
    TOOL,
    UNKNOWN,
    USER,
    derived_trust,
    level,
    may_stand,
    source_of,
    trust_of,
)

_SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
_JSON = st.recursive(_SCALAR, st.lists, max_leaves=3)


@given(role=st.sampled_from(ROLES), claimed=_JSON)
def test_meta_never_raises_trust(role, claimed):
    """Whatever JSON stands in meta["trust"]."""
    assert 0.0 <= trust_of(role, {"trust": claimed}) <= trust_of(role, {})


@pytest.mark.parametrize(
    ("claimed", "trust"),
    [
        (0.5, 0.5), (1, 1.0), (10**400, 1.0), (-1, 0.0), (float("nan"), 0.0), (True, 0.0), ("import", 0.25),
        (" Tool ", 0.5), ("root", 0.0), (None, 0.0), ([1], 0.0),
    ],
)  # fmt: skip
def test_what_is_claimed_is_a_number_or_a_level(claimed, trust):
    """Anything else counts as unknown: who says something odd about trust is not believed."""
    assert trust_of("user", {"trust": claimed}) == trust


def test_levels_fall_from_user_to_unknown():
    """user > agent > tool > import > unknown, each named by its own number."""
    assert list(LEVELS.values()) == sorted(LEVELS.values(), reverse=True)
    assert [level(trust) for trust in LEVELS.values()] == list(LEVELS)
    assert [trust_of(role, {}) for role in ("user", "assistant", "system", "tool")] == [USER, AGENT, AGENT, TOOL]


@given(st.lists(st.floats(0, 1), min_size=1))
def test_derived_trust_is_that_of_the_least_source(trusts):
    """And of no source, none."""
    assert derived_trust(trusts) == min(trusts)
    assert derived_trust([]) == UNKNOWN


def test_only_the_user_may_stand():
    """A tool, an assistant, an import under the user's name: none of them."""
    assert may_stand("user", {})
    assert not any(may_stand(role, {"trust": 1.0}) for role in ROLES if role != "user")
    assert not may_stand("user", {"trust": 0.99})


def test_a_source_is_named_or_the_speaker_or_the_role():
    """In that order; a source that is no text is none."""
    assert source_of("tool", "bot", {"source": " web "}) == "web"
    assert source_of("tool", "bot", {"source": 7}) == source_of("tool", "bot", {"source": " "}) == "bot"
    assert source_of("tool", "", {}) == "tool"
