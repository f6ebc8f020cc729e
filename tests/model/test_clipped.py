"""A cell that clips the gradients of its pre-activations."""

from __future__ import annotations

from typing import Any

import numpy as np

import recurrency as rc

LOSS = """
use ClippedLSTM from library

cell Sum[H, clip = 10.0](x: [2]) -> (y: [H]) {
    y = ClippedLSTM[H, clip = clip](x)
    loss sum(last(y)) * 100
}
"""


def gradients(clip: float) -> Any:
    """By name, over seven steps of one sequence, at the same parameters."""
    model = rc.parse(LOSS).compile(dtype="float64", H=3, clip=clip)
    _, found, _ = model.loss_and_gradients(model.init(seed=0), np.random.default_rng(0).standard_normal((7, 1, 2)))
    return model.views(found.params)


def test_a_bias_gets_no_more_than_the_bound_from_each_step() -> None:
    free, narrow = gradients(1e9), gradients(0.5)
    for name in ("y.b_i", "y.b_f", "y.b_g", "y.b_o"):
        assert abs(narrow[name]).max() <= 7 * 0.5
    assert abs(free["y.b_g"]).max() > 7 * 0.5
    np.testing.assert_allclose(gradients(1e6)["y.b_g"], free["y.b_g"], rtol=1e-12)
