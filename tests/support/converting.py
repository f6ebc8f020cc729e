"""Layers of PyTorch, cells that compute the same, and what both give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

import recurrency as rc

torch = pytest.importorskip("torch")

nn = torch.nn

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
"""Of outputs that are at most 1 (else of the greatest of them), for the few steps and units that these tests have."""

quick = settings(max_examples=6, deadline=None, phases=(Phase.generate,))  # the sizes are small as they are

SIZES = st.tuples(*(st.integers(1, n) for n in (6, 4, 5, 7)))
"""Steps, sequences, inputs, units."""

STACK = """
use PlainLSTM from library

cell Stack[N, H](x: [N]) -> (y: [2 * H]) {
    low    = PlainLSTM[H](x)
    low_r  = reverse(PlainLSTM[H](reverse(x)))
    both   = concat(low, low_r)
    high   = PlainLSTM[H](both)
    high_r = reverse(PlainLSTM[H](reverse(both)))
    y      = concat(high, high_r)
}
"""


def library(name: str) -> rc.Spec:
    return rc.library.spec(name)


def outputs(spec: rc.Spec, params: dict[str, Any], x: Any, dimensions: dict[str, Any]) -> tuple[Any, rc.Model]:
    """What a cell makes of x [T, B, N] with these parameters."""
    n, h = x.shape[2], params[next(iter(params))].shape[0]
    names = [d.name for d in spec.cell.dimensions][:2]
    h = h // 4 if spec.name == "Packed" else h
    model = spec.compile(dtype=str(x.dtype), **dict(zip(names, (n, h), strict=True)), **dimensions)
    return next(iter(model.forward(model.pack(params), x, keep=False).outputs.values())), model


OWN_LSTM = """
cell Own[N, H, f = sigmoid, g = tanh, o = tanh](x: [N]) -> (h: [H]) {
    param W : [4 * H, N] ~ zeros
    param U : [4 * H, H] ~ zeros
    param b : [4 * H]    ~ zeros
    state h, c : [H] = 0
    a = W @ x + U @ h[t-1] + b
    c = f(split(a, 4, 1)) * c[t-1] + f(split(a, 4, 2)) * g(split(a, 4, 3))
    h = f(split(a, 4, 4)) * o(c)
}
"""
"""An LSTM of packed weights with functions of one's choice: of the gates, of what is written, and of what is told."""


def assert_close(a: Any, b: Any) -> None:
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[str(a.dtype)] * max(1.0, float(np.abs(b).max(initial=0))))


def cell(equations: str, parameters: str = "param W : [H, N] ~ zeros\nparam U : [H, H] ~ zeros") -> rc.Spec:
    return rc.parse(f"cell Own[N, H](x: [N]) -> (h: [H]) {{\n{parameters}\nstate h : [H] = 0\n{equations}\n}}")


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(rc.UsageError) as caught:
        call()
    return str(caught.value)
