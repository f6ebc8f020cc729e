"""Fast dropout against what it stands for: means over many networks with masks that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import recurrency as rc
import specs

MASKED = """
cell Masked[N, H, p_x = 0.2, p_h = 0.5](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    param b : [H]    ~ zeros
    state h : [H] = 0
    h = tanh(W @ dropout(x, p_x) + U @ dropout(h[t-1], p_h) + b)
}
"""
SHIPPED = Path(specs.__file__).parent / "fast_dropout.rnn"
SIZES = {"N": 20, "H": 30}
MEAN, VARIANCE, DRAWS = 0.028, 0.033, 4000
"""The bounds of specs/fast_dropout.rnn on the moments of tanh of a Gaussian, and how many networks are drawn."""


def moments(rates: dict[str, float], steps: int) -> tuple[np.ndarray, ...]:
    """Means and variances [T, H] as the cell computes them, and those of many draws."""
    fast = rc.library.FastDropoutRNN.compile(dtype="float64", **SIZES, **rates)
    drawn = rc.parse(MASKED).compile(dtype="float64", **SIZES, **rates)
    params = fast.init(seed=3)
    x = np.random.default_rng(1).standard_normal((steps, 1, SIZES["N"]))
    many = np.repeat(x, DRAWS, 1)
    told = [fast.forward(params, x[: t + 1]) for t in range(steps)]
    draws = np.asarray(drawn.forward(params, many, training=True, seed=5).output)
    v = np.stack([run.state["v"][0] for run in told])
    return np.asarray(told[-1].output)[:, 0], v, draws.mean(1), draws.var(1)


def test_moments_of_the_first_step_are_those_of_drawn_masks() -> None:
    mean, v, drawn, var = moments({"p_x": 0.3, "p_h": 0.5}, 1)
    sampling = 5 * np.sqrt(var / DRAWS)
    assert (abs(mean - drawn) < MEAN + sampling).all()
    assert (abs(v - var) < VARIANCE + 5 * np.sqrt(2 / DRAWS)).all()
    assert np.corrcoef(v.ravel(), var.ravel())[0, 1] > 0.9


def test_means_of_later_steps_are_nearer_to_drawn_ones_than_a_network_without_masks() -> None:
    rates = {"p_x": 0.3, "p_h": 0.5}
    mean, v, drawn, var = moments(rates, 6)
    plain, *_ = moments({"p_x": 0.0, "p_h": 0.0}, 6)
    assert abs(mean - drawn).mean() < 0.5 * abs(plain - drawn).mean()
    assert abs(v - var).mean() < 0.1 * var.mean()


def test_without_dropout_it_is_a_plain_network() -> None:
    mean, v, drawn, var = moments({"p_x": 0.0, "p_h": 0.0}, 4)
    np.testing.assert_allclose(mean, drawn, atol=1e-12)
    assert (v == 0).all()
    assert (var < 1e-20).all()


@pytest.mark.parametrize("variance", [0.01, 0.1, 1.0, 10.0])
def test_closed_forms_are_as_near_to_the_moments_of_a_gaussian_as_the_spec_says(variance: float) -> None:
    z, weights = np.polynomial.hermite_e.hermegauss(201)
    a = np.linspace(-4, 4, 41)
    samples = np.tanh(a[:, None] + np.sqrt(variance) * z)
    mean, square = samples @ (weights / weights.sum()), samples**2 @ (weights / weights.sum())
    functions = [line for line in SHIPPED.read_text().splitlines() if line.startswith("fn tanh")]
    spec = "cell Gauss[H](a, v: [H]) -> (m, s: [H]) {\n m = tanh_mean(a, v)\n s = tanh_variance(m, v)\n}\n"
    model = rc.parse("\n".join([*functions, spec])).compile(dtype="float64", H=len(a))
    run = model.forward(model.init(seed=0), {"a": a[None, None], "v": np.full((1, 1, len(a)), variance)})
    assert abs(run.outputs["m"][0, 0] - mean).max() < MEAN + 5e-4
    assert abs(run.outputs["s"][0, 0] - (square - mean**2)).max() < VARIANCE + 5e-4
