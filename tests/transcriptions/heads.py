"""Cells with heads, head by head: Beck et al. 2024, Dao & Gu 2024, Yang et al. 2024, Peng et al. 2025."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.case import Case
from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid
from tests.transcriptions.xlstm import mlstm, slstm


def multi_head_slstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Its R is block-diagonal (section 2.2): the sLSTM of one head, with these matrices."""
    heads, width = p["R_z"].shape[:2]
    whole = dict(p)
    for gate in "zifo":
        block = np.zeros((heads * width, heads * width))
        for head in range(heads):
            here = slice(head * width, (head + 1) * width)
            block[here, here] = p[f"R_{gate}"][head]
        whole[f"R_{gate}"] = block
    return slstm(whole, first, x)


def multi_head_mlstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """M mLSTMs of one head, whose outputs are side by side."""
    heads, width, _ = p["W_q"].shape
    traces = []
    for head in range(heads):
        size = p["W_v"].shape[1]
        here = slice(head * size, (head + 1) * size)
        own = {name: p[name][head] for name in ("W_q", "W_k", "W_v", "b_i", "b_f")}
        own |= {"w_i": p["W_i"][head], "w_f": p["W_f"][head], "W_o": p["W_o"][here], "b_o": p["b_o"][here]}
        own |= {"b_q": np.zeros(width), "b_k": np.zeros(width), "b_v": np.zeros(size)}
        traces.append(mlstm(own, {name: value[head] for name, value in first.items()}, x))
    outputs = {"h": np.concatenate([trace.outputs["h"] for trace in traces], axis=1)}
    return Trace(outputs, {name: np.stack([trace.state[name] for trace in traces]) for name in ("C", "n", "m")})


def _softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def _silu(x: Array) -> Array:
    return x * sigmoid(x)


def mamba2(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Section 7.1, with the scalar recurrence of section 6 for each head and channel; what comes before is zero."""
    heads, states = len(p["A_log"]), len(p["W_B"])
    width = len(p["gain"]) // heads
    h = first.get("h", np.zeros((heads, width, states))).copy()
    nothing = np.zeros(len(p["b"]))
    before = [*first.get("a[t-2..t-1]", [nothing, nothing]), first.get("a", nothing)]
    outputs = []
    for x_t in x:
        before.append(np.concatenate([p["W_u"] @ x_t, p["W_B"] @ x_t, p["W_C"] @ x_t]))
        mixed = _silu(sum(p[f"w[{i}]"] * before[-1 - i] for i in range(4)) + p["b"])
        u, B, C = np.split(mixed, [heads * width, heads * width + states])
        delta = _softplus(p["W_delta"] @ x_t + p["b_delta"])
        y = np.zeros(heads * width)
        for head in range(heads):
            decay = np.exp(-delta[head] * np.exp(p["A_log"][head]))
            for channel in range(width):
                value = u[head * width + channel]
                h[head, channel] = decay * h[head, channel] + delta[head] * value * B
                y[head * width + channel] = C @ h[head, channel] + p["D"][head] * value
        y = y * _silu(p["W_z"] @ x_t)
        outputs.append(p["W_y"] @ (p["gain"] * y / np.sqrt(np.mean(y * y) + 1e-5)))
    state = {"h": h, "a[t-2..t-1]": np.array(before[-3:-1]), "a": before[-1]}
    return Trace({"y": np.array(outputs)}, state)


def gla(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Section 4.4: S = diag(alpha) S + k' v and o = q S for each head, with row vectors as in the paper."""
    heads, width, _ = p["W_q"].shape
    size = p["W_v"].shape[1]
    S = first.get("S", np.zeros((heads, width, size))).copy()
    outputs = []
    for x_t in x:
        normed = []
        for head in range(heads):
            q, k, v = (p[f"W_{name}"][head] @ x_t for name in "qkv")
            alpha = sigmoid(p["W_up"][head] @ p["W_down"] @ x_t + p["b_alpha"][head]) ** (1 / 16)
            S[head] = np.diag(alpha) @ S[head] + np.outer(k, v)
            o = q @ S[head]
            normed.append((o - o.mean()) / np.sqrt(o.var() + 1e-5))
        r = _silu(p["W_r"] @ x_t + p["b_r"])
        outputs.append(p["W_o"] @ (r * np.concatenate(normed)))
    return Trace({"y": np.array(outputs)}, {"S": S})


def rwkv7(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Time mixing of the first layer, section 4.1: each head's memory is multiplied by diag(w) - kappa' (a kappa)."""
    heads, width = p["rho"].shape
    S = first.get("S", np.zeros((heads, width, width))).copy()
    last = first.get("x", np.zeros(x.shape[1]))
    outputs = []
    for x_t in x:
        seen = {c: (1 - p[f"mu_{c}"]) * x_t + p[f"mu_{c}"] * last for c in "rkvdag"}
        a = sigmoid(p["B_a"] @ (p["A_a"] @ seen["a"]) + p["b_a"])
        d = p["B_d"] @ np.tanh(p["A_d"] @ seen["d"]) + p["b_d"]
        g = p["B_g"] @ sigmoid(p["A_g"] @ seen["g"])
        w = np.exp(-np.exp(-0.5) * sigmoid(d))
        r, key, v = (p[f"W_{c}"] @ seen[c] for c in "rkv")
        k = key * ((1 - p["alpha"]) + a * p["alpha"])
        removal = key * p["xi"]
        parts = []
        for head in range(heads):
            here = slice(head * width, (head + 1) * width)
            unit = removal[here] / np.linalg.norm(removal[here])
            change = np.diag(w[here]) - np.outer(unit, a[here] * unit)
            S[head] = S[head] @ change + np.outer(v[here], k[here])
            o = S[head] @ r[here]
            normed = (o - o.mean()) / np.sqrt(o.var() + 1e-5) * p["gain"][head] + p["bias"][head]
            parts.append(normed + (r[here] @ (p["rho"][head] * k[here])) * v[here])
        outputs.append(p["W_o"] @ (g * np.concatenate(parts)))
        last = x_t
    return Trace({"y": np.array(outputs)}, {"S": S, "x": last})


CASES = (
    Case("MultiHeadSLSTM", multi_head_slstm, {"N": 4, "M": 2, "D": 3}),
    Case("MultiHeadMLSTM", multi_head_mlstm, {"N": 4, "M": 2, "K": 3, "V": 2}),
    Case("Mamba2", mamba2, {"N": 4, "M": 2, "P": 3, "K": 2}),
    Case("GLA", gla, {"N": 4, "M": 2, "K": 3, "V": 2, "R": 2}),
    Case("RWKV7", rwkv7, {"N": 4, "M": 2, "D": 3, "R": 2}),
)
