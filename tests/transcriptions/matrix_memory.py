"""Katharopoulos et al. 2020 and Beck et al. 2024, not in the form that the specs compute."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def elu_plus_one(a: Array) -> Array:
    return np.where(a > 0, a + 1, np.exp(np.minimum(a, 0)))


def linear_attention(p: Arrays, first: Arrays, x: Array) -> Trace:
    """As attention: y_i = sum_{j<=i} (phi(q_i) . phi(k_j)) v_j / sum_{j<=i} phi(q_i) . phi(k_j)."""
    keys = np.array([elu_plus_one(p["W_k"] @ x_t) for x_t in x])
    queries = np.array([elu_plus_one(p["W_q"] @ x_t) for x_t in x])
    values = x @ p["W_v"].T
    S_0 = first.get("S", np.zeros((values.shape[1], keys.shape[1])))
    z_0 = first.get("z", np.zeros(keys.shape[1]))
    weights = np.tril(queries @ keys.T)
    y = (weights @ values + queries @ S_0.T) / (weights.sum(axis=1) + queries @ z_0)[:, None]
    return Trace({"y": y}, {"S": S_0 + values.T @ keys, "z": z_0 + keys.sum(axis=0)})


def mlstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Eq. 19-27 as printed, without the stabiliser; C and n are divided by exp(m) only to be compared at the end."""
    width, size = len(p["b_q"]), len(p["b_v"])
    m = first.get("m", np.zeros(()))
    C = np.exp(m) * first.get("C", np.zeros((size, width)))
    n = np.exp(m) * first.get("n", np.zeros(width))
    outputs = []
    for x_t in x:
        q = p["W_q"] @ x_t + p["b_q"]
        k = (p["W_k"] @ x_t) / np.sqrt(width) + p["b_k"] / np.sqrt(width)
        v = p["W_v"] @ x_t + p["b_v"]
        i = np.exp(p["w_i"] @ x_t + p["b_i"])
        f = sigmoid(p["w_f"] @ x_t + p["b_f"])
        o = sigmoid(p["W_o"] @ x_t + p["b_o"])
        C = f * C + i * np.outer(v, k)
        n = f * n + i * k
        m = np.maximum(np.log(f) + m, np.log(i))
        outputs.append(o * (C @ q) / max(abs(n @ q), 1.0))
    return Trace({"h": np.array(outputs)}, {"C": C / np.exp(m), "n": n / np.exp(m), "m": m})
