"""Networks and tasks made of other cells: each sub-cell has the parameters under its own prefix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.transcriptions.gru import gru
from tests.transcriptions.lstm import lstm
from tests.transcriptions.simple import elman, irnn, linear
from tests.transcriptions.trace import Array, Arrays, Trace, below, binary_cross_entropy, named, sigmoid, softmax


def surprise(logits: Array, target: NDArray[np.int64]) -> Array:
    """-log of the probability that the softmax of each row gives to its target: [T, K], [T] -> [T]."""
    return np.array([-np.log(softmax(row)[symbol]) for row, symbol in zip(logits, target, strict=True)])


def translate(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """Sutskever et al. 2014: the source reversed, decoders from the encoders' final states, one symbol behind."""
    layers = sum(name.startswith("enc[") and name.endswith("].b_f") for name in p)
    up = p["E"][src[::-1]]
    nothing = np.zeros((1, p["F"].shape[1]))
    out = np.concatenate([nothing, p["F"][tgt[:-1]]])
    state: dict[str, Array] = {"tgt": tgt[-1]}
    for layer in range(1, layers + 1):
        encoder = lstm(below(p, f"enc[{layer}]"), {}, up)
        decoder = lstm(below(p, f"dec[{layer}]"), encoder.state, out)
        up, out = encoder.outputs["h"], decoder.outputs["h"]
        state |= named(f"enc[{layer}]", encoder.state) | named(f"dec[{layer}]", decoder.state)
    logits = out @ p["logits.W"].T + p["logits.b"]
    return Trace({"logits": logits}, state, surprise(logits, tgt))


def tagger(p: Arrays, first: Arrays, w: NDArray[np.int64], tag: NDArray[np.int64]) -> Trace:
    """An LSTM from the left, another from the right; a softmax on both."""
    words = p["E"][w]
    forwards = lstm(below(p, "fwd"), below(first, "fwd"), words)
    backwards = lstm(below(p, "bwd.LSTM"), below(first, "bwd.LSTM"), words[::-1])
    both = np.concatenate([forwards.outputs["h"], backwards.outputs["h"][::-1]], axis=1)
    logits = both @ p["logits.W"].T + p["logits.b"]
    state = named("fwd", forwards.state) | named("bwd.LSTM", backwards.state)
    return Trace({"p": np.array([softmax(row) for row in logits])}, state, surprise(logits, tag))


def first_element(p: Arrays, first: Arrays, x: Array) -> Trace:
    """A logistic unit on an Elman network; the cross-entropy of its last output with the first input."""
    inner = elman(below(p, "y.Cell"), below(first, "y.Cell"), x)
    y = sigmoid(linear(below(p, "y.Linear"), {}, inner.outputs["h"]).outputs["y"])
    return Trace({"y": y}, named("y.Cell", inner.state), binary_cross_entropy(y[-1], x[0]))


def first_element_absolute(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Rectified units whose h_0 is trained, a linear output; |x_1 - y_T|."""
    inner = irnn(p, first or {"h": p["h[0]"]}, x)
    y = inner.outputs["h"] @ p["y.W"].T + p["y.b"]
    return Trace({"y": y}, inner.state, np.sum(np.abs(x[0] - y[-1])))


def music(p: Arrays, first: Arrays, x: Array) -> Trace:
    """The GRU reads x_0 = 0 (or what was handed over) to x_{T-1}; its logistic outputs are compared with x_1 to x_T."""
    past = np.concatenate([first.get("x", np.zeros(x.shape[1]))[None], x[:-1]])
    inner = gru(below(p, "p.Cell"), below(first, "p.Cell"), past)
    notes = sigmoid(inner.outputs["h"] @ p["p.Linear.W"].T + p["p.Linear.b"])
    return Trace({"p": notes}, named("p.Cell", inner.state) | {"x": x[-1]}, binary_cross_entropy(notes, x))
