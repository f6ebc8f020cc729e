"""Runs generated modules on a stand-in of the test's own."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import recurrency as rc
from recurrency import backend
from recurrency.model.model import Model
from recurrency.testing.dimensions import dimension_sets
from tests.support import specimens


@cache
def spec_of(cell: str) -> tuple[Any, dict[str, Any]]:
    """A shipped cell by name, or a text, with small dimensions that all differ."""
    if "{" in cell:
        return rc.parse(cell, cell=cell.split("[")[0].split()[-1]), {"N": 2, "H": 3, "V": 4}
    spec = rc.library.spec(cell)
    return spec, dimension_sets(spec, 2)[-1]


@cache
def elaborated(cell: str) -> Any:
    """The cell with its dimensions, kept so that all its models share their graphs."""
    spec, sizes = spec_of(cell)
    known = {name.name for name in spec.cell.dimensions}
    return spec.elaborate(**{name: size for name, size in sizes.items() if name in known})


def compiled(cell: str, xp: Any, plan: str | None = None, dtype: str = "float64") -> Model:
    """A cell for one stand-in, with one plan."""
    emulated: Any = backend.find("cupy-emulated")
    return Model(spec_of(cell)[0], elaborated(cell), type(emulated)("cupy-emulated", lambda: xp, plan), dtype)


def results(cell: str, xp: Any, plan: str | None = None, dtype: str = "float64") -> dict[str, Any]:
    """What a cell computes on one stand-in, with one plan."""
    return results_of(compiled(cell, xp, plan, dtype))


def results_of(model: Model) -> dict[str, Any]:
    """Outputs, final states and gradients, in training, of sequences of several lengths."""
    params, x = specimens.params_of(model).astype(model.dtype), specimens.inputs_of(model)
    run = model.forward(params, x, lengths=specimens.lengths_of(model), training=True, seed=3)
    rng = np.random.default_rng(0)
    real = {name: a for name, a in run.outputs.items() if a.dtype.kind == "f"}
    back = model.backward(run, {name: rng.standard_normal(a.shape) for name, a in real.items()})
    gradients = {f"gradient:{name}": a for name, a in (*back.inputs.items(), *back.state.items())}
    return {**real, **run.state, **gradients, "gradient": back.params}
