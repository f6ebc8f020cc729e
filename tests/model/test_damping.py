"""Structural damping in Gauss-Newton products, against an explicit J' C J, on every backend."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import automatic
from tests.support.specimens import Array, each_backend, inputs_of, lengths_of, params_of

BODY = """
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ glorot_uniform
    param V : [K, H] ~ glorot_uniform
    state h : [H] ~ uniform(0.5)
    h = tanh(W @ x + U @ h[t-1])
    g = sigmoid(V @ reverse(h))
    z = g * (V @ h)
    e = last(V @ h)
"""
ONE_CLOCK = f"cell Net[N, H, K](x: [N], goal: [K]) -> (h: [H], g: [K], z: [K], e: [K]) {{ {BODY} LINES }}"
TWO_CLOCKS = """
cell Net[N, H, K](x: [N] over s, goal: [K]) -> (h: [H] over s, z: [K]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ glorot_uniform
    param V : [K, H] ~ glorot_uniform
    h = tanh(W @ x + U @ h[t-1])
    z = V @ last(h) + z[t-1]
    LINES
}
"""
LOSSES = {
    "mean over steps": (ONE_CLOCK, "loss squared_error(z, goal)", "t"),
    "mean over sequences": (ONE_CLOCK, "loss cross_entropy(e, softmax(first(goal)))", "sequences"),
    "both": (ONE_CLOCK, "loss squared_error(z, goal)\n loss l2(e)\n loss 0.1 * l2(W)", "sequences"),
    "no mean": (ONE_CLOCK, "loss l2(W)", "sequences"),
    "the other clock": (TWO_CLOCKS, "loss squared_error(z, goal)", "t"),
    "a mean over each clock": (TWO_CLOCKS, "loss 0.1 * l2(h)\n loss squared_error(z, goal)", "s"),
}
"""A text, the lines of its loss, and the divisor of this loss."""
OTHERS = ("mean over sequences", "no mean", "the other clock")
each_loss = pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss not in OTHERS])
both_lengths = pytest.mark.parametrize("ragged", [False, True], ids=["even", "ragged"])


@cache
def network(loss: str, backend: str) -> Any:
    """A cell whose streams h, g, z and e are outputs, so that their Jacobian is at hand as `jvp` and `vjp`."""
    text, lines, _ = LOSSES[loss]
    return rc.parse(text.replace("LINES", lines), name=loss).compile(backend, dtype="float64", N=2, H=3, K=2)


def count(model: Any, loss: str, lengths: Any) -> int:
    divisor, steps = LOSSES[loss][2], {"t": 5, "s": 4}
    if divisor == "sequences":
        return 3
    return int(lengths[divisor].sum()) if lengths else 3 * steps[divisor]


def curvature(name: str, value: Array, matching: bool) -> Array:
    """The second derivative of the distance in the value itself: D'' = (D o e)'' / e'^2."""
    if not matching or name not in ("h", "g"):
        return np.ones_like(value)
    return np.asarray(1 / (1 - value**2) if name == "h" else 1 / (value * (1 - value)))


