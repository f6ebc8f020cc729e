"""Units with gates that multiply the state by a matrix, and the rows of their whole family in the registry."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.transcriptions import clockwork, gated_feedback, gru, lstm, lstm_variants, simple
from tests.transcriptions.case import Case
from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def ugrnn(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Collins et al. 2017: h_t = g_t * h_{t-1} + (1 - g_t) * c_t."""
    h = first.get("h", np.zeros(len(p["b_g"])))
    outputs = []
    for x_t in x:
        c = np.tanh(p["U_c"] @ h + p["W_c"] @ x_t + p["b_c"])
        g = sigmoid(p["U_g"] @ h + p["W_g"] @ x_t + p["b_g"])
        h = c + g * (h - c)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def mgu(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Zhou et al. 2016: f = s(W_f [h, x] + b_f);  h~ = tanh(W_h [f * h, x] + b_h);  h = (1 - f) * h + f * h~."""
    W_f, W_h = np.hstack([p["U_f"], p["W_f"]]), np.hstack([p["U_c"], p["W_c"]])
    h = first.get("h", np.zeros(len(p["b_f"])))
    outputs = []
    for x_t in x:
        f = sigmoid(W_f @ np.concatenate([h, x_t]) + p["b_f"])
        candidate = np.tanh(W_h @ np.concatenate([f * h, x_t]) + p["b_c"])
        h = (1 - f) * h + f * candidate
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def mut1(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Jozefowicz et al. 2015: h' = tanh(W_hh (r * h) + tanh(x) + b_h) * z + h * (1 - z), z of x alone."""
    h = first.get("h", np.zeros(len(p["b_z"])))
    outputs = []
    for x_t in x @ p["V"].T:
        z = sigmoid(p["W_z"] @ x_t + p["b_z"])
        r = sigmoid(p["W_r"] @ x_t + p["U_r"] @ h + p["b_r"])
        h = np.tanh(p["U_c"] @ (r * h) + np.tanh(x_t) + p["b_c"]) * z + h * (1 - z)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def mut2(p: Arrays, first: Arrays, x: Array) -> Trace:
    """r = s(x + W_hr h + b_r): the reset gate has no matrix for the input."""
    h = first.get("h", np.zeros(len(p["b_z"])))
    outputs = []
    for x_t in x @ p["V"].T:
        z = sigmoid(p["W_z"] @ x_t + p["U_z"] @ h + p["b_z"])
        r = sigmoid(x_t + p["U_r"] @ h + p["b_r"])
        h = np.tanh(p["U_c"] @ (r * h) + p["W_c"] @ x_t + p["b_c"]) * z + h * (1 - z)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def mut3(p: Arrays, first: Arrays, x: Array) -> Trace:
    """z = s(W_xz x + W_hz tanh(h) + b_z)."""
    h = first.get("h", np.zeros(len(p["b_z"])))
    outputs = []
    for x_t in x:
        z = sigmoid(p["W_z"] @ x_t + p["U_z"] @ np.tanh(h) + p["b_z"])
        r = sigmoid(p["W_r"] @ x_t + p["U_r"] @ h + p["b_r"])
        h = np.tanh(p["U_c"] @ (r * h) + p["W_c"] @ x_t + p["b_c"]) * z + h * (1 - z)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"h": h})


def highway(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Zilly et al. 2017: s_l = h_l * t_l + s_{l-1} * c_l, s_0 the y of the step before, x only where l = 1.

    h_l = tanh(.), t_l = s(.) and c_l = s(.) have matrices of their own; coupled, c_l = 1 - t_l.
    """
    y = first.get("h", np.zeros(len(p["b_c[1]"])))
    depth = sum(name.startswith("b_c[") for name in p)
    outputs = []
    for x_t in x:
        for layer in range(1, depth + 1):
            a = {k: p[f"U_{k}[{layer}]"] @ y + p[f"b_{k}[{layer}]"] for k in "cgk" if f"W_{k}" in p}
            if layer == 1:
                a = {k: value + p[f"W_{k}"] @ x_t for k, value in a.items()}
            transform = sigmoid(a["g"])
            carry = sigmoid(a["k"]) if "k" in a else 1 - transform
            y = np.tanh(a["c"]) * transform + y * carry
        outputs.append(y)
    return Trace({"h": np.array(outputs)}, {"h": y})


CASES: tuple[Case, ...] = (
    Case("Jordan", partial(simple.jordan, mu=0.75), {"N": 4, "H": 5, "K": 3, "mu": 0.75}),
    Case("SCRN", partial(simple.scrn, alpha=0.6), {"N": 4, "H": 5, "S": 3, "alpha": 0.6}),
    Case("FullPeepholeLSTM", lstm.full_peephole_lstm, {"N": 4, "H": 5}),
    Case("CIFG", lstm.cifg, {"N": 4, "H": 5}),
    Case("ClippedLSTM", lstm.lstm, {"N": 4, "H": 5}),
    Case("RecurrentDropoutLSTM", lstm_variants.recurrent_dropout, {"N": 4, "H": 5}),
    Case("VariationalLSTM", lstm_variants.variational, {"N": 4, "H": 5}),
    Case("ZoneoutLSTM", partial(lstm_variants.zoneout, d_c=0.4, d_h=0.1), {"N": 4, "H": 5, "p_c": 0.4, "p_h": 0.1}),
    Case("MultiplicativeLSTM", lstm_variants.multiplicative, {"N": 4, "H": 5, "M": 3}),
    Case("LayerNormLSTM", lstm_variants.layer_normalised, {"N": 4, "H": 5}),
    Case("ChoGRU", gru.cho_gru, {"N": 4, "H": 5}),
    Case("UGRNN", ugrnn, {"N": 4, "H": 5}),
    Case("MGU", mgu, {"N": 4, "H": 5}),
    Case("MUT1", mut1, {"N": 4, "H": 5}),
    Case("MUT2", mut2, {"N": 4, "H": 5}),
    Case("MUT3", mut3, {"N": 4, "H": 5}),
    Case("UncoupledRHN", highway, {"N": 4, "H": 5, "L": 2}),
    Case("RHN", highway, {"N": 4, "H": 5, "L": 3}),
    Case("ClockworkRNN", clockwork.clockwork, {"N": 4, "H": 3, "M": 3}),
    Case("GatedFeedbackSkip", gated_feedback.gated_feedback_skip, {"N": 4, "H": 3, "L": 3}),
    Case("GatedFeedbackLSTM", gated_feedback.gated_feedback_lstm, {"N": 4, "H": 3, "L": 2}),
    Case("GatedFeedbackGRU", gated_feedback.gated_feedback_gru, {"N": 4, "H": 3, "L": 3}),
)
