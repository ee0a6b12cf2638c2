"""Idealised runtime: what a request takes without contention, from few measurements: its prompt, then token by token.

Source: Narayanan et al. 2023, "Cheaply Estimating Inference Efficiency Metrics for Autoregressive Transformer Models",
arXiv:2305.02440, and its code (stanford-crfm/helm-efficiency, notebooks/fit_runtimes.py): the time with one output
token is the prompt's; what each further token adds is one slope over all measurements.
Ours differs: between measured prompts the time is interpolated, past the last one continued; the slope goes through
zero, where the code fits and drops an intercept. The paper's own times are not in what could be read.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Measured:
    """One request on an idle device. prompt, output: [tokens];  seconds: from sending to the last token"""

    prompt: int
    output: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Runtime:
    """A fitted model. prompts: (tokens, seconds), ascending;  token_s: each output token after the first [s]"""

    prompts: tuple[tuple[int, float], ...]
    token_s: float

    def seconds(self, prompt: int, output: int) -> float:
        """Of a request. Raises UsageError where output < 1 or prompt < 0.

        >>> Runtime(((100, 1.0), (300, 2.0)), 0.05).seconds(200, 11)
        2.0
        """
        if output < 1 or prompt < 0:
            raise UsageError(f"a prompt of {prompt} and {output} tokens of output: none is negative, output 1 or more")
        return self._prompt_s(prompt) + (output - 1) * self.token_s

    def device_seconds(self, prompt: int, output: int, devices: int) -> float:
        """What it occupies where so many devices serve one request: the paper's cost-aware variant."""
        return devices * self.seconds(prompt, output)

    def _prompt_s(self, tokens: int) -> float:
        if len(self.prompts) == 1:
            return self.prompts[0][1]
        at = min(max(bisect_right(self.prompts, (tokens, float("inf"))), 1), len(self.prompts) - 1)
        (low, low_s), (high, high_s) = self.prompts[at - 1], self.prompts[at]
        if tokens < low:
            return low_s  # a shorter prompt is not free: one pass over the weights
        return low_s + (high_s - low_s) * (tokens - low) / (high - low)


def fit(measured: Iterable[Measured]) -> Runtime:
    """The model of these measurements. Raises UsageError where a prompt lacks one with a single output token.

    >>> fit([Measured(100, 1, 1.0), Measured(100, 11, 1.5), Measured(300, 1, 2.0), Measured(300, 21, 3.0)])
    Runtime(prompts=((100, 1.0), (300, 2.0)), token_s=0.05)
    """
    measured = list(measured)
    firsts = {it.prompt: it.seconds for it in measured if it.output == 1}
    rest = [it for it in measured if it.output > 1]
    if not rest or any(it.prompt not in firsts for it in rest):
        raise UsageError("every prompt length is measured with one output token, and one of them with more")
    over = sum((it.output - 1) * (it.seconds - firsts[it.prompt]) for it in rest)
    return Runtime(tuple(sorted(firsts.items())), over / sum((it.output - 1) ** 2 for it in rest))
