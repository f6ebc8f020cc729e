"""Recurrences without a product of the state by a matrix, and the rows of their whole family in the registry."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.transcriptions import continuous, matrix_memory, xlstm
from tests.transcriptions.case import Case
from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def qrnn(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Bradbury et al. 2017: Z, F, O are masked convolutions over all steps at once; then fo-pooling."""
    before = np.vstack([first.get("x", np.zeros(x.shape[1])), x[:-1]])
    a = {k: before @ p[f"V_{k}"].T + x @ p[f"W_{k}"].T + p[f"b_{k}"] for k in "zfo"}
    c = first.get("c", np.zeros(len(p["b_z"])))
    outputs = []
    for z, f, o in zip(np.tanh(a["z"]), sigmoid(a["f"]), sigmoid(a["o"]), strict=True):
        c = f * c + (1 - f) * z
        outputs.append(o * c)
    return Trace({"h": np.array(outputs)}, {"c": c, "x": x[-1]})


def sru(p: Arrays, first: Arrays, x: Array, bias: float) -> Trace:
    """Lei et al. 2018: f_t = s(W_f x_t + v_f * c_{t-1} + b_f), r_t likewise; h_t = r_t * c_t + (1 - r_t) * x_t a."""
    alpha = np.sqrt(1 + np.exp(bias) * 2)
    c = first.get("c", np.zeros(len(p["b_f"])))
    outputs = []
    for x_t in x:
        f = sigmoid(p["W_f"] @ x_t + np.diag(p["v_f"]) @ c + p["b_f"])
        r = sigmoid(p["W_r"] @ x_t + np.diag(p["v_r"]) @ c + p["b_r"])
        c = f * c + (1 - f) * (p["W"] @ x_t)
        outputs.append(r * c + (1 - r) * alpha * (p["V"] @ x_t))
    return Trace({"h": np.array(outputs)}, {"c": c})


def min_lstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Feng et al. 2024: f' = f / (f + i), i' = i / (f + i);  h_t = f' * h_{t-1} + i' * h~_t."""
    h = first.get("h", np.zeros(len(p["b_h"])))
    outputs = []
    for x_t in x:
        f, i = sigmoid(p["W_f"] @ x_t + p["b_f"]), sigmoid(p["W_i"] @ x_t + p["b_i"])
        h = f / (f + i) * h + i / (f + i) * (p["W_h"] @ x_t + p["b_h"])
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def min_gru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Feng et al. 2024: h_t = (1 - z_t) * h_{t-1} + z_t * h~_t, in closed form as a sum over the past."""
    z = sigmoid(x @ p["W_z"].T + p["b_z"])
    h_tilde = x @ p["W_h"].T + p["b_h"]
    kept = np.cumprod(1 - z, axis=0)
    h = kept * (first.get("h", np.zeros(z.shape[1])) + np.cumsum(z * h_tilde / kept, axis=0))
    return Trace({"h": h}, {"h": h[-1]})


def ind_rnn(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Li et al. 2018: h_t = relu(W x_t + u * h_{t-1} + b)."""
    h = first.get("h", np.zeros(len(p["b"])))
    outputs = []
    for x_t in x:
        h = np.maximum(p["W"] @ x_t + p["u"] * h + p["b"], 0)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def rg_lru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """De et al. 2024: a = s(L), a_t = a^(c r_t);  h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * x_t)."""
    a, c = sigmoid(p["Lambda"]), 8
    h = first.get("h", np.zeros(len(a)))
    outputs = []
    for x_t in x @ p["V"].T:
        r = sigmoid(p["W_a"] @ x_t + p["b_a"])
        i = sigmoid(p["W_x"] @ x_t + p["b_x"])
        a_t = a ** (c * r)
        h = a_t * h + np.sqrt(1 - a_t**2) * (i * x_t)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def lru(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Orvieto et al. 2023, with complex numbers: s_t = L s_{t-1} + gamma * (B x_t);  y_t = Re(C s_t) + D x_t."""
    eigenvalues = np.exp(-np.exp(p["nu_log"]) + 1j * np.exp(p["theta_log"]))
    gamma = np.sqrt(1 - np.abs(eigenvalues) ** 2)
    B, C = p["B_re"] + 1j * p["B_im"], p["C_re"] + 1j * p["C_im"]
    nothing = np.zeros(len(gamma))
    s = first.get("re", nothing) + 1j * first.get("im", nothing)
    outputs = []
    for x_t in x:
        s = eigenvalues * s + gamma * (B @ x_t)
        outputs.append((C @ s).real + p["D"] @ x_t)
    return Trace({"y": np.array(outputs)}, {"re": s.real, "im": s.imag})


CASES: tuple[Case, ...] = (
    Case("QRNN", qrnn, {"N": 4, "H": 5}),
    Case("SRU", partial(sru, bias=-0.5), {"N": 4, "H": 5, "bias": -0.5}),
    Case("MinLSTM", min_lstm, {"N": 4, "H": 5}),
    Case("MinGRU", min_gru, {"N": 4, "H": 5}),
    Case("IndRNN", ind_rnn, {"N": 4, "H": 5}),
    Case("RGLRU", rg_lru, {"N": 4, "H": 5}),
    Case("LRU", lru, {"N": 4, "K": 3, "H": 5}),
    Case("SLSTM", xlstm.slstm, {"N": 4, "H": 5}),
    Case("MLSTM", xlstm.mlstm, {"N": 4, "K": 3, "H": 5}),
    Case("LinearAttention", matrix_memory.linear_attention, {"N": 4, "K": 3, "H": 5}),
    Case("DeltaNet", matrix_memory.delta_net, {"N": 4, "K": 3, "H": 5}),
    Case("GatedDeltaNet", matrix_memory.gated_delta_net, {"N": 4, "K": 3, "H": 5}),
    Case(
        "FastWeights",
        partial(matrix_memory.fast_weights, steps=2, decay=0.75, rate=0.25),
        {"N": 4, "H": 5, "S": 2, "decay": 0.75, "rate": 0.25},
    ),
    *continuous.CASES,
)
