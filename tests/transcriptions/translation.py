"""The translators of `specs/translation.rnn`; the cells inside come from the other transcriptions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.transcriptions.attention import attended
from tests.transcriptions.case import Case, Input
from tests.transcriptions.gru import gru_after
from tests.transcriptions.lstm import lstm
from tests.transcriptions.networks import surprise
from tests.transcriptions.trace import Array, Arrays, Trace, below, named


def affine(p: Arrays, name: str, x: Array) -> Array:
    """W x + b for each row of x."""
    return np.asarray(x @ p[f"{name}.W"].T + p[f"{name}.b"])


def before(p: Arrays, tgt: NDArray[np.int64]) -> Array:
    """The embeddings of the previous target words; nothing at first."""
    return np.concatenate([np.zeros((1, p["F"].shape[1])), p["F"][tgt[:-1]]])


def summary(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """Sutskever et al. 2014, section 3: the source reversed; p(y_t) from F times a projection of the decoder."""
    up, out = p["E"][src[::-1]], before(p, tgt)
    state: dict[str, Any] = {"tgt": tgt[-1]}
    for layer in (1, 2):
        encoder = lstm(below(p, f"enc[{layer}]"), {}, up)
        decoder = lstm(below(p, f"dec[{layer}]"), encoder.state, out)
        up, out = encoder.outputs["h"], decoder.outputs["h"]
        state |= named(f"enc[{layer}]", encoder.state) | named(f"dec[{layer}]", decoder.state)
    logits = affine(p, "y", out) @ p["F"].T + p["b"]
    return Trace({"logits": logits}, state, surprise(logits, tgt))


def attention(p: Arrays, first: Arrays, src: NDArray[np.int64], tgt: NDArray[np.int64]) -> Trace:
    """Luong et al. 2015, eq. 5 and 8 (general): score(h_t, h_s) = h_s . (W_a h_t + b_a); h~ = tanh(W_c [y; h_t; c])."""
    fwd = gru_after(below(p, "fwd"), {}, p["E"][src])
    bwd = gru_after(below(p, "bwd.Cell"), {}, p["E"][src[::-1]])
    enc = np.hstack([fwd.outputs["h"], bwd.outputs["h"][::-1]])
    start = np.tanh(affine(p, "start.Linear", np.concatenate([fwd.outputs["h"][-1], bwd.outputs["h"][-1]])))
    words = before(p, tgt)
    dec = gru_after(below(p, "dec"), {"h": start}, words)
    rows = []
    for y, h in zip(words, dec.outputs["h"], strict=True):
        c = attended([h_s @ affine(p, "c.Linear", h) for h_s in enc], enc)
        rows.append(np.tanh(affine(p, "out.Linear", np.concatenate([y, h, c]))))
    logits = np.array(rows) @ p["F"].T + p["b"]
    state = named("fwd", fwd.state) | named("bwd.Cell", bwd.state) | named("dec", dec.state) | {"tgt": tgt[-1]}
    return Trace({"logits": logits}, state, surprise(logits, tgt))


PAIR = {"src": Input(symbols=7, clock="s"), "tgt": Input(symbols=6)}
SMALL = {"V": 7, "K": 6, "N": 4, "H": 3}
CASES = (
    Case("SummaryTranslator", summary, {**SMALL, "L": 2}, PAIR, causal=False, handed=False),
    Case("AttentionTranslator", attention, {**SMALL, "H": 6}, PAIR, causal=False, handed=False),
)
