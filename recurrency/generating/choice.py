"""How the next step is chosen: how sharp a distribution is taken, and where its random numbers come from."""

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
    """Scores are divided by the `temperature`; at 0 the likeliest is taken. Only the `top` likeliest symbols are drawn.

    Raises:
        UsageError: a number is not one of those that it can be.
    """

    temperature: float = 1.0
    top: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(f"the temperature must be a number from 0, not {self.temperature:g}")
        if self.top is not None and self.top < 1:
            raise UsageError(f"at least one of the likeliest symbols must be kept, not {self.top}")

    @property
    def greedy(self) -> bool:
        """Whether nothing is drawn."""
        return self.temperature == 0

    def log_probabilities(self, scores: Floats) -> Floats:
        """The logarithms of what symbols are drawn with, [B, V], for logits [B, V]; not for a greedy choice."""
        if self.top is not None and self.top < scores.shape[1]:
            order = np.argsort(-scores, 1, kind="stable")  # of equal ones the first, as argmax has it
            scores = scores.copy()
            np.put_along_axis(scores, order[:, self.top :], -np.inf, 1)
        return log_softmax(scores / self.temperature)


@dataclass(frozen=True)
class Dice:
    """The random numbers of one step of B sequences: they follow from the seed, the sequence and the step alone."""

    seed: int
    step: int
    batch: int

    def uniform(self, count: int) -> Floats:
        """Numbers [B, count] from 0 to 1, without 1."""
        return uniforms(self.seed, UNIFORM, self.step, np.arange(self.batch), count)

    def normal(self, count: int) -> Floats:
        """Standard normal numbers [B, count]."""
        return draw(self.seed, NORMAL, self.step, np.arange(self.batch), count, "normal", 1.0)


def picked(log_probabilities: Floats, uniform: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The symbols [B] that numbers [B] from 0 to 1 choose."""
    sums = np.cumsum(np.exp(log_probabilities), 1)
    marks = np.minimum(uniform * sums[:, -1], np.nextafter(sums[:, -1], 0))
    return np.asarray((sums <= marks[:, None]).sum(1), np.int64)
