"""Small cells, each with one thing that a compiled model must get right, and random data for them; all backends."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend

Array = np.ndarray[Any, Any]
STEPS = {"t": 5, "s": 4}
BATCH = 3
LENGTHS = {"t": np.array([3, 5, 0]), "s": np.array([4, 1, 2])}
EXACT: dict[str, float] = {"rtol": 1e-12, "atol": 1e-12}

BACKENDS = [
    pytest.param(name, marks=[pytest.mark.skip(reason=f"{name}: {reason}")] if reason else [])
    for name, reason in backend.describe(emulated=True).items()
]
each_backend = pytest.mark.parametrize("backend", BACKENDS)


@dataclass(frozen=True)
class Specimen:
    """A cell, the dimensions that it is tested with, and what it is able to do."""

    text: str
    dimensions: dict[str, Any] = field(default_factory=lambda: {"N": 2, "H": 3})
    causal: bool = True
    """Whether it can be cut into chunks and stepped."""


SPECIMENS = {
    "two states": Specimen("""
        cell TwoStates[N, H](x: [N], goal: [H]) -> (y: [H], c: [H]) {
            param W    : [H, N] ~ glorot_uniform
            param U, V : [H, H] ~ glorot_uniform
            param b    : [H]    ~ normal(0, 0.3)
            state c : [H] = 0
            state h : [H] ~ uniform(0.5)
            c = 0.9 * c[t-1] + W @ x
            h = tanh(U @ h[t-1] + c + b)
            y = V @ h
            loss squared_error(y, goal)
            loss 0.01 * l2(U)
        }"""),
    "delay lines": Specimen("""
        cell DelayLines[N, H](x: [N]) -> (y: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U, A : [H, H] ~ glorot_uniform
            state h : [H] ~ uniform(0.5)
            h = tanh(W @ x + V @ x[t-3] + U @ h[t-1] + A @ h[t-3])
            y = h + h[t-2]
            loss sum(y * y)
        }"""),
    "symbols": Specimen(
        """
        cell Symbols[V, H](w: index[V]) -> (logits: [V], before: index[V]) {
            param E, F : [V, H] ~ normal(0, 0.5)
            param U    : [H, H] ~ glorot_uniform
            state h : [H] = 0
            before = w[t-2]
            h = tanh(embed(E, w[t-1]) + embed(F, before) + U @ h[t-1])
            logits = F @ h
            loss cross_entropy(logits, w)
        }""",
        {"V": 4, "H": 3},
    ),
    "whole sequences": Specimen(
        """
        cell Whole[N, H](x: [N]) -> (y: [H], start: [N], mean: [H], z: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] = 0
            h = tanh(W @ x + U @ h[t-1])
            y = sigmoid(last(h))
            start = first(x)
            mean = mean_over_time(h)
            z = h - mean
            loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
        }""",
        causal=False,
    ),
    "no state": Specimen("""
        cell NoState[N, H](x: [N]) -> (y: [H], k: [H]) {
            param W : [H, N] ~ glorot_uniform
            param b : [H]    ~ normal(0, 1)
            k = 2 * b
            y = sigmoid(W @ x + k)
            loss absolute_error(y, k)
        }"""),
    "later steps": Specimen(
        """
        cell Later[N, H](x: [N]) -> (y: [H], h: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            h = tanh(W @ x + V @ x[t+2] + U @ h[t+1])
            y = h[t+1] * h
            loss sum(y * y)
        }""",
        causal=False,
    ),
    "both ways": Specimen(
        """
        cell BothWays[N, H](x: [N]) -> (y: [2 * H]) {
            use_it = Inner[H](x)
            y = concat(use_it, reverse(Inner[H](reverse(x))))
            loss sum(y * y)
        }
        cell Inner[N, H](x: [N]) -> (h: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] = 0
            h = tanh(W @ x + U @ h[t-1])
        }""",
        causal=False,
    ),
    "matrix state": Specimen("""
        cell Memory[N, H](x: [N]) -> (y: [H]) {
            param K, Q : [N, N] ~ glorot_uniform
            param V    : [H, N] ~ glorot_uniform
            param f    : []     ~ constant(0.5)
            state C : [H, N] = 0
            C = sigmoid(f) * C[t-1] + outer(V @ x, K @ x)
            y = tanh(C @ (Q @ x))
            loss squared_error(y, C[t-1] @ x)
        }"""),
    "random": Specimen("""
        cell Random[N, H](x: [N]) -> (y: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            state h : [H] = 0
            fresh = dropout(x, 0.4)
            fixed = dropout(x, 0.5, per = sequence)
            new = tanh(W @ fresh + V @ fixed + U @ noise(h[t-1], 0.1))
            h = zoneout(new, h[t-1], 0.3)
            y = h
            loss sum(y * y)
        }"""),
    "two clocks": Specimen(
        """
        cell TwoClocks[N, V, H](a: [N] over s, w: index[V]) -> (logits: [V]) {
            param W    : [H, N] ~ glorot_uniform
            param U, A : [H, H] ~ glorot_uniform
            param E    : [V, H] ~ normal(0, 0.5)
            enc = Reader[H](a)
            state h : [H] = last(enc)
            h = tanh(embed(E, w[t-1]) + U @ h[t-1] + attend(A @ h[t-1], enc, enc))
            logits = E @ (h + tanh(W @ mean_over_time(a)))
            loss cross_entropy(logits, w)
        }
        cell Reader[N, H](x: [N]) -> (h: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] ~ uniform(0.5)
            h = tanh(W @ x + U @ h[t-1])
        }""",
        {"N": 2, "V": 4, "H": 3},
        causal=False,
    ),
}
CAUSAL = [name for name, specimen in SPECIMENS.items() if specimen.causal]
each_specimen = pytest.mark.parametrize("name", SPECIMENS)
each_causal = pytest.mark.parametrize("name", CAUSAL)


@cache
def compiled(name: str, backend: str, dtype: str = "float64", batch_first: bool = False) -> Any:
    """A specimen, compiled once."""
    specimen = SPECIMENS[name]
    title = specimen.text.split("[")[0].split()[-1]
    spec = rc.parse(specimen.text, name=f"{title.lower()}.rnn", cell=title)
    return spec.compile(backend=backend, dtype=dtype, batch_first=batch_first, **specimen.dimensions)


def params_of(model: Any, seed: int = 1) -> Array:
    """All parameters at random, also those that would start as zero."""
    rng = np.random.default_rng(seed)
    return model.pack({name: 0.6 * rng.standard_normal(p.shape) for name, p in model.parameters.items()})


def inputs_of(model: Any, seed: int = 0, steps: dict[str, int] | None = None, batch: int = BATCH) -> dict[str, Array]:
    """Random inputs, time first."""
    rng = np.random.default_rng(seed)
    steps = STEPS if steps is None else steps
    out = {}
    for name, port in model.inputs.items():
        shape = (steps[port.clock], batch, *port.shape)
        out[name] = rng.standard_normal(shape) if port.index is None else rng.integers(0, port.index, shape)
    return out


def lengths_of(model: Any) -> dict[str, Array]:
    """Lengths of the sequences on the clocks of a model, one of them none."""
    return {clock: LENGTHS[clock] for clock in {p.clock for p in model.inputs.values()}}


def same(found: Any, wanted: Any, **tolerance: float) -> None:
    """Hold two dicts of arrays against one another."""
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, **(tolerance or EXACT), err_msg=name)
