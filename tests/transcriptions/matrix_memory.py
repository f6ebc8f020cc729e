"""Memories that are matrices: Katharopoulos, Schlag, Yang and Ba, not in the form that the specs compute."""

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


def delta_net(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Schlag et al. 2021: W_i = W_{i-1} + b_i (v_i - v'_i) k'_i^T, v' = W_{i-1} k', y = W_i q', as W (1 - b k k^T)."""
    S = first.get("S", np.zeros((len(p["W_v"]), len(p["W_k"]))))
    outputs = []
    for x_t in x:
        q, k = elu_plus_one(p["W_q"] @ x_t), elu_plus_one(p["W_k"] @ x_t)
        q, k = q / (q.sum() + 1e-6), k / (k.sum() + 1e-6)
        beta = sigmoid(p["w_beta"] @ x_t)
        S = S @ (np.eye(len(k)) - beta * np.outer(k, k)) + beta * np.outer(p["W_v"] @ x_t, k)
        outputs.append(S @ q)
    return Trace({"y": np.array(outputs)}, {"S": S})


def silu(a: Array) -> Array:
    return a * sigmoid(a)


def gated_delta_net(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Yang et al. 2025: S_t = S_{t-1} (a_t (1 - b_t k_t k_t^T)) + b_t v_t k_t^T;  o_t = S_t q_t."""
    S = first.get("S", np.zeros((len(p["W_v"]), len(p["W_k"]))))
    outputs = []
    for x_t in x:
        q, k, v = (silu(p[f"W_{name}"] @ x_t) for name in "qkv")
        q, k = q / np.sqrt(np.sum(q**2) + 1e-6), k / np.sqrt(np.sum(k**2) + 1e-6)
        alpha = (1 + np.exp(p["w_alpha"] @ x_t + p["b_alpha"])) ** -np.exp(p["A_log"])
        beta = sigmoid(p["w_beta"] @ x_t)
        S = S @ (alpha * (np.eye(len(k)) - beta * np.outer(k, k))) + beta * np.outer(v, k)
        outputs.append(S @ q)
    return Trace({"y": np.array(outputs)}, {"S": S})


def normalised(a: Array) -> Array:
    return (a - a.mean()) / np.sqrt(np.mean((a - a.mean()) ** 2) + 1e-5)


def fast_weights(p: Arrays, first: Arrays, x: Array, steps: int, decay: float, rate: float) -> Trace:
    """Ba et al. 2016: h_{s+1} = f(LN[W h + C x + A h_s]), A_t the sum of all rate decay^(t - tau) h_tau h_tau^T."""
    size = len(p["W"])
    A_0, past = first.get("A", np.zeros((size, size))), [first.get("h", np.zeros(size))]

    def looked_up(h_s: Array) -> Array:
        """A h_s without A: by how alike the states are."""
        age = len(past) - 1
        attended = [decay ** (age - tau) * h * (h @ h_s) for tau, h in enumerate(past) if tau]
        return decay**age * (A_0 @ h_s) + rate * sum(attended, np.zeros(size))

    for x_t in x:
        a = p["W"] @ past[-1] + p["C"] @ x_t
        h = np.maximum(a, 0)
        for _ in range(steps):
            h = np.maximum(p["gain"] * normalised(a + looked_up(h)) + p["bias"], 0)
        past.append(h)
    A = np.array([looked_up(unit) for unit in np.eye(size)]).T
    return Trace({"h": np.array(past[1:])}, {"A": A, "h": past[-1]})
