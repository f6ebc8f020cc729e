"""Attention: a window that moves along a text, and translation with scores by content."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.transcriptions.case import Case, Input
from tests.transcriptions.gru import gru
from tests.transcriptions.lstm import lstm, plain_lstm
from tests.transcriptions.networks import surprise
from tests.transcriptions.outputs import mixture_density
from tests.transcriptions.trace import Array, Arrays, Trace, below, named, sigmoid, softmax


def position(p: Arrays, first: Arrays, x: Array) -> Trace:
    """1, 2, 3, ..., or on from the number handed over."""
    n = first.get("n", np.zeros(())) + np.arange(1, len(x) + 1)
    return Trace({"n": n}, {"n": n[-1]})


def attention_window(p: Arrays, first: Arrays, x: Array, text: NDArray[np.int64]) -> Trace:
    """The window and the layer that moves it."""
    found = moved(p, first, x, text)
    return Trace({name: found.outputs[name] for name in ("w", "h")}, found.state)


def moved(p: Arrays, first: Arrays, x: Array, text: NDArray[np.int64]) -> Trace:
    """Graves 2013: phi(t, u) = sum_k alpha_k exp(-beta_k (kappa_k - u)^2);  w_t = sum_u phi(t, u) c_u.

    alpha, beta, and how far kappa moves are exponentials of what an affine layer makes of h_t, which reads w_{t-1}.
    """
    c = np.eye(p["h.W_i"].shape[1] - x.shape[1])[text]
    u = first.get("w.Position.n", np.zeros(())) + np.arange(1, len(text) + 1)
    state, w = below(first, "h"), first.get("w", np.zeros(c.shape[1]))
    kappa = first.get("kappa", np.zeros(len(p["b_k"])))
    outputs: dict[str, list[Array]] = {name: [] for name in ("w", "h", "alpha", "beta", "kappa")}
    for x_t in x:
        layer = lstm(below(p, "h"), state, np.concatenate([x_t, w])[None])
        state, h = layer.state, layer.outputs["h"][0]
        alpha, beta = np.exp(p["W_a"] @ h + p["b_a"]), np.exp(p["W_b"] @ h + p["b_b"])
        kappa = kappa + np.exp(p["W_k"] @ h + p["b_k"])
        phi = [np.sum(alpha * np.exp(-beta * (kappa - u_i) ** 2)) for u_i in u]
        w = np.sum([phi_u * c_u for phi_u, c_u in zip(phi, c, strict=True)], axis=0)
        for name, value in zip(outputs, (w, h, alpha, beta, kappa), strict=True):
            outputs[name].append(value)
    final = named("h", state) | {"w": w, "kappa": kappa, "w.Position.n": u[-1]}
    return Trace({name: np.array(values) for name, values in outputs.items()}, final)


def handwriting(p: Arrays, first: Arrays, x: Array, text: NDArray[np.int64]) -> Trace:
    """Graves 2013: layer 1 reads x_{t-1} and w_{t-1}; layer n x_{t-1}, h^{n-1}_t, w_t; the mixture all layers."""
    before = np.vstack([first.get("x", np.zeros(3)), x[:-1]])
    window = moved(below(p, "first"), below(first, "first"), before, text)
    hidden, state = [window.outputs["h"]], named("first", window.state) | {"x": x[-1]}
    while f"h[{len(hidden) + 1}].W_i" in p:
        name = f"h[{len(hidden) + 1}]"
        read = np.hstack([before, hidden[-1], window.outputs["w"]])
        layer = lstm(below(p, name), below(first, name), read)
        hidden.append(layer.outputs["h"])
        state |= named(name, layer.state)
    mixture = mixture_density(below(p, "y"), {}, np.hstack(hidden), x)
    seen = {name: window.outputs[name] for name in ("alpha", "beta", "kappa")}
    return Trace({**mixture.outputs, **seen}, state, mixture.loss)


def attended(scores: list[float], values: Array) -> Array:
    """sum_u a_u v_u, a the softmax of the scores."""
    return np.asarray(softmax(np.array(scores)) @ values)


def luong(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """Luong et al. 2015: c_t over the top encoder states with score h_t' h_s;  h~_t = tanh(W_c [c_t; h_t]), fed on."""
    layers = sum(name.startswith("enc[") and name.endswith("].b_f") for name in p)
    state: dict[str, dict[str, Array]] = {}
    up, final = p["E"][src], {}
    for layer in range(1, layers + 1):
        encoder = plain_lstm(below(p, f"enc[{layer}]"), {}, up)
        up, state[f"dec[{layer}]"] = encoder.outputs["h"], encoder.state
        final |= named(f"enc[{layer}]", encoder.state)
    word, attentional, logits = np.zeros(p["F"].shape[1]), np.zeros(len(p["W_c"])), []
    for symbol in tgt:
        h = np.concatenate([word, attentional])
        for name in state:
            step = plain_lstm(below(p, name), state[name], h[None])
            h, state[name] = step.outputs["h"][0], step.state
        context = attended([h @ h_s for h_s in up], up)
        attentional = np.tanh(p["W_c"] @ np.concatenate([context, h]))
        logits.append(p["W_s"] @ attentional)
        word = p["F"][symbol]
    for name, own in state.items():
        final |= named(name, own)
    return Trace({"logits": np.array(logits)}, final | {"y": attentional, "tgt": tgt[-1]}, surprise(logits, tgt))


