"""What functions give at their edges: the table is true, complete, and computed by every backend."""

from __future__ import annotations

import math
import re

import mpmath as mp
import numpy as np
import pytest

import recurrency as rc
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.model.graphs import SWITCHES
from recurrency.testing.edges import PLAIN, Edges, differences, edges
from tests.support.edge_formulas import FORMULAS, kinks
from tests.support.planting import Wrong

BACKENDS = ("interpreter", "numpy", "torch", "c", "cupy-emulated")


def test_every_function_has_a_block_or_a_reason() -> None:
    used = {name for block in edges() for name in re.findall(r"(\w+)\(", block.call)}
    assert set(PLAIN) <= set(FUNCTIONS)
    assert set(FUNCTIONS) - set(PLAIN) <= used


@pytest.mark.parametrize("block", edges(), ids=lambda block: block.call)
def test_the_table_says_what_mathematics_says(block: Edges) -> None:
    """By differences in 400 digits; at kinks, infinities and borders the table itself is the convention."""
    f = FORMULAS[block.call]
    for point in block.points:
        if not math.isfinite(point.x) or point.x in kinks(block.call) or not all(map(math.isfinite, point.wanted)):
            continue
        with mp.workdps(400):
            x = mp.mpf(point.x)
            h = mp.mpf(10) ** -60 * (abs(x) or 1)
            below, here, above = f(x - h), f(x), f(x + h)
            wanted = (here, (above - below) / (2 * h), (above - 2 * here + below) / (h * h))
        np.testing.assert_allclose(point.wanted, [float(w) for w in wanted], rtol=2e-13, atol=1e-45)


def test_the_interpreter_agrees_with_the_table() -> None:
    assert not differences("interpreter", "float64", SWITCHES)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_each_backend_agrees_with_the_table(backend: str) -> None:
    assert not differences(backend, "float32")


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_each_backend_agrees_with_the_table_in_float64(backend: str) -> None:
    assert not differences(backend, "float64")


# ------------------------------------------------------------------------------------------------------ what is unread

GUARDED = {
    "a branch": "y = where(m, log(w * x), 0)",
    "the other branch": "y = where(1 - m, 0, sqrt(w * x) / (w * x))",
    "a chain": "y = where(m, sqrt(abs(log(w * x))) * exp(1 / (w * x)), 0)",
    "a comparison": "y = where(w * x > 0, log(w * x) ** 2, m)",
    "a loop": "state y : [] = 1\n    y = where(m, log(w * x + 0 * y[t-1]), y[t-1])",
    "an overflow": "y = where(w * x > 1, m * x, log(1 + exp(1000 * w * x)))",
    "products": "q = concat(w * x, 1)\n    y = where(m, sum(outer(log(q), q) @ log(q)) + dot(q / x, log(q)), 0)",
    "a softmax": "y = where(m, sum(softmax(concat(1 / (w * x), 0)) * log_softmax(concat(w / x, 1))), 0)",
    "two guards": "z = 1 / (w * x)\n    y = where(m, z, 0) + where(x > 0, z * z, 0)",
    "a guard in a guard": "y = where(m, where(x > 0, log(w * x), 1 / (w * x)), 0)",
    "a maximum": "y = max(log(w * x), -5) + min(1 / (w * x), 7) * m",
    "a greatest element": "y = max(concat(log(w * x), -5, 1)) * m",
    "rectified": "y = relu(log(w * x)) + relu(w - 1 / (w * x))",
    "a kink": "y = sqrt(abs(w * x)) + sqrt(relu(w * x)) + (w * x) * where(abs(w * x) > 0, 1 / (w * x), m)",
    "clipped": "y = clip(log(w * x), -3, 3)",
    "an earlier step": "z = log(w * x)\n    y = where(m[t+1], z[t-1], 0) + where(m, z, 0)",
    "one step of all": "z = log(w * x)\n    y = last(z) * m",
    "one element": "z = log(concat(w * x, w))\n    y = sum(slice(z, 2, 2)) * m",
    "masked logits": "y = cross_entropy(concat(w * x, stop_grad(log(m)), w), concat(m, m, 2 - 2 * m) / 2)",
    "probabilities": "y = binary_cross_entropy(hard_sigmoid(w * 10 * (x - 1)), m)",
    "a length": "y = norm(concat(w * x, w * x)) + (w * x) ** (1 - m)",
}
"""Equations of which some element is not finite, and does not count."""

