"""Gradients and products of a model with its Jacobian, its Hessian and its Gauss-Newton matrix, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.specimens import (
    BATCH,
    EXACT,
    Array,
    compiled,
    each_backend,
    each_specimen,
    inputs_of,
    lengths_of,
    params_of,
    same,
)

both_lengths = pytest.mark.parametrize("ragged", [False, True], ids=["even", "ragged"])


def normal(like: dict[str, Array], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal(a.shape) for n, a in like.items() if a.dtype.kind == "f"}


def options(model: Any, ragged: bool) -> dict[str, Any]:
    return {"lengths": lengths_of(model) if ragged else None}


def dot(a: dict[str, Array], b: dict[str, Array]) -> float:
    assert set(a) == set(b)
    return float(sum(np.vdot(a[n], b[n]) for n in a))


def slope(f: Callable[[float], Any], step: float = 1e-3) -> Any:
    """Central differences of the fourth order."""
    return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step)


# -------------------------------------------------------------------------------------------------- first derivatives


@each_backend
@both_lengths
@each_specimen
def test_jvp_and_vjp_are_transposed_over_everything_real(name: str, ragged: bool, backend: str) -> None:
    """<u, J v> = <J' u, v> for parameters, inputs and first states, outputs and final states, also in training."""
    model = compiled(name, backend)
    params, inputs = params_of(model), inputs_of(model)
    state = normal({n: np.zeros((BATCH, *s)) for n, s in model.states.items() if model.state_ports[n].index is None}, 1)
    call: dict[str, Any] = {"state": state, "training": True, "seed": 3, **options(model, ragged)}
    v = {"": np.random.default_rng(2).standard_normal(model.size)}, normal(inputs, 3), normal(state, 4)
    outputs, final = model.jvp(params, inputs, v[0][""], v[1], v[2], **call)
    u, w = normal(outputs, 5), normal(final, 6)
    found = model.vjp(params, inputs, u, w, **call)
    forwards = dot(u, outputs) + dot(w, final)
    backwards = dot({"": found.params}, v[0]) + dot(found.inputs, v[1]) + dot(found.state, v[2])
    assert backwards == pytest.approx(forwards, rel=1e-9, abs=1e-11)
    run = model.forward(params, inputs, **call)
    again = model.backward(run, u, w)
    np.testing.assert_allclose(again.params, found.params, rtol=1e-10, atol=1e-12)
    same(again.inputs, found.inputs, rtol=1e-10, atol=1e-12)
    same(again.state, found.state, rtol=1e-10, atol=1e-12)


@each_backend
@each_specimen
def test_jvp_matches_differences(name: str, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs = params_of(model), inputs_of(model)
    v, dx = np.random.default_rng(2).standard_normal(model.size), normal(inputs, 3)

    def moved(by: float, part: str, output: str) -> Any:
        shifted = {n: x + by * dx[n] if n in dx else x for n, x in inputs.items()}
        run = model.forward(params + by * v, shifted, keep=False)
        return (run.outputs if part == "outputs" else run.state)[output]

    outputs, final = model.jvp(params, inputs, v, dx)
    for part, found in (("outputs", outputs), ("state", final)):
        for n, y in found.items():
            wanted = slope(lambda by, part=part, n=n: moved(by, part, n))
            np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-8, err_msg=n)


@each_backend
def test_directions_and_gradients_may_be_given_for_some_names_only(backend: str) -> None:
    model = compiled("two states", backend)
    params, inputs = params_of(model), inputs_of(model)
    run = model.forward(params, inputs)
    u = normal(run.outputs, 1)
    both = model.backward(run, u)
    parts = [model.backward(run, {n: g}) for n, g in u.items()]
    np.testing.assert_allclose(sum(p.params for p in parts), both.params, **EXACT)
    np.testing.assert_allclose(model.backward(run, u["y"]).params, parts[0].params, **EXACT)
    np.testing.assert_allclose(model.vjp(params, inputs, u["y"]).params, parts[0].params, **EXACT)
    w = normal(run.state, 2)
    last = model.backward(run, None, {"c": w["c"]})
    np.testing.assert_allclose(last.params, model.vjp(params, inputs, None, {"c": w["c"]}).params, **EXACT)
    assert not model.backward(run).params.any()
    assert not model.jvp(params, inputs)[0]["y"].any()
    x = normal(inputs, 3)
    along = [model.jvp(params, inputs, inputs_tangent={n: d})[0]["y"] for n, d in x.items()]
    np.testing.assert_allclose(along[0] + along[1], model.jvp(params, inputs, inputs_tangent=x)[0]["y"], **EXACT)


