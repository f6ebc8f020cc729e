"""Zaremba et al. 2014 (no peepholes) and Sak et al. 2014 (diagonal peepholes, projections)."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, below, named, sigmoid


def plain_lstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """(i, f, o, g) = (s, s, s, tanh) T [x_t; h_{t-1}];  c = f*c + i*g;  h = o * tanh(c), with T one stacked matrix."""
    T = np.block([[p[f"W_{gate}"], p[f"U_{gate}"]] for gate in "ifog"])
    bias = np.concatenate([p[f"b_{gate}"] for gate in "ifog"])
    n = len(bias) // 4
    h, c = first.get("h", np.zeros(n)), first.get("c", np.zeros(n))
    outputs = []
    for x_t in x:
        a = T @ np.concatenate([x_t, h]) + bias
        i, f, o = sigmoid(a[:n]), sigmoid(a[n : 2 * n]), sigmoid(a[2 * n : 3 * n])
        g = np.tanh(a[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "c": c})


def memory_step(p: Arrays, x_t: Array, q: Array, c: Array) -> tuple[Array, Array]:
    """Eq. 1-5 of Sak et al.: q is what is fed back, m or its projection r. Returns c_t and m_t."""
    diag = np.diag
    i = sigmoid(p["W_i"] @ x_t + p["U_i"] @ q + diag(p["p_i"]) @ c + p["b_i"])
    f = sigmoid(p["W_f"] @ x_t + p["U_f"] @ q + diag(p["p_f"]) @ c + p["b_f"])
    c_t = f * c + i * np.tanh(p["W_g"] @ x_t + p["U_g"] @ q + p["b_g"])
    o = sigmoid(p["W_o"] @ x_t + p["U_o"] @ q + diag(p["p_o"]) @ c_t + p["b_o"])
    return c_t, o * np.tanh(c_t)


def lstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Sak et al., eq. 1-5: the output m is fed back (the spec calls it h)."""
    n = len(p["b_i"])
    m, c = first.get("h", np.zeros(n)), first.get("c", np.zeros(n))
    outputs = []
    for x_t in x:
        c, m = memory_step(p, x_t, m, c)
        outputs.append(m)
    return Trace({"h": np.array(outputs)}, {"h": m, "c": c})


def lstmp(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Sak et al., eq. 7-12: r_t = W_rm m_t is fed back."""
    r, c = first.get("r", np.zeros(len(p["W_rm"]))), first.get("c", np.zeros(len(p["b_i"])))
    outputs = []
    for x_t in x:
        c, m = memory_step(p, x_t, r, c)
        r = p["W_rm"] @ m
        outputs.append(r)
    return Trace({"r": np.array(outputs)}, {"r": r, "c": c})


def lstmp_both(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Sak et al., eq. 7-13: r_t = W_rm m_t is fed back, p_t = W_pm m_t is not; what follows reads both."""
    r, c = first.get("r", np.zeros(len(p["W_rm"]))), first.get("c", np.zeros(len(p["b_i"])))
    outputs = []
    for x_t in x:
        c, m = memory_step(p, x_t, r, c)
        r = p["W_rm"] @ m
        outputs.append(np.concatenate([r, p["W_pm"] @ m]))
    return Trace({"y": np.array(outputs)}, {"r": r, "c": c})


def lstm_output_projection(p: Arrays, first: Arrays, x: Array) -> Trace:
    """The recurrence of eq. 1-5, read through p_t = W_pm m_t."""
    inner = lstm(below(p, "m"), below(first, "m"), x)
    return Trace({"p": inner.outputs["h"] @ p["W_pm"].T}, named("m", inner.state))


def full_peephole_lstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Gates of [x_t; h_{t-1}; c], c the old memory for i and f and the new one for o, each by one full matrix."""
    n = len(p["b_i"])
    h, c = first.get("h", np.zeros(n)), first.get("c", np.zeros(n))
    gate = {k: np.hstack([p[f"W_{k}"], p[f"U_{k}"], p[f"P_{k}"]]) for k in "ifo"}
    outputs = []
    for x_t in x:
        before = np.concatenate([x_t, h, c])
        g = np.tanh(p["W_g"] @ x_t + p["U_g"] @ h + p["b_g"])
        c = sigmoid(gate["f"] @ before + p["b_f"]) * c + sigmoid(gate["i"] @ before + p["b_i"]) * g
        h = sigmoid(gate["o"] @ np.concatenate([x_t, h, c]) + p["b_o"]) * np.tanh(c)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "c": c})


def cifg(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Greff et al. 2017: the vanilla LSTM of Sak et al., eq. 1-5, with f_t = 1 - i_t in place of a forget gate.

    1 - s(a) = s(-a), so its forget gate is an ordinary one whose weights are those of the input gate, negated.
    """
    negated = {name.replace("_i", "_f"): -p[name] for name in ("W_i", "U_i", "p_i", "b_i")}
    return lstm({**p, **negated}, first, x)