def check(loss: str, ragged: bool, backend: str) -> None:
    """J' C J v of all streams by the products `jvp` and `vjp`, and the product with damping."""
    model = network(loss, backend)
    params, inputs, lengths = params_of(model), inputs_of(model), lengths_of(model) if ragged else None
    v = np.random.default_rng(5).standard_normal(model.size)
    values = model.forward(params, inputs, lengths=lengths, keep=False).outputs
    moved = model.jvp(params, inputs, v, lengths=lengths)[0]
    plain = model.gnvp(params, inputs, v, lengths=lengths)
    weights = {name: 0.3 + k for k, name in enumerate(model.outputs)}
    for distance in ("matching", "squared"):
        seeds = {}
        for name, weight in weights.items():
            with np.errstate(divide="ignore"):
                curved = curvature(name, values[name], distance == "matching")
            seeds[name] = weight * np.where(moved[name] == 0, 0, curved) * moved[name] / count(model, loss, lengths)
        wanted = plain + model.vjp(params, inputs, seeds, lengths=lengths).params
        found = model.gnvp(params, inputs, v, lengths=lengths, damping=weights, distance=distance)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        assert not np.allclose(found, plain)
        kept = model.curvature(params, inputs, lengths=lengths, damped=tuple(weights), distance=distance)
        np.testing.assert_allclose(kept(v, weights), found, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(kept(v), plain, rtol=1e-12, atol=1e-13)
        assert kept.loss == pytest.approx(model.loss(params, inputs, lengths=lengths), rel=1e-12)


@each_backend
@both_lengths
@each_loss
def test_damping_is_the_jacobian_of_a_stream_around_the_curvature_of_its_distance(
    loss: str, ragged: bool, backend: str
) -> None:
    check(loss, ragged, backend)


@both_lengths
@pytest.mark.parametrize("loss", OTHERS)
def test_damping_is_divided_as_the_loss_is(loss: str, ragged: bool) -> None:
    check(loss, ragged, "numpy")


@each_backend
def test_damping_is_linear_in_its_weights_and_never_negative(backend: str) -> None:
    model = network("mean over steps", backend)
    params, inputs, lengths = params_of(model), inputs_of(model), lengths_of(model)
    rng = np.random.default_rng(5)

    def product(v: Array, h: float, z: float) -> Array:
        found: Array = model.gnvp(params, inputs, v, lengths=lengths, damping={"h": h, "z": z})
        return found

    for _ in range(3):
        u, v = rng.standard_normal((2, model.size))
        plain, h, z, both = (product(v, *w) for w in ((0, 0), (1, 0), (0, 1), (2, 3)))
        np.testing.assert_allclose(plain, model.gnvp(params, inputs, v, lengths=lengths), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(both - plain, 2 * (h - plain) + 3 * (z - plain), rtol=1e-9, atol=1e-12)
        assert v @ (h - plain) > 0
        assert v @ (z - plain) > 0
        assert u @ both == pytest.approx(v @ product(u, 2, 3), rel=1e-9)


def test_a_saturated_stream_is_damped_without_infinities() -> None:
    """1 - tanh(t)^2 is zero in float64 from t = 20 on; the curvature in t is zero there, not infinite."""
    model = network("mean over steps", "numpy")
    params, inputs = 1e3 * params_of(model), inputs_of(model)
    found = model.gnvp(params, inputs, np.ones(model.size), damping={"h": 1.0, "g": 1.0})
    assert np.isfinite(found).all()


def test_the_weight_is_an_argument_of_one_program() -> None:
    model = network("mean over steps", "numpy")
    params, inputs, v = params_of(model), inputs_of(model), np.ones(model.size)
    model.gnvp(params, inputs, v, damping={"h": 1.0})
    before = len(model.programs._runners)
    model.gnvp(params, inputs, v, damping={"h": 0.125})
    assert len(model.programs._runners) == before


@pytest.mark.parametrize(
    ("damping", "message"),
    [
        ({"hh": 1.0}, "Net has no stream hh; did you mean h?"),
        ({"tag": 1.0}, "Net: tag can't be damped: symbols have no distance"),
        ({"s": 1.0}, "Net: s can't be damped: it has no value per step or sequence"),
        ({"h": -1.0}, "the damping of h is a finite number, at least 0, not -1.0"),
        ({"h": float("nan")}, "the damping of h is a finite number, at least 0, not nan"),
        ({"h": "much"}, "the damping of h is a finite number, at least 0, not much"),
        ("h", "damping is a dict of streams and weights, such as {\"h\": 0.1}, not 'h'"),
    ],
)
def test_what_can_not_be_damped_is_refused(damping: Any, message: str) -> None:
    text = ONE_CLOCK.replace("LINES", "s = sum(W)\n loss squared_error(z, goal)")
    text = text.replace("goal:", "tag: index[K], goal:")
    model = rc.parse(text).compile("interpreter", N=1, H=1, K=1)
    with pytest.raises(rc.UsageError) as caught:
        model.gnvp(model.init(), inputs_of(model), model.init(), damping=damping)
    assert str(caught.value) == message


def test_another_distance_is_refused() -> None:
    model = network("mean over steps", "interpreter")
    with pytest.raises(rc.UsageError, match="is matching or squared, not matchin; did you mean"):
        model.gnvp(model.init(), inputs_of(model), model.init(), damping={"h": 1.0}, distance="matchin")


def test_a_kept_curvature_has_the_damping_that_it_was_asked_for() -> None:
    model = network("mean over steps", "numpy")
    params, inputs = params_of(model), inputs_of(model)
    kept = model.curvature(params, inputs, damped="h")
    with pytest.raises(rc.UsageError, match="Net: this curvature has no damping of z; it has h"):
        kept(params, {"z": 1.0})
    with pytest.raises(rc.UsageError, match="at least 0, not -1"):
        kept(params, {"h": -1.0})
    with pytest.raises(rc.UsageError, match="Net has no stream q"):
        model.curvature(params, inputs, damped=["q"])


def test_products_of_a_kept_curvature_may_be_interleaved() -> None:
    """The tape belongs to the object, whatever else the model computes."""
    model = network("mean over steps", automatic(quietly=True)[0])
    params, inputs, v = params_of(model), inputs_of(model), np.ones(model.size)
    one, two = model.curvature(params, inputs), model.curvature(2 * params, inputs)
    first, second = one(v), two(v)
    model.loss_and_gradients(3 * params, inputs)
    np.testing.assert_array_equal(one(v), first)
    np.testing.assert_array_equal(two(v), second)
    np.testing.assert_allclose(second, model.gnvp(2 * params, inputs, v), rtol=1e-12, atol=1e-14)


def test_damping_needs_the_inputs_of_its_stream_only() -> None:
    text = """
    cell Net[N](x: [N], other: [N], goal: [N]) -> (y: [N]) {
        param W : [N, N] ~ normal(0, 1)
        y = W @ x
        z = W @ other
        loss squared_error(y, goal)
    }
    """
    model = rc.parse(text).compile("numpy", dtype="float64", N=2)
    inputs = inputs_of(model)
    some = {name: inputs[name] for name in ("x", "goal")}
    model.gnvp(model.init(), some, model.init(), damping={"y": 1.0})
    with pytest.raises(rc.UsageError, match="no other"):
        model.gnvp(model.init(), some, model.init(), damping={"z": 1.0})
