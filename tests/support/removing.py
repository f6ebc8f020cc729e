"""Sequences with masked steps as the sequences without these steps: an independent account of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tests.support.cells import random_params
from tests.support.resetting import close

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

STEPS = {"t": 8, "s": 4}
BATCH = 4
LENGTHS = {"t": np.array([8, 6, 7, 5]), "s": np.array([4, 2, 3, 1])}
"""Of the sequences with their masked steps."""


def masks(seed: int = 0) -> Array:
    """A random mask; one sequence has no masked step, another no other."""
    out = np.random.default_rng(seed).random((STEPS["t"], BATCH)) < 0.6
    out[:, 2], out[:, 3] = True, False
    return np.asarray(out)


def drawn(model: Any, seed: int = 0) -> tuple[Array, dict[str, Array]]:
    """Random parameters and inputs of a model."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, port in model.inputs.items():
        size = (STEPS[port.clock], BATCH, *port.shape)
        inputs[name] = rng.integers(0, port.index, size) if port.index is not None else rng.uniform(0, 1, size)
    return random_params(model, rng), inputs


def drawn_states(model: Any, batch: int = BATCH, seed: int = 1) -> dict[str, Array]:
    """Random initial states; positive, so that sums of positive numbers stay positive."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.1, 1, (batch, *port.shape))
        if port.index is None
        else rng.integers(0, port.index, (batch, *port.shape))
        for name, port in model.state_ports.items()
    }


def lengths_of(model: Any) -> dict[str, Array]:
    """The lengths of all clocks of a model."""
    return {port.clock: LENGTHS[port.clock] for port in model.inputs.values()}


@dataclass(frozen=True)
class Removed:
    """Each sequence of a batch alone, without its masked steps."""

    model: Any
    params: Array
    inputs: Arrays
    mask: Array
    state: Arrays | None = None

    def rows(self, b: int) -> Array:
        """The steps of a sequence that are there."""
        return np.flatnonzero(self.mask[: LENGTHS["t"][b], b])

    def cut(self, name: str, b: int) -> Array:
        """An input of one sequence; those over another clock are whole."""
        clock = self.model.inputs[name].clock
        rows = self.rows(b) if clock == "t" else np.arange(LENGTHS[clock][b])
        return self.inputs[name][rows, b : b + 1]

    @cached_property
    def runs(self) -> list[Any]:
        """A forward pass of each sequence."""
        state = [None if self.state is None else {n: s[b : b + 1] for n, s in self.state.items()} for b in range(BATCH)]
        cut = [{name: self.cut(name, b) for name in self.inputs} for b in range(BATCH)]
        return [self.model.forward(self.params, cut[b], state[b]) for b in range(BATCH)]

    def output(self, name: str, before: Array | None = None) -> Array:
        """An output in which masked steps repeat the value before; `before` [B, ...] is that before the first step."""
        port, arrays = self.model.outputs[name], [run.outputs[name] for run in self.runs]
        if port.clock is None:
            return np.concatenate(arrays)
        out = np.full((STEPS["t"], BATCH, *port.shape), 0 if port.index is None else -1, arrays[0].dtype)
        for b, array in enumerate(arrays):
            if before is not None:
                out[: LENGTHS["t"][b], b] = before[b]
            for t, row in enumerate(self.rows(b)):
                out[row : LENGTHS["t"][b], b] = array[t, 0]
        return out

    def last(self, name: str) -> Array:
        """A final state, [B, ...]."""
        return np.concatenate([run.state[name] for run in self.runs])

    def gradients(self, of_outputs: Arrays, of_states: Arrays) -> tuple[Array, dict[str, Array], dict[str, Array]]:
        """Those of parameters, inputs and initial states, for adjoints of outputs with masked steps, and of states."""
        params = np.zeros(self.model.size)
        inputs = {n: np.zeros(x.shape) for n, x in self.inputs.items() if self.model.inputs[n].index is None}
        states: dict[str, list[Array]] = {}
        for b, run in enumerate(self.runs):
            seeds = {n: self._seeds(n, g, b) for n, g in of_outputs.items()}
            found = self.model.backward(run, seeds, {n: g[b : b + 1] for n, g in of_states.items()})
            params += found.params
            for name, array in found.inputs.items():
                clock = self.model.inputs[name].clock
                inputs[name][self.rows(b) if clock == "t" else slice(len(array)), b] = array[:, 0]
            for name, array in found.state.items():
                states.setdefault(name, []).append(array)
        return params, inputs, {name: np.concatenate(arrays) for name, arrays in states.items()}

    def _seeds(self, name: str, adjoint: Array, b: int) -> Array:
        if self.model.outputs[name].clock is None:
            return adjoint[b : b + 1]
        return repeats(adjoint[: LENGTHS["t"][b], b], self.rows(b))[:, None]


def repeats(gradient: Array, rows: Array) -> Array:
    """What the steps that are there get for repeating themselves until the next one."""
    ends = [*rows[1:], len(gradient)][: len(rows)]
    found = [gradient[a:b].sum(0) for a, b in zip(rows, ends, strict=True)]
    return np.array(found).reshape(len(rows), *gradient.shape[1:])


def dense(model: Any, inputs: Arrays, mask: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """The inputs of a batch without the masked steps, and the lengths that remain."""
    rows = [np.flatnonzero(mask[: LENGTHS["t"][b], b]) for b in range(BATCH)]
    longest = max(map(len, rows))
    found: dict[str, Array] = {}
    for name, x in inputs.items():
        if model.inputs[name].clock != "t":
            found[name] = x
            continue
        found[name] = np.zeros((longest, BATCH, *x.shape[2:]), x.dtype)
        for b, own in enumerate(rows):
            found[name][: len(own), b] = x[own, b]
    return found, {**lengths_of(model), "t": np.array([len(own) for own in rows])}


def same_losses(one: tuple[Any, Arrays, dict[str, Any]], other: tuple[Any, Arrays, dict[str, Any]]) -> None:
    """Two calls (model, inputs, options) with equal losses, gradients, and products with Hessian and Gauss-Newton.

    Parameters are those of the same name.
    """
    params, _ = drawn(other[0])
    vector = np.random.default_rng(2).standard_normal(other[0].size)
    calls = (one, other)

    def moved(model: Any, flat: Array) -> Array:
        return np.asarray(model.pack({name: other[0].views(flat)[name] for name in model.parameters}))

    found = [model.loss_and_gradients(moved(model, params), x, **how) for model, x, how in calls]
    close(np.array(found[0][0]), np.array(found[1][0]))
    close(found[0][1].params, moved(one[0], found[1][1].params))
    for product in ("hvp", "gnvp"):
        a, b = (
            getattr(model, product)(moved(model, params), x, moved(model, vector), **how) for model, x, how in calls
        )
        close(a, moved(one[0], b))
