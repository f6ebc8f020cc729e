"""`loss ... where m`: the mean over the steps that count, in one piece and in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.training.data.sequences import Batch
from recurrency.training.loop.loop import evaluate
from tests.support.resetting import Array, close

SPEC = """
use LSTM, Linear from library

cell Weighed[N, H](x: [N], target: [1], m: []) -> (y: [1]) {
    y = Linear[1](LSTM[H](x))
    loss squared_error(y, target) where m
    loss 1e-2 * l2(y)
    loss 0.5 * absolute_error(y, target) where (m * m)
}"""


def model_of(backend: str = "numpy", **options: Any) -> Any:
    return rc.parse(SPEC).compile(backend=backend, dtype="float64", N=2, H=3, **options)


def data(seed: int = 0) -> tuple[Array, dict[str, Array], Array]:
    rng = np.random.default_rng(seed)
    m = rng.integers(0, 2, (7, 3)) * rng.uniform(0.5, 2, (7, 3))
    inputs = {"x": rng.standard_normal((7, 3, 2)), "target": rng.standard_normal((7, 3, 1)), "m": m}
    return model_of().init(seed), inputs, np.array([7, 4, 5])


def by_hand(model: Any, params: Array, inputs: dict[str, Array], lengths: Array) -> float:
    """The loss, from the outputs."""
    real = np.arange(len(inputs["x"]))[:, None] < lengths
    y = model.forward(params, inputs, lengths=lengths).output[..., 0]
    off, m = y - inputs["target"][..., 0], inputs["m"] * real
    squared, absolute = (m * off**2).sum() / m.sum(), (m**2 * abs(off)).sum() / (m**2).sum()
    return float(squared + 1e-2 * (real * y**2).sum() / real.sum() + 0.5 * absolute)


@pytest.mark.parametrize("backend", ["interpreter", "numpy"])
def test_a_loss_with_weights_is_the_mean_over_the_steps_that_count(backend: str) -> None:
    model = model_of(backend)
    params, inputs, lengths = data()
    wanted = by_hand(model, params, inputs, lengths)
    assert model.loss_kinds == ("weight:0", "steps:t", "weight:1")
    close(np.array(model.loss(params, inputs, lengths=lengths)), np.array(wanted))
    close(np.array(sum(model.losses(params, inputs, lengths=lengths).values())), np.array(wanted))
    vector = np.random.default_rng(1).standard_normal(model.size)
    ahead, behind = (by_hand(model, params + by * vector, inputs, lengths) for by in (1e-5, -1e-5))
    _, found, _ = model.loss_and_gradients(params, inputs, lengths=lengths)
    assert float(found.params @ vector) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


def test_chunks_and_parts_of_a_batch_add_up() -> None:
    model, chunked = model_of(), model_of(checkpoint=2)
    params, inputs, lengths = data()
    wanted, gradients, _ = model.loss_and_gradients(params, inputs, lengths=lengths)
    found, again, _ = chunked.loss_and_gradients(params, inputs, lengths=lengths)
    close(np.array(found), np.array(wanted))
    close(again.params, gradients.params)
    whole = Batch(inputs, lengths)
    parts = [whole.part([0]), whole.part([1, 2])]
    close(np.array(evaluate(model, params, parts)), np.array(wanted))
    shares = [model.loss_weights(part.inputs, part.lengths)["weight:0"] for part in parts]
    close(np.concatenate(shares), model.loss_weights(inputs, lengths)["weight:0"])


def test_truncated_sequences_are_weighted_by_their_steps() -> None:
    model = model_of()
    params, inputs, _ = data()
    whole = model.loss(params, inputs)
    pieces = [
        Batch({n: a[:3] for n, a in inputs.items()}),
        Batch({n: a[3:] for n, a in inputs.items()}, fresh=False),
    ]
    close(np.array(evaluate(model, params, pieces)), np.array(whole))


def test_steps_that_do_not_count_may_hold_anything_and_no_step_is_zero() -> None:
    text = "cell W(x: [], m: []) -> (y: []) {\n y = log(x)\n loss y where m\n}"
    model = rc.parse(text).compile(backend="numpy", dtype="float64")
    x, m = np.array([1.0, 0.0, np.e])[:, None], np.array([1.0, 0.0, 1.0])[:, None]
    loss, gradients, _ = model.loss_and_gradients(model.init(), {"x": x, "m": m})
    assert loss == pytest.approx(0.5)
    assert np.isfinite(gradients.inputs["x"]).all()
    assert model.loss(model.init(), {"x": x, "m": 0 * m}) == 0.0
