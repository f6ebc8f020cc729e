"""Loops without products: states of which one step is kept, and arrays whose elements do not compete for a cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recurrency.backends.c import sizes
from recurrency.backends.c.backend import backend
from recurrency.backends.c.function import CFunction

import recurrency as rc

CROSSED = """
cell Crossed[N](x: [N]) -> (a: [N]) {
    param u, v : [N] ~ uniform(1)
    state a : [N] = 0
    state b : [N] = 0
    a = u * b[t-1] + x
    b = v * a[t-1] - tanh(x)
}
"""


def written(model: Any, kind: str) -> CFunction:
    """The function of a pass."""
    graph = model.programs.graph(kind, ())
    _, (function,) = backend.emit([("f", graph)], model.programs.layout, "float64")
    return function


def test_of_adjoints_that_the_next_step_reads_one_step_is_kept() -> None:
    model = rc.parse(CROSSED).compile(backend="numpy", N=3)
    kept = [array for array in written(model, "backward").arrays if array.carried]
    assert len(kept) == 2
    assert all(array.lead() == ["B"] for array in kept)
    assert not any(array.carried for array in written(model, "forward_kept").arrays), "the caller gets all steps"


@pytest.mark.parametrize("lengths", [None, [6, 0, 1, 4]], ids=["full", "ragged"])
def test_each_of_two_states_reads_what_the_other_was(lengths: list[int] | None) -> None:
    found = []
    for name in ("numpy", "c"):
        model = rc.parse(CROSSED).compile(backend=name, dtype="float64", N=18)
        rng = np.random.default_rng(1)
        x, dy, da, db = (rng.standard_normal(shape) for shape in ((6, 4, 18), (6, 4, 18), (4, 18), (4, 18)))
        run = model.forward(model.init(seed=3), {"x": x}, lengths=lengths, state={"a": da, "b": db})
        back = model.backward(run, {"a": dy}, {"a": da, "b": db})
        found.append([run.outputs["a"], back.params, back.inputs["x"], back.state["a"], back.state["b"]])
    for ours, wanted in zip(*reversed(found), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-12)


SUMS = """cell C[H](x: [H]) -> (y: [H]) {
    param a : [H] ~ ones
    state s : [H] = 0
    s = 0.5 * cumsum(s[t-1]) * a + x
    y = s
}"""


def test_all_steps_are_kept_of_a_state_of_which_the_next_step_reads_other_elements() -> None:
    found = []
    for name in ("numpy", "c"):
        model = rc.parse(SUMS).compile(backend=name, dtype="float64", H=5)
        x, dy = np.random.default_rng(2).standard_normal((2, 4, 3, 5))
        params = model.init(seed=0)
        back = model.vjp(params, x, {"y": dy})
        forwards = model.jvp(params, x, params_tangent=np.ones_like(params))
        found.append([back.params, back.inputs["x"], forwards[0]["y"]])
    for ours, wanted in zip(*reversed(found), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-12)


def test_long_arrays_of_equal_sizes_begin_in_different_lines_of_a_page() -> None:
    step = sizes.lines(4 * sizes.PAGE)
    places = {k * step % sizes.PAGE for k in range(12)}
    assert len(places) == 12
    assert all(place % sizes.LINE == 0 for place in places)
    assert sizes.lines(100) == 2 * sizes.LINE, "nothing is lost on short ones"
