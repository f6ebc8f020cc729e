"""Networks for a task each: an LSTM, an affine layer, a loss."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tests.transcriptions.case import Case, Input
from tests.transcriptions.composition import stacked, stacked_skip
from tests.transcriptions.lstm import lstm
from tests.transcriptions.networks import surprise
from tests.transcriptions.outputs import mixture_density
from tests.transcriptions.trace import (
    Array,
    Arrays,
    Trace,
    Transcription,
    below,
    binary_cross_entropy,
    named,
    sigmoid,
    softmax,
)

Symbols = NDArray[np.int64]


def answered(p: Arrays, first: Arrays, x: Array, name: str, layer: str = "") -> tuple[Array, dict[str, Array]]:
    """What the affine layer `name`, or `name.layer`, makes of the LSTM `name.Cell`; and final states."""
    inner = lstm(below(p, f"{name}.Cell"), below(first, f"{name}.Cell"), x)
    own = below(p, f"{name}.{layer}" if layer else name)
    return inner.outputs["h"] @ own["W"].T + own["b"], named(f"{name}.Cell", inner.state)


def kinds(logits: Array, state: dict[str, Array], label: Symbols, last: bool) -> Trace:
    """Probabilities of kinds, and the surprise at the label: at the last step or at all of them."""
    terms = surprise(logits, label)
    return Trace({"p": np.array([softmax(row) for row in logits])}, state, terms[-1] if last else terms)


def symbol_classifier(p: Arrays, first: Arrays, x: Symbols, label: Symbols) -> Trace:
    return kinds(*answered(p, first, p["E"][x], "logits"), label, last=True)


def frame_classifier(p: Arrays, first: Arrays, x: Array, label: Symbols) -> Trace:
    return kinds(*answered(p, first, x, "logits"), label, last=False)


def classifier(p: Arrays, first: Arrays, x: Array, label: Symbols) -> Trace:
    return kinds(*answered(p, first, x, "logits"), label, last=True)


def deep_classifier(p: Arrays, first: Arrays, x: Array, label: Symbols) -> Trace:
    """h^l = tanh(W^l h^{l-1} + b^l), h^0 = x; softmax of an affine layer."""
    h = x
    for layer in range(1, 1 + sum(name.startswith("s[") and name.endswith(".W") for name in p)):
        h = np.tanh(h @ p[f"s[{layer}].W"].T + p[f"s[{layer}].b"])
    return kinds(h @ p["logits.W"].T + p["logits.b"], {}, label, last=False)


def binary_classifier(p: Arrays, first: Arrays, x: Array, target: Array) -> Trace:
    logits, state = answered(p, first, x, "p", "Linear")
    probability = sigmoid(logits)
    return Trace({"p": probability}, state, binary_cross_entropy(probability[-1], target[-1]))


def frame_regressor(p: Arrays, first: Arrays, x: Array, target: Array) -> Trace:
    y, state = answered(p, first, x, "y")
    return Trace({"y": y}, state, np.sum((y - target) ** 2, axis=1))


def adding(p: Arrays, first: Arrays, x: Array, target: Array) -> Trace:
    """The squared error of the last answer (Hochreiter & Schmidhuber 1997, without their one half)."""
    y, state = answered(p, first, x, "y")
    return Trace({"y": y}, state, np.sum((y[-1] - target[-1]) ** 2))


def character_model(
    p: Arrays, first: Arrays, x: Symbols, target: Symbols, name: str = "Stacked", layers: Transcription = stacked
) -> Trace:
    vocabulary, name = np.eye(len(p["logits.b"])), f"logits.{name}"
    inner = layers(below(p, name), below(first, name), vocabulary[x])
    logits = inner.outputs["y"] @ p["logits.W"].T + p["logits.b"]
    return Trace({"logits": logits}, named(name, inner.state), surprise(logits, target))


skipping = partial(character_model, name="StackedSkip", layers=stacked_skip)


def language_model(p: Arrays, first: Arrays, x: Symbols, target: Symbols) -> Trace:
    inner = stacked(below(p, "h"), below(first, "h"), p["E"][x])
    logits = inner.outputs["y"] @ p["logits.W"].T + p["logits.b"]
    return Trace({"logits": logits}, named("h", inner.state), surprise(logits, target))


def strokes(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Graves 2013: x_0 is a zero vector; output t is a mixture for x_t."""
    before = np.vstack([first.get("x", np.zeros(3)), x[:-1]])
    inner = stacked_skip(below(p, "h"), below(first, "h"), before)
    mixture = mixture_density(below(p, "y"), {}, inner.outputs["y"], x)
    return Trace(mixture.outputs, named("h", inner.state) | {"x": x[-1]}, mixture.loss)


FRAMES = {"x": Input((4,)), "label": Input(symbols=3)}
NUMBERS = {"x": Input((4,)), "target": Input((2,))}
BITS = {"x": Input((4,)), "target": Input((2,), bits=True)}
TEXT = {"x": Input(symbols=6), "target": Input(symbols=6)}
SYMBOLS = {"x": Input(symbols=6), "label": Input(symbols=3)}

CASES = (
    Case("SymbolClassifier", symbol_classifier, {"V": 6, "K": 3, "H": 5, "N": 4}, SYMBOLS),
    Case("FrameClassifier", frame_classifier, {"N": 4, "K": 3, "H": 5}, FRAMES),
    Case("BinaryClassifier", binary_classifier, {"N": 4, "K": 2, "H": 5}, BITS),
    Case("Classifier", classifier, {"N": 4, "K": 3, "H": 5}, FRAMES),
    Case("DeepClassifier", deep_classifier, {"N": 4, "K": 3, "H": 5, "L": 3}, FRAMES),
    Case("FrameRegressor", frame_regressor, {"N": 4, "K": 2, "H": 5}, NUMBERS),
    Case("Adding", adding, {"N": 4, "K": 2, "H": 5}, NUMBERS),
    Case("CharacterModel", character_model, {"V": 6, "H": 5, "L": 1}, TEXT),
    Case("SkipCharacterModel", skipping, {"V": 6, "H": 3, "L": 2}, TEXT),
    Case("LanguageModel", language_model, {"V": 6, "H": 5, "N": 4, "L": 2}, TEXT),
    Case("Strokes", strokes, {"H": 3, "M": 2, "L": 2}, {"x": Input((3,))}),
)
