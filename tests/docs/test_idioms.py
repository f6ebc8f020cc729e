"""The cells of docs/idioms.md, beside their equations in NumPy: values, and gradients by complex steps.

Of complex parameters p + i h d the imaginary parts of results are h times their derivatives along d.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.pages import FENCE
from tests.transcriptions.lstm import plain_lstm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "idioms.md"
SPECS = {m["name"]: m["text"] for m in FENCE.finditer(PAGE.read_text(encoding="utf-8")) if m["kind"] == "rnn"}
Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

each_backend = pytest.mark.parametrize("backend", ["interpreter", "numpy", "c"])


@cache
def spec(name: str) -> Any:
    """A cell of the page: one for all backends."""
    return rc.parse(SPECS[name], name=name)


def model(name: str, backend: str, **dimensions: float) -> Any:
    """A compiled cell in float64; a backend that can't run here skips the test."""
    try:
        return spec(name).compile(backend=backend, dtype="float64", **dimensions)
    except rc.BackendError as error:
        pytest.skip(str(error))


def weights(of: Any, scale: float, seed: int = 0) -> Array:
    """Every parameter at random."""
    return scale * np.random.default_rng(seed).standard_normal(of.size)


def views(of: Any, params: Array) -> dict[str, Array]:
    """Parameters by name, which may be complex."""
    real, imaginary = of.views(params.real), of.views(params.imag)
    return {name: real[name] + 1j * imaginary[name] for name in real}


def assert_gradient(found: Array, loss: Callable[[Array], Any], params: Array) -> None:
    """Each element, against a complex step of the loss along it."""
    wanted = [loss(params + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(params))]
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", SPECS)
def test_a_cell_of_the_page_is_short(name: str) -> None:
    assert SPECS[name].count("\n") < 25


# --------------------------------------------------------------------------------------------------------------- spikes


def spike(v: Array) -> Array:
    """The step; its imaginary part is the surrogate derivative along that of v."""
    return np.where(v.real > 0, 1.0, 0.0) + 1j * v.imag / (1 + 10 * np.abs(v.real)) ** 2


def lif(p: Arrays, x: Array, label: int) -> tuple[Any, Array, Array]:
    """v_t = 0.9 v_(t-1) + W x_t + U s_(t-1) - s_(t-1), s = spike(v - 1), and a leaky sum of V s; the last loss."""
    v = s = np.zeros(len(p["W"]))
    y, outputs, spikes = np.zeros(len(p["V"])), [], []
    for x_t in x:
        v = 0.9 * v + p["W"] @ x_t + p["U"] @ s - s
        s = spike(v - 1)
        y = 0.9 * y + p["V"] @ s
        outputs.append(y)
        spikes.append(s)
    return np.log(np.sum(np.exp(y))) - y[label], np.array(outputs), np.array(spikes)


@each_backend
def test_spikes_are_those_of_the_equations_and_gradients_those_of_the_surrogate(backend: str) -> None:
    cell = model("lif.rnn", backend, N=2, H=3, K=2)
    params, x = weights(cell, 1.0), np.random.default_rng(1).standard_normal((6, 2, 2))
    label = np.tile([0, 1], (6, 1))

    def loss(values: Array) -> Any:
        return np.mean([lif(views(cell, values), x[:, b], b)[0] for b in (0, 1)])

    run = cell.forward(params, {"x": x, "label": label})
    for b in (0, 1):
        _, y, s = lif(cell.views(params), x[:, b], b)
        np.testing.assert_allclose(run["y"][:, b], y.real, rtol=1e-13, atol=1e-13)
        np.testing.assert_array_equal(run["s"][:, b], s.real)
    assert 0 < run["s"].mean() < 1
    found, gradients, _ = cell.loss_and_gradients(params, {"x": x, "label": label})
    np.testing.assert_allclose(found, loss(params).real, rtol=1e-13)
    assert_gradient(gradients.params, loss, params)


# ------------------------------------------------------------------------------------------------------ latent variable


def affine(p: Arrays, name: str, *x: Array) -> Array:
    return p[f"{name}.W"] @ np.concatenate(x) + p[f"{name}.b"]


def softplus(a: Array) -> Array:
    return np.log(1 + np.exp(a))


def gru(p: Arrays, x: Array, h: Array) -> Array:
    z, r = (1 / (1 + np.exp(-(p[f"h.W_{k}"] @ x + p[f"h.U_{k}"] @ h + p[f"h.b_{k}"]))) for k in "zr")
    return (1 - z) * h + z * np.tanh(p["h.W_c"] @ x + p["h.U_c"] @ (r * h) + p["h.b_c"])


def log_normal(a: Array, mean: Array, std: Array) -> Any:
    return np.sum(-((a - mean) ** 2) / (2 * std**2) - np.log(std) - np.log(2 * np.pi) / 2)


