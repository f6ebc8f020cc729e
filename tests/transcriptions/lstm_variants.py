"""LSTMs with something added: Gal & Ghahramani 2016, Krueger et al. 2017, Krause et al. 2016, Ba et al. 2016.

What is drawn in training comes in as an argument; the defaults are what stands in its place otherwise.
"""

from __future__ import annotations

import numpy as np

from tests.transcriptions.lstm import plain_lstm
from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def variational(p: Arrays, first: Arrays, x: Array, z_x: Array | float = 1.0, z_h: Array | float = 1.0) -> Trace:
    """(i, f, o, g) = (s, s, s, tanh)((x_t * z_x; h_{t-1} * z_h) W): a mask on an input is one on its columns of W."""
    masked = {name: value * {"W": z_x, "U": z_h}.get(name[0], 1.0) for name, value in p.items()}
    return counted(plain_lstm(masked, first, x), first, x)


def recurrent_dropout(p: Arrays, first: Arrays, x: Array, z: Array | float = 1.0) -> Trace:
    """A mask z [T, H] on h_{t-1}, another one at each step."""
    n = len(p["b_i"])
    state = {"h": first.get("h", np.zeros(n)), "c": first.get("c", np.zeros(n))}
    masks, outputs = np.broadcast_to(z, (len(x), n)), []
    for x_t, mask in zip(x, masks, strict=True):
        state = plain_lstm(p, {**state, "h": state["h"] * mask}, x_t[None]).state
        outputs.append(state["h"])
    return counted(Trace({"h": np.array(outputs)}, state), first, x)


def counted(trace: Trace, first: Arrays, x: Array) -> Trace:
    """With the number of steps so far, which is a part of the state wherever something is drawn."""
    return Trace(trace.outputs, {**trace.state, "t": np.asarray(first.get("t", 0) + len(x))}, trace.loss)


def zoneout(p: Arrays, first: Arrays, x: Array, d_c: Array | float = 0.5, d_h: Array | float = 0.05) -> Trace:
    """c_t = d * c_{t-1} + (1 - d) * (f * c_{t-1} + i * g);  h likewise, of what c_t would have been.

    d_c and d_h are 1 where the old value stays, [T, H]; else the probability of that.
    """
    n = len(p["b_i"])
    h, c = first.get("h", np.zeros(n)), first.get("c", np.zeros(n))
    stay_c, stay_h = (np.broadcast_to(d, (len(x), n)) for d in (d_c, d_h))
    outputs = []
    for t, x_t in enumerate(x):
        step = plain_lstm(p, {"h": h, "c": c}, x_t[None])
        c = stay_c[t] * c + (1 - stay_c[t]) * step.state["c"]
        h = stay_h[t] * h + (1 - stay_h[t]) * step.state["h"]
        outputs.append(h)
    return counted(Trace({"h": np.array(outputs)}, {"h": h, "c": c}), first, x)


def multiplicative(p: Arrays, first: Arrays, x: Array) -> Trace:
    """W_hh(x_t) = W_hm diag(W_mx x_t) W_mh: an LSTM whose recurrent matrices are made anew at each step."""
    n = len(p["b_i"])
    state = {"h": first.get("h", np.zeros(n)), "c": first.get("c", np.zeros(n))}
    outputs = []
    for x_t in x:
        factored = {f"U_{k}": p[f"V_{k}"] @ np.diag(p["W_m"] @ x_t) @ p["U_m"] for k in "ifgo"}
        state = plain_lstm({**p, **factored}, state, x_t[None]).state
        outputs.append(state["h"])
    return Trace({"h": np.array(outputs)}, state)


def normalised(a: Array, gain: Array, bias: Array) -> Array:
    """LN(a; gain, bias), with a little added under the root that Ba et al. do not print."""
    return np.asarray(gain * (a - a.mean()) / np.sqrt(np.mean(a**2) - a.mean() ** 2 + 1e-5) + bias)


def layer_normalised(p: Arrays, first: Arrays, x: Array) -> Trace:
    """(f; i; o; g) = LN(W_h h_{t-1}) + LN(W_x x_t) + b;  c = s(f) * c + s(i) * tanh(g);  h = s(o) * tanh(LN(c))."""
    b = np.concatenate([p[f"b_{k}"] for k in "fiog"])
    n = len(b) // 4
    h, c = first.get("h", np.zeros(n)), first.get("c", np.zeros(n))
    outputs = []
    for x_t in x:
        a = normalised(p["U"] @ h, p["gain_h"], p["bias_h"]) + normalised(p["W"] @ x_t, p["gain_x"], p["bias_x"]) + b
        f, i, o, g = a.reshape(4, n)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(normalised(c, p["gain_c"], p["bias_c"]))
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "c": c})
