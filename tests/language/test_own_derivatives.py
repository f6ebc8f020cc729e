"""Functions that state their derivatives: values of one expression, gradients of another, on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.comparing import compare
from recurrency.graph.op import Trait
from recurrency.graph.text import graph_text
from recurrency.language.writing.format import format_file

Array = np.ndarray[Any, Any]

SPIKES = """
fn spike(v) = where(v > 0, 1, 0) derivative 1 / (1 + 10 * abs(v)) ** 2

cell LIF[N, H](x: [N]) -> (s: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal

    state v, s : [H] = 0

    v = 0.9 * v[t-1] * (1 - s[t-1]) + W @ x + U @ s[t-1]
    s = spike(v - 0.5)

    loss sum(square(s - 0.3) * v)
}
"""
N, H, T, B = 2, 3, 5, 2
BACKENDS = ("interpreter", "numpy", "torch", "c", "cupy-emulated")


def slope(v: Array) -> Array:
    """The stated derivative, also of complex numbers."""
    return np.asarray(1 / (1 + 10 * v * np.sign(v.real)) ** 2)


def spike(v: Array) -> Array:
    """The step; the imaginary part is the derivative along that of `v`."""
    return np.where(v.real > 0, 1.0, 0.0) + 1j * slope(v.real) * v.imag


def gradients(W: Array, U: Array, x: Array) -> tuple[Any, Array, Array]:
    """The loss of the cell and its gradients in W and U, by hand; B sequences of T steps.

    Of complex parameters p + i h d the imaginary parts are h times the derivatives along d.
    """
    v, s = [np.zeros((B, H))], [np.zeros((B, H))]
    for t in range(T):
        v.append(0.9 * v[-1] * (1 - s[-1]) + x[t] @ W.T + s[-1] @ U.T)
        s.append(spike(v[-1] - 0.5))
    loss = sum(((s[t] - 0.3) ** 2 * v[t]).sum() for t in range(1, T + 1)) / (T * B)
    dW, dU, dv, ds = np.zeros(W.shape, complex), np.zeros(U.shape, complex), np.zeros((B, H)), np.zeros((B, H))
    for t in range(T, 0, -1):
        ds = ds + 2 * (s[t] - 0.3) * v[t] / (T * B)
        dv = dv + (s[t] - 0.3) ** 2 / (T * B) + ds * slope(v[t] - 0.5)
        dW += dv.T @ x[t - 1]
        dU += dv.T @ s[t - 1]
        dv, ds = dv * 0.9 * (1 - s[t - 1]), dv @ U - dv * 0.9 * v[t - 1]
    return loss, dW, dU


def given(seed: int = 0) -> tuple[Array, Array]:
    """Parameters and input."""
    random = np.random.default_rng(seed)
    return random.normal(size=H * N + H * H), random.normal(size=(T, B, N))


def model(text: str = SPIKES, backend: str = "numpy", **options: Any) -> Any:
    """A compiled cell in float64; a backend that can't run here skips the test."""
    try:
        return rc.parse(text).compile(backend=backend, dtype="float64", N=N, H=H, **options)
    except rc.BackendError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_is_that_of_the_stated_derivative(backend: str) -> None:
    cell = model(backend=backend)
    params, x = given()
    W, U = (cell.views(params)[name] for name in "WU")
    loss, dW, dU = gradients(W, U, x)
    found = cell.loss_and_gradients(params, x)
    views = cell.views(found[1].params)
    np.testing.assert_allclose(found[0], loss.real, rtol=1e-13)
    np.testing.assert_allclose(views["W"], dW.real, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(views["U"], dU.real, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_are_those_of_the_stated_one(backend: str) -> None:
    """The gradient by hand, of complex numbers."""
    cell = model(backend=backend)
    params, x = given()
    direction = np.random.default_rng(1).normal(size=params.shape)
    step = 1e-30
    W, U = (cell.views(params)[name] + 1j * step * cell.views(direction)[name] for name in "WU")
    _, dW, dU = gradients(W, U, x)
    found = cell.views(cell.hvp(params, x, direction))
    np.testing.assert_allclose(found["W"], dW.imag / step, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found["U"], dU.imag / step, rtol=1e-10, atol=1e-13)


def test_products_with_the_jacobian_agree() -> None:
    cell = model()
    params, x = given()
    random = np.random.default_rng(2)
    u, v = random.normal(size=(T, B, H)), random.normal(size=params.shape)
    run = cell.forward(params, x)
    tangent = cell.jvp(params, x, v)[0]["s"]
    np.testing.assert_allclose((u * tangent).sum(), v @ cell.backward(run, u).params, rtol=1e-11)
    w = random.normal(size=params.shape)
    np.testing.assert_allclose(w @ cell.hvp(params, x, v), v @ cell.hvp(params, x, w), rtol=1e-10)
    np.testing.assert_allclose(w @ cell.gnvp(params, x, v), v @ cell.gnvp(params, x, w), rtol=1e-10)


def test_pieces_give_the_numbers_of_the_whole() -> None:
    cell = model()
    params, x = given()
    whole = cell.forward(params, x)
    state, found = None, []
    for t in range(T):
        outputs, state = cell.step(params, x[t], state)
        found.append(outputs["s"])
    np.testing.assert_array_equal(np.stack(found), whole.outputs["s"])
    chunked = model(checkpoint=2).loss_and_gradients(params, x)[1].params
    np.testing.assert_allclose(chunked, cell.loss_and_gradients(params, x)[1].params, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize("name", ["forget", "simplify"])
def test_switching_a_pass_off_changes_no_number(backend: str, name: str) -> None:
    params, x = given()
    cell, other = model(backend=backend), model(backend=backend, without=[name])
    np.testing.assert_allclose(other.forward(params, x).outputs["s"], cell.forward(params, x).outputs["s"])
    np.testing.assert_allclose(other.hvp(params, x, params), cell.hvp(params, x, params), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", [("forward", ()), ("loss",), ("losses",), ("results", ("output:s",))])
def test_a_program_without_gradients_computes_no_slope(kind: tuple[Any, ...]) -> None:
    graph = model().programs.graph(*kind)
    text = graph_text(graph)
    assert "abs" not in text, text
    assert not any(Trait.FORGETS in graph[id].op.traits for id in graph)


def gradient_of(text: str, x: Array, **options: Any) -> tuple[Array, Array]:
    """y and the gradient of its sum in x, of a cell that is `y = ...`."""
    source = text if "cell" in text else f"cell C[N](x: [N]) -> (y: [N]) {{ y = {text} }}"
    cell = rc.parse(source).compile(backend="numpy", dtype="float64", N=len(x), **options)
    run = cell.forward(cell.init(0), x[None, None])
    y = run.outputs["y"]
    return y[0, 0], cell.backward(run, np.ones_like(y)).inputs["x"][0, 0]


POINTS = np.array([-1.5, -0.25, 0.75, 2.0])

FUNCTIONS: dict[str, tuple[str, str, Array, Array]] = {
    "several arguments": (
        "fn gate(a, b) = where(a > b, a, b) derivative sigmoid(a - b), sigmoid(b - a)\n",
        "gate(x, -x)",
        np.abs(POINTS),
        1 / (1 + np.exp(-2 * POINTS)) - 1 / (1 + np.exp(2 * POINTS)),
    ),
    "a function for the derivative": (
        "fn spike(v, surrogate) = where(v > 0, 1, 0) derivative surrogate(v)\nfn bell(v) = exp(-v * v)\n",
        "spike(x, bell)",
        np.where(POINTS > 0, 1.0, 0.0),
        np.exp(-(POINTS**2)),
    ),
    "a number for the last argument": (
        "fn spike(v, width) = where(v > 0, 1, 0) derivative 1 / (1 + width * abs(v))\n",
        "spike(x, 2)",
        np.where(POINTS > 0, 1.0, 0.0),
        1 / (1 + 2 * np.abs(POINTS)),
    ),
    "a number for the derivative": (
        "fn through(v) = sign(v) derivative 1\n",
        "through(x)",
        np.sign(POINTS),
        np.ones(4),
    ),
    "a scalar argument": (
        "fn scaled(v, k) = k * v derivative 1, v\n",
        "scaled(x, sum(x))",
        POINTS.sum() * POINTS,
        np.ones(4) + POINTS.sum(),
    ),
    "no gradient": ("fn cut(v) = v derivative 0\n", "cut(x)", POINTS, np.zeros(4)),
    "a constant value": ("fn one(v) = 1 derivative v\n", "one(x)", np.ones(4), POINTS),
    "one in another": (
        "fn half(v) = v derivative 0.5\nfn quarter(v) = half(v) derivative half(v)\n",
        "half(half(x)) + quarter(x)",
        2 * POINTS,
        0.25 + POINTS,
    ),
    "gradient reversal": ("", "straight_through(x, -x)", POINTS, -np.ones(4)),
    "a surrogate in the call": (
        "",
        "heaviside(x - 0.5, exp(-x * x))",
        np.where(POINTS > 0.5, 1.0, 0.0),
        np.exp(-(POINTS**2)),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_value_of_one_expression_and_the_gradient_of_another(name: str) -> None:
    functions, call, value, wanted = FUNCTIONS[name]
    y, found = gradient_of(f"{functions}cell C[N](x: [N]) -> (y: [N]) {{ y = {call} }}", POINTS)
    np.testing.assert_allclose(y, value, rtol=1e-14)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_a_number_stays_a_number() -> None:
    text = (
        "fn twice(n) = 2 * n derivative 2\ncell C[N](x: [N]) -> (y: [N]) { y = slice(concat(x, x), 1, twice(N / 2)) }"
    )
    assert rc.parse(text).compile(N=4).outputs["y"].shape == (4,)


def test_an_unread_argument_is_guarded() -> None:
    """A slope that is infinite where nothing reads the value does not reach the gradient."""
    text = "fn root(v) = sqrt(abs(v)) derivative 0.5 / sqrt(abs(v))\n"
    text += "cell C[N](x: [N]) -> (y: [N]) { y = where(x > 0, root(x), 0) }"
    _, found = gradient_of(text, np.array([0.0, 4.0]))
    np.testing.assert_array_equal(found, [0.0, 0.25])


def test_an_equation_is_not_the_same_with_another_derivative() -> None:
    one, other = rc.parse(SPIKES), rc.parse(SPIKES.replace("10 * abs", "5 * abs"))
    assert compare(one, rc.parse(SPIKES)).same
    assert not compare(one, other).same


def test_text_keeps_its_derivative() -> None:
    assert format_file("fn f(a,b)=a*b   derivative b,a\n", "f.rnn") == "fn f(a, b) = a * b derivative b, a\n"
    cell = "cell C[N](x: [N]) -> (y: [N]) {\nfn f(v) = sign(v) derivative exp(-v)\ny = f(x)\n}\n"
    assert "\\frac{\\partial\\, f(v)}{\\partial v} &:= \\exp(-v)" in rc.parse(cell).latex()
