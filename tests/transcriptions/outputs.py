"""Outputs without a state: layers, and the mixture density that a pen is drawn by."""

from __future__ import annotations

import numpy as np

from tests.transcriptions import simple
from tests.transcriptions.case import Case, Input
from tests.transcriptions.trace import Array, Arrays, Trace, binary_cross_entropy, sigmoid, softmax


def mlp(p: Arrays, first: Arrays, x: Array) -> Trace:
    """h^l = tanh(W^l h^{l-1} + b^l), h^0 = x;  y = W h^L + b."""
    y = []
    for h in x:
        for layer in range(1, 1 + sum(name.endswith("].Linear.W") for name in p)):
            h = np.tanh(p[f"h[{layer}].Linear.W"] @ h + p[f"h[{layer}].Linear.b"])
        y.append(p["y.W"] @ h + p["y.b"])
    return Trace({"y": np.array(y)}, {})


def density(x: Array, mu: Array, sigma: Array, rho: Array) -> Array:
    """N(x | mu, sigma, rho) of M Gaussians in the plane, from the paper's Z; with more digits than needed."""
    (a, b), rho = (x[:2, None] - mu) / sigma, rho.astype(np.longdouble)
    Z = a**2 + b**2 - 2 * rho * a * b
    return np.asarray(np.exp(-Z / (2 * (1 - rho**2))) / (2 * np.pi * sigma[0] * sigma[1] * np.sqrt(1 - rho**2)))


def mixture_density(p: Arrays, first: Arrays, x: Array, target: Array) -> Trace:
    """Graves 2013: pi = softmax, sigma = exp, rho = tanh of affine layers;  L_t = -log sum_j pi_j N_j - log P(bit)."""
    parts = ("pi_hat", "mu_1", "mu_2", "sigma_1_hat", "sigma_2_hat", "rho_hat", "e_hat")
    hat = {part: x.astype(np.longdouble) @ p[f"{part}.W"].T + p[f"{part}.b"] for part in parts}
    pi = np.array([softmax(row) for row in hat["pi_hat"]])
    mu = np.stack([hat["mu_1"], hat["mu_2"]], 1)
    sigma = np.exp(np.stack([hat["sigma_1_hat"], hat["sigma_2_hat"]], 1))
    rho, e = np.tanh(hat["rho_hat"]), sigmoid(hat["e_hat"])
    found = [np.sum(pi[t] * density(target[t], mu[t], sigma[t], rho[t])) for t in range(len(x))]
    loss = -np.log(np.array(found)) + binary_cross_entropy(e, target[:, 2:])
    names = ("mu_1", "mu_2", "sigma_1", "sigma_2")
    four = dict(zip(names, (mu[:, 0], mu[:, 1], sigma[:, 0], sigma[:, 1]), strict=True))
    outputs = {"pi": pi, **four, "rho": rho, "e": e}
    return Trace({name: y.astype(float) for name, y in outputs.items()}, {}, loss.astype(float))


PEN = {"x": Input((4,)), "target": Input((3,))}

CASES = (
    Case("Linear", simple.linear, {"N": 4, "K": 3}),
    Case("MLP", mlp, {"N": 4, "H": 5, "K": 3, "L": 2}),
    Case("MixtureDensity", mixture_density, {"N": 4, "M": 3}, PEN),
)
