"""Shipped cells once more, as people write them by hand, in words that torch and JAX have in common.

`inputs` is what a cell makes of x alone, of one step or of all; `step` is the rest. A loop that people write does both
at every step. Weights of the gates lie in one matrix, so that a step has one product of x and one of the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Weights = Mapping[str, Any]
"""By name."""

Parts = tuple[Any, ...]


def as_they_are(m: Any, p: Weights) -> Weights:
    """Nothing is to be done before the loop."""
    return p


@dataclass(frozen=True)
class Loop:
    """A cell: `m` are the words of a library, `p` its weights, `z` what `inputs` gives, `s` its states."""

    weights: dict[str, str]
    """Which parameters of the shipped cell a weight holds: below each other, or ("a / b") each as a row."""

    states: str
    """The dimension of each."""

    inputs: Callable[[Any, Weights, Any], Parts]
    step: Callable[[Any, Weights, Parts, Parts], tuple[Parts, Any]]
    prepare: Callable[[Any, Weights], Weights] = as_they_are


def projected(m: Any, p: Weights, x: Any) -> Parts:
    """One product for all gates."""
    return (m.linear(x, p["W"], p["b"]),)


def elman(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """A layer of tanh units."""
    h = m.tanh(z[0] + m.linear(s[0], p["U"]))
    return (h,), h


def lstm(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """Without peepholes."""
    h, c = s
    i, f, g, o = m.chunk(z[0] + m.linear(h, p["U"]), 4)
    c = m.sigmoid(f) * c + m.sigmoid(i) * m.tanh(g)
    h = m.sigmoid(o) * m.tanh(c)
    return (h, c), h


def peephole(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """With diagonal peepholes."""
    h, c = s
    i, f, g, o = m.chunk(z[0] + m.linear(h, p["U"]), 4)
    c = m.sigmoid(f + p["p_f"] * c) * c + m.sigmoid(i + p["p_i"] * c) * m.tanh(g)
    h = m.sigmoid(o + p["p_o"] * c) * m.tanh(c)
    return (h, c), h


def projection(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """Peepholes, and a shorter output."""
    (longer, c), _ = peephole(m, p, z, s)
    r = m.linear(longer, p["V"])
    return (r, c), r


def multiplicative_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """The factors of x, and the gates."""
    return m.linear(x, p["W_m"]), m.linear(x, p["W"], p["b"])


def multiplicative(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """The gates read a product of x and h."""
    h, c = s
    i, f, g, o = m.chunk(z[1] + m.linear(z[0] * m.linear(h, p["U_m"]), p["V"]), 4)
    c = m.sigmoid(f) * c + m.sigmoid(i) * m.tanh(g)
    h = m.sigmoid(o) * m.tanh(c)
    return (h, c), h


def normalised_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """The gates, normalised together."""
    return (m.norm(m.linear(x, p["W"]), p["gain_x"], p["bias_x"]) + p["b"],)


def normalised(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """With layer normalisation."""
    h, c = s
    f, i, o, g = m.chunk(z[0] + m.norm(m.linear(h, p["U"]), p["gain_h"], p["bias_h"]), 4)
    c = m.sigmoid(f) * c + m.sigmoid(i) * m.tanh(g)
    h = m.sigmoid(o) * m.tanh(m.norm(c, p["gain_c"], p["bias_c"]))
    return (h, c), h


def gru(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """That of torch."""
    (h,) = s
    r_x, u_x, n_x = m.chunk(z[0], 3)
    r_h, u_h, n_h = m.chunk(m.linear(h, p["U"]), 3)
    r, u = m.sigmoid(r_x + r_h), m.sigmoid(u_x + u_h)
    n = m.tanh(n_x + r * (n_h + p["b_hn"]))
    h = (1 - u) * n + u * h
    return (h,), h


def mut1_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """The update gate, what the reset gate reads, and what the candidate reads."""
    v = m.linear(x, p["V"])
    z, r = m.chunk(m.linear(v, p["W"], p["b"]), 2)
    return m.sigmoid(z), r, m.tanh(v)


def mut1(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """The best of the mutations."""
    (h,) = s
    r = m.sigmoid(z[1] + m.linear(h, p["U_r"]))
    c = m.tanh(z[2] + m.linear(r * h, p["U_c"], p["b_c"]))
    h = (1 - z[0]) * h + z[0] * c
    return (h,), h


def min_gru_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """The gate and the candidate."""
    z, c = m.chunk(m.linear(x, p["W"], p["b"]), 2)
    return m.sigmoid(z), c


def min_gru(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """An average of candidates."""
    h = (1 - z[0]) * s[0] + z[0] * z[1]
    return (h,), h


def eigenvalues(m: Any, p: Weights) -> Weights:
    """They are the same at all steps."""
    modulus = m.exp(-m.exp(p["nu_log"]))
    angle = m.exp(p["theta_log"])
    gamma = m.sqrt(1 - modulus * modulus)
    return {**p, "re": modulus * m.cos(angle), "im": modulus * m.sin(angle), "gamma": gamma}


def lru_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """What is added to the state, and to the output."""
    re, im = m.chunk(m.linear(x, p["B"]), 2)
    return p["gamma"] * re, p["gamma"] * im, m.linear(x, p["D"])


def lru(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """Complex numbers as pairs of real ones."""
    re, im = s
    re, im = p["re"] * re - p["im"] * im + z[0], p["re"] * im + p["im"] * re + z[1]
    return (re, im), m.linear(re, p["C_re"]) - m.linear(im, p["C_im"]) + z[2]


LAYERS = (1, 2, 3)


def feedback_inputs(m: Any, p: Weights, x: Any) -> Parts:
    """What the lowest layer and its gates read."""
    return m.linear(x, p["W1"]), m.linear(x, p["w1"])


def feedback(m: Any, p: Weights, z: Parts, s: Parts) -> tuple[Parts, Any]:
    """Three layers that all feed back into each other, each connection behind a gate."""
    past = m.cat(s)
    new: list[Any] = []
    for j in LAYERS:
        up, gates = z if j == 1 else (m.linear(new[-1], p[f"W{j}"]), m.linear(new[-1], p[f"w{j}"]))
        g = m.sigmoid(gates + m.linear(past, p[f"u{j}"]))
        fed = [g[..., i - 1 : i] * m.linear(s[i - 1], p[f"U{i}{j}"]) for i in LAYERS]
        new.append(m.tanh(up + fed[0] + fed[1] + fed[2]))
    return tuple(new), m.cat(new)


def gates(letters: str, order: str) -> dict[str, str]:
    """Weights of several gates below each other."""
    return {letter: " ".join(f"{letter}_{k}" for k in order) for letter in letters}


def same(names: str) -> dict[str, str]:
    """Parameters that are weights by themselves."""
    return {name: name for name in names.split()}


FEEDBACK = {
    **{f"W{j}": f"W[{j}]" for j in LAYERS},
    **{f"U{i}{j}": f"U[{i},{j}]" for i in LAYERS for j in LAYERS},
    **{f"w{j}": " / ".join(f"w[{j},{i}]" for i in LAYERS) for j in LAYERS},
    **{f"u{j}": " / ".join(f"u[{i},{j}]" for i in LAYERS) for j in LAYERS},
}

PEEPHOLES = gates("WUb", "ifgo") | same("p_i p_f p_o")

LOOPS = {
    "PlainLSTM": Loop(gates("WUb", "ifgo"), "HH", projected, lstm),
    "TorchGRU": Loop(gates("WUb", "rzn") | same("b_hn"), "H", projected, gru),
    "Elman": Loop(same("W U b"), "H", projected, elman),
    "LSTM": Loop(PEEPHOLES, "HH", projected, peephole),
    "LSTMP": Loop(PEEPHOLES | {"V": "W_rm"}, "RH", projected, projection),
    "LayerNormLSTM": Loop(
        same("W U gain_x gain_h bias_x bias_h gain_c bias_c") | gates("b", "fiog"), "HH", normalised_inputs, normalised
    ),
    "MultiplicativeLSTM": Loop(gates("WVb", "ifgo") | same("W_m U_m"), "HH", multiplicative_inputs, multiplicative),
    "MUT1": Loop(gates("Wb", "zr") | same("V U_r U_c b_c"), "H", mut1_inputs, mut1),
    "GatedFeedback": Loop(FEEDBACK, "HHH", feedback_inputs, feedback),
    "MinGRU": Loop(gates("Wb", "zh"), "H", min_gru_inputs, min_gru),
    "LRU": Loop(same("nu_log theta_log C_re C_im D") | {"B": "B_re B_im"}, "KK", lru_inputs, lru, eigenvalues),
}
"""By the name of the shipped cell."""
