"""Compactor: keep keys that stand out from the others, and rows that any token of the text, before or after, looks at.

Source: Chari and Van Durme 2025, "Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage
Scores", arXiv:2507.08143, algorithm 1 (leverage), the section on non-causal attention, and that on context-calibrated
compression; which rows stay in any case, the jitter and the logits without scaling after kvpress.
Ours differs: scores of a sequence are normalised over the heads of a layer together, as both public codes do; the
attention of a row is noted when it is read, so that a long prompt may come in parts, and a last chunk that is short is
not filled up with zeros; the sketch is drawn from a seed, the same for each sequence.
The calibration was read in a summary by others, the paper itself could not be had. Not confirmed: how much more its fit
punishes quality foretold too high.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log1p
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.policy import Policy
from memspan.kv.signals import View, of_group, pooled

JITTER, RELATIVE_JITTER = 1e-2, 1e-6
"""Added to the diagonal of X'X: at least, and of its trace where that is more than float32 resolves."""
SMOOTHED = 3
STEEPEST = 60.0
"""Beyond that the curve of a calibration is a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compactor(Policy):
    """Rows by their non-causal attention plus `blend` times their leverage, each as a z-score.

    blend: what the leverage counts. The paper uses 0.3; kvpress takes the share that is dropped.
    chunk: how many queries and rows look at each other at once [tokens]
    sketch: to how many channels keys are brought before their leverage is taken
    first, last: rows that stay in any case [tokens]
    seed: of the sketch
    """

    blend: float = 0.3
    chunk: int = 256
    sketch: int = 48
    first: int = 8
    last: int = 4
    seed: int = 0
    figures: ClassVar[tuple[str, ...]] = ("attention",)
    card: ClassVar[Card] = Card(
        title="keys that stand out, and rows that any token looks at",
        source="arXiv:2507.08143",
        year=2025,
        claims=(
            "the same quality as others with 20 % fewer rows, whatever is asked",
            "68 % less cache on LongBench at full quality, with the share calibrated by context",
        ),
        needs="torch",
        failures=("a prompt costs about twice as long",),
    )

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """What all tokens of a chunk pay each row, before or after it, times the length of its value; NaN at the ends.

        The ends are the sequence's first rows and the newest ones of this forward pass.
        """
        batch, kv_heads, time, _ = new.keys.shape
        noted = new.keys.new_full((batch, kv_heads, time), torch.nan, dtype=torch.float32)
        if time <= self.last:
            return {"attention": noted}
        order = (new.positions[:, 0] < 0).to(torch.int8).argsort(dim=1, stable=True)
        places = new.positions[:, 0].gather(1, order)
        arrived = new.seen + (places >= 0).sum(1)
        inner = (places >= self.first) & (places < (arrived - self.last)[:, None])
        for sequence in range(batch):
            rows = order[sequence][inner[sequence]]
            if len(rows):
                received = self._received(new.queries[sequence][:, rows], new.keys[sequence][:, rows])
                looked = of_group(received[None], kv_heads)[0]
                weighed = looked * new.values[sequence][:, rows].float().norm(dim=-1)
                noted[sequence, :, rows] = pooled(weighed[None], SMOOTHED)[0]
        return {"attention": noted}

    def _received(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Sums over the queries of each chunk, (heads, time).

        queries: (heads, time, dim);  keys: (kv_heads, time, dim)
        """
        keys = keys.repeat_interleave(len(queries) // len(keys), dim=0)
        parts = [
            (some @ rows.transpose(-1, -2)).float().softmax(dim=-1).sum(dim=-2)
            for some, rows in zip(torch.split(queries, self.chunk, 1), torch.split(keys, self.chunk, 1), strict=True)
        ]
        return torch.cat(parts, dim=-1)

    def score(self, view: View) -> Tensor:
        """z(attention) + blend * z(leverage); the first and the newest rows above all."""
        newest = (view.seen - self.last)[:, None, None]
        ends = (view.positions < self.first) | (view.positions >= newest)
        inner = view.present & ~ends
        noted = view.figures["attention"]
        looked = _standard(noted.nan_to_num(), inner & ~noted.isnan())
        apart = _standard(leverage(_before_rotation(view), inner, self._sketch(view)), inner)
        return (looked + self.blend * apart).masked_fill(view.present & ends, torch.inf)

    def _sketch(self, view: View) -> Tensor:
        """Of this layer, N(0, 1), (kv_heads, dim, sketch)."""
        _, kv_heads, _, dim = view.keys.shape
        random = torch.Generator().manual_seed(self.seed * 1009 + view.layer)
        return torch.randn(kv_heads, dim, self.sketch, generator=random).to(view.keys.device)


def _before_rotation(view: View) -> Tensor:
    return view.rotary.unrotate(view.keys.float(), view.positions.clamp(min=0))


def leverage(keys: Tensor, counted: Tensor, sketch: Tensor) -> Tensor:
    """How far each key lies along directions of its own, (batch, kv_heads, time): the diagonal of X (X'X)^-1 X', where
    X are the keys, centred and sketched.

    keys: (batch, kv_heads, time, dim);  counted: which of them count, (batch, kv_heads, time) bool
    sketch: (kv_heads, dim, channels) or with a batch before
    """
    there = counted[..., None].to(keys.dtype)
    count = there.sum(dim=2, keepdim=True).clamp(min=1)
    centred = (keys - (keys * there).sum(dim=2, keepdim=True) / count) * there
    rows = centred @ (sketch.to(keys.dtype) / sketch.shape[-1] ** 0.5)
    gram = (rows.transpose(-1, -2) @ rows).double()
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    jitter = (trace * RELATIVE_JITTER).clamp(min=JITTER) * torch.eye(gram.shape[-1], device=gram.device)
    root = torch.linalg.cholesky(gram + jitter).to(rows.dtype)
    solved: Tensor = torch.linalg.solve_triangular(root, rows.transpose(-1, -2), upper=False)
    return solved.square().sum(dim=-2)


def _standard(scores: Tensor, counted: Tensor) -> Tensor:
    """z-scores over the rows of a sequence that count, all heads together; 0 for the others."""
    count = counted.sum((1, 2), keepdim=True)
    mean = (scores * counted).sum((1, 2), keepdim=True) / count.clamp(min=1)
    apart = (scores - mean) * counted
    spread = ((apart**2).sum((1, 2), keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    return apart / spread.clamp(min=1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How much of a context has to stay, by how surprising it is: how well answers keep falls on one curve,
    (exp(b * kept) - 1) / (exp(b) - 1), and b = slope * surprise + intercept.

    A quality is the mean surprise of right answers with the full cache over that with the compressed one [0..1].
    """

    slope: float
    intercept: float

    def quality(self, kept: float, surprise: float) -> float:
        """What is expected where that share of the rows stays.

        kept: [0..1];  surprise: mean negative log-likelihood of the context's tokens [nats]
        """
        bend = self._bend(surprise)
        return expm1(bend * kept) / expm1(bend)

    def kept(self, surprise: float, quality: float = 0.95) -> float:
        """The smallest share of the rows that has to stay, for `Budget(ratio=...)`; what is above it may be dropped.

        Raises UsageError where the quality is not above 0 and at most 1.

        >>> round(Calibration(slope=1.0, intercept=-8.0).kept(2.0), 3)
        0.492
        """
        if not 0 < quality <= 1:
            raise UsageError(f"a quality of {quality}: it has to be above 0 and at most 1")
        bend = self._bend(surprise)
        return min(1.0, log1p(quality * expm1(bend)) / bend)

    def _bend(self, surprise: float) -> float:
        bend = min(STEEPEST, max(-STEEPEST, self.slope * surprise + self.intercept))
        return bend if abs(bend) > 1e-6 else 1e-6


def calibrate(measured: Sequence[tuple[float, float, float]], *, caution: float = 4.0) -> Calibration:
    """The calibration nearest to what was measured, by least squares.

    measured: a share kept, the context's surprise [nats] and the quality then, of several contexts and shares
    caution: how much more it counts to foretell too high a quality than too low a one
    Raises UsageError where fewer than two points say anything: all of a context kept, or nothing, says nothing.
    """
    points = np.array([point for point in measured if 0 < point[0] < 1], dtype=float).reshape(-1, 3)
    if len(points) < 2:
        raise UsageError("a calibration needs at least two shares between 0 and 1 with their quality")
    kept, surprise, quality = points.T
    basis = np.stack([surprise, np.ones_like(surprise)], axis=1)
    best = np.array([0.0, -2.0])
    error, damping = _loss(best, basis, kept, quality, caution), 1.0
    for _ in range(500):  # Levenberg and Marquardt's steps
        expected, slope = _curve(basis @ best, kept)
        weights = np.where(expected > quality, caution, 1.0)[:, None]
        jacobian = slope[:, None] * basis
        normal = jacobian.T @ (weights * jacobian)
        pull = jacobian.T @ (weights[:, 0] * (quality - expected))
        tried = best + np.linalg.solve(normal + damping * (np.diag(np.diag(normal)) + 1e-12 * np.eye(2)), pull)
        after = _loss(tried, basis, kept, quality, caution)
        best, error, damping = (tried, after, damping / 3) if after < error else (best, error, damping * 4)
        if damping > 1e12:
            break
    return Calibration(slope=float(best[0]), intercept=float(best[1]))


def _curve(bend: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quality and its slope in `bend`."""
    bend = np.clip(np.where(np.abs(bend) > 1e-4, bend, 1e-4), -STEEPEST, STEEPEST)
    expected = np.expm1(bend * kept) / np.expm1(bend)
    slope = (kept * np.exp(bend * kept) - expected * np.exp(bend)) / np.expm1(bend)
    return expected, slope


def _loss(at: np.ndarray, basis: np.ndarray, kept: np.ndarray, quality: np.ndarray, caution: float) -> float:
    apart = _curve(basis @ at, kept)[0] - quality
    return float((np.where(apart > 0, caution, 1.0) * apart**2).sum())


METHOD = Compactor
