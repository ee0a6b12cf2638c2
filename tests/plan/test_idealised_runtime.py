"""The idealised runtime: what was put in comes out, with noise about right."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.idealised_runtime import Measured, Runtime, fit


@given(st.floats(0.001, 1), st.floats(0.0001, 0.1), st.floats(1e-6, 0.01))
def test_a_model_of_that_form_is_found(base, a_token, a_prompt_token):
    """Prompts between and past the measured ones too."""

    def truth(prompt, output):
        return base + prompt * a_prompt_token + (output - 1) * a_token

    made = fit(Measured(p, o, truth(p, o)) for p in (1, 256, 512, 1024) for o in (1, 8, 64))
    for prompt, output in ((1, 1), (100, 10), (512, 200), (2000, 3)):
        assert made.seconds(prompt, output) == pytest.approx(truth(prompt, output))
    assert made.device_seconds(100, 10, 8) == pytest.approx(8 * truth(100, 10))


def test_noise_averages_out():
    """Five percent on each measurement leave the slope within two."""
    dice = random.Random(1)
    made = fit(
        Measured(p, o, 0.1 + p * 1e-3 + (o - 1) * 0.02 * dice.uniform(0.95, 1.05))
        for p in (64, 256, 1024)
        for o in (1, 16, 32, 64, 128)
    )
    assert made.token_s == pytest.approx(0.02, rel=0.02)


def test_a_short_prompt_is_not_free():
    """Below the shortest measured prompt its time is taken; one measured prompt is taken for all."""
    made = Runtime(((100, 1.0), (200, 1.5)), 0.1)
    assert made.seconds(1, 1) == 1.0 and made.seconds(150, 1) == 1.25 and made.seconds(300, 1) == 2.0
    assert Runtime(((100, 1.0),), 0.1).seconds(900, 2) == 1.1


def test_what_cannot_be_is_refused():
    """No output, a prompt never measured with one token, nothing longer."""
    for made in (
        lambda: Runtime(((1, 1.0),), 0.1).seconds(1, 0),
        lambda: fit([Measured(1, 1, 1.0), Measured(2, 5, 1.0)]),
        lambda: fit([Measured(1, 1, 1.0)]),
    ):
        with pytest.raises(UsageError):
            made()
