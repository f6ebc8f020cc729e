"""Hessian-free optimisation by itself: conjugate gradients, backtracking, line search and the adaptation of lambda."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurrency.training.loop.hessian_free import (
    EXACT,
    LIMIT,
    NEGATIVE,
    PROGRESS,
    Iterate,
    Settings,
    State,
    adapted,
    backtrack,
    conjugate_gradients,
    line_search,
    update,
)

N = 12
TIGHT = Settings(iterations=100, progress=0.0)


def problem(seed: int = 0, size: int = N) -> tuple[Any, Any]:
    """A positive definite matrix and a gradient."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(size, size))
    return a @ a.T + 0.1 * np.eye(size), rng.normal(size=size)


def q(b: Any, g: Any, d: Any) -> float:
    return float(g @ d + 0.5 * d @ b @ d)


def test_conjugate_gradients_find_what_a_direct_solve_finds() -> None:
    b, g = problem()
    found = conjugate_gradients(lambda v: b @ v, g, None, TIGHT).iterates[-1]
    want = np.linalg.solve(b, -g)
    np.testing.assert_allclose(found.d, want, rtol=1e-6)
    assert found.q == pytest.approx(q(b, g, want), rel=1e-9)


@pytest.mark.parametrize("start", [None, np.linspace(-1, 1, N)])
def test_every_iterate_has_its_value_of_q(start: Any) -> None:
    b, g = problem(1)
    for iterate in conjugate_gradients(lambda v: b @ v, g, start, TIGHT).iterates:
        assert iterate.q == pytest.approx(q(b, g, iterate.d), rel=1e-9, abs=1e-12)


def test_a_warm_start_at_the_solution_ends_at_once() -> None:
    b, g = problem(2)
    solved = np.linalg.solve(b, -g)
    cold, warm = (conjugate_gradients(lambda v: b @ v, g, start, Settings()) for start in (None, 0.999 * solved))
    assert q(b, g, warm.iterates[0].d) < q(b, g, cold.iterates[3].d)
    exact = conjugate_gradients(lambda v: np.asarray(4.0 * v), np.full(3, 2.0), np.full(3, -0.5), Settings())
    assert (exact.reason, exact.products, len(exact.iterates)) == (EXACT, 1, 1)


