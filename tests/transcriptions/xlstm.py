"""Beck et al. 2024, without the stabiliser that the specs have."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def slstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Eq. 8-14 as printed; c and n are divided by exp(m) only to be compared at the end."""
    nothing = np.zeros(len(p["b_z"]))
    m = first.get("m", nothing - 1e30)
    c, n = np.exp(m) * first.get("c", nothing), np.exp(m) * first.get("n", nothing)
    h = first.get("h", nothing)
    outputs = []
    for x_t in x:
        a = {gate: p[f"W_{gate}"] @ x_t + p[f"R_{gate}"] @ h + p[f"b_{gate}"] for gate in "zifo"}
        i, f = np.exp(a["i"]), sigmoid(a["f"])
        c = f * c + i * np.tanh(a["z"])
        n = f * n + i
        h = sigmoid(a["o"]) * c / n
        m = np.maximum(np.log(f) + m, np.log(i))
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"c": c / np.exp(m), "n": n / np.exp(m), "m": m, "h": h})


def mlstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Eq. 19-27 as printed, without the stabiliser; C and n are divided by exp(m) only to be compared at the end."""
    width, size = len(p["b_q"]), len(p["b_v"])
    m = first.get("m", np.zeros(()))
    C = np.exp(m) * first.get("C", np.zeros((size, width)))
    n = np.exp(m) * first.get("n", np.zeros(width))
    outputs = []
    for x_t in x:
        q = p["W_q"] @ x_t + p["b_q"]
        k = (p["W_k"] @ x_t) / np.sqrt(width) + p["b_k"] / np.sqrt(width)
        v = p["W_v"] @ x_t + p["b_v"]
        i = np.exp(p["w_i"] @ x_t + p["b_i"])
        f = sigmoid(p["w_f"] @ x_t + p["b_f"])
        o = sigmoid(p["W_o"] @ x_t + p["b_o"])
        C = f * C + i * np.outer(v, k)
        n = f * n + i * k
        m = np.maximum(np.log(f) + m, np.log(i))
        outputs.append(o * (C @ q) / max(abs(n @ q), 1.0))
    return Trace({"h": np.array(outputs)}, {"C": C / np.exp(m), "n": n / np.exp(m), "m": m})
