"""A cell and calls of it with resets, masks and lengths, for every exported form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

import recurrency as rc

Array = np.ndarray[Any, Any]
SPEC = """
cell Form[N, H](x: [N], w: index[3]) -> (h: [H], y: [N]) {
    param U : [H, H] ~ orthogonal
    param W : [H, N] ~ orthogonal
    param E : [3, H] ~ normal(0, 1)
    param h0 : [H] ~ constant(0.5)
    state h : [H] = h0
    h = tanh(U @ h[t-1] + W @ x + embed(E, w))
    y = x[t-3] + x[t-1]
    loss sum(square(h))
}"""
"""A declared initial state that is a parameter, symbols, and rows of an input that a call passes on."""
SIZES = {"N": 2, "H": 3, "dtype": "float64"}
T, B = 7, 3
LENGTHS = np.array([7, 4, 6])


def flags() -> tuple[Array, Array]:
    """Resets, and a mask: with resets in gaps, one of them in the gap at the end of a sequence."""
    resets, mask = np.zeros((T, B)), np.ones((T, B))
    mask[2:4, 0], mask[0, 1], mask[4:, 2] = 0, 0, 0
    resets[3, 0], resets[2, 1], resets[5, 2] = 1, 1, 1
    return resets, mask


def cases() -> dict[str, dict[str, Any]]:
    """The table: what calls take, each alone and all together."""
    resets, mask = flags()
    one = {"resets": {"resets": resets}, "mask": {"mask": mask}, "lengths": {"lengths": LENGTHS}}
    return {**one, "all": {k: v for row in one.values() for k, v in row.items()}}


@cache
def spec() -> Any:
    return rc.parse(SPEC)


@cache
def inputs() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((T, B, 2)), "w": rng.integers(0, 3, (T, B))}


@cache
def seeds() -> dict[str, Array]:
    rng = np.random.default_rng(1)
    return {"h": rng.standard_normal((T, B, 3)), "y": rng.standard_normal((T, B, 2))}


@cache
def params() -> Array:
    return np.asarray(spec().compile(backend="numpy", **SIZES).init(3))


@cache
def wanted(case: str) -> dict[str, Array]:
    """Outputs, final states and gradients by the interpreter; the gradients are those of outputs and states."""
    model = spec().compile(backend="interpreter", **SIZES)
    run = model.forward(params(), inputs(), **cases()[case])
    found = model.backward(run, seeds(), {n: np.ones_like(a) for n, a in run.state.items()})
    out = {f"output:{n}": a for n, a in run.outputs.items()} | {f"final:{n}": a for n, a in run.state.items()}
    return {**out, "gradient": found.params, "gradient:x": found.inputs["x"]}


BAD = {
    "resets": (np.full((T, B), np.nan), np.full((T, B), 0.5), np.zeros((B, T)), np.zeros(B)),
    "mask": (np.full((T, B), np.nan), np.full((T, B), 2), np.ones((B, T)), np.ones((T, B, 1, 1))),
    "lengths": (np.array([7, 8, 7]), np.array([7, -1, 7]), np.array([7, 7])),
}
Form = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Runs an exported form: results and gradients by name."""
