"""The small cells of `recurrency.testing`, random data for them, and all backends as parameters of a test."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from recurrency import backend
from recurrency.testing.cells import CELLS, cell

Array = np.ndarray[Any, Any]
STEPS = {"t": 5, "s": 4}
BATCH = 3
LENGTHS = {"t": np.array([3, 5, 0]), "s": np.array([4, 1, 2])}
EXACT: dict[str, float] = {"rtol": 1e-12, "atol": 1e-12}

BACKENDS = [
    pytest.param(name, marks=[pytest.mark.skip(reason=f"{name}: {reason}")] if reason else [])
    for name, reason in backend.describe(emulated=True).items()
]
each_backend = pytest.mark.parametrize("backend", [p for p in BACKENDS if p.values[0] not in ("onnx",)])
"""The backends that compute gradients."""


SPECIMENS = {name: CELLS[name] for name in CELLS if name not in ("functions", "comparisons", "arrangements")}
"""Those three combine functions; the rest differ in how they use time."""
CAUSAL = [name for name in SPECIMENS if name not in ("whole sequences", "later steps", "both ways", "two clocks")]
"""Those that can be cut into chunks and stepped."""
each_specimen = pytest.mark.parametrize("name", SPECIMENS)
each_causal = pytest.mark.parametrize("name", CAUSAL)


@cache
def compiled(name: str, backend: str, dtype: str = "float64", batch_first: bool = False) -> Any:
    """A specimen, compiled once."""
    return cell(name).compile(backend=backend, dtype=dtype, batch_first=batch_first, **SPECIMENS[name].dimensions)


def params_of(model: Any, seed: int = 1) -> Array:
    """All parameters at random, also those that would start as zero."""
    rng = np.random.default_rng(seed)
    return model.pack({name: 0.6 * rng.standard_normal(p.shape) for name, p in model.parameters.items()})


def inputs_of(model: Any, seed: int = 0, steps: dict[str, int] | None = None, batch: int = BATCH) -> dict[str, Array]:
    """Random inputs, time first."""
    rng = np.random.default_rng(seed)
    steps = STEPS if steps is None else steps
    out = {}
    for name, port in model.inputs.items():
        shape = (steps[port.clock], batch, *port.shape)
        out[name] = rng.standard_normal(shape) if port.index is None else rng.integers(0, port.index, shape)
    return out


def lengths_of(model: Any) -> dict[str, Array]:
    """Lengths of the sequences on the clocks of a model, one of them none."""
    return {clock: LENGTHS[clock] for clock in {p.clock for p in model.inputs.values()}}


def same(found: Any, wanted: Any, **tolerance: float) -> None:
    """Hold two dicts of arrays against one another."""
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, **(tolerance or EXACT), err_msg=name)
