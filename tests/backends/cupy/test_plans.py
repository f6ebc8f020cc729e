"""Every way to run a loop over time gives the interpreter's numbers, for every shipped cell, in float64 and float32."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from recurrency.backend import describe
from recurrency.model.model import Model
from tests.support import cells
from tests.support.usual import diagonal, some
from tests.transcriptions import CASES, Case

REASON = describe(emulated=True).get("cupy-emulated", "not installed")
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")

PLANS = ("loop", "step", "split")
"""Ways to run a loop; where there is none of this name, it is `gemm`."""


@cache
def compiled(cell: str, plan: str | None, dtype: str = "float64") -> Any:
    """A shipped cell on the emulated device, its loops run in one way."""
    from recurrency.backends.cupy.emulated.backend import EmulatedBackend, stand_in

    spec = cells.spec_of(cell)
    backend = EmulatedBackend(name="cupy-emulated", load=stand_in, plan=plan)
    return Model(spec, spec.elaborate(**cells.CASE[cell].dimensions), backend, dtype)


def close(found: Any, wanted: Any, dtype: str) -> None:
    """Equal up to what rounding does in sums of a few dozen terms over a few steps."""
    size = float(np.max(np.abs(wanted), initial=1.0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=size * {"float64": 1e-12, "float32": 2e-5}[dtype])


def agrees(case: Case, plan: str | None, dtype: str, ragged: bool) -> None:
    """Hold outputs, final states and all gradients against the interpreter's."""
    model, oracle = compiled(case.cell, plan, dtype), cells.compiled(case.cell, "interpreter")
    data = cells.random_data(case, model, case.handed and bool(model.states), ragged)
    runs = [m.forward(data.params, data.inputs, **data.keywords) for m in (model, oracle)]
    rng = np.random.default_rng(2)
    weights = {n: rng.standard_normal(y.shape) for n, y in runs[1].outputs.items() if y.dtype.kind == "f"}
    last = {n: rng.standard_normal(s.shape) for n, s in runs[1].state.items() if s.dtype.kind == "f"}
    found, wanted = (m.backward(r, weights, last) for m, r in zip((model, oracle), runs, strict=True))
    for name, array in {**runs[1].outputs, **runs[1].state}.items():
        close({**runs[0].outputs, **runs[0].state}[name], array, dtype)
    close(found.params, wanted.params, dtype)
    for name, array in {**wanted.inputs, **wanted.state}.items():
        close({**found.inputs, **found.state}[name], array, dtype)


@pytest.mark.parametrize(("case", "plan"), diagonal(CASES, PLANS, 2))
def test_every_plan_gives_the_interpreters_numbers(case: Case, plan: str | None) -> None:
    agrees(case, plan, "float64", ragged=False)
    agrees(case, plan, "float64", ragged=True)


@pytest.mark.parametrize("case", some(CASES, 4))
def test_float32_is_as_near_as_rounding_lets_it_be(case: Case) -> None:
    agrees(case, None, "float32", ragged=True)
