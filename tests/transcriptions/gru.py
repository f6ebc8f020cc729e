"""Chung et al. 2014, section 3.2, with the biases that its parameter counts imply."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def gru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """c_t = tanh(W x_t + U (r_t * h_{t-1})): the reset gate acts before the matrix."""
    h = first.get("h", np.zeros(len(p["b_z"])))
    outputs = []
    for x_t in x:
        z = sigmoid(p["W_z"] @ x_t + p["U_z"] @ h + p["b_z"])
        r = sigmoid(p["W_r"] @ x_t + p["U_r"] @ h + p["b_r"])
        c = np.tanh(p["W_c"] @ x_t + p["U_c"] @ (r * h) + p["b_c"])
        h = (1 - z) * h + z * c
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def gru_after(p: Arrays, first: Arrays, x: Array) -> Trace:
    """The footnote: c_t = tanh(W x_t + r_t * (U h_{t-1})), the reset gate acts after the matrix."""
    h = first.get("h", np.zeros(len(p["b_z"])))
    outputs = []
    for x_t in x:
        z = sigmoid(p["W_z"] @ x_t + p["U_z"] @ h + p["b_z"])
        r = sigmoid(p["W_r"] @ x_t + p["U_r"] @ h + p["b_r"])
        c = np.tanh(p["W_c"] @ x_t + np.diag(r) @ p["U_c"] @ h + p["b_c"])
        h = h + z * (c - h)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})
