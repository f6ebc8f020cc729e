"""What is compared with a transcription: a cell, numbers for its dimensions, and how its inputs are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.transcriptions.trace import Transcription


@dataclass(frozen=True)
class Input:
    """How to draw one input: `[T, B, *shape]` reals, bits, lengths of time, times, or symbols of a vocabulary."""

    shape: tuple[int, ...] = ()
    symbols: int | None = None
    bits: bool = False
    elapsed: bool = False
    """Positive numbers."""
    times: bool = False
    """Positive numbers that grow from step to step."""
    clock: str = "t"

    def draw(self, rng: np.random.Generator, steps: int, batch: int) -> NDArray[Any]:
        size = (steps, batch, *self.shape)
        if self.symbols is not None:
            return rng.integers(0, self.symbols, size)
        if self.elapsed or self.times:
            passed = rng.uniform(0.1, 2.0, size)
            return np.cumsum(passed, axis=0) if self.times else passed
        return rng.integers(0, 2, size).astype(float) if self.bits else rng.standard_normal(size)


@dataclass(frozen=True)
class Case:
    """One shipped cell, small numbers for its dimensions, and what it is compared with."""

    cell: str
    transcription: Transcription
    dimensions: Mapping[str, float]
    inputs: Mapping[str, Input] = field(default_factory=lambda: {"x": Input((4,))})
    causal: bool = True
    """One clock and no look ahead: the cell can be run in chunks and stepped."""
    handed: bool = True
    """First states can be handed over as random numbers (not so where one is a symbol)."""

    def __str__(self) -> str:
        return self.cell
