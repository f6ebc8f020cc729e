"""Every optimiser against a literal transcription of its paper's update, and the clipping of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.training.loop.optimisers import (
    OPTIMISERS,
    SCRATCH,
    HessianFree,
    Vector,
    clip_by_norm,
    clip_by_value,
    norm,
    optimiser,
)

STEPS, SIZE = 12, 7
FIRST_ORDER = [name for name, make in OPTIMISERS.items() if not isinstance(make(), HessianFree)]
"""The optimisers that need nothing but a gradient; `test_second_order` has the other one."""


def gradients() -> list[Vector]:
    rng = np.random.default_rng(5)
    return [rng.normal(size=SIZE) * rng.choice([1e-3, 1.0, 30.0], size=SIZE) for _ in range(STEPS)]


# The transcriptions work one number at a time, in the order and with the letters of the papers.

Change = Iterator[float]


def sgd(g: list[float]) -> Change:
    for g_t in g:
        yield -0.05 * g_t


def polyak(g: list[float]) -> Change:
    v = 0.0
    for g_t in g:
        v = 0.8 * v - 0.05 * g_t
        yield v


def first_readme(g: list[float]) -> Change:
    total = 0.0
    for g_t in g:
        total = total + g_t**2
        yield -0.1 * g_t / math.sqrt(total + 1e-6)


def duchi(g: list[float]) -> Change:
    """H_t = delta I + diag(G_t)^(1/2), x_{t+1} = x_t - eta H_t^-1 g_t (delta = 0.01)."""
    for t in range(len(g)):
        h = 0.01 + math.sqrt(sum(g_i**2 for g_i in g[: t + 1]))
        yield -0.1 * g[t] / h


def zeiler(g: list[float]) -> Change:
    def rms(mean: float) -> float:
        return math.sqrt(mean + 1e-6)

    mean_g2, mean_dx2 = 0.0, 0.0
    for g_t in g:
        mean_g2 = 0.9 * mean_g2 + (1 - 0.9) * g_t**2
        dx = -rms(mean_dx2) / rms(mean_g2) * g_t
        mean_dx2 = 0.9 * mean_dx2 + (1 - 0.9) * dx**2
        yield dx


def hinton(g: list[float]) -> Change:
    mean_square = 0.0
    for g_t in g:
        mean_square = 0.9 * mean_square + 0.1 * g_t**2
        yield -0.01 * g_t / math.sqrt(mean_square + 1e-8)


def graves(g: list[float]) -> Change:
    n, mean, delta = 0.0, 0.0, 0.0
    for epsilon in g:
        n = 0.95 * n + (1 - 0.95) * epsilon**2
        mean = 0.95 * mean + (1 - 0.95) * epsilon
        delta = 0.9 * delta - 0.0001 * epsilon / math.sqrt(n - mean**2 + 0.0001)
        yield delta


def capped(g: list[float]) -> Change:
    mean_square, v = 0.0, 0.0
    for g_t in g:
        mean_square = 0.9 * mean_square + 0.1 * g_t**2
        v = 0.5 * v - 0.01 * g_t / math.sqrt(mean_square + 1e-8)
        v = max(-0.02, min(0.02, v))
        yield v


def kingma(g: list[float]) -> Change:
    m, v = 0.0, 0.0
    for t, g_t in enumerate(g, start=1):
        m = 0.8 * m + (1 - 0.8) * g_t
        v = 0.99 * v + (1 - 0.99) * g_t**2
        m_hat, v_hat = m / (1 - 0.8**t), v / (1 - 0.99**t)
        yield -0.002 * m_hat / (math.sqrt(v_hat) + 1e-8)


CASES: list[tuple[str, dict[str, float], Callable[[list[float]], Change]]] = [
    ("sgd", {"rate": 0.05}, sgd),
    ("momentum", {"rate": 0.05, "momentum": 0.8}, polyak),
    ("adagrad", {"rate": 0.1}, first_readme),
    ("adagrad", {"rate": 0.1, "epsilon": 0.0, "delta": 0.01}, duchi),
    ("adadelta", {"rho": 0.9}, zeiler),
    ("rmsprop", {"rate": 0.01}, hinton),
    ("rmsprop-graves", {}, graves),
    ("rmsprop", {"rate": 0.01, "momentum": 0.5, "cap": 0.02}, capped),
    ("adam", {"rate": 0.002, "beta1": 0.8, "beta2": 0.99}, kingma),
]
IDS = [literal.__name__ for _, _, literal in CASES]


@pytest.mark.parametrize(("name", "options", "literal"), CASES, ids=IDS)
def test_updates_are_those_of_the_paper(
    name: str, options: dict[str, float], literal: Callable[[list[float]], Change]
) -> None:
    method, params = optimiser(name, **options), np.linspace(-1, 1, SIZE)
    state = method.init(SIZE)
    expected = params.copy()
    changes = [literal([float(g[i]) for g in gradients()]) for i in range(SIZE)]
    for step, grad in enumerate(gradients(), start=1):
        method.update(params, grad, state, step)
        expected += [next(change) for change in changes]
        np.testing.assert_allclose(params, expected, rtol=1e-12, atol=1e-14)


def test_every_optimiser_is_compared_with_a_paper() -> None:
    assert {name for name, _, _ in CASES} == set(FIRST_ORDER)


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_are_in_place_and_leave_the_gradient_alone(name: str, dtype: str) -> None:
    method = optimiser(name)
    params, grad = np.ones(SIZE, dtype), np.full(SIZE, 0.5, dtype)
    state = method.init(SIZE, dtype)
    arrays = dict(state)
    method.update(params, grad, state, 1)
    assert (grad == 0.5).all()
    assert (params < 1).all()
    assert set(state) == {*method.slots, SCRATCH}
    assert all(state[key] is arrays[key] and state[key].dtype == dtype for key in state)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_the_slots_are_all_that_an_optimiser_remembers(name: str) -> None:
    method = optimiser(name)
    params, state = np.ones(SIZE), method.init(SIZE)
    for step, grad in enumerate(gradients()[:5], start=1):
        method.update(params, grad, state, step)
    restored = {key: state[key].copy() for key in method.slots} | {SCRATCH: np.full((2, SIZE), np.nan)}
    other = params.copy()
    method.update(params, gradients()[5], state, 6)
    method.update(other, gradients()[5], restored, 6)
    np.testing.assert_array_equal(params, other)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_every_optimiser_goes_downhill(name: str) -> None:
    method = optimiser(name)
    params = np.linspace(-1, 1, SIZE)
    state, before = method.init(SIZE), norm(params)
    for step in range(1, 200):
        method.update(params, params.copy(), state, step)
    assert norm(params) < before


def test_centred_rmsprop_survives_a_variance_rounded_below_zero() -> None:
    """Constant gradients have no variance, and its rounded difference falls below zero for some of them."""
    method = optimiser("rmsprop", centred=True, epsilon=1e-12)
    grad = np.geomspace(1e-3, 1e4, 300).astype(np.float32)
    params, state = np.zeros_like(grad), method.init(len(grad), np.float32)
    lowest = 0.0
    for step in range(1, 200):
        method.update(params, grad, state, step)
        lowest = min(lowest, float((state["squares"] - state["means"] ** 2).min()))
        assert np.isfinite(params).all()
    assert lowest < -1e-6  # without the bound there would be a root of a negative number


def test_an_unknown_optimiser_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no optimiser adamw; there are sgd, momentum"):
        optimiser("adamw")


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="momentum has no option nesterov; it has rate, momentum"):
        optimiser("momentum", nesterov=1)


def test_a_gradient_is_scaled_to_the_limit_only_when_longer() -> None:
    grad = np.array([3.0, 4.0])
    assert clip_by_norm(grad, 10) == 5
    np.testing.assert_array_equal(grad, [3, 4])
    assert clip_by_norm(grad, 1) == 5
    np.testing.assert_allclose(grad, [0.6, 0.8])


@pytest.mark.parametrize("limit", [1e-3, 1.0, 4.999, 5.0, 5.001, 100.0, math.inf])
@pytest.mark.parametrize("length", [0.0, 1e-8, 5.0, 1e6])
def test_clipping_never_lengthens_a_gradient(limit: float, length: float) -> None:
    grad = np.array([0.6, 0.0, -0.8]) * length
    kept = grad.copy()
    assert clip_by_norm(grad, limit) == pytest.approx(length)
    np.testing.assert_allclose(grad, kept * (min(limit / length, 1.0) if length else 1.0))
    assert norm(grad) <= min(length, limit) * (1 + 1e-12)


def test_the_length_of_a_gradient_does_not_overflow_float32() -> None:
    grad = np.full(4, 1e30, np.float32)
    assert clip_by_norm(grad, 1) == pytest.approx(2e30)
    np.testing.assert_allclose(grad, 0.5, rtol=1e-6)


def test_elements_are_cut_to_the_limit() -> None:
    grad = np.array([-30.0, 0.5, 12.0])
    clip_by_value(grad, 10)
    np.testing.assert_array_equal(grad, [-10, 0.5, 10])
