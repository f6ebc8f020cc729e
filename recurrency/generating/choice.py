"""How the next step is chosen: temperature, the symbols to choose from, and random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.draws import Floats, draw, uniforms
from recurrency.training.tasks.measures import log_softmax

UNIFORM, NORMAL = 0, 1
"""The sites of the draws."""


@dataclass(frozen=True)
class Choice:
    """Logits are divided by `temperature`; at 0 the most likely symbol is taken. Only the `top` most likely are drawn.

    `bias`, for pens, makes strokes neater (Graves 2013, section 5.4).

    Raises:
        UsageError: the temperature or the bias is negative or not finite, there are both, or `top` is less than 1.
    """

    temperature: float = 1.0
    top: int | None = None
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(f"the temperature must be at least 0, not {self.temperature:g}")
        if not (math.isfinite(self.bias) and self.bias >= 0):
            raise UsageError(f"the bias must be at least 0, not {self.bias:g}")
        if self.bias and self.temperature != 1:
            raise UsageError("a bias and a temperature do the same: give one of them")
        if self.top is not None and self.top < 1:
            raise UsageError(f"top must be at least 1, not {self.top}")

    @property
    def greedy(self) -> bool:
        """Whether nothing is drawn."""
        return self.temperature == 0

    def log_probabilities(self, scores: Floats) -> Floats:
        """The log-probabilities [B, V] with which symbols are drawn, for logits [B, V]; not for a greedy choice."""
        if self.top is not None and self.top < scores.shape[1]:
            order = np.argsort(-scores, 1, kind="stable")  # the first of equal ones, as in argmax
            scores = scores.copy()
            np.put_along_axis(scores, order[:, self.top :], -np.inf, 1)
        return log_softmax(scores / self.temperature)


@dataclass(frozen=True)
class Dice:
    """The random numbers of one step of B sequences; they depend only on the seed, the sequence and the step."""

    seed: int
    step: int
    batch: int

    def uniform(self, count: int) -> Floats:
        """Uniform numbers [B, count] in [0, 1)."""
        return uniforms(self.seed, UNIFORM, self.step, np.arange(self.batch), count)

    def normal(self, count: int) -> Floats:
        """Standard normal numbers [B, count]."""
        return draw(self.seed, NORMAL, self.step, np.arange(self.batch), count, "normal", 1.0)


def picked(log_probabilities: Floats, uniform: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Symbols [B] by inversion: uniform numbers [B] select from log-probabilities [B, V]."""
    sums = np.cumsum(np.exp(log_probabilities), 1)
    marks = np.minimum(uniform * sums[:, -1], np.nextafter(sums[:, -1], 0))
    return np.asarray((sums <= marks[:, None]).sum(1), np.int64)