@each_backend
def test_gradients_of_a_run_may_be_asked_for_again_and_late(backend: str) -> None:
    model = compiled("two states", backend)
    params, first, second = params_of(model), inputs_of(model, 1), inputs_of(model, 2)
    wanted = [model.vjp(params, x, np.ones((5, BATCH, 3))).params for x in (first, second)]
    one, two = model.forward(params, first), model.forward(params, second)
    for run, gradient in ((two, wanted[1]), (one, wanted[0]), (one, wanted[0])):
        np.testing.assert_allclose(model.backward(run, np.ones((5, BATCH, 3))).params, gradient, **EXACT)


@each_backend
def test_the_gradient_of_an_unused_first_state_is_what_it_would_be(backend: str) -> None:
    """A state that is not handed over has a gradient too: that of the declared value in its place."""
    model = compiled("two states", backend)
    params, inputs = params_of(model), inputs_of(model)
    declared = {"h": np.tile(model.views(params)["h[0]"], (BATCH, 1)), "c": np.zeros((BATCH, 3))}
    free = model.loss_and_gradients(params, inputs)[1]
    handed = model.loss_and_gradients(params, inputs, declared)[1]
    same(free.state, handed.state)
    np.testing.assert_allclose(model.views(free.params)["h[0]"], free.state["h"].sum(0), **EXACT)
    assert not model.views(handed.params)["h[0]"].any()


