"""Discretised systems in continuous time: Gu & Dao 2023, Hasani et al. 2021 and 2022."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.case import Case
from tests.transcriptions.trace import Array, Arrays, Trace, below, named, sigmoid


def s6(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Channel by channel: A_n diagonal, h <- exp(D_n A_n) h + D_n B x_n;  y_n = C . h + skip x_n."""
    channels, width = p["A_log"].shape
    h = [np.array(row) for row in first.get("h", np.zeros((channels, width)))]
    outputs = []
    for x_t in x:
        B, C = p["W_B"] @ x_t, p["W_C"] @ x_t
        step = np.log(1 + np.exp(p["W_up"] @ p["W_down"] @ x_t + p["b_delta"]))
        y = np.zeros(channels)
        for n in range(channels):
            A = np.diag([-k * np.exp(p["A_log"][n, k - 1]) for k in range(1, width + 1)])
            h[n] = np.diag(np.exp(np.diag(step[n] * A))) @ h[n] + step[n] * B * x_t[n]
            y[n] = C @ h[n] + p["D"][n] * x_t[n]
        outputs.append(y)
    return Trace({"y": np.array(outputs)}, {"h": np.array(h)})


def mamba(p: Arrays, first: Arrays, x: Array) -> Trace:
    """y = W_y (S6(silu(conv(W_u x))) * silu(W_z x)), the convolution by channel over this step and three before."""
    u = x @ p["W_u"].T
    older = first.get("u[t-2..t-1]", np.zeros((2, u.shape[1])))
    long = np.vstack([older, first.get("u", np.zeros(u.shape[1])), u])
    kernels = np.array([p[f"w[{i}]"] for i in range(4)])
    conv = np.array([np.convolve(long[:, c], kernels[:, c], mode="valid") for c in range(u.shape[1])]).T + p["b"]
    inner = s6(below(p, "s"), below(first, "s"), conv * sigmoid(conv))
    z = x @ p["W_z"].T
    y = (inner.outputs["y"] * (z * sigmoid(z))) @ p["W_y"].T
    state = {"u": long[-1], "u[t-2..t-1]": long[-3:-1]}
    return Trace({"y": y}, state | named("s", inner.state))


def cfc(p: Arrays, first: Arrays, x: Array) -> Trace:
    """x(t) = s(-f t) * g + [1 - s(-f t)] * h with t = 1; f, g and h share their first layer."""
    state = first.get("h", np.zeros(len(p["b_f"])))
    outputs = []
    for x_t in x:
        z = np.tanh(np.hstack([p["W"], p["U"]]) @ np.concatenate([x_t, state]) + p["b"])
        f = p["W_f"] @ z + p["b_f"]
        state = np.tanh(p["W_g"] @ z + p["b_g"]) / (1 + np.exp(f)) + np.tanh(p["W_k"] @ z + p["b_k"]) / (1 + np.exp(-f))
        outputs.append(state)
    return Trace({"h": np.array(outputs)}, {"h": state})


def ltc(p: Arrays, first: Arrays, x: Array) -> Trace:
    """dx/dt = -(1/tau + f) x + f A, taken implicitly in x alone: x' = (x + d f A) / (1 + d (1/tau + f)), d = 1/6."""
    state = first.get("h", np.zeros(len(p["b"])))
    tau, d = np.exp(p["log_tau"]), 1 / 6
    outputs = []
    for x_t in x:
        for _ in range(6):
            f = sigmoid(p["U"] @ state + p["W"] @ x_t + p["b"])
            state = (state + d * f * p["A"]) / (1 + d * (1 / tau + f))
        outputs.append(state)
    return Trace({"h": np.array(outputs)}, {"h": state})


CASES: tuple[Case, ...] = (
    Case("S6", s6, {"N": 4, "K": 3, "R": 2}),
    Case("Mamba", mamba, {"N": 4, "H": 5, "K": 3, "R": 2}),
    Case("CfC", cfc, {"N": 4, "H": 5, "B": 6}),
    Case("LTC", ltc, {"N": 4, "H": 5, "L": 6}),
)
