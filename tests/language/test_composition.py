"""Cells that take any cell: what they compute is what the cell that is handed over computes, at each of its places."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.cells import CASE, random_data, random_params

STEPS, BATCH = 6, 3
CELLS = ["Elman", "PlainLSTM", "GRU", "MinGRU", "IndRNN", "Linear"]
"""With one state, with two, with diagonal recurrences, and without a state."""
Alone = Callable[[str, Any], Any]
"""What the cell alone makes of an input, with the parameters of one place."""

COMPOSED: dict[str, tuple[dict[str, int], Callable[[Alone, Any], Any]]] = {
    "Stacked": (
        {"N": 4, "H": 5, "L": 3},
        lambda alone, x: reduce(lambda y, name: alone(name, y), ("h[1]", "h[2]", "h[3]"), x),
    ),
    "StackedSkip": (
        {"N": 4, "H": 5, "L": 2},
        lambda alone, x: np.concatenate([h := alone("h[1]", x), alone("h[2]", np.concatenate([x, h], axis=2))], axis=2),
    ),
    "Residual": (
        {"N": 4, "L": 2},
        lambda alone, x: reduce(lambda y, name: y + alone(name, y), ("out[1].Cell", "out[2].Cell"), x),
    ),
    "Bidirectional": (
        {"N": 4, "H": 5},
        lambda alone, x: np.concatenate([alone("fwd", x), alone("bwd.Cell", x[::-1])[::-1]], axis=2),
    ),
}


def with_parameters(cell: str, p: dict[str, Any], sizes: dict[str, int]) -> Alone:
    """The cell by itself; `p` are the parameters of the network that uses it."""

    def alone(place: str, x: Any) -> Any:
        units = {"K" if cell == "Linear" else "H": sizes.get("H", sizes["N"])}
        model = rc.library.spec(cell).compile(dtype="float64", N=x.shape[2], **units)
        return model.forward(model.pack({name: p[f"{place}.{name}"] for name in model.parameters}), x).output

    return alone


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("network", COMPOSED)
def test_a_network_of_any_cell_is_that_cell_at_each_of_its_places(network: str, cell: str) -> None:
    sizes, wanted = COMPOSED[network]
    model = rc.library.spec(network).compile(dtype="float64", Cell=cell, **sizes)
    rng = np.random.default_rng(0)
    params, x = random_params(model, rng), rng.standard_normal((STEPS, BATCH, sizes["N"]))
    alone = with_parameters(cell, model.views(params), sizes)
    np.testing.assert_allclose(model.forward(params, x).output, wanted(alone, x), rtol=1e-12, atol=1e-12)


def test_networks_are_handed_over_with_entries_of_their_own() -> None:
    text = """
    use Bidirectional, GRU, Stacked from library
    cell Deep[N, H](x: [N]) -> (y: [2 * H]) { y = Bidirectional[H, Cell = Stacked[L = 3, Cell = GRU]](x) }
    """
    names = set(rc.parse(text).compile(N=4, H=5).states)
    assert names == {f"y.{side}.h[{layer}].h" for side in ("fwd", "bwd.Cell") for layer in (1, 2, 3)}


TAKES = [name for name in CASE if any(d.name == "Cell" for d in rc.library.spec(name).cell.dimensions)]


def with_loss(name: str) -> bool:
    """Whether a shipped cell has a loss."""
    return "loss" in rc.library.spec(name).elaborate(**CASE[name].dimensions).graph.roots


def trained(network: str, cell: str, steps: int = 30) -> list[float]:
    """The losses of a few steps down the gradient, from the first weights."""
    case = CASE[network]
    model = rc.library.spec(network).compile(dtype="float64", **{**case.dimensions, "Cell": cell})
    data, params, losses = random_data(case, model, ragged=True), model.init(0), []
    for _ in range(steps):
        loss, gradients, _ = model.loss_and_gradients(params, data.inputs, **data.keywords)
        losses.append(float(loss))
        params -= 0.05 * gradients.params / max(1.0, float(np.linalg.norm(gradients.params)))
    return losses


@pytest.mark.parametrize("cell", ["GRU", "Elman"])
@pytest.mark.parametrize("network", [name for name in TAKES if name not in COMPOSED and with_loss(name)])
def test_a_network_for_a_task_learns_with_any_cell(network: str, cell: str) -> None:
    losses = trained(network, cell)
    assert losses == sorted(losses, reverse=True)


# ------------------------------------------------------------------------------------------------------------- dropout


def through(cell: str, training: bool, **sizes: Any) -> Any:
    """Ones that go through a network of layers that change nothing."""
    model = rc.library.spec(cell).compile(dtype="float64", Cell="Linear", p=0.5, **sizes)
    ones = {n: np.eye(*p.shape) if len(p.shape) == 2 else np.zeros(p.shape) for n, p in model.parameters.items()}
    symbols = np.zeros((200, 4), np.int64)
    x = {"x": np.ones((200, 4, 6))} if cell == "Stacked" else {"x": symbols, "target": symbols}
    y = model.forward(model.pack(ones), x, training=training).output
    return y if cell == "Stacked" else y[:, :, 0]


@pytest.mark.parametrize(
    ("cell", "sizes", "times"),
    [("Stacked", {"N": 6, "H": 6, "L": 2}, 2), ("LanguageModel", {"V": 6, "H": 6, "L": 2}, 3)],
)
def test_what_goes_up_passes_dropout_once_before_each_layer_and_before_the_answer(
    cell: str, sizes: dict[str, Any], times: int
) -> None:
    y = through(cell, True, **sizes)
    assert set(np.unique(y)) == {0.0, 2.0**times}
    kept, likely = np.mean(y > 0), 0.5**times
    assert abs(kept - likely) < 6 * np.sqrt(likely * (1 - likely) / y.size)
    assert len(np.unique(y > 0, axis=0)) > 4
    np.testing.assert_array_equal(through(cell, False, **sizes), 1.0)
