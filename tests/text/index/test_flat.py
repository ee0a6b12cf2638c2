"""The vector plane: exact enough, and the same however it grew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.index import kernels
from memspan.text.index.columns import Column
from memspan.text.index.flat import Flat


def plane(vectors, *, by, remove_common=True):
    """A plane of single-turn sessions, grown `by` units at a time."""
    vectors = np.concatenate([np.zeros((1, vectors.shape[1])), vectors]).astype(np.float16)
    flat = Flat(vectors.shape[1], (1.0, 0.3, 0.15, 0.075), remove_common=remove_common)
    for end in [*range(by, len(vectors) - 1, by), len(vectors) - 1]:
        near = np.zeros((end + 1, 7), np.int32)
        near[:, 0] = np.arange(end + 1)
        flat.grow(near, np.empty(0, np.int32), lambda units: vectors[units])
    return flat


@pytest.mark.parametrize("by", [1, 50, 300])
def test_scan_finds_what_an_exact_search_finds(by):
    """Within .004 of the cosine, however the plane grew; some units get what the whole scan gives them."""
    rows = np.random.default_rng(1).normal(size=(300, 64)) + 0.3
    flat = plane(rows, by=by, remove_common=False)
    query = flat.prepare(rows[7].astype(np.float32))
    exact = (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ query
    np.testing.assert_allclose(flat.scan(query)[1:], exact, atol=0.004)
    np.testing.assert_allclose(flat.some(query, np.arange(1, 301)), exact, atol=0.004)


def test_common_direction_goes_from_units_and_questions():
    """With a strong common direction removed, unrelated units are near zero."""
    rows = np.random.default_rng(2).normal(size=(256, 64)) + 5
    flat = plane(rows, by=100)
    query = flat.prepare(rows[0].astype(np.float32))
    assert abs(float(flat.scan(query)[2:].mean())) < 0.05 < float(flat.scan(query)[1])


@given(st.integers(1, 20), st.integers(1, 40))
def test_kernels_agree(rows, dim):
    """The fast kernel gives what numpy gives."""
    chance = np.random.default_rng(rows * 100 + dim)
    query, plane_ = (chance.integers(-127, 128, shape).astype(np.int8) for shape in (dim, (rows, dim)))
    np.testing.assert_array_equal(kernels.dots(query, plane_), kernels.dots_numpy(query, plane_))


@given(st.lists(st.lists(st.integers(-9, 9), max_size=5), max_size=20))
def test_a_column_holds_what_was_appended(parts):
    """Rows come back in order, whatever the sizes of the parts."""
    column = Column(np.int32)
    for part in parts:
        column.append(np.array(part, np.int32))
    assert column.view.tolist() == [value for part in parts for value in part]
