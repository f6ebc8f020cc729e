"""Chung et al. 2015: every layer feeds back into every layer through a scalar gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.transcriptions.trace import Array, Arrays, Trace, sigmoid


def gated_feedback(p: Arrays, first: Arrays, x: Array) -> Trace:
    """g^{i->j} = s(w_g^{i->j} . h^{j-1}_t + u_g^{i->j} . h*);  h^j_t = tanh(W h^{j-1}_t + sum_i g U^{i->j} h^i_{t-1}).

    The spec writes U[i, j] and u[i, j] for i -> j, but w[j, i], the layer that it belongs to first.
    """
    layers = sum(name.startswith("W[") for name in p)
    size = len(p["W[1]"])
    h = [first.get(f"h[{j}]", np.zeros(size)) for j in range(1, layers + 1)]
    outputs = []
    for x_t in x:
        h_star = np.concatenate(h)
        new: list[Array] = []
        for j in range(1, layers + 1):
            under = x_t if j == 1 else new[-1]
            a = p[f"W[{j}]"] @ under
            for i in range(1, layers + 1):
                gate = sigmoid(p[f"w[{j},{i}]"] @ under + p[f"u[{i},{j}]"] @ h_star)
                a = a + gate * (p[f"U[{i},{j}]"] @ h[i - 1])
            new.append(np.tanh(a))
        h = new
        outputs.append(np.concatenate(h))
    return Trace({"y": np.array(outputs)}, {f"h[{j + 1}]": h[j] for j in range(layers)})


def stacked(p: Arrays, kind: str, layer: int, x_t: Array, under: Array | None) -> Array:
    """What layer `layer` is given from below: x_t by a skip connection, h^{j-1}_t if there is a layer below."""
    from_x = p[f"W{kind}[{layer}]"] @ x_t
    return from_x if under is None else from_x + p[f"V{kind}[{layer}]"] @ under


def gated(p: Arrays, kind: str, layer: int, x_t: Array, under: Array | None, h: list[Array]) -> Array:
    """sum_i g^{i->j} U^{i->j} h^i_{t-1}; the gates read h^{j-1}_t (x_t in the lowest layer, nowhere else) and h*."""
    down, h_star = x_t if under is None else under, np.concatenate(h)
    total = np.zeros(len(h[0]))
    for i, h_i in enumerate(h, 1):
        gate = sigmoid(p[f"w[{layer},{i}]"] @ down + p[f"u[{i},{layer}]"] @ h_star)
        total += gate * (p[f"U{kind}[{i},{layer}]"] @ h_i)
    return total


def deep(p: Arrays, first: Arrays, x: Array, layer_step: Callable[..., tuple[Array, ...]], names: str) -> Trace:
    """Layers that read each other's last states; `layer_step` computes the new states of one, its output first."""
    layers = range(1, 1 + sum(name.startswith("u[1,") for name in p))
    size = len(p["u[1,1]"]) // len(layers)
    state = {name: [first.get(f"{name}[{j}]", np.zeros(size)) for j in layers] for name in names}
    outputs = []
    for x_t in x:
        new: list[tuple[Array, ...]] = []
        for j in layers:
            under = None if j == 1 else new[-1][0]
            new.append(layer_step(p, j, x_t, under, state))
        state = {name: [values[k] for values in new] for k, name in enumerate(names)}
        outputs.append(np.concatenate(state[names[0]]))
    final = {f"{name}[{j}]": values[j - 1] for name, values in state.items() for j in layers}
    return Trace({"y": np.array(outputs)}, final)


def skip_step(p: Arrays, j: int, x_t: Array, under: Array | None, state: dict[str, list[Array]]) -> tuple[Array, ...]:
    return (np.tanh(stacked(p, "", j, x_t, under) + gated(p, "", j, x_t, under, state["h"])),)


def lstm_step(p: Arrays, j: int, x_t: Array, under: Array | None, state: dict[str, list[Array]]) -> tuple[Array, ...]:
    """i, f, o = s(W h^{j-1}_t + U h*), not gated; c~ = tanh(W_c h^{j-1}_t + sum_i g U_c h^i)."""
    h_star = np.concatenate(state["h"])
    i, f, o = (sigmoid(stacked(p, f"_{k}", j, x_t, under) + p[f"U_{k}[{j}]"] @ h_star) for k in "ifo")
    candidate = np.tanh(stacked(p, "_c", j, x_t, under) + gated(p, "_c", j, x_t, under, state["h"]))
    c = f * state["c"][j - 1] + i * candidate
    return o * np.tanh(c), c


def gru_step(p: Arrays, j: int, x_t: Array, under: Array | None, state: dict[str, list[Array]]) -> tuple[Array, ...]:
    """h~ = tanh(W h^{j-1}_t + r * sum_i g U h^i): the reset gate acts after the matrices."""
    h_star = np.concatenate(state["h"])
    z, r = (sigmoid(stacked(p, f"_{k}", j, x_t, under) + p[f"U_{k}[{j}]"] @ h_star) for k in "zr")
    candidate = np.tanh(stacked(p, "_c", j, x_t, under) + r * gated(p, "_c", j, x_t, under, state["h"]))
    return ((1 - z) * state["h"][j - 1] + z * candidate,)


def gated_feedback_skip(p: Arrays, first: Arrays, x: Array) -> Trace:
    return deep(p, first, x, skip_step, "h")


def gated_feedback_lstm(p: Arrays, first: Arrays, x: Array) -> Trace:
    return deep(p, first, x, lstm_step, "hc")


def gated_feedback_gru(p: Arrays, first: Arrays, x: Array) -> Trace:
    return deep(p, first, x, gru_step, "h")