@each_backend
@both_lengths
@each_specimen
def test_gradients_of_the_loss_match_differences(name: str, ragged: bool, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs = params_of(model), inputs_of(model)
    call = {"training": True, "seed": 3, **options(model, ragged)}
    v, dx = np.random.default_rng(2).standard_normal(model.size), normal(inputs, 3)

    def loss(by: float) -> float:
        shifted = {n: x + by * dx[n] if n in dx else x for n, x in inputs.items()}
        return float(model.loss(params + by * v, shifted, **call))

    value, gradients, state = model.loss_and_gradients(params, inputs, **call)
    assert value == pytest.approx(loss(0.0), rel=1e-13)
    same(state, model.forward(params, inputs, keep=False, **call).state)
    found = gradients.params @ v + dot({n: gradients.inputs[n] for n in dx}, dx)
    assert found == pytest.approx(slope(loss, 2e-4), rel=1e-6, abs=1e-8)


@each_backend
def test_only_the_gradients_that_are_wanted_are_there(backend: str) -> None:
    model = compiled("two states", backend)
    params, inputs = params_of(model), inputs_of(model)
    loss, whole, _ = model.loss_and_gradients(params, inputs)
    for wrt in (("params",), "params", ("inputs", "params"), ("state",), ()):
        value, found, state = model.loss_and_gradients(params, inputs, wrt=wrt)
        assert value == pytest.approx(loss, rel=1e-14)
        assert set(state) == {"c", "h"}
        if "params" in wrt:
            np.testing.assert_allclose(found.params, whole.params, **EXACT)
        assert found.params.size == (model.size if "params" in wrt else 0)
        same(found.inputs, whole.inputs if "inputs" in wrt else {})
        same(found.state, whole.state if "state" in wrt else {})


@each_backend
def test_loss_lines_are_summed_and_averaged_over_steps_or_sequences(backend: str) -> None:
    text = """
        cell Lines[N](x: [N], z: [N]) -> (y: [N]) {
            param w : [N] ~ ones
            y = w * x
            loss squared_error(y, z)
            loss absolute_error(last(y), first(z))
            loss 0.5 * l2(w)
        }"""
    model = rc.parse(text).compile(backend, dtype="float64", N=2)
    inputs, lengths, w = inputs_of(model), np.array([3, 5, 1]), model.init()
    y, z = inputs["x"], inputs["z"]
    valid = np.arange(5)[:, None] < lengths
    wanted = ((y - z) ** 2).sum(-1)[valid].mean() + 0.5 * (w**2).sum()
    wanted += np.mean([abs(y[n - 1, b] - z[0, b]).sum() for b, n in enumerate(lengths)])
    assert model.loss(w, inputs, lengths=lengths) == pytest.approx(wanted, rel=1e-13)


# ------------------------------------------------------------------------------------------------------------ Hessian


@each_backend
@both_lengths
@each_specimen
def test_hvp_matches_differences_and_is_symmetric(name: str, ragged: bool, backend: str) -> None:
    model = compiled(name, backend)
    params, inputs = params_of(model), inputs_of(model)
    call = {"training": True, "seed": 3, **options(model, ragged)}
    u, v = np.random.default_rng(2).standard_normal((2, model.size))
    product = model.hvp(params, inputs, v, **call)
    wanted = slope(lambda by: model.loss_and_gradients(params + by * v, inputs, **call)[1].params, 2e-4)
    np.testing.assert_allclose(product, wanted, rtol=1e-5, atol=1e-8)
    assert u @ product == pytest.approx(v @ model.hvp(params, inputs, u, **call), rel=1e-9, abs=1e-12)


# ------------------------------------------------------------------------------------------------------- Gauss-Newton

BODY = """
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ glorot_uniform
    param V : [K, H] ~ glorot_uniform
    state h : [H] ~ uniform(0.5)
    h = tanh(W @ x + U @ h[t-1])
    z = V @ h
"""


def softmax_curvature(z: Array, d: Array) -> Array:
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return np.asarray(p * d - p * (p * d).sum(-1, keepdims=True))


def sigmoid_curvature(z: Array, d: Array) -> Array:
    p = 1 / (1 + np.exp(-z))
    return np.asarray(p * (1 - p) * d)


LOSSES: dict[str, tuple[str, str, Callable[[Array, Array], Array]]] = {
    "cross entropy of symbols": ("index[K]", "cross_entropy(z, goal)", softmax_curvature),
    "cross entropy of probabilities": ("[K]", "cross_entropy(z, softmax(goal))", softmax_curvature),
    "binary cross entropy": ("[K]", "binary_cross_entropy(sigmoid(z), sigmoid(goal))", sigmoid_curvature),
    "squared error": ("[K]", "squared_error(z, goal)", lambda z, d: 2 * d),
    "absolute error": ("[K]", "absolute_error(z, goal)", lambda z, d: 0 * d),
    "binary cross entropy, last step": (
        "[K]",
        "binary_cross_entropy(last(sigmoid(z)), first(sigmoid(goal)))",
        sigmoid_curvature,
    ),
    "squared error, last step": ("[K]", "squared_error(last(z), first(goal))", lambda z, d: 2 * d),
}
each_loss = pytest.mark.parametrize("loss", LOSSES)


@cache
def network(loss: str, backend: str, more: str = "") -> Any:
    """A recurrent network with this loss, whose output is what the loss reads as prediction."""
    goal, line, _ = LOSSES[loss]
    y = "last(z)" if "last" in loss else "z"
    text = f"cell Net[N, H, K](x: [N], goal: {goal}) -> (y: [K]) {{ {BODY} y = {y}\n loss {line}\n {more} }}"
    return rc.parse(text, name=loss).compile(backend, dtype="float64", N=2, H=3, K=3)


def matrix(product: Callable[[Array], Array], size: int) -> Array:
    return np.stack([product(row) for row in np.eye(size)], axis=1)


@each_backend
@both_lengths
@each_loss
def test_gnvp_is_the_jacobian_around_the_curvature_of_the_loss(loss: str, ragged: bool, backend: str) -> None:
    model = network(loss, backend)
    params, inputs = params_of(model), inputs_of(model)
    lengths = lengths_of(model)["t"] if ragged else None
    v = np.random.default_rng(5).standard_normal(model.size)
    z = model.forward(params, inputs, lengths=lengths, keep=False).output
    moved = model.jvp(params, inputs, v, lengths=lengths)[0]["y"]
    count = BATCH if "last" in loss else (5 * BATCH if lengths is None else lengths.sum())
    curved = LOSSES[loss][2](z, moved) / count
    wanted = model.vjp(params, inputs, curved, lengths=lengths).params
    np.testing.assert_allclose(model.gnvp(params, inputs, v, lengths=lengths), wanted, rtol=1e-10, atol=1e-13)


@each_backend
@each_loss
def test_a_gauss_newton_matrix_is_symmetric_and_has_no_negative_eigenvalue(loss: str, backend: str) -> None:
    if backend == "interpreter" and loss != "cross entropy of symbols":
        pytest.skip("too slow to do for all")
    model = network(loss, backend)
    params, inputs = params_of(model), inputs_of(model)
    G = matrix(lambda v: model.gnvp(params, inputs, v, lengths=[3, 5, 0]), model.size)
    np.testing.assert_allclose(G, G.T, rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh((G + G.T) / 2).min() > -1e-12


@each_backend
def test_a_regulariser_adds_its_own_curvature(backend: str) -> None:
    plain = network("squared error", backend)
    regular = network("squared error", backend, "loss 0.3 * l2(U)\n loss 0.1 * sum(exp(W))")
    params, inputs = params_of(plain), inputs_of(plain)
    v = np.random.default_rng(5).standard_normal(plain.size)
    views, along = plain.views(params), plain.views(v)
    more = {n: np.zeros(p.shape) for n, p in plain.parameters.items()}
    more["U"], more["W"] = 0.6 * along["U"], 0.1 * np.exp(views["W"]) * along["W"]
    wanted = plain.gnvp(params, inputs, v) + plain.pack(more)
    found = regular.gnvp(regular.pack(views), inputs, regular.pack(along))
    same(regular.views(found), plain.views(wanted), rtol=1e-10, atol=1e-12)


FORMS = {
    "a parameter as prediction": "param p : [K] ~ normal(0, 1)  y = z  loss squared_error(p, last(goal))",
    "a static prediction": "param p : [K] ~ normal(0, 1)  y = z  loss squared_error(2 * p, last(goal))",
    "a negated prediction": "y = -z  loss squared_error(y, goal)",
    "two losses of one prediction": "y = z  loss squared_error(y, goal)  loss cross_entropy(y, softmax(goal))",
    "a prediction that is fed back": "y = tanh(z) + 0.5 * y[t-1]  loss squared_error(y, goal)",
    "one prediction made of another": "y = tanh(z)  loss squared_error(y, goal)  loss squared_error(2 * y, goal)",
    "a target that is learned": "param p : [K] ~ normal(0, 1)  y = z  loss squared_error(y, p)",
    "the size of activities": "y = z  loss squared_error(y, goal)  loss 0.1 * l2(h)",
}


@each_backend
@pytest.mark.parametrize("form", FORMS)
def test_gnvp_is_the_hessian_where_the_model_is_linear_and_never_negative(form: str, backend: str) -> None:
    """With only V and what is next to it moving, predictions are linear in the parameters (but for the tanh)."""
    text = f"cell Net[N, H, K](x: [N], goal: [K]) -> (y: [K]) {{ {BODY} {FORMS[form]} }}".replace("  ", "\n")
    model = rc.parse(text, name=form).compile(backend, dtype="float64", N=1, H=2, K=2)
    params, inputs = params_of(model), inputs_of(model, steps={"t": 3}, batch=2)
    G = matrix(lambda v: model.gnvp(params, inputs, v), model.size)
    np.testing.assert_allclose(G, G.T, rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh((G + G.T) / 2).min() > -1e-12
    if "tanh" not in FORMS[form]:
        linear = [n for n in ("V", "p") if n in model.parameters]
        for n in linear:
            v = model.pack({m: np.ones(p.shape) * (m == n) for m, p in model.parameters.items()})
            hessian, gauss = (model.views(f(params, inputs, v)) for f in (model.hvp, model.gnvp))
            for m in linear:
                np.testing.assert_allclose(gauss[m], hessian[m], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("call", ["loss", "loss_and_gradients", "hvp", "gnvp"])
def test_a_cell_without_a_loss_says_so(call: str) -> None:
    model = rc.library.Elman.compile("interpreter", N=1, H=1)
    vector = (model.init(),) if call in ("hvp", "gnvp") else ()
    with pytest.raises(rc.UsageError, match="Elman has no loss line"):
        getattr(model, call)(model.init(), np.zeros((1, 1, 1)), *vector)
