"""A model of real numbers goes on from the end of its data: as the equations say, one step after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.predicting.data import from_arrays
from recurrency.predicting.forecasting import feed_of, forecast

A = np.array([[0.6, -0.5], [0.4, 0.9]])
ROTATES = """
cell Rotates(x: [2], target: [2]) -> (y: [2]) {
    param A : [2, 2] ~ zeros
    y = A @ x
    loss squared_error(y, target)
}
"""
ROTATES_BEFORE = """
cell RotatesBefore(x: [2]) -> (twice: [2], y: [2]) {
    param A : [2, 2] ~ zeros
    y = A @ x[t-1]
    twice = 2 * y
    loss squared_error(y, x)
}
"""
BOTH = """
cell Both(u: [], v: []) -> (next_u: [], now_v: []) {
    next_u = 0.5 * u + v
    now_v  = u - 2 * v[t-1]
    loss squared_error(now_v, v)
}
"""


def compiled(text: str) -> tuple[Any, Any]:
    model = rc.parse(text).compile(backend="numpy", dtype="float64")
    return model, model.pack(dict.fromkeys(model.parameters, A))


def ahead(text: str, data: Any, steps: int, feed: Any = None) -> Any:
    model, params = compiled(text)
    return forecast(model, params, from_arrays(data, model, model.reads("output")), steps, feed_of(model, feed), 0)


RAGGED = [np.random.default_rng(0).standard_normal((steps, 2)) for steps in (4, 1, 7)]


@pytest.mark.parametrize("text", [ROTATES, ROTATES_BEFORE], ids=["reads-now", "reads-before"])
def test_a_linear_map_is_applied_again_and_again(text: str) -> None:
    """Both kinds of models say the same of the same steps."""
    found = ahead(text, RAGGED, 5)
    assert found.first.tolist() == [4, 1, 7]
    assert list(found.values) == ["y"]
    for x, y in zip(RAGGED, found["y"], strict=True):
        wanted = [np.linalg.matrix_power(A, k) @ x[-1] for k in range(1, 6)]
        np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-14)


def test_a_forecast_is_the_run_over_data_with_its_own_outputs() -> None:
    """A recurrent network, step by step against one run over the whole."""
    model = rc.library.spec("FrameRegressor").compile(N=2, K=2, H=3, backend="numpy", dtype="float64")
    params = 3 * model.init(seed=1)
    x = RAGGED[0]
    found = forecast(model, params, from_arrays([x], model, ["x"]), 6, {"y": "x"}, 0)["y"][0]
    whole = np.concatenate([x, found])[:, None]
    y = model.forward(params, {"x": whole}).output[:, 0]
    np.testing.assert_allclose(found, y[len(x) - 1 : -1], rtol=1e-10)


def test_outputs_of_this_step_and_of_the_next_feed_together() -> None:
    u, v = np.array([0.3, -0.2, 0.7]), np.array([1.0, 0.5, -0.4])
    found = ahead(BOTH, {"u": u[None], "v": v[None]}, 3, {"next_u": "u", "now_v": "v"})
    before = (u[-1], v[-1])
    for step in range(3):
        now_u = 0.5 * before[0] + before[1]
        now_v = now_u - 2 * before[1]
        assert found["next_u"][0][step] == pytest.approx(now_u, rel=1e-12)
        assert found["now_v"][0][step] == pytest.approx(now_v, rel=1e-12)
        before = (now_u, now_v)


def test_outputs_that_wait_for_one_another_are_refused() -> None:
    with pytest.raises(UsageError, match="Crossed can't forecast: y, w read the inputs of one another"):
        ahead(CROSSED, {"u": [[1.0]], "v": [[1.0]]}, 2)


def test_the_feed_is_found_where_there_is_no_doubt() -> None:
    assert feed_of(compiled(ROTATES)[0]) == {"y": "x"}, "the only output of that shape"
    assert feed_of(compiled(ROTATES_BEFORE)[0]) == {"y": "x"}, "the loss compares these"


SYMBOLS = "cell S(x: index[4]) -> (z: [4]) { z = onehot(x)\n loss cross_entropy(z, x[t-1]) }"
LATER = "cell S(x: [2]) -> (y: [2]) { y = x[t+1]\n loss squared_error(y, x) }"
SIZES = "cell S(x: [2]) -> (y: [3], z: [2], w: [2]) { y = concat(x, 1)\n z = x\n w = 2 * x }"


AUTO = "cell S(x: [2]) -> (y: [2]) { y = 0.5 * x\n loss squared_error(y, x) }"
CROSSED = """
cell Crossed(u: [], v: []) -> (y: [], w: []) {
    y = 2 * v
    w = 3 * u
    loss squared_error(y, u)
    loss squared_error(w, v)
}
"""
COUPLED = """
cell Coupled(u: [], v: [], target: []) -> (y: [], w: []) {
    y = 2 * v
    w = 3 * u + v
    loss squared_error(y + w, target)
}
"""


def test_what_the_loss_does_not_say_is_a_forecast_of_the_next_step() -> None:
    """y reads v alone; yet its input u is read at the same step, so both outputs are of the next one."""
    found = ahead(COUPLED, {"u": [[1.0]], "v": [[1.0]]}, 2, {"y": "u", "w": "v"})
    assert (found["y"][0].tolist(), found["w"][0].tolist()) == ([2.0, 8.0], [4.0, 10.0])


@pytest.mark.parametrize(
    ("text", "feed", "words"),
    [
        (
            BOTH,
            None,
            r"say which output feeds which input with --feed OUTPUT=INPUT: the outputs are next_u \[\], now_v",
        ),
        (
            BOTH,
            {"now_v": "v"},
            "a forecast needs an output for each input, and u has none: name it with --feed OUTPUT=u",
        ),
        (BOTH, {"now_v": "v", "next_u": "v"}, "two outputs feed one input"),
        (SIZES, {"y": "x"}, r"the output y is \[3\], the input x is \[2\]"),
        (SIZES, {"yy": "x"}, r"S has no output yy; it has y, z, w; did you mean y\?"),
        (SIZES, {"z": "u"}, "S has no input u; it has x"),
        (SYMBOLS, None, "its outputs z are no numbers but symbols or scores; `recurrency generate` draws from these"),
        (SYMBOLS, {"z": "x"}, "these are symbols or scores, and not real numbers"),
        (AUTO, None, r"say which output feeds which input with --feed OUTPUT=INPUT: the outputs are y \[2\]"),
        (LATER, None, "S can't forecast: line 1 of <text> reads later steps"),
    ],
)
def test_a_feed_that_is_not_known_is_asked_for(text: str, feed: Any, words: str) -> None:
    model = rc.parse(text).compile(backend="numpy", dtype="float64")
    with pytest.raises(UsageError, match=words):
        feed_of(model, feed)


def test_a_run_forecasts_from_its_folder(tmp_path: Path) -> None:
    from tests.support.predicting import trained, with_weights

    np.savez(tmp_path / "my.npz", x=np.ones((9, 4, 2)), target=np.ones((9, 4, 2)))
    folder = trained(tmp_path / "a", ROTATES, tmp_path / "my.npz")
    with_weights(folder, A=A)
    found = rc.load_run(folder).forecast(RAGGED, 2)
    np.testing.assert_allclose(found["y"][2], [A @ RAGGED[2][-1], A @ A @ RAGGED[2][-1]], rtol=1e-12)
    with pytest.raises(UsageError, match="a forecast has at least one step, not 0"):
        rc.load_run(folder).forecast(RAGGED, 0)
