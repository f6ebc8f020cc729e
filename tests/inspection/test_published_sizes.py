"""Sizes that papers compare: what a text leaves open (biases, connections not drawn), its sums often settle."""

from __future__ import annotations

import pytest

import recurrency as rc

SYMBOLS = 205
SINGLE = {
    "GatedFeedbackLSTM": 4 * (SYMBOLS + 456) * 456 + 456 * SYMBOLS,
    "GatedFeedbackGRU": 3 * (SYMBOLS + 540) * 540 + 540 * SYMBOLS,
}
"""The one layer of 456 LSTM or 540 GRU units, without biases, and the softmax on it (Chung et al. 2015)."""


@pytest.mark.parametrize(("cell", "units"), [("GatedFeedbackLSTM", 140), ("GatedFeedbackGRU", 165)])
def test_gated_feedback_has_as_many_weights_as_the_layer_it_is_compared_with(cell: str, units: int) -> None:
    """Within a hundredth; without connections from x to every layer, or with own-layer gates, far less."""
    model = rc.library.spec(cell).compile(backend="interpreter", N=SYMBOLS, H=units, L=3)
    assert model.size + 3 * units * SYMBOLS == pytest.approx(SINGLE[cell], rel=0.01)