X, M = (0.0, 0.0, 3.0, 0.0, 2.0), (0.0, 0.0, 1.0, 0.0, 1.0)
EVERY = {"an earlier step": (X, (0.0, 0.0, 0.0, 0.0, 1.0))}


def results(name: str, backend: str, dtype: str, without: tuple[str, ...]) -> dict[str, np.ndarray]:
    text = f"cell C(x: [], m: []) -> (y: []) {{\n    param w : [] ~ ones\n    {GUARDED[name]}\n    loss y\n}}\n"
    model = rc.parse(text).compile(backend=backend, dtype=dtype, without=without)
    x, m = (np.array(a, dtype)[:, None] for a in EVERY.get(name, (X, M)))
    params, along, inputs = np.full(1, 1.25, dtype), np.full(1, 0.5, dtype), {"x": x, "m": m}
    run = model.forward(params, inputs)
    found = model.backward(run, {"y": np.ones_like(x)})
    tangents, _ = model.jvp(params, inputs, along, {"x": np.ones_like(x)})
    out = {"y": run.outputs["y"], "w": found.params, **found.inputs, "tangent": tangents["y"]}
    return out | {"hvp": model.hvp(params, inputs, along)}


@pytest.mark.parametrize("name", GUARDED)
def test_what_is_not_chosen_has_the_gradient_zero(name: str) -> None:
    """As the interpreter has it without passes, and NumPy in float32 with them."""
    wanted = results(name, "interpreter", "float64", tuple(SWITCHES))
    assert all(np.isfinite(a).all() for a in wanted.values()), wanted
    for backend, dtype, without in (("interpreter", "float64", ()), ("numpy", "float32", ())):
        found = results(name, backend, dtype, without)
        for key, array in wanted.items():
            rtol = 1e-9 if dtype == "float64" else 1e-4
            np.testing.assert_allclose(found[key], array, rtol=rtol, atol=rtol, err_msg=f"{key} {backend}")


ALL_BACKENDS = ("a chain", "a loop", "products", "a softmax", "a greatest element")


@pytest.mark.parametrize("backend", BACKENDS[2:])
@pytest.mark.parametrize("name", [*ALL_BACKENDS, *(pytest.param(n, marks=pytest.mark.long) for n in GUARDED)])
def test_every_backend_chooses_the_zero(name: str, backend: str) -> None:
    wanted = results(name, "interpreter", "float64", ())
    found = results(name, backend, "float64", ())
    for key, array in wanted.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-8, atol=1e-8, err_msg=key)


def test_what_is_read_elsewhere_keeps_its_gradient() -> None:
    """Only what nothing reads is zero: here the second use has no finite gradient."""
    text = "cell C(x: []) -> (y: []) { param w : [] ~ ones\n z = log(w * x)\n y = where(x > 0, z, 0) + max(z, -9) + z }"
    model = rc.parse(text).compile(backend="numpy", dtype="float64")
    found = model.vjp(np.ones(1), {"x": np.array([[0.0]])}, {"y": np.ones((1, 1))})
    assert not np.isfinite(found.params).all()


@pytest.mark.parametrize("without", [(), tuple(SWITCHES)], ids=["passes", "none"])
def test_the_tangent_of_a_clipped_gradient_is_that_of_its_value(without: tuple[str, ...]) -> None:
    """Whatever its adjoint is: here another result makes that no number, and the clip must not make a zero of it."""
    text = """
        cell C(x: []) -> (y: [], z: []) {
            param w : [] ~ ones
            y = clip_grad(w * x, 0.5)
            z = y * stop_grad(log(-x))
        }"""
    for backend in ("interpreter", "numpy"):
        model = rc.parse(text).compile(backend=backend, dtype="float64", without=without)
        tangents, _ = model.jvp(np.ones(1), {"x": np.ones((1, 1))}, np.ones(1), {"x": np.ones((1, 1))})
        assert tangents["y"].item() == 2
        assert np.isnan(tangents["z"]).all()


@pytest.mark.parametrize("op", ["sigmoid", "softplus", "log_softmax", "exp"])
def test_a_lost_tail_is_found(op: str) -> None:
    """With an error of one rounding of 1, which is nothing where results are large."""
    found = differences(Wrong(op, lambda value: (value + 1.0) - 1.0), "float32", second=False)
    assert any(" at -17" in line or " at 17" in line for line in found)
