"""The NumPy backend never reads memory before it has written it: fresh buffers full of NaN change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests import specimens

REAL_EMPTY = np.empty


def poisoned(shape: Any, dtype: Any = float, **rest: Any) -> Any:
    """An array like `np.empty` gives, with something in it that nobody can miss."""
    array = REAL_EMPTY(shape, dtype, **rest)
    array[...] = np.nan if array.dtype.kind == "f" else -9
    return array


@pytest.mark.parametrize("off", ["", "fuse", "reuse", "sums", "in-place concat", "pack", "cse", "reassociate", "keep"])
@pytest.mark.parametrize("name", list(specimens.SPECIMENS))
def test_memory_is_written_before_it_is_read(name: str, off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    specimen = specimens.SPECIMENS[name]
    cell = specimen.text.split("[")[0].split()[-1]
    spec = rc.parse(specimen.text, name=name, cell=cell)
    model = spec.compile("numpy", dtype="float64", without=[off] * bool(off), **specimen.dimensions)
    params, inputs = specimens.params_of(model), specimens.inputs_of(model)
    monkeypatch.setattr(np, "empty", poisoned)
    run = model.forward(params, inputs)
    seeds = {n: np.ones_like(y) for n, y in run.outputs.items() if y.dtype.kind == "f"}
    found = [*run.outputs.values(), *run.state.values(), model.backward(run, seeds).params]
    found += [model.vjp(params, inputs, seeds).params]
    if model.has_loss:
        found += [model.loss_and_gradients(params, inputs)[1].params, model.hvp(params, inputs, np.ones(model.size))]
    assert all(np.isfinite(array).all() for array in found)
