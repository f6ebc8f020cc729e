"""Samples that belong to a model: their laws, their gradients, and the same draws on every backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import recurrency as rc

Array = np.ndarray[Any, Any]

TEXT = """
cell Sampler[N](x: [N]) -> (z: [N], c: [N], g: [N], n: [N]) {
    param m, s : [N] ~ zeros

    state z : [N] = 0

    z = sample(m + x + 0.5 * z[t-1], exp(s))
    c = categorical(m + x)
    g = gumbel(m + x)
    n = noise(x, exp(s))

    loss sum(square(z)) + dot(c, x)
}
"""
N, T, B = 3, 4, 2
BACKENDS = ("interpreter", "numpy", "torch", "c", "cupy-emulated")


def model(backend: str = "numpy", text: str = TEXT, **dimensions: Any) -> Any:
    """A compiled cell in float64; a backend that can't run here skips the test."""
    try:
        return rc.parse(text).compile(backend=backend, dtype="float64", **(dimensions or {"N": N}))
    except rc.RecurrencyError as error:
        pytest.skip(str(error))


def given(steps: int = T, batch: int = B) -> tuple[Array, Array]:
    """Parameters and input."""
    random = np.random.default_rng(0)
    return random.normal(size=2 * N), random.normal(size=(steps, batch, N))


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("training", [False, True])
def test_each_backend_makes_the_draws_of_the_interpreter(backend: str, training: bool) -> None:
    params, x = given()
    options = {"training": training, "seed": 7}
    one, other = (model(name).forward(params, x, **options).outputs for name in ("interpreter", backend))
    for name in "zcgn":
        np.testing.assert_allclose(other[name], one[name], rtol=1e-12, atol=1e-14, err_msg=name)
    one, other = (model(name).loss_and_gradients(params, x, **options)[1] for name in ("interpreter", backend))
    np.testing.assert_allclose(other.params, one.params, rtol=1e-10, atol=1e-13)


def test_samples_are_drawn_outside_of_training_too_and_noise_is_not() -> None:
    params, x = given()
    cell = model()
    one, other = (cell.forward(params, x, seed=seed).outputs for seed in (1, 2))
    assert all(np.abs(one[name] - other[name]).max() > 0.1 for name in "zcg")
    np.testing.assert_array_equal(one["n"], x)
    again = cell.forward(params, x, seed=1).outputs
    assert all(np.array_equal(again[name], one[name]) for name in "zcgn")
    assert cell.samples
    assert not model(text="cell C[N](x: [N]) -> (y: [N]) { y = noise(x, 1) }").samples


def test_the_gradient_flows_into_mean_and_deviation() -> None:
    """z = mean + std * e, so that dz/dmean = 1 and dz/dstd = e."""
    text = "cell C[N](m: [N], s: [N]) -> (z: [N]) { z = sample(m, s) }"
    cell = model(text=text)
    m, s = given()[1], np.abs(given()[1]) + 0.5
    run = cell.forward(cell.init(0), {"m": m, "s": s}, seed=3)
    e = (run.outputs["z"] - m) / s
    u = np.random.default_rng(1).normal(size=m.shape)
    found = cell.backward(run, u).inputs
    np.testing.assert_allclose(found["m"], u)
    np.testing.assert_allclose(found["s"], u * e, rtol=1e-10)


def test_learned_noise_is_that_of_a_number() -> None:
    """`noise(x, s)` draws the same numbers whether the deviation is known at compilation or not."""
    x = given()[1]
    fixed = model(text="cell C[N](x: [N]) -> (y: [N]) { y = noise(x, 0.3) }")
    learned = model(text="cell C[N](x: [N], s: []) -> (y: [N]) { y = noise(x, s) }")
    one = fixed.forward(fixed.init(0), x, training=True, seed=5).outputs["y"]
    inputs = {"x": x, "s": np.full((T, B), 0.3)}
    other = learned.forward(learned.init(0), inputs, training=True, seed=5).outputs["y"]
    np.testing.assert_allclose(other, one, rtol=1e-14)


