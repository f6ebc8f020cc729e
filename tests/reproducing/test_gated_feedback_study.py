"""The networks of Chung et al. 2015 that are compared have equal numbers of weights, at both scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import recurrency as rc
from recurrency.reproducing.plan import Case, cases
from recurrency.reproducing.studies import find
from recurrency.training.loop.processes import Processes
from recurrency.training.runs.session import Session
from tests.transcriptions import gru, lstm, simple
from tests.transcriptions.trace import Array, Arrays, Trace

WEIGHTS = {("characters", "small"): 150_000, ("characters", "paper"): 500_000}
WEIGHTS |= {("programs", "small"): 58_000, ("programs", "paper"): 200_000}


def weights(case: Case) -> int:
    experiment = case.experiment.changed({"backend": "interpreter"})
    return int(Session.of(experiment, lambda words: None, Processes()).model.size)


@pytest.mark.parametrize("scale", ["small", pytest.param("paper", marks=pytest.mark.long)])
def test_networks_that_are_compared_have_equal_numbers_of_weights(scale: str) -> None:
    found = {(case.table.name, case.row.name): weights(case) for case in cases([find("chung-2015")], scale)}
    assert len(found) == 11
    for (table, row), size in found.items():
        assert size == pytest.approx(WEIGHTS[table, scale], rel=0.04), (table, row)
        stack = row.replace("gated-feedback", "stacked").replace("gated feedback", "stacked")
        assert size <= 1.01 * found[table, stack], f"{row} has more weights than what it is compared with"
        assert size == pytest.approx(found[table, stack], rel=0.04)


def layers_by_hand(p: Arrays, x: Array, layer: Callable[[Arrays, Arrays, Array], Trace], kinds: str) -> Array:
    """Three layers, each of which reads x and the layer below; all of them side by side."""
    found: list[Array] = []
    for j in (1, 2, 3):
        own = {f"b{k}": np.zeros(3) for k in ("", *(f"_{kind}" for kind in "ifgozrc"))}
        for k in [f"_{kind}" for kind in kinds] or [""]:
            name = "_g" if k == "_c" and "i" in kinds else k
            own[f"W{name}"] = np.hstack([p[f"W{k}[{j}]"], *([p[f"V{k}[{j}]"]] if found else [])])
            own[f"U{name}"] = p[f"U{k}[{j}]"]
        found.append(layer(own, {}, np.hstack([x, *found[-1:]])).outputs["h"])
    return np.hstack(found)


@pytest.mark.parametrize(
    ("cell", "layer", "kinds"),
    [("StackedTanh", simple.elman, ""), ("StackedGRU", gru.gru_after, "zrc"), ("StackedLSTM", lstm.plain_lstm, "ifco")],
)
def test_the_networks_to_compare_with_are_layers_that_read_x_and_the_layer_below(
    cell: str, layer: Callable[[Arrays, Arrays, Array], Trace], kinds: str
) -> None:
    folder = find("chung-2015").folder
    assert folder is not None
    model = rc.load(folder / "chung-2015.rnn", cell).compile(backend="numpy", dtype="float64", N=4, H=3)
    params = model.init(0)
    x = np.random.default_rng(1).standard_normal((6, 1, 4))
    by_hand = layers_by_hand(dict(model.views(params)), x[:, 0], layer, kinds)
    np.testing.assert_allclose(np.asarray(model.forward(params, x).output)[:, 0], by_hand, rtol=0, atol=1e-13)
