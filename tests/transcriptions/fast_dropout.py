"""Fast dropout: Wang & Manning 2013 for one unit, Bayer et al. 2013 for recurrent networks, with their keep rates."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.transcriptions.case import Case, Input
from tests.transcriptions.trace import Array, Arrays, Trace, below, binary_cross_entropy, named, sigmoid


def unit(w: Array, mean: Array, variance: Array, keep: Array) -> tuple[Array, Array]:
    """a = (d * x)' w:  E[a] = p mu' w;  V[a] = (p (1 - p) mu^2 + p var)' w^2, p the rates at which x is kept.

    The cell divides what it keeps by p, which is a w that is divided by it.
    """
    w = w / keep
    return w @ (keep * mean), w**2 @ (keep * (1 - keep) * mean**2 + keep * variance)


def logistic(a: Array, variance: Array) -> Array:
    """E s(a) = s(a / sqrt(1 + pi V / 8))."""
    return sigmoid(a / np.sqrt(1 + np.pi * variance / 8))


def rnn(p: Arrays, first: Arrays, x: Array, p_x: float, p_h: float) -> Trace:
    """c_t = [h_{t-1}, x_t] goes through [W_rec, W_in], then tanh(a) = 2 s(2 a) - 1."""
    n = len(p["b"])
    h, v = first.get("h", np.zeros(n)), first.get("v", np.zeros(n))
    keep = np.concatenate([np.full(n, 1 - p_h), np.full(x.shape[1], 1 - p_x)])
    outputs, variances = [], []
    for x_t in x:
        read, unsure = np.concatenate([h, x_t]), np.concatenate([v, 0 * x_t])
        a, v_a = unit(np.hstack([p["U"], p["W"]]), read, unsure, keep)
        s = logistic(2 * (a + p["b"]), 4 * v_a)
        h = 2 * s - 1
        v = 4 * s * (1 - s) * (1 - (1 + 8 * s * (1 - s) * v_a) ** -0.5)
        outputs.append(h)
        variances.append(v)
    return Trace({"h": np.array(outputs), "v": np.array(variances)}, {"h": h, "v": v})


def music(p: Arrays, first: Arrays, x: Array, p_x: float, p_h: float) -> Trace:
    """What sounds at t from what sounded before, each key's probability an expectation over the masks as well."""
    before = np.vstack([first.get("x", np.zeros(x.shape[1]))[None], x[:-1]])
    hidden = rnn(below(p, "rnn"), below(first, "rnn"), before, p_x, p_h)
    keep = np.full(p["V"].shape[1], 1 - p_h)
    a, v = zip(*(unit(p["V"], h, v, keep) for h, v in zip(*hidden.outputs.values(), strict=True)), strict=True)
    y = logistic(np.array(a) + p["c"], np.array(v))
    state = {**named("rnn", hidden.state), "x": x[-1]}
    return Trace({"p": y}, state, binary_cross_entropy(y, x))


def cell(p: Arrays, first: Arrays, x: Array) -> Trace:
    """The recurrent layer, of which others see the mean."""
    found = rnn(p, first, x, 0.2, 0.4)
    return Trace({"h": found.outputs["h"]}, found.state)


RATES = {"p_x": 0.2, "p_h": 0.4}

CASES: tuple[Case, ...] = (
    Case("FastDropoutRNN", cell, {"N": 4, "H": 5, **RATES}, handed=False),  # a variance is not any number
    Case(
        "FastDropoutMusic",
        partial(music, **RATES),
        {"N": 6, "H": 5, **RATES},
        {"x": Input((6,), bits=True)},
        handed=False,
    ),
)
