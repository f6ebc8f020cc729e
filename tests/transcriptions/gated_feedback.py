"""Chung et al. 2015: every layer feeds back into every layer through a scalar gate."""

from __future__ import annotations

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
