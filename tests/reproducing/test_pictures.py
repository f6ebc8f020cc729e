"""Curves of losses are drawn in the unit of the table, with the published numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from recurrency.reproducing.pictures import CURVES
from recurrency.reproducing.readings import Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.reproducing.values import VALUES

figure = pytest.importorskip("matplotlib.figure")

LINES = (
    {"event": "update", "step": 1, "epoch": 0, "loss": 9.0},
    {"event": "epoch", "epoch": 0, "step": 10, "train": 2.0, "valid": 1.5},
    {"event": "epoch", "epoch": 1, "step": 20, "train": 1.0, "valid": 0.75},
)


@pytest.mark.parametrize(("value", "factor"), [("test", 1.0), ("bits", 1 / math.log(2)), ("measured", 1.0)])
def test_curves_are_in_the_unit_of_the_value(value: str, factor: float) -> None:
    run = Run(Path("nowhere"), LINES)
    rows = (Shown("one", 0.5, ((0, run, None), (1, run, None))), Shown("two", "few", ((0, run, None),)))
    drawn = figure.Figure()
    CURVES.draw(Scene(VALUES[value], "nats", rows, {"log": True}), drawn)
    (axes,) = drawn.axes
    solid = [line for line in axes.lines if line.get_linestyle() == "-"]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(solid) == 3
    for line in solid:
        np.testing.assert_allclose(line.get_xdata(), [10, 20])
        np.testing.assert_allclose(line.get_ydata(), [1.5 * factor, 0.75 * factor])
    assert [line.get_ydata()[0] for line in dashed] == ([] if value == "measured" else [0.5])
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["one", "two"]
    assert axes.get_yscale() == "log"
