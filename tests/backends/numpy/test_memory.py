"""The NumPy backend never reads memory before it has written it: fresh buffers full of NaN change nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.model.model import Model
from recurrency.program.schedule import PIECES
from recurrency.testing.cells import cell
from tests.support import specimens

REAL_EMPTY = np.empty


def poisoned(shape: Any, dtype: Any = float, **rest: Any) -> Any:
    """An array like `np.empty` gives, with something in it that nobody can miss."""
    array = REAL_EMPTY(shape, dtype, **rest)
    array[...] = np.nan if array.dtype.kind == "f" else -9
    return array


@cache
def elaborated_of(name: str) -> Any:
    """What a specimen is elaborated to, once, so that all its models share their graphs."""
    return cell(name).elaborate(**specimens.SPECIMENS[name].dimensions)


@pytest.mark.parametrize("off", ["", *sorted(PIECES), "pack", "cse", "reassociate", "keep"])
@pytest.mark.parametrize("name", list(specimens.SPECIMENS))
def test_memory_is_written_before_it_is_read(name: str, off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elaborated = elaborated_of(name)
    model = Model(cell(name), elaborated, rc.backend.find("numpy"), "float64", without=[off] * bool(off))
    params, inputs = specimens.params_of(model), specimens.inputs_of(model)
    monkeypatch.setattr(np, "empty", poisoned)
    run = model.forward(params, inputs)
    seeds = {n: np.ones_like(y) for n, y in run.outputs.items() if y.dtype.kind == "f"}
    found = [*run.outputs.values(), *run.state.values(), model.backward(run, seeds).params]
    found += [model.vjp(params, inputs, seeds).params]
    if model.has_loss:
        found += [model.loss_and_gradients(params, inputs)[1].params, model.hvp(params, inputs, np.ones(model.size))]
    assert all(np.isfinite(array).all() for array in found)
