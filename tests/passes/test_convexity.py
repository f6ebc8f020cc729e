"""Where a loss is convex: heads of the Gauss-Newton matrix, and losses that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS
from recurrency.passes.convexity import loss_heads
from tests.support.specimens import inputs_of, params_of

CURVED = [
    "squared_error(y, goal)",
    "squared_error(softmax(y), goal)",
    "squared_error(y, p)",
    "cross_entropy(y, tag)",
    "cross_entropy(y, softmax(goal))",
    "binary_cross_entropy(sigmoid(y), sigmoid(goal))",
    "binary_cross_entropy(p, sigmoid(goal))",
    "sum((y - goal)**2)",
    "sum((p - goal)**4) / 3",
    "sum(exp(-y))",
    "sum(relu(1 - goal * y)**2)",
    "sum(softplus(-goal * y))",
    "-sum(softmax(goal) * log(softmax(y)))",
    "-log(sum(p * exp(-(y - goal)**2)))",
    "sum((y - y[t-1] / 2)**2)",
    "sum(where(goal > 0, y - goal, p)**2)",
    "-sum(-(y * y) * -(-1))",
    "squared_error(stop_grad(p), y)",
    "l2(W)",
    "sum(exp(W)) - min(0, sum(W))",
    "sum(relu(y) * relu(y)) + sum(abs(y))**2",
    "sum(abs(y - goal))\n loss sum(y * y)",
    "squared_error(y, goal)\n loss l1(W)",
]
FLAT = ["absolute_error(y, goal)", "sum(relu(1 - goal * y))", "sum(y)", "l1(W)", "max(sum(y), 0)"]
NOT_CONVEX = ["sum((y - goal)**3)", "-sum(y * y)", "sum(sin(y))", "sum(sin(W))", "-l2(W)", "sum(log(exp(y) + 1))"]


def model_of(loss: str) -> Any:
    text = f"""cell Net[N](x: [N], goal: [N], tag: index[N]) -> (y: [N]) {{
        param W : [N, N] ~ normal(0, 1)
        param U : [N, N] ~ normal(0, 1)
        y = W @ tanh(U @ x)
        p = sigmoid(W @ x)
        loss {loss}
    }}"""
    return rc.parse(text).compile("numpy", dtype="float64", N=2)


@pytest.mark.parametrize("loss", [*CURVED, *FLAT, *NOT_CONVEX])
def test_no_gauss_newton_matrix_has_a_negative_eigenvalue(loss: str) -> None:
    model = model_of(loss)
    params, inputs = params_of(model), inputs_of(model, steps={"t": 3})
    G = np.stack([model.gnvp(params, inputs, row) for row in np.eye(model.size)], axis=1)
    np.testing.assert_allclose(G, G.T, rtol=1e-9, atol=1e-12)
    values = np.linalg.eigvalsh((G + G.T) / 2)
    assert values.min() > -1e-12 * max(values.max(), 1)
    assert (values.max() > 1e-6) == (loss in CURVED)


@pytest.mark.parametrize("loss", CURVED)
def test_convex_losses_can_be_used(loss: str) -> None:
    assert model_of(loss).over_curvature == ""


@pytest.mark.parametrize("loss", FLAT)
def test_a_loss_without_a_second_derivative_is_named(loss: str) -> None:
    wanted = f"the loss in line 6, {loss}, has no second derivative in what it reads"
    assert model_of(loss).over_curvature == wanted


@pytest.mark.parametrize("loss", NOT_CONVEX)
def test_a_loss_that_is_not_convex_is_named(loss: str) -> None:
    wanted = f"the loss in line 6, {loss}, is not convex in what it reads"
    assert model_of(loss).over_curvature == wanted
    other = model_of(f"squared_error(y, goal)\n loss {loss}")
    assert other.over_curvature == wanted.replace("line 6", "line 7")


def test_a_formula_counts_like_the_function_that_equals_it() -> None:
    one, two = model_of("sum((y - goal)**2)"), model_of("squared_error(y, goal)")
    params, inputs = params_of(one), inputs_of(one)
    v = np.random.default_rng(0).standard_normal(one.size)
    np.testing.assert_allclose(one.gnvp(params, inputs, v), two.gnvp(params, inputs, v), rtol=1e-12)


def test_declared_predictions_stay_the_heads() -> None:
    found = model_of("cross_entropy(y, tag)").programs.elaborated
    declared = {found.graph.roots["curvature:0"]}
    assert loss_heads(found.graph, declared) == declared == {found.graph.roots["stream:y"]}


def test_a_formula_of_any_depth_is_walked() -> None:
    steps = "\n".join(f"a{k + 1} = a{k} + y" for k in range(1200))
    model = model_of("sum(a1200**2)\n a0 = y\n" + steps)
    assert model.over_curvature == ""


POSITIVE = {"log", "sqrt"}


@pytest.mark.parametrize(
    "name", [n for n, op in OPS.items() if op.traits & {Trait.CONVEX, Trait.CONCAVE, Trait.KINKED}]
)
def test_the_traits_of_convexity_are_true(name: str) -> None:
    """At random points: midpoints lie on the right side of the chord, and nothing falls where an argument grows."""
    op, rng = OPS[name], np.random.default_rng(0)
    attrs = {"axes": (0,)} if name == "peak" else {}
    assert op.meaning is not None
    for _ in range(200):
        a, b = rng.standard_normal((2, op.arity or 1, 3)) * rng.choice([0.1, 1, 3])
        if name in POSITIVE or name == "log1p":
            a, b = np.abs(a), np.abs(b)
        low, high, middle = (op.meaning(*x, **attrs) for x in (a, b, (a + b) / 2))
        gap = (low + high) / 2 - middle
        assert Trait.CONVEX not in op.traits or (gap >= -1e-12).all()
        assert Trait.CONCAVE not in op.traits or (gap <= 1e-12).all()
        assert Trait.INCREASING not in op.traits or (op.meaning(*np.maximum(a, b), **attrs) >= low - 1e-12).all()
        if Trait.KINKED in op.traits:  # two points near each other lie on one line
            near = a + 1e-6 * (b - a)
            ends, between = (op.meaning(*x, **attrs) for x in (near, (a + near) / 2))
            assert np.abs((low + ends) / 2 - between).max() < 1e-12 or np.abs(a).min() < 1e-5