def vrnn(p: Arrays, x: Array, draw: Callable[[int, Array, Array], Array]) -> tuple[Any, Array]:
    """One sequence: the sum of KL(q | prior) - log p(x | z), and mean and deviation of each x; `draw` gives each z.

    The divergence is that of two normal distributions, number by number, as its expectation under q:
    E[log q - log prior] = -(1 + log 2 pi s^2) / 2 + (s^2 + (m - n)^2) / (2 r^2) + log(2 pi r^2) / 2.
    """
    h, loss, outputs = np.zeros(len(p["h.b_z"])), 0.0, []
    for t, x_t in enumerate(x):
        before = np.tanh(affine(p, "past.Linear", h))
        n, r = affine(p, "m_prior", before), softplus(affine(p, "s_prior.Linear", before))
        f = np.tanh(affine(p, "seen.Linear", x_t))
        both = np.tanh(affine(p, "both.Linear", f, h))
        m, s = affine(p, "m", both), softplus(affine(p, "s.Linear", both))
        z = draw(t, m, s)
        g = np.tanh(affine(p, "hidden.Linear", z))
        decoder = np.tanh(affine(p, "out.Linear", g, h))
        mean, std = affine(p, "mean", decoder), softplus(affine(p, "std.Linear", decoder))
        entropy = np.sum(1 + np.log(2 * np.pi * s**2)) / 2
        cross = np.sum((s**2 + (m - n) ** 2) / (2 * r**2) + np.log(2 * np.pi * r**2) / 2)
        loss = loss + cross - entropy - log_normal(x_t, mean, std)
        outputs.append([mean, std])
        h = gru(p, np.concatenate([f, g]), h)
    return loss, np.array(outputs)


def standard(cell: Any, params: Array, x: Array, z: Array) -> Array:
    """The standard normal draws behind the latent variables z, [T, B, Z]."""
    e = np.zeros_like(z)
    for b in range(x.shape[1]):

        def draw(t: int, m: Array, s: Array, b: int = b) -> Array:
            e[t, b] = (z[t, b] - m) / s
            return np.asarray(z[t, b])

        vrnn(cell.views(params), x[:, b], draw)
    return e


@each_backend
def test_the_latent_variable_is_reparametrised_and_the_loss_is_the_bound(backend: str) -> None:
    T, B = 4, 2
    cell = model("vrnn.rnn", backend, N=2, Z=2, H=2)
    params, x = weights(cell, 0.7), np.random.default_rng(1).standard_normal((T, B, 2))
    run = cell.forward(params, x, seed=5)
    e = standard(cell, params, x, run["z"])
    other = weights(cell, 0.7, seed=2)
    np.testing.assert_allclose(standard(cell, other, x, cell.forward(other, x, seed=5)["z"]), e, rtol=1e-9, atol=1e-11)
    assert np.abs(e).max() < 4
    assert len(np.unique(e.round(6))) == e.size

    def loss(values: Array) -> Any:
        p = views(cell, values)
        return sum(vrnn(p, x[:, b], lambda t, m, s, b=b: m + s * e[t, b])[0] for b in range(B)) / (T * B)

    for b in range(B):
        _, outputs = vrnn(cell.views(params), x[:, b], lambda t, m, s, b=b: m + s * e[t, b])
        np.testing.assert_allclose(run["mean"][:, b], outputs[:, 0], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(run["std"][:, b], outputs[:, 1], rtol=1e-11, atol=1e-13)
    found, gradients, _ = cell.loss_and_gradients(params, x, seed=5)
    np.testing.assert_allclose(found, loss(params).real, rtol=1e-12)
    assert_gradient(gradients.params, loss, params)


# ------------------------------------------------------------------------------------------------------ dropped weights


def test_one_mask_drops_recurrent_weights_at_all_steps_of_all_sequences() -> None:
    """The mask of a matrix is where its gradient is not 0; with masks, and outside of training, the cell is an LSTM."""
    cell = model("weight_drop.rnn", "numpy", N=3, H=5)
    params, x = weights(cell, 0.5), np.random.default_rng(1).standard_normal((6, 2, 3))
    run = cell.forward(params, x, training=True, seed=3)
    gradients = cell.views(cell.backward(run, np.ones_like(run.output)).params)
    masks = {name: gradients[name] != 0 for name in ("U_i", "U_f", "U_g", "U_o")}
    kept = np.stack([*masks.values()])
    assert 0.3 < kept.mean() < 0.7
    assert all((one != other).any() for i, one in enumerate(kept) for other in kept[:i])
    whole = cell.views(params)
    dropped = {name: 2 * whole[name] * mask for name, mask in masks.items()}
    plain = cell.forward(params, x).output
    for b in (0, 1):
        wanted = plain_lstm({**whole, **dropped}, {}, x[:, b]).outputs["h"]
        np.testing.assert_allclose(run.output[:, b], wanted, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(plain[:, b], plain_lstm(whole, {}, x[:, b]).outputs["h"], rtol=1e-12, atol=1e-13)
