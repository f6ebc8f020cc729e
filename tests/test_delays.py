"""Long delays: a line of first values goes in, the last values come out, and chunks agree with the whole."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from tests.specimens import each_backend, same

TEXT = """
cell Echo[N](x: [N]) -> (y: [N]) {
    state h : [N] = 0.5
    h = tanh(x + 0.5 * h[t-6])
    y = h + 2 * x[t-9]
}
"""
STEPS, BATCH, N = 13, 2, 2


def echo(x: np.ndarray, h: list[np.ndarray], before: list[np.ndarray]) -> np.ndarray:
    """The cell by hand; `h` and `before` are what lies before the first step, oldest first."""
    h, line, out = list(h), [*before, *x], []
    for t in range(len(x)):
        h.append(np.tanh(x[t] + 0.5 * h[len(h) - 6]))
        out.append(h[-1] + 2 * line[len(before) + t - 9])
    return np.array(out)


@each_backend
def test_a_long_delay_reads_what_was_there(backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    x = np.random.default_rng(0).standard_normal((STEPS, BATCH, N))
    start, nothing = np.full((BATCH, N), 0.5), np.zeros((BATCH, N))
    wanted = echo(x, [start] * 6, [nothing] * 9)
    np.testing.assert_allclose(model.forward([], x).output, wanted, rtol=0, atol=1e-12)
    assert list(model.states) == ["h", *(f"h[t-{k}]" for k in range(1, 6)), "x", *(f"x[t-{k}]" for k in range(1, 9))]


@each_backend
@pytest.mark.parametrize("cuts", [[4, 9], [1] * 13, [0, 13], [10, 0, 3]])
def test_chunks_hand_a_long_line_on(cuts: list[int], backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    x = np.random.default_rng(1).standard_normal((STEPS, BATCH, N))
    whole = model.forward([], x)
    state, pieces, at = None, [], 0
    for steps in cuts:
        run = model.forward([], x[at : at + steps], state)
        state, at = run.state, at + steps
        pieces.append(run.output)
    np.testing.assert_allclose(np.concatenate(pieces), whole.output, rtol=0, atol=1e-12)
    same(state, whole.state)


@each_backend
def test_gradients_flow_through_a_long_line_and_a_cell_without_parameters_has_none(backend: str) -> None:
    model = rc.parse(TEXT).compile(backend, dtype="float64", N=N)
    rng = np.random.default_rng(2)
    x, lengths = rng.standard_normal((STEPS, BATCH, N)), [STEPS, 3]
    state = {name: rng.standard_normal((BATCH, *shape)) for name, shape in model.states.items()}
    run = model.forward([], x, state, lengths)
    u, v = rng.standard_normal(run.output.shape), {n: rng.standard_normal(s.shape) for n, s in run.state.items()}
    found = model.backward(run, u, v)
    dx, ds = rng.standard_normal(x.shape), {n: rng.standard_normal(s.shape) for n, s in state.items()}

    def total(by: float) -> float:
        moved = model.forward([], x + by * dx, {n: s + by * ds[n] for n, s in state.items()}, lengths)
        return float((u * moved.output).sum() + sum((v[n] * s).sum() for n, s in moved.state.items()))

    step = 1e-3
    slope = (8 * (total(step) - total(-step)) - (total(2 * step) - total(-2 * step))) / (12 * step)
    exact = (found.inputs["x"] * dx).sum() + sum((g * ds[n]).sum() for n, g in found.state.items())
    assert exact == pytest.approx(slope, rel=1e-7)
    assert found.params.shape == (0,)