def bahdanau(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """Bahdanau et al. 2015: e_ij = v' tanh(W_a s_{i-1} + U_a h_j), c_i = sum_j a_ij h_j; a GRU that reads c_i; maxout.

    The two pieces of the maxout are here the even and the odd rows of one matrix, as in the paper.
    """
    forwards = gru(below(p, "fwd"), {}, p["E"][src])
    backwards = gru(below(p, "bwd.GRU"), {}, p["E"][src[::-1]])
    annotations = np.hstack([forwards.outputs["h"], backwards.outputs["h"][::-1]])
    s, Ey, logits = np.tanh(p["W_s"] @ backwards.outputs["h"][-1]), np.zeros(p["F"].shape[1]), []
    rows = np.arange(len(p["b_o"])).reshape(2, -1).T.ravel()
    for symbol in tgt:
        scores = [p["v_a"] @ np.tanh(p["W_a"] @ s + p["U_a"] @ h_j) for h_j in annotations]
        c = attended(scores, annotations)
        t_tilde = (p["U_o"] @ s + p["V_o"] @ Ey + p["C_o"] @ c + p["b_o"])[rows]
        logits.append(p["W_o"] @ np.maximum(t_tilde[0::2], t_tilde[1::2]) + p["b_y"])
        z = sigmoid(p["W_z"] @ Ey + p["U_z"] @ s + p["C_z"] @ c + p["b_z"])
        r = sigmoid(p["W_r"] @ Ey + p["U_r"] @ s + p["C_r"] @ c + p["b_r"])
        s = (1 - z) * s + z * np.tanh(p["W"] @ Ey + p["U"] @ (r * s) + p["C"] @ c + p["b"])
        Ey = p["F"][symbol]
    state = named("fwd", forwards.state) | named("bwd.GRU", backwards.state) | {"s": s, "tgt": tgt[-1]}
    return Trace({"logits": np.array(logits)}, state, surprise(logits, tgt))


def encoder_decoder(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """After Cho et al. 2014: c = tanh(V h_S), which the decoder and the output read beside y_{t-1}, at every step."""
    encoder = gru(below(p, "c.Cell"), {}, p["E"][src])
    c = np.tanh(p["c.Linear.W"] @ encoder.outputs["h"][-1] + p["c.Linear.b"])
    before = np.vstack([np.zeros(p["F"].shape[1]), p["F"][tgt[:-1]]])
    summary = np.tile(c, (len(tgt), 1))
    decoder = gru(below(p, "dec"), {}, np.hstack([before, summary]))
    logits = np.hstack([decoder.outputs["h"], before, summary]) @ p["logits.W"].T + p["logits.b"]
    state = named("c.Cell", encoder.state) | named("dec", decoder.state) | {"tgt": tgt[-1]}
    return Trace({"logits": logits}, state, surprise(logits, tgt))


WRITTEN = {"x": Input((4,)), "text": Input(symbols=3, clock="s")}
PEN = {"text": Input(symbols=3, clock="s"), "x": Input((3,))}
PAIR = {"src": Input(symbols=7, clock="s"), "tgt": Input(symbols=6)}
SIZES = {"V": 7, "K": 6, "N": 4, "H": 3}

CASES = (
    Case("Position", position, {"N": 4}),
    Case("AttentionWindow", attention_window, {"N": 4, "V": 3, "H": 5, "K": 2}, WRITTEN, causal=False),
    Case("Handwriting", handwriting, {"V": 3, "H": 3, "M": 2, "L": 2, "K": 2}, PEN, causal=False),
    Case("LuongAttention", luong, {**SIZES, "L": 2}, PAIR, causal=False, handed=False),
    Case("BahdanauAttention", bahdanau, {**SIZES, "A": 5, "M": 2}, PAIR, causal=False, handed=False),
    Case("EncoderDecoder", encoder_decoder, SIZES, PAIR, causal=False, handed=False),
)
