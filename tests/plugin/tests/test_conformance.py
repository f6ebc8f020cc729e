"""The test suite of a third party's backend: one class, and what is its own affair."""

from __future__ import annotations

import recurrency_jax

from recurrency import backend
from recurrency.testing import differences
from recurrency.testing.cells import cell
from recurrency.testing.conformance import BackendConformance, case_of


class TestJax(BackendConformance):
    """Operation by operation: to compile all these small programs would take minutes."""

    backend = recurrency_jax.JaxBackend(jit=False)
    cells = ("whole sequences", "later steps", "both ways", "random")
    examples = 2


def test_it_is_found_by_its_name() -> None:
    assert backend.find("jax") is recurrency_jax.backend
    assert backend.describe()["jax"] is None


def test_compiled_loops_compute_the_same() -> None:
    case = case_of("delay lines", "float32", batch=3, lengths={"t": (5, 1, 0)}, state=True)
    assert not differences(cell("delay lines"), case, "jax", ["forward", "backward"])
