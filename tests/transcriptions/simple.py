"""Layers without gates: Elman 1990 in the notation of Martens & Sutskever 2011; Le et al. 2015; Jordan 1986; Mikolov
et al. 2015; an affine layer.
"""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


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


def jordan(p: Arrays, first: Arrays, x: Array, mu: float = 0.5) -> Trace:
    """The state units hold s(n) = sum_{k>=1} mu^{k-1} y(n-k): all past outputs, the older the fainter."""
    s_0 = first.get("s", np.zeros(len(p["b_y"])))
    past = [first.get("y", np.zeros(len(p["b_y"])))]
    s = s_0
    for n, x_n in enumerate(x, 1):
        s = mu**n * s_0 + sum(mu ** (k - 1) * y for k, y in enumerate(reversed(past), 1))
        hidden = np.tanh(p["W"] @ x_n + p["U"] @ s + p["b_h"])
        past.append(np.tanh(p["V"] @ hidden + p["b_y"]))
    return Trace({"y": np.array(past[1:])}, {"s": s, "y": past[-1]})


def scrn(p: Arrays, first: Arrays, x: Array, alpha: float = 0.95) -> Trace:
    """s_t = (1 - alpha) B x_t + alpha s_{t-1};  h_t = s(P s_t + A x_t + R h_{t-1});  the softmax reads h and s."""
    s, h = first.get("s", np.zeros(len(p["B"]))), first.get("h", np.zeros(len(p["A"])))
    outputs = []
    for x_t in x:
        s = (1 - alpha) * p["B"] @ x_t + alpha * s
        h = sigmoid(np.concatenate([p["P"], p["A"], p["R"]], axis=1) @ np.concatenate([s, x_t, h]))
        outputs.append(np.concatenate([h, s]))
    return Trace({"y": np.array(outputs)}, {"s": s, "h": h})


def linear(p: Arrays, first: Arrays, x: Array) -> Trace:
    """y_t = W x_t + b."""
    return Trace({"y": x @ p["W"].T + p["b"]}, {})
