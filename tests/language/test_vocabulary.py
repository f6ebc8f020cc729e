"""Every function of the language against plain NumPy, step by step and sequence by sequence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurrency.language.vocabulary.table import FUNCTIONS
from tests.support.elaborating import B, T, arrays, cell, elaborated, numbers, run

N, V = 6, 4
HEADER = "Any[N, V](x: [N], z: [N], w: index[V], s: []) -> (y: [N])"
PARAMS = ("param A : [V, N] ~ zeros", "param g : [N] ~ zeros", "y = x")

Array = np.ndarray[Any, Any]


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _layer_norm(x: Array) -> Array:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _window(alpha: Array, beta: Array, kappa: Array, places: Array, values: Array) -> Array:
    out = np.zeros((len(alpha), values.shape[1]))
    for t, u, k in np.ndindex(len(alpha), len(places), alpha.shape[1]):
        out[t] += alpha[t, k] * np.exp(-beta[t, k] * (kappa[t, k] - places[u]) ** 2) * values[u]
    return out


def _entropy(x: Array, p: Array) -> float:
    return float(-np.sum(p * np.log(_softmax(x))))


def _binary(x: Array, p: Array) -> float:
    return float(-np.sum(p * np.log(_sigmoid(x)) + (1 - p) * np.log(1 - _sigmoid(x))))


# function -> (how a spec calls it, the same in NumPy, of what one step of one sequence has)
STEPS: dict[str, list[tuple[str, Callable[..., Any]]]] = {
    "exp": [("exp(x)", lambda x, **_: np.exp(x)), ("exp(0.5) * x", lambda x, **_: np.exp(0.5) * x)],
    "log": [("log(abs(x))", lambda x, **_: np.log(np.abs(x)))],
    "sqrt": [("sqrt(x * x + 1)", lambda x, **_: np.sqrt(x * x + 1)), ("x / sqrt(N)", lambda x, **_: x / math.sqrt(N))],
    "tanh": [("tanh(x)", lambda x, **_: np.tanh(x))],
    "sigmoid": [("sigmoid(x)", lambda x, **_: _sigmoid(x)), ("σ(x)", lambda x, **_: _sigmoid(x))],
    "sin": [("sin(x)", lambda x, **_: np.sin(x))],
    "cos": [("cos(x)", lambda x, **_: np.cos(x))],
    "abs": [("abs(x)", lambda x, **_: np.abs(x)), ("abs(-2) * x", lambda x, **_: 2 * x)],
    "sign": [("sign(x)", lambda x, **_: np.sign(x))],
    "relu": [("relu(x)", lambda x, **_: np.maximum(x, 0))],
    "softplus": [("softplus(x)", lambda x, **_: np.log1p(np.exp(x)))],
    "square": [("square(x)", lambda x, **_: x * x), ("square(N) * x", lambda x, **_: N * N * x)],
    "prelu": [
        ("prelu(x, g)", lambda x, g, **_: np.where(x > 0, x, g * x)),
        ("prelu(x, 0.1)", lambda x, **_: np.where(x > 0, x, 0.1 * x)),
    ],
    "elu": [("elu(x)", lambda x, **_: np.where(x > 0, x, np.expm1(x)))],
    "gelu": [("gelu(x)", lambda x, **_: _gelu(x))],
    "silu": [("silu(x)", lambda x, **_: x * _sigmoid(x))],
    "hard_sigmoid": [("hard_sigmoid(3 * x)", lambda x, **_: np.clip(0.6 * x + 0.5, 0, 1))],
    "clip": [
        ("clip(x, -0.5, 1)", lambda x, **_: np.clip(x, -0.5, 1)),
        ("clip(x, -abs(z), s * s + 1)", lambda x, z, s, **_: np.clip(x, -np.abs(z), s * s + 1)),
    ],
    "where": [("where(x > z, x, 2)", lambda x, z, **_: np.where(x > z, x, 2)), ("where(s, x, z)", lambda x, z, **_: x)],
    "max": [
        ("max(x, z, 0)", lambda x, z, **_: np.maximum(np.maximum(x, z), 0)),
        ("max(x) + x", lambda x, **_: x.max() + x),
        ("max(x * i for i in 1..2)", lambda x, **_: np.maximum(x, 2 * x)),
        ("max(2, 3) * x", lambda x, **_: 3 * x),
    ],
    "min": [
        ("min(x, z, s)", lambda x, z, s, **_: np.minimum(np.minimum(x, z), s)),
        ("min(x) + x", lambda x, **_: x.min() + x),
        ("min(2, 3) * x", lambda x, **_: 2 * x),
    ],
    "softmax": [("softmax(x)", lambda x, **_: _softmax(x))],
    "log_softmax": [("log_softmax(x)", lambda x, **_: np.log(_softmax(x)))],
    "sum": [
        ("sum(x)", lambda x, **_: x.sum()),
        ("sum(A)", lambda A, **_: A.sum()),
        ("sum(x * i for i in 1..3)", lambda x, **_: 6 * x),
    ],
    "mean": [
        ("mean(x)", lambda x, **_: x.mean()),
        ("mean(A)", lambda A, **_: A.mean()),
        ("mean(x * i for i in 1..3)", lambda x, **_: 2 * x),
    ],
    "var": [("var(x)", lambda x, **_: x.var())],
    "norm": [("norm(x)", lambda x, **_: np.linalg.norm(x)), ("norm(A)", lambda A, **_: np.linalg.norm(A))],
    "dot": [("dot(x, z)", lambda x, z, **_: x @ z)],
    "layer_norm": [
        ("layer_norm(x)", lambda x, **_: _layer_norm(x)),
        ("layer_norm(x, g)", lambda x, g, **_: _layer_norm(x) * g),
        ("layer_norm(x, g, z)", lambda x, g, z, **_: _layer_norm(x) * g + z),
    ],
    "rms_norm": [
        ("rms_norm(x)", lambda x, **_: x / np.sqrt((x * x).mean() + 1e-5)),
        ("rms_norm(x, g)", lambda x, g, **_: g * x / np.sqrt((x * x).mean() + 1e-5)),
    ],
    "maxout": [("maxout(concat(x, z), 2)", lambda x, z, **_: np.maximum(x, z))],
    "concat": [
        ("concat(x, s, z, 1)", lambda x, z, s, **_: np.concatenate([x, [s], z, [1]])),
        ("concat(A, A)", lambda A, **_: np.concatenate([A, A])),
        ("concat(i * x for i in 1..2)", lambda x, **_: np.concatenate([x, 2 * x])),
    ],
    "split": [("split(concat(x, z, x), 3, 2)", lambda z, **_: z)],
    "slice": [
        ("slice(x, 2, 4)", lambda x, **_: x[1:4]),
        ("slice(concat(x, z), N + 1, 2 * N)", lambda z, **_: z),
        ("slice(x, N, N)", lambda x, **_: x[-1:]),
    ],
    "outer": [("outer(x, z)", lambda x, z, **_: np.outer(x, z))],
    "transpose": [("transpose(A)", lambda A, **_: A.T), ("transpose(A, 2, 1)", lambda A, **_: A.T)],
    "reshape": [
        ("reshape(A, [V * N])", lambda A, **_: A.reshape(-1)),
        ("reshape(concat(x, z), [2, N])", lambda x, z, **_: np.stack([x, z])),
    ],
    "repeat": [
        ("repeat(x, 2, axis = 2)", lambda x, **_: np.stack([x, x], 1)),
        ("repeat(s, N) * x", lambda x, s, **_: s * x),
    ],
    "einsum": [
        ('einsum("vn,n->v", A, x)', lambda A, x, **_: A @ x),
        ('einsum("vn,n,vm->m", A, x, A)', lambda A, x, **_: A.T @ (A @ x)),
        ('einsum("vn->n", A)', lambda A, **_: A.sum(0)),
    ],
    "diag": [("diag(x)", lambda x, **_: np.diag(x))],
    "expm": [("expm(identity(N) * 0.5) @ x", lambda x, **_: math.exp(0.5) * x)],
    "inverse": [("inverse(2 * identity(N)) @ x", lambda x, **_: x / 2)],
    "solve": [("solve(identity(N) / 2, identity(N)) @ x", lambda x, **_: 2 * x)],
    "kron": [("kron(identity(2), identity(3) + 1)", lambda **_: np.kron(np.eye(2), np.eye(3) + 1))],
    "identity": [
        ("identity(x) * identity(g)", lambda x, g, **_: x * g),
        ("identity(N) @ x", lambda x, **_: x),
        ("identity(2 * 3)", lambda **_: np.eye(6)),
    ],
    "embed": [("embed(A, w)", lambda A, w, **_: A[w])],
    "onehot": [("onehot(w)", lambda w, **_: np.eye(V)[w])],
    "dropout": [("dropout(x, 0.5)", lambda x, **_: x), ("dropout(x, 0.5, per = sequence)", lambda x, **_: x)],
    "zoneout": [("zoneout(x, z, 0.25)", lambda x, z, **_: 0.75 * x + 0.25 * z)],
    "noise": [("noise(x, 2)", lambda x, **_: x), ("noise(x, exp(z))", lambda x, **_: x)],
    "sample": [("sample(x, 0)", lambda x, **_: x), ("sample(x, 0 * z)", lambda x, **_: x)],
    "gumbel": [("0 * gumbel(x)", lambda x, **_: 0 * x)],
    "categorical": [("sum(categorical(x))", lambda **_: 1.0)],
    "expm1": [("expm1(x)", lambda x, **_: np.expm1(x))],
    "log1p": [("log1p(abs(x))", lambda x, **_: np.log1p(np.abs(x)))],
    "atan": [("atan(x)", lambda x, **_: np.arctan(x)), ("4 * atan(1) * x", lambda x, **_: np.pi * x)],
    "erf": [("erf(x)", lambda x, **_: np.vectorize(math.erf)(x)), ("erf(0.5) * x", lambda x, **_: math.erf(0.5) * x)],
    "erfc": [("erfc(x)", lambda x, **_: np.vectorize(math.erfc)(x))],
    "floor": [("floor(3 * x)", lambda x, **_: np.floor(3 * x)), ("floor(-0.5) * x", lambda x, **_: -x)],
    "ceil": [("ceil(3 * x)", lambda x, **_: np.ceil(3 * x)), ("ceil(1.5) * x", lambda x, **_: 2 * x)],
    "round": [("round(3 * x)", lambda x, **_: np.rint(3 * x)), ("round(2.5) * x", lambda x, **_: 2 * x)],
    "mod": [
        ("mod(3 * x, z)", lambda x, z, **_: np.mod(3 * x, z)),
        ("mod(x, -0.3)", lambda x, **_: np.mod(x, -0.3)),
        ("mod(-7, 3) * x", lambda x, **_: 2 * x),
    ],
    "leaky_relu": [
        ("leaky_relu(x)", lambda x, **_: np.where(x > 0, x, 0.01 * x)),
        ("leaky_relu(x, g)", lambda x, g, **_: np.where(x > 0, x, g * x)),
    ],
    "gelu_exact": [("gelu_exact(x)", lambda x, **_: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))],
    "cumsum": [
        ("cumsum(x)", lambda x, **_: np.cumsum(x)),
        ("cumsum(A)", lambda A, **_: np.cumsum(A, 0)),
        ("cumsum(A, axis = 2)", lambda A, **_: np.cumsum(A, 1)),
    ],
    "logsumexp": [
        ("logsumexp(x)", lambda x, **_: np.log(np.exp(x).sum())),
        ("logsumexp(A, axis = 1)", lambda A, **_: np.log(np.exp(A).sum(0))),
        ("logsumexp(outer(x, z) * s, axis = 2)", lambda x, z, s, **_: np.log(np.exp(np.outer(x, z) * s).sum(1))),
    ],
    "argmax": [
        ("onehot(argmax(x))", lambda x, **_: np.eye(N)[np.argmax(x)]),
        ("embed(A, argmax(A @ x))", lambda A, x, **_: A[np.argmax(A @ x)]),
    ],
    "roll": [
        ("roll(x, 2)", lambda x, **_: np.roll(x, 2)),
        ("roll(x, -1)", lambda x, **_: np.roll(x, -1)),
        ("roll(x, N) + roll(x, 3 * N + 1)", lambda x, **_: x + np.roll(x, 1)),
        ("roll(A, 1)", lambda A, **_: np.roll(A, 1, 0)),
        ("roll(A, -2, axis = 2)", lambda A, **_: np.roll(A, -2, 1)),
    ],
    "heaviside": [
        ("heaviside(x)", lambda x, **_: np.where(x > 0, 1, 0)),
        ("heaviside(x - s, exp(-x * x))", lambda x, s, **_: np.where(x > s, 1, 0)),
        ("heaviside(3) * x", lambda x, **_: x),
    ],
    "straight_through": [("straight_through(x, z)", lambda x, **_: x), ("straight_through(s, z)", lambda s, **_: s)],
    "stop_grad": [("stop_grad(x)", lambda x, **_: x)],
    "clip_grad": [("clip_grad(x, 3)", lambda x, **_: x)],
    "cross_entropy": [
        ("cross_entropy(A @ x, w)", lambda A, x, w, **_: -np.log(_softmax(A @ x)[w])),
        ("cross_entropy(x, softmax(z))", lambda x, z, **_: _entropy(x, _softmax(z))),
    ],
    "binary_cross_entropy": [
        ("binary_cross_entropy(sigmoid(x), sigmoid(z))", lambda x, z, **_: _binary(x, _sigmoid(z))),
        (
            "binary_cross_entropy(0.5 * sigmoid(x) + 0.5 * sigmoid(x), sigmoid(z))",
            lambda x, z, **_: _binary(x, _sigmoid(z)),
        ),
    ],
    "squared_error": [("squared_error(x, z)", lambda x, z, **_: ((x - z) ** 2).sum())],
    "absolute_error": [("absolute_error(x, z)", lambda x, z, **_: np.abs(x - z).sum())],
    "l1": [("l1(A)", lambda A, **_: np.abs(A).sum())],
    "l2": [("l2(A)", lambda A, **_: (A * A).sum())],
}

OPERATORS: list[tuple[str, Callable[..., Any]]] = [
    ("x + z - 2", lambda x, z, **_: x + z - 2),
    ("x * z / (1 + s * s)", lambda x, z, s, **_: x * z / (1 + s * s)),
    ("x ⊙ z", lambda x, z, **_: x * z),
    ("abs(x) ** 1.5", lambda x, **_: np.abs(x) ** 1.5),
    ("-x ** 2", lambda x, **_: -(x**2)),
    ("2 ** 3 ** 2 * x", lambda x, **_: 512 * x),
    ("A @ x", lambda A, x, **_: A @ x),
    ("(A @ x) @ A", lambda A, x, **_: (A @ x) @ A),
    ("A @ transpose(A)", lambda A, **_: A @ A.T),
    ("(x < z) + (x <= z) + 2 * (x > z) + 4 * (x >= x)", lambda x, z, **_: np.where(x < z, 2, 2) + 4.0),
    ("(x == x) + (x != z)", lambda x, z, **_: 1.0 + (x != z)),
    ("7 / 2 * x", lambda x, **_: 3.5 * x),
    ("(2 < 3) * x", lambda x, **_: x),
    ("pi * x + cos(pi)", lambda x, **_: np.pi * x - 1),
]

# function -> (call, the same of all steps of one sequence [T, ...])
STREAMS: dict[str, list[tuple[str, Callable[..., Any]]]] = {
    "reverse": [("reverse(x)", lambda x, **_: x[::-1])],
    "first": [("first(x)", lambda x, **_: x[0])],
    "last": [("last(x)", lambda x, **_: x[-1])],
    "sum_over_time": [("sum_over_time(x)", lambda x, **_: x.sum(0))],
    "max_over_time": [("max_over_time(x)", lambda x, **_: x.max(0))],
    "mean_over_time": [("mean_over_time(x)", lambda x, **_: x.mean(0))],
    "attend": [
        ("attend(x, z, z)", lambda x, z, **_: np.stack([_softmax(z @ q) @ z for q in x])),
        ("attend(x, z, x * z)", lambda x, z, **_: np.stack([_softmax(z @ q) @ (x * z) for q in x])),
        ("attend(x, z, x, g)", lambda x, z, g, **_: np.stack([_softmax(np.tanh(z + q) @ g) @ x for q in x])),
    ],
    "window": [
        ("window(x, square(z), x + z, s, z)", lambda x, z, s, **_: _window(x, z * z, x + z, s, z)),
    ],
}


def test_the_tables_hold_every_function_of_the_language() -> None:
    assert set(STEPS) | set(STREAMS) == set(FUNCTIONS)


CALLS = [*(row for rows in STEPS.values() for row in rows), *OPERATORS]


@pytest.mark.parametrize(("call", "plain"), CALLS, ids=[call for call, _ in CALLS])
def test_a_function_computes_what_numpy_says(call: str, plain: Callable[..., Any]) -> None:
    text = cell(*PARAMS, f"found = {call}", header=HEADER)
    given = arrays(elaborated(text, N=N, V=V))
    found = run(text, N=N, V=V)["stream:found"]
    for t in range(T):
        for b in range(B):
            here = {n: a if n in "Ag" else a[t, b] for n, a in given.items()}
            value = found if found.shape[:2] != (T, B) else found[t, b]
            assert np.allclose(value, plain(**here)), call


@pytest.mark.parametrize(("call", "plain"), [row for rows in STREAMS.values() for row in rows])
def test_a_function_of_whole_streams_computes_what_numpy_says(call: str, plain: Callable[..., Any]) -> None:
    text = cell(*PARAMS, f"found = {call}", header=HEADER)
    given = arrays(elaborated(text, N=N, V=V))
    found = run(text, N=N, V=V)["stream:found"]
    for b in range(B):
        value = found[b] if len(found) == B else found[:, b]
        assert np.allclose(value, plain(**{n: a if n in "Ag" else a[:, b] for n, a in given.items()}))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_says_what_it_takes_when_it_gets_something_else(name: str) -> None:
    row = FUNCTIONS[name]
    assert row.signature.startswith(f"{name}(")
    text = cell(*PARAMS, f"a = {name}(unknown = 3)", f"b = {name}()", header=HEADER)
    assert numbers(text) == [27, 27]
