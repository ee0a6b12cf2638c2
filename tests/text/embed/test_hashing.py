"""The hashing embedder is the same everywhere, and shared words bring texts together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.core.protocols import Embedder
from memspan.text.embed.hashing import METHOD, Hashing


def test_it_is_an_embedder() -> None:
    """It has what the engine reads, and its width is in the fingerprint."""
    assert METHOD is Hashing
    assert isinstance(Hashing(), Embedder)
    assert Hashing(32).fingerprint != Hashing(64).fingerprint


@given(text=st.text(), dim=st.integers(1, 300))
def test_rows_are_unit_or_zero(text: str, dim: int) -> None:
    """Whatever the text, lone surrogates included."""
    row = Hashing(dim).embed([text])[0]
    assert row.shape == (dim,)
    assert row.dtype == np.float32
    assert not row.any() or np.isclose(np.linalg.norm(row), 1)


def test_numbers_stay() -> None:
    """Golden: a change here is a change of every stored test vector."""
    assert np.flatnonzero(Hashing(16).embed(["Lisbon"])[0]).tolist() == [6, 10, 14, 15]


def test_words_decide_and_not_their_order_or_case() -> None:
    """A bag of lower-case words."""
    one, two, other = Hashing(256).embed(["red house", "House, RED!", "blue sky"])
    np.testing.assert_array_equal(one, two)
    assert abs(float(one @ other)) < 0.3


def test_a_width_below_one_is_refused() -> None:
    """The message says what to give."""
    with pytest.raises(UsageError, match="at least 1"):
        Hashing(0)
