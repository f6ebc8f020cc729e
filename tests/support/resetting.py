"""One call of a cell with resets, and the same on the cut sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.cells import random_params
from tests.support.cutting import Cut, random_resets

Array = np.ndarray[Any, Any]

STEPS = {"t": 7, "s": 4}
LENGTHS = {"t": np.array([7, 5, 6, 0]), "s": np.array([4, 2, 3, 1])}
BATCH = 4
EXACT = 1e-12


@dataclass(frozen=True)
class Two:
    """The same call twice: with resets, and on the cut sequences."""

    model: Any
    params: Array
    inputs: dict[str, Array]
    cut: Cut
    resets: dict[str, Array]

    @staticmethod
    def of(model: Any, seed: int = 0) -> Two:
        rng = np.random.default_rng(seed)
        resets = random_resets(rng, STEPS["t"], BATCH)
        inputs = {}
        for name, port in model.inputs.items():
            size = (STEPS[port.clock], BATCH, *port.shape)
            inputs[name] = rng.integers(0, port.index, size) if port.index is not None else rng.uniform(0, 1, size)
        return Two(model, random_params(model, rng), inputs, Cut(resets, LENGTHS["t"]), {"t": resets})

    def timed(self, name: str) -> bool:
        return bool(self.model.inputs[name].clock == "t")

    def split(self, table: dict[str, Array]) -> dict[str, Array]:
        """Arrays like the inputs by pieces; those over another clock are the same for all pieces of a sequence."""
        of = [b for b, _, _ in self.cut.pieces]
        return {n: self.cut.split(a) if self.timed(n) else a[:, of] for n, a in table.items()}

    @property
    def clocks(self) -> set[str]:
        return {port.clock for port in self.model.inputs.values()}

    @property
    def whole(self) -> dict[str, Any]:
        return {"lengths": {c: LENGTHS[c] for c in self.clocks}, "resets": self.resets}

    @property
    def pieces(self) -> dict[str, Any]:
        found = {c: self.cut.first_of(LENGTHS[c]) for c in self.clocks}
        return {"lengths": {**found, "t": self.cut.counts}}

    def joined(self, name: str, array: Array) -> Array:
        """Gradients of an input of the pieces as those of the sequences."""
        if self.timed(name):
            return self.cut.joined(array)
        out = np.zeros((len(array), BATCH, *array.shape[2:]))
        for p, (b, _, _) in enumerate(self.cut.pieces):
            out[:, b] += array[:, p]
        return out


def close(one: Array, other: Array) -> None:
    assert one.shape == other.shape
    scale = max(1.0, float(np.abs(other).max(initial=0.0)))
    assert np.abs(one - other).max(initial=0.0) <= EXACT * scale
