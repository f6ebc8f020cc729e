"""Our own backends pass the suite that is there for others'; and it uses every operation."""

from __future__ import annotations

from typing import Any

import pytest

from recurrency.backend import describe
from recurrency.graph.ops import OPS
from recurrency.passes import derivatives
from recurrency.testing.cells import CELLS, cell
from recurrency.testing.conformance import BackendConformance
from tests.support.specimens import each_backend

MADE_BY_PASSES = {"log1p", "valid"}

SHARES = {
    "c": ("matrix state",),
    "numpy": ("functions", "two clocks"),
    "torch": ("symbols", "random"),
    "interpreter": ("both ways",),
    "cupy-emulated": ("matrix state",),
}
"""All backends run the specimens of the other tests; here each has a share of the cells, to save time."""


def suite(name: str, reason: str | None) -> Any:
    """The suite of a backend, skipped by name where it can't run."""
    share = {"backend": name, "cells": SHARES.get(name, ("random",)), "examples": 2}
    found = type("TestBackend", (BackendConformance,), share)
    return pytest.mark.skipif(reason is not None, reason=f"{name}: {reason}")(found)


for _name, _reason in describe(emulated=True).items():
    globals()[f"Test{_name.title().replace('-', '')}"] = suite(_name, _reason)


def test_the_cells_of_the_suite_use_every_operation() -> None:
    used: set[str] = set()
    for name, small in CELLS.items():
        graph = cell(name).elaborate(**small.dimensions).graph
        first, second = derivatives.loss_gradients(graph), derivatives.hessian_product(graph)
        for one in (graph, derivatives.backward(graph), first, second):
            used |= {one[id].op.name for id in one}
    assert used == set(OPS) - MADE_BY_PASSES


@each_backend
def test_results_that_are_equal_or_parts_of_one_another_share_no_memory(backend: str) -> None:
    suite = type("Suite", (BackendConformance,), {"backend": backend})()
    suite.test_no_two_results_share_memory("arrangements")
