"""On a real device: what the stand-in has shown on a processor holds there too, and what only a device can show.

All of it is skipped where there is none. `docs/gpu-runs.md` says how to run it, and what came of it where.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurrency import backend, library
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.dimensions import dimension_sets

DEVICE = "cupy"
REASON = backend.describe(emulated=True).get(DEVICE, "no such backend")

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=f"{DEVICE}: {REASON}")]

CELLS = library.names()
KINDS = ("forward", "backward", "loss_gradients")


def case_of(name: str, dtype: str, **options: Any) -> Case:
    """A call of a shipped cell with odd sizes, all of them different."""
    spec = library.spec(name)
    sizes = dimension_sets(spec, 2)[-1]
    clocks = sorted(spec.compile(**sizes).clocks)
    return Case(sizes, {clock: 7 - k for k, clock in enumerate(clocks)}, 5, dtype=dtype, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CELLS)
def test_a_shipped_cell_computes_what_the_interpreter_does(name: str, dtype: str) -> None:
    assert [str(d) for d in differences(library.spec(name), case_of(name, dtype), DEVICE, KINDS)] == []


@pytest.mark.parametrize("name", CELLS)
def test_sequences_of_several_lengths_and_first_states_are_right(name: str) -> None:
    case = case_of(name, "float32", state=True, seed=1)
    lengths = {clock: tuple(max(0, steps - b) for b in range(case.batch)) for clock, steps in case.steps.items()}
    case = Case(case.dimensions, case.steps, case.batch, lengths, "float32", state=True)
    assert [str(d) for d in differences(library.spec(name), case, DEVICE, KINDS)] == []


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_results_are_the_same_every_time(name: str) -> None:
    model, params, x, dy = large(name)
    first, second = (model.backward(model.forward(params, x), dy) for _ in range(2))
    np.testing.assert_array_equal(first.params, second.params)


def large(name: str) -> tuple[Any, Any, Any, Any]:
    """A model of many blocks, its parameters, input and output gradient."""
    model = library.spec(name).compile(backend=DEVICE, N=67, H=259)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((33, 65, n)).astype("f4") for n in (67, 259))
    return model, model.init(0), x, dy
