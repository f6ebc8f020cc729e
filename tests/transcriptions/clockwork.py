"""Koutnik et al. 2014: modules of one layer that run at steps of their own."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace


def clockwork(p: Arrays, first: Arrays, x: Array) -> Trace:
    """y_t = tanh(W_H y_{t-1} + W_I x_t) in the rows of all modules with t MOD T_i = 0, T_i = 2^{i-1}; t counts from 0.

    W_H is one block-upper triangular matrix. A module that starts asleep counts from where it wakes.
    """
    modules, size = sum(name.startswith("b[") for name in p), len(p["b[1]"])
    order = range(1, modules + 1)
    W_I = np.concatenate([p[f"W[{i}]"] for i in order])
    bias = np.concatenate([p[f"b[{i}]"] for i in order])
    W_H = np.block([[p[f"U[{i},{j}]"] if j >= i else np.zeros((size, size)) for j in order] for i in order])
    periods = np.repeat([2 ** (i - 1) for i in order], size)
    sleep = np.array([first.get(f"sleep[{i}]", 0.0) for i in order])
    late = np.repeat(np.maximum(np.floor(sleep), 0), size)
    y = np.concatenate([first.get(f"h[{i}]", np.zeros(size)) for i in order])
    outputs = []
    for t, x_t in enumerate(x):
        awake = (t >= late) & ((t - late) % periods == 0)
        y = np.where(awake, np.tanh(W_H @ y + W_I @ x_t + bias), y)
        outputs.append(y)
    state = {f"h[{i}]": y[(i - 1) * size : i * size] for i in order}
    left = np.where(late < len(x), (late - len(x)) % periods, np.repeat(sleep, size) - len(x))
    state |= {f"sleep[{i}]": left[(i - 1) * size] for i in order}
    return Trace({"y": np.array(outputs)}, state)
