"""Chung et al. 2014, section 3.2, with the biases that its parameter counts imply; and the layer of PyTorch."""

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


def torch_gru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """The documentation of `torch.nn.GRU`; of its pairs of biases only that of n can't be one."""
    (hidden,) = p["b_n"].shape
    h = first.get("h", np.zeros(hidden))
    weight_ih, weight_hh = (np.concatenate([p[f"{name}_{gate}"] for gate in "rzn"]) for name in "WU")
    bias_ih = np.concatenate([p["b_r"], p["b_z"], p["b_n"]])
    bias_hh = np.concatenate([np.zeros(2 * hidden), p["b_hn"]])
    outputs = []
    for x_t in x:
        (i_r, i_z, i_n), (h_r, h_z, h_n) = np.split(weight_ih @ x_t + bias_ih, 3), np.split(weight_hh @ h + bias_hh, 3)
        new = np.tanh(i_n + sigmoid(i_r + h_r) * h_n)
        h = new + sigmoid(i_z + h_z) * (h - new)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def cho_gru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """h = z * h + (1 - z) * h~, h~ = tanh(W x + U (r * h)); so in Jozefowicz et al. 2015, with its biases."""
    W, U, b = ({k: p[f"{kind}_{k}"] for k in "zrc"} for kind in "WUb")
    h = first.get("h", np.zeros(len(b["z"])))
    outputs = []
    for x_t in x:
        z, r = (1 / (1 + np.exp(-(W[k] @ x_t) - U[k] @ h - b[k])) for k in "zr")
        h = z * h + (1 - z) * np.tanh(W["c"] @ x_t + (U["c"] * r) @ h + b["c"])
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})
