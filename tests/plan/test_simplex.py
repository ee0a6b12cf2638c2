"""The linear programme: against scipy's solver, on programmes drawn at random."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.simplex import Programme

NUMBERS = st.integers(-5, 5).map(float)


@st.composite
def programmes(draw):
    """Costs, rows with a bound each, and how many of them are equations."""
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    row = st.lists(NUMBERS, min_size=width, max_size=width)
    cost, rows = draw(row), draw(st.lists(row, min_size=height, max_size=height))
    bounds = draw(st.lists(st.integers(-6, 9).map(float), min_size=height, max_size=height))
    return cost, rows, bounds, draw(st.integers(0, min(2, height)))


@settings(max_examples=60, deadline=None)
@given(programmes())
def test_the_best_is_as_good_as_scipys(drawn):
    """The same value where there is one, the same verdict where there is none; the answer fulfils all."""
    linprog = pytest.importorskip("scipy.optimize").linprog
    cost, rows, bounds, equations = drawn
    programme = Programme(list(cost))
    for row, bound in zip(rows[equations:], bounds[equations:], strict=True):
        programme.at_most(row, bound)
    for row, bound in zip(rows[:equations], bounds[:equations], strict=True):
        programme.exactly(row, bound)
    expected = linprog(
        cost, A_ub=rows[equations:] or None, b_ub=bounds[equations:] or None,
        A_eq=rows[:equations] or None, b_eq=bounds[:equations] or None,
    )  # fmt: skip
    if expected.status == 3:
        with pytest.raises(UsageError, match="without end"):
            programme.solve()
        return
    found = programme.solve()
    assert (found is None) == (expected.status == 2)
    if found is not None:
        assert sum(c * x for c, x in zip(cost, found, strict=True)) == pytest.approx(expected.fun, abs=1e-6)
        assert min(found) >= -1e-9
        for number, (row, bound) in enumerate(zip(rows, bounds, strict=True)):
            value = sum(r * x for r, x in zip(row, found, strict=True))
            assert value <= bound + 1e-6 and (number >= equations or value == pytest.approx(bound, abs=1e-6))


def test_an_equation_that_forces_zero_holds_to_the_end():
    """-x - y = 0 is fulfilled before it is looked at, and has to stay so; said twice it is as good as once."""
    programme = Programme([-1.0, -2.0])
    programme.exactly([-1.0, -1.0], 0.0)
    programme.exactly([-1.0, -1.0], 0.0)
    programme.at_most([1.0, 1.0], 4.0)
    assert programme.solve() == [0.0, 0.0]


def test_a_cycle_ends():
    """Beale's example, on which the method runs in circles without a rule."""
    programme = Programme([-0.75, 150.0, -0.02, 6.0])
    programme.at_most([0.25, -60.0, -0.04, 9.0], 0.0)
    programme.at_most([0.5, -90.0, -0.02, 3.0], 0.0)
    programme.at_most([0.0, 0.0, 1.0, 0.0], 1.0)
    found = programme.solve()
    assert found is not None and -0.75 * found[0] + 150 * found[1] - 0.02 * found[2] + 6 * found[3] == pytest.approx(
        -0.05
    )


def test_a_row_of_another_width_is_refused():
    """It would be read as something else."""
    with pytest.raises(UsageError):
        Programme([1.0]).at_most([1.0, 2.0], 3.0)
