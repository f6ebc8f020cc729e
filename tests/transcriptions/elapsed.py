"""Irregular times: Hasani et al. 2021, 2022; Rubanova et al. 2019; Baytas et al.; Neil et al.; Che et al."""

from __future__ import annotations

import math

import numpy as np

from tests.transcriptions.case import Case, Input
from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def timed_cfc(p: Arrays, first: Arrays, x: Array, dt: Array) -> Trace:
    """x(t) = s(-f t) * g + [1 - s(-f t)] * h; f, g and h share their first layer."""
    state = first.get("h", np.zeros(len(p["b_f"])))
    outputs = []
    for x_t, t in zip(x, dt, strict=True):
        z = np.tanh(np.hstack([p["W"], p["U"]]) @ np.concatenate([x_t, state]) + p["b"])
        exponent = (p["W_f"] @ z + p["b_f"]) * t
        one, other = np.tanh(p["W_g"] @ z + p["b_g"]), np.tanh(p["W_k"] @ z + p["b_k"])
        state = one / (1 + np.exp(exponent)) + other / (1 + np.exp(-exponent))
        outputs.append(state)
    return Trace({"h": np.array(outputs)}, {"h": state})


def timed_ltc(p: Arrays, first: Arrays, x: Array, dt: Array) -> Trace:
    """dx/dt = -(1/tau + f) x + f A, by 3 steps that are implicit in x alone: x' = (x + d f A) / (1 + d (1/tau + f))."""
    state = first.get("h", np.zeros(len(p["b"])))
    tau = np.exp(p["log_tau"])
    outputs = []
    for x_t, t in zip(x, dt, strict=True):
        for _ in range(3):
            f = sigmoid(p["U"] @ state + p["W"] @ x_t + p["b"])
            state = (state + t / 3 * f * p["A"]) / (1 + t / 3 * (1 / tau + f))
        outputs.append(state)
    return Trace({"h": np.array(outputs)}, {"h": state})


def ode_rnn(p: Arrays, first: Arrays, x: Array, dt: Array) -> Trace:
    """Algorithm 1: h' = ODESolve(f, h_(i-1), (t_(i-1), t_i)), by 2 steps of Euler's method; h_i = GRU(h', x_i)."""
    h = first.get("h", np.zeros(len(p["v"])))
    outputs = []
    for x_t, t in zip(x, dt, strict=True):
        for _ in range(2):
            h = h + (p["v"] + p["V"] @ np.tanh(p["a"] + p["A"] @ h)) * t / 2
        z, r = (sigmoid(p[f"W_{k}"] @ x_t + p[f"U_{k}"] @ h + p[f"b_{k}"]) for k in "zr")
        h = h + z * (np.tanh(p["W_c"] @ x_t + p["U_c"] @ (r * h) + p["b_c"]) - h)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def tlstm(p: Arrays, first: Arrays, x: Array, dt: Array) -> Trace:
    """C_S = tanh(W_d C + b_d), ^C_S = C_S g(dt), C_T = C - C_S, C* = C_T + ^C_S, and an LSTM whose old memory is C*."""
    c, h = (first.get(name, np.zeros(len(p["b_d"]))) for name in "ch")
    outputs = []
    for x_t, t in zip(x, dt, strict=True):
        short = np.tanh(p["W_d"] @ c + p["b_d"])
        long = c - short
        old = long + short * (1 / math.log(math.e + t))
        i, f, g, o = (p[f"W_{k}"] @ x_t + p[f"U_{k}"] @ h + p[f"b_{k}"] for k in "ifgo")
        c = sigmoid(f) * old + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "c": c})


def openness(time: float, tau: float, shift: float, on: float, leak: float) -> float:
    """The time gate k of one unit: it opens and closes in the first part `on` of each period tau, which begins at s."""
    phase = math.fmod(time - shift, tau) / tau
    phase += phase < 0
    if phase < on / 2:
        return 2 * phase / on
    return 2 - 2 * phase / on if phase < on else leak * phase


def phased_lstm(p: Arrays, first: Arrays, x: Array, time: Array) -> Trace:
    """~c and ~h are those of an LSTM; c = k ~c + (1 - k) c_(j-1) and h = k ~h + (1 - k) h_(j-1), where ~h reads ~c."""
    c, h = (first.get(name, np.zeros(len(p["b_i"]))) for name in "ch")
    tau = np.exp(p["log_tau"])
    outputs = []
    for x_t, t in zip(x, time, strict=True):
        k = np.array([openness(t, *unit, on=0.4, leak=0.01) for unit in zip(tau, p["shift"] * tau, strict=True)])
        i, f, g, o = (p[f"W_{gate}"] @ x_t + p[f"U_{gate}"] @ h + p[f"b_{gate}"] for gate in "ifgo")
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        c = k * new + (1 - k) * c
        h = k * sigmoid(o) * np.tanh(new) + (1 - k) * h
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "c": c})


def grud(p: Arrays, first: Arrays, x: Array, m: Array, dt: Array) -> Trace:
    """Number by number: gamma = exp(-max(0, w delta + b)), ^x = m x + (1 - m) (gamma x' + (1 - gamma) 0)."""
    width, h = x.shape[1], first.get("h", np.zeros(len(p["b_z"])))
    seen, delta, before = (np.array(first.get(name, np.zeros(width))) for name in ("seen", "delta", "m"))
    outputs = []
    for x_t, m_t, passed in zip(x, m, dt, strict=True):
        read = np.zeros(width)
        for d in range(width):
            delta[d] = passed + (1 - before[d]) * delta[d]
            gamma = math.exp(-max(0.0, p["w_d"][d] * delta[d] + p["a_d"][d]))
            read[d] = m_t[d] * x_t[d] + (1 - m_t[d]) * gamma * seen[d]
            seen[d] = m_t[d] * x_t[d] + (1 - m_t[d]) * seen[d]
        h = np.exp(-np.maximum(0, p["W_d"] @ delta + p["b_d"])) * h
        z, r = (sigmoid(p[f"W_{k}"] @ read + p[f"U_{k}"] @ h + p[f"V_{k}"] @ m_t + p[f"b_{k}"]) for k in "zr")
        new = np.tanh(p["W_c"] @ read + p["U_c"] @ (r * h) + p["V_c"] @ m_t + p["b_c"])
        h, before = (1 - z) * h + z * new, m_t
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h, "seen": seen, "delta": delta, "m": before})


TIMED = {"x": Input((4,)), "dt": Input(elapsed=True)}

CASES: tuple[Case, ...] = (
    Case("TimedCfC", timed_cfc, {"N": 4, "H": 5, "B": 6}, TIMED),
    Case("TimedLTC", timed_ltc, {"N": 4, "H": 5, "L": 3}, TIMED),
    Case("ODERNN", ode_rnn, {"N": 4, "H": 5, "L": 2}, TIMED),
    Case("TLSTM", tlstm, {"N": 4, "H": 5}, TIMED),
    Case(
        "PhasedLSTM",
        phased_lstm,
        {"N": 4, "H": 5, "open": 0.4, "leak": 0.01},
        {"x": Input((4,)), "time": Input(times=True)},
    ),
    Case("GRUD", grud, {"N": 4, "H": 5}, {"x": Input((4,)), "m": Input((4,), bits=True), "dt": Input(elapsed=True)}),
)
