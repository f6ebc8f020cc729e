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

NORMED = """
cell Normed[K = 40](x: [K]) -> (h: [K]) {
    param U, V : [K, K] ~ glorot_uniform
    state h : [K] = 0
    a = layer_norm(U @ h[t-1] + x)
    b = softmax(V @ h[t-1])
    h = a * sum(b * a) + b * max(abs(a)) + tanh(x) * mean(b)
}
"""
"""Sums and peaks between products, whose terms two warps share; some of them wait for others, some do not."""

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
def test_no_threads_race_for_the_sums_between_products() -> None:
    agrees(NORMED, "split", every=False)


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
    "no barrier": ("LSTM", r"__syncthreads\(\);", ""),
    "a block reads what another one writes": ("LSTM", r"\bh_\[tb \*", "h_[(tb + B) *"),
    "no barrier in a sum": (NORMED, r"(\] = total_\w*;\n    \}\n    )__syncthreads\(\);", r"\1"),
    "each sum is in the memory of the last one": (NORMED, r"sums\[32 ", "sums[0 "),
}


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if cell == "LSTM" else pytest.mark.long) for name, (cell, *_) in FAULTS.items()],
)
def test_a_planted_race_is_found(fault: str) -> None:
    cell, *changed = FAULTS[fault]
    _, said = reports(cell, "split", (changed[0], changed[1]))
    assert said
    assert "data race" in said[0]