def test_they_end_where_q_makes_little_progress_or_at_the_limit() -> None:
    b, g = problem(3, 200)
    whole = conjugate_gradients(lambda v: b @ v, g, None, Settings(iterations=150, progress=1e-3))
    values, last = [], whole.iterates[-1].number
    for number in range(1, last + 1):
        values.append(conjugate_gradients(lambda v: b @ v, g, None, Settings(number, progress=0.0)).iterates[-1].q)
    little = [
        i > (k := max(10, i // 10)) and (values[i - 1] - values[i - 1 - k]) / values[i - 1] < k * 1e-3
        for i in range(1, last + 1)
    ]
    assert whole.reason == PROGRESS
    assert little.index(True) + 1 == last < 150
    assert conjugate_gradients(lambda v: b @ v, g, None, Settings(5)).reason == LIMIT


def test_stored_iterates_are_spaced_and_include_the_last() -> None:
    b, g = problem(4, 200)
    numbers = [i.number for i in conjugate_gradients(lambda v: b @ v, g, None, Settings(25, progress=0.0)).iterates]
    assert numbers == [0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 25]


def test_negative_curvature_ends_them_with_what_was_good_before() -> None:
    b = np.diag([4.0, 1.0, -1.0])
    found = conjugate_gradients(lambda v: b @ v, np.array([4.0, 0.5, 0.01]), None, TIGHT)
    assert found.reason == NEGATIVE
    assert found.iterates[-1].q < 0
    assert np.isfinite(found.iterates[-1].d).all()


def test_products_that_are_not_finite_end_them_too() -> None:
    assert conjugate_gradients(lambda v: v * math.nan, np.ones(3), None, TIGHT).reason == NEGATIVE


def iterates(*values: float) -> list[Iterate]:
    return [Iterate(number, np.array([float(value)]), -1.0) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ((9, 5, 3, 1, 2, 4), 3),  # back over 2 to 1, whose predecessor is worse
        ((9, 5, 3, 1, 2, 1.5), 5),  # the one before the last is worse already
        ((0, 4, 4, 4), 3),  # no fall; the start is never taken
        ((9, 2, math.inf, math.nan), 1),
    ],
)
def test_backtracking_goes_back_while_the_objective_falls(values: tuple[float, ...], chosen: int) -> None:
    found, value = backtrack(np.zeros(1), iterates(*values), lambda theta: float(theta[0]))
    assert (found.number, value) == (chosen, values[chosen])


def test_backtracking_stops_where_no_decrease_is_predicted() -> None:
    far = [Iterate(number, np.array([float(number)]), q) for number, q in enumerate((3.0, 1.0, -1.0, -2.0))]
    found, _ = backtrack(np.zeros(1), far, lambda theta: float(theta[0]))
    assert found.number == 2


def test_the_line_search_takes_the_first_step_with_enough_decrease() -> None:
    def objective(theta: Any) -> float:
        return float(theta[0] ** 2)

    theta, d = np.array([1.0]), np.array([-3.0])  # the slope is -6, and f(1 - 3 a) <= 1 - 0.06 a where a <= 0.66
    step, value = line_search(theta, 1.0, np.array([2.0]), d, objective(theta + d), objective, Settings())
    assert step == pytest.approx(0.8**2)
    assert value == objective(theta + step * d)
    assert line_search(theta, 1.0, np.array([2.0]), -d, 16.0, objective, Settings()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("rho", "factor"), [(0.2, 1.5), (0.5, 1.0), (0.9, 2 / 3), (-3.0, 1.5), (math.nan, 1.5), (-math.inf, 1.5)]
)
def test_lambda_follows_the_reduction_ratio(rho: float, factor: float) -> None:
    assert adapted(0.3, rho, PROGRESS, Settings()) == pytest.approx(0.3 * factor)
    assert adapted(0.3, rho, NEGATIVE, Settings()) == pytest.approx(0.3 * 1.5)


def quadratic(b: Any, g: Any) -> tuple[Callable[[Any], float], Callable[[Any], Any]]:
    """f(theta) = g'theta + theta'B theta / 2, and its gradient."""
    return lambda theta: q(b, g, theta), lambda theta: g + b @ theta


def test_updates_of_a_quadratic_function_end_in_its_minimum() -> None:
    b, g = problem(5)
    objective, gradient = quadratic(b, g)
    theta, state = np.zeros(N), State(0.1)
    for _ in range(5):
        found = update(theta, objective(theta), gradient(theta), objective, lambda v, damping: b @ v, state, TIGHT)
        assert found.rho > 0.75
        assert found.after == objective(found.theta) <= objective(theta)
        theta, state = found.theta, found.state
    np.testing.assert_allclose(theta, np.linalg.solve(b, -g), rtol=1e-2)
    assert state.damping == pytest.approx(0.1 * (2 / 3) ** 5)


def test_the_step_solves_the_damped_system() -> None:
    b, g = problem(6)
    seen = []

    def product(v: Any, damping: float) -> Any:
        seen.append(damping)
        return b @ v + damping * 0.5 * np.diag(np.arange(N)) @ v  # with a structural part

    found = update(np.zeros(N), 0.0, g, quadratic(b, g)[0], product, State(0.7), TIGHT)
    damped = b + 0.7 * (0.5 * np.diag(np.arange(N)) + np.eye(N))
    np.testing.assert_allclose(found.state.solution, np.linalg.solve(damped, -g), rtol=1e-6)
    assert set(seen) == {0.7}


def test_an_update_starts_from_the_decayed_solution_of_the_last_one() -> None:
    b, g = problem(7)
    seen: list[Any] = []

    def product(v: Any, damping: float) -> Any:
        seen.append(v)
        return b @ v

    solution = np.linspace(0, 1, N)
    update(np.zeros(N), 0.0, g, quadratic(b, g)[0], product, State(0.0, solution), Settings(decay=0.5))
    np.testing.assert_array_equal(seen[0], 0.5 * solution)


def test_an_update_that_makes_nothing_better_changes_nothing_but_lambda() -> None:
    g = np.array([1.0, -2.0])
    found = update(np.ones(2), 5.0, g, lambda theta: 6.0, lambda v, damping: v, State(0.1))
    np.testing.assert_array_equal(found.theta, np.ones(2))
    assert (found.step, found.after) == (0.0, 5.0)
    assert found.state.damping == pytest.approx(0.15)


def test_the_step_is_along_the_chosen_iterate_and_the_last_one_starts_the_next_update() -> None:
    """Where the curvature lacks a part of the objective, the last iterate goes too far, and the chosen one as well."""
    b, g = np.diag([10.0, 5.0, 1.0, 1e-3]), np.ones(4)
    whole, _ = quadratic(np.diag([40.0, 20.0, 4.0, 4.0]), g)
    found = update(np.zeros(4), 0.0, g, whole, lambda v, damping: b @ v, State(0.0), Settings(4))
    kept = conjugate_gradients(lambda v: b @ v, g, None, Settings(4)).iterates
    chosen = next(iterate for iterate in kept if iterate.number == found.chosen)
    assert found.chosen < kept[-1].number
    assert 0.0 < found.step < 1.0
    np.testing.assert_array_equal(found.theta, found.step * chosen.d)
    np.testing.assert_array_equal(found.state.solution, kept[-1].d)


def test_torch_tensors_are_vectors_as_well() -> None:
    torch = pytest.importorskip("torch")
    b, g = problem(8)
    objective, _ = quadratic(b, g)
    want = update(np.zeros(N), 0.0, g, objective, lambda v, damping: b @ v, State(0.1))
    bt, gt = torch.from_numpy(b), torch.from_numpy(g)
    found = update(
        torch.zeros(N, dtype=torch.float64),
        0.0,
        gt,
        lambda theta: float(gt @ theta + 0.5 * theta @ bt @ theta),
        lambda v, damping: bt @ v,
        State(0.1),
    )
    assert isinstance(found.theta, torch.Tensor)
    np.testing.assert_allclose(found.theta.numpy(), want.theta, rtol=1e-8)
    assert (found.iterations, found.chosen, found.step) == (want.iterations, want.chosen, want.step)
