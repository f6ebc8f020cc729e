"""No two threads of a launch race for memory: a thread of the processor for each CUDA thread, under ThreadSanitizer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.stand_in import StandIn

from tests.support import threaded
from tests.support.emulating import results

MISSING = compiler.obstacle() or threaded.obstacle()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"no races looked for: {MISSING}")

CELLS = ("LSTM", "GRU", "LayerNormLSTM", "SLSTM")


def reports(
    cell: str, plan: str, fault: tuple[str, str] | None = None, every: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """What a cell computes with a thread for each CUDA thread, and what ThreadSanitizer says of each kernel text.

    `fault` is a pattern of texts in the kernels, and what stands in their place.
    """
    made = []

    def compiled(code: str) -> threaded.Threaded:
        made.append(threaded.Threaded(re.sub(*fault, code) if fault else code, every))
        return made[-1]

    try:
        found = results(cell, StandIn(compiled=compiled), plan)
    finally:
        said = [library.said() for library in made]
    return found, [text for text in said if text]


def test_no_threads_race_for_memory() -> None:
    """Only kernels with barriers have a thread for each CUDA thread here, since threads take long to start."""
    agrees("LSTM", "split", every=False)


@pytest.mark.long
@pytest.mark.parametrize("plan", ["split", "step"])
@pytest.mark.parametrize("cell", CELLS)
def test_no_threads_of_any_kernel_race_for_memory(cell: str, plan: str) -> None:
    agrees(cell, plan, every=True)


def agrees(cell: str, plan: str, every: bool) -> None:
    """No race is reported, and the numbers are those of threads that run in turn."""
    found, said = reports(cell, plan, every=every)
    assert not said, said[0][:2000]
    want = results(cell, StandIn(), plan)
    for root, array in want.items():
        np.testing.assert_allclose(found[root], array, rtol=1e-12, atol=1e-13, err_msg=root)


FAULTS = {
    "no barrier": (r"__syncthreads\(\);", ""),
    "a block reads what another one writes": (r"\bh_\[tb \*", "h_[(tb + B) *"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_race_is_found(fault: str) -> None:
    _, said = reports("LSTM", "split", FAULTS[fault])
    assert said
    assert "data race" in said[0]
