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
    """How to draw one input: `[T, B, *shape]` reals, bits, or symbols of a vocabulary."""

    shape: tuple[int, ...] = ()
    symbols: int | None = None
    bits: bool = False
    clock: str = "t"

    def draw(self, rng: np.random.Generator, steps: int, batch: int) -> NDArray[Any]:
        size = (steps, batch, *self.shape)
        if self.symbols is not None:
            return rng.integers(0, self.symbols, size)
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
