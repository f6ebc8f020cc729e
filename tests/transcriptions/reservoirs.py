"""Recurrences with fixed arrays: Lukosevicius 2012, and Voelker, Kajic & Eliasmith 2019."""

from __future__ import annotations

import hashlib

import numpy as np

from tests.transcriptions.case import Case
from tests.transcriptions.trace import Array, Arrays, Trace


def rng(name: str, seed: int = 0) -> np.random.Generator:
    """The random numbers of a constant or parameter: Philox, keyed by a hash of seed and name."""
    key = hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def reservoir(units: int, radius: float, seed: int = 0) -> Array:
    """Up to 10 normal weights in each row, then W * radius / max |lambda|."""
    draws, W = rng("W", seed), np.zeros((units, units))
    for row in W:
        places = draws.choice(units, size=min(10, units), replace=False)
        row[places] = draws.normal(0, 1, len(places))
    return W * (radius / max(abs(np.linalg.eigvals(W))))


def echo_state(p: Arrays, first: Arrays, x: Array) -> Trace:
    """~h(n) = tanh(W_in [1; u(n)] + W h(n-1)), h(n) = (1 - a) h(n-1) + a ~h(n), y(n) = W_out [1; u(n); h(n)]."""
    units, a = p["W_h"].shape[1], 0.3
    W = reservoir(units, 0.9)
    W_in = np.column_stack([rng("b").uniform(-0.5, 0.5, units), rng("W_in").uniform(-0.5, 0.5, (units, x.shape[1]))])
    W_out = np.column_stack([p["c"], p["W_x"], p["W_h"]])
    h = first.get("h", np.zeros(units))
    y, states = [], []
    for u in x:
        h = (1 - a) * h + a * np.tanh(W_in @ np.concatenate([[1], u]) + W @ h)
        y.append(W_out @ np.concatenate([[1], u, h]))
        states.append(h)
    return Trace({"y": np.array(y), "h": np.array(states)}, {"h": h})


def zero_order_hold(A: Array, B: Array, theta: float) -> tuple[Array, Array]:
    """exp([[A, B], [0, 0]] / theta) = [[A_d, B_d], [0, 1]], by its series after halving 3 times (Van Loan 1978)."""
    d = len(B)
    block = np.zeros((d + 1, d + 1))
    block[:d, :d], block[:d, d] = A, B
    small, term, total = block / theta / 2**3, np.eye(d + 1), np.eye(d + 1)
    for k in range(1, 25):
        term = term @ small / k
        total = total + term
    for _ in range(3):
        total = total @ total
    return total[:d, :d], total[:d, d]


def lmu(p: Arrays, first: Arrays, x: Array) -> Trace:
    """u = e_x x + e_h h_(t-1) + e_m m_(t-1), m_t = A_d m_(t-1) + B_d u, h_t = tanh(W_x x + W_h h_(t-1) + W_m m_t)."""
    d, units = len(p["e_m"]), len(p["e_h"])
    A, B = np.zeros((d, d)), np.zeros(d)
    for i in range(d):
        B[i] = (2 * i + 1) * (-1) ** i
        for j in range(d):
            A[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1))
    A_d, B_d = zero_order_hold(A, B, 64)
    m, h = first.get("m", np.zeros(d)), first.get("h", np.zeros(units))
    outputs = []
    for x_t in x:
        u = p["e_x"] @ x_t + p["e_h"] @ h + p["e_m"] @ m
        m = A_d @ m + B_d * u
        h = np.tanh(p["W_x"] @ x_t + p["W_h"] @ h + p["W_m"] @ m)
        outputs.append(h)
    return Trace({"h": np.array(outputs)}, {"m": m, "h": h})


CASES: tuple[Case, ...] = (
    Case("EchoState", echo_state, {"N": 4, "H": 6, "K": 3}),
    Case("LMU", lmu, {"N": 4, "D": 5, "H": 6}),
)
