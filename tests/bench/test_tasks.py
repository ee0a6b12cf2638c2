"""What is written before a question, and what is withheld."""

from hypothesis import given
from hypothesis import strategies as st

from memspan.bench.cases import Ask, Unit
from memspan.bench.tasks import SINGLES, Put, Write, steps


def units_of(lengths):
    return [Unit(f"u{s}-{n}", "x", session=f"s{s}") for s, length in enumerate(lengths) for n in range(length)]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.data())
def test_a_question_never_sees_what_comes_later(lengths, data):
    units = units_of(lengths)
    asks = sorted(data.draw(st.lists(st.integers(0, len(units)), max_size=5)))
    written = 0
    seen = []
    for step in steps(units, [(Ask(str(visible)), visible) for visible in asks]):
        if isinstance(step, Write):
            assert list(step.units) == units[written : written + len(step.units)]
            written += len(step.units)
        else:
            seen.append(written)
    assert seen == asks


def test_one_bulk_write_then_singles():
    units = units_of([20])
    found = list(steps(units, [(Ask("q"), 20)]))
    assert [len(step.units) for step in found if isinstance(step, Write)] == [20 - SINGLES] + [1] * SINGLES
    assert isinstance(found[-1], Put)


def test_sessions_as_they_end():
    units = units_of([2, 3, 4])
    found = [len(one.units) if isinstance(one, Write) else "?" for one in steps(units, [(Ask("q"), 5), (Ask("r"), 9)])]
    assert found == [2, 3, "?", 4, "?"]
