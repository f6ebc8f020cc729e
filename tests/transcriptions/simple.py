"""Elman 1990 in the notation of Martens & Sutskever 2011; Le, Jaitly & Hinton 2015; an affine layer."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace


def elman(p: Arrays, first: Arrays, x: Array) -> Trace:
    """t_i = W_hx x_i + W_hh h_{i-1} + b_h;  h_i = tanh(t_i)."""
    W_hx, W_hh, b_h = p["W"], p["U"], p["b"]
    h = first.get("h", np.zeros(len(b_h)))
    outputs = []
    for x_i in x:
        h = np.tanh(W_hx @ x_i + W_hh @ h + b_h)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def irnn(p: Arrays, first: Arrays, x: Array) -> Trace:
    """h_t = max(0, W_hx x_t + W_hh h_{t-1} + b)."""
    W_hx, W_hh, b = p["W"], p["U"], p["b"]
    h = first.get("h", np.zeros(len(b)))
    outputs = []
    for x_t in x:
        h = np.maximum(0.0, W_hx @ x_t + W_hh @ h + b)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def linear(p: Arrays, first: Arrays, x: Array) -> Trace:
    """y_t = W x_t + b."""
    return Trace({"y": x @ p["W"].T + p["b"]}, {})