def test_a_categorical_draw_has_the_gradient_of_its_probabilities() -> None:
    cell = model(text="cell C[N](x: [N]) -> (c: [N]) { c = categorical(x) }")
    soft = model(text="cell C[N](x: [N]) -> (c: [N]) { c = softmax(x) }")
    x = given()[1]
    u = np.random.default_rng(1).normal(size=x.shape)
    run = cell.forward(cell.init(0), x)
    assert set(np.unique(run.outputs["c"])) == {0.0, 1.0}
    np.testing.assert_array_equal(run.outputs["c"].sum(-1), 1.0)
    wanted = soft.backward(soft.forward(soft.init(0), x), u).inputs["x"]
    np.testing.assert_allclose(cell.backward(run, u).inputs["x"], wanted, rtol=1e-12)


def test_draws_follow_their_laws() -> None:
    """Means and shares of 20,000 draws, within five deviations."""
    count = 20_000
    x = np.broadcast_to(np.log([0.5, 0.3, 0.2]), (count, 1, 3))
    text = "cell C[N](x: [N]) -> (c: [N], z: [N], g: [N]) { c = categorical(x)\nz = sample(x, 2)\ng = gumbel(x) }"
    cell = model(text=text)
    out = cell.forward(cell.init(0), x, seed=11).outputs
    share = out["c"][:, 0].mean(0)
    np.testing.assert_allclose(share, [0.5, 0.3, 0.2], atol=5 * math.sqrt(0.25 / count))
    z, g = out["z"] - x, out["g"] - x
    assert abs(z.mean()) < 5 * 2 / math.sqrt(3 * count)
    assert abs(z.std() - 2) < 5 * 2 / math.sqrt(6 * count)
    assert abs(g.mean() - 0.5772156649) < 5 * math.pi / math.sqrt(18 * count)
    assert abs(g.std() - math.pi / math.sqrt(6)) < 0.05


def test_pieces_make_the_draws_of_the_whole() -> None:
    params, x = given()
    cell = model()
    whole = cell.forward(params, x, seed=3).outputs
    state, found = None, []
    for t in range(T):
        outputs, state = cell.step(params, x[t], state, seed=3)
        found.append(outputs)
    for name in "zcg":
        np.testing.assert_allclose(np.stack([o[name] for o in found]), whole[name], rtol=1e-12)


def test_one_draw_serves_a_sequence_where_that_is_asked_for() -> None:
    cell = model(text="cell C[N](x: [N]) -> (y: [N]) { y = sample(0 * x, 1, per = sequence) }")
    y = cell.forward(cell.init(0), given()[1]).outputs["y"]
    assert np.array_equal(y[0], y[-1])
    assert abs(y[0, 0] - y[0, 1]).min() > 0


def test_a_module_in_evaluation_draws_from_the_generator_of_torch() -> None:
    torch = pytest.importorskip("torch")
    module = rc.parse(TEXT).module(N=N, seed=0).eval()
    x = torch.zeros(T, B, N)
    one, again, other = (module(x, seed=seed)[0]["z"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(module(x)[0]["z"])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], module(x)[0]["z"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_greatest_over_time_of_unequal_lengths_and_no_steps(backend: str) -> None:
    """Padding does not count, however large, and of no steps the greatest value is 0."""
    cell = model(backend, "cell C[N](x: [N]) -> (y: [N]) { y = max_over_time(x - 10) }")
    x, lengths = given(4, 3)[1], [4, 2, 0]
    run = cell.forward(cell.init(0), x, lengths=lengths)
    wanted = np.stack([(x[:n, b] - 10).max(0) if n else np.zeros(N) for b, n in enumerate(lengths)])
    np.testing.assert_allclose(run.outputs["y"], wanted, rtol=1e-14)
    found = cell.backward(run, np.ones((3, N))).inputs["x"]
    assert found.sum() == 2 * N
    assert not found[2:, 1].any()
