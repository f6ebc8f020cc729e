"""The test suite of a third party's backend: one class, and what is its own affair."""

from __future__ import annotations

import pytest
import recurrency_jax

from recurrency import backend
from recurrency.testing import differences
from recurrency.testing.cells import cell
from recurrency.testing.conformance import BackendConformance, case_of


class TestJax(BackendConformance):
    """Operation by operation and some of the cells: to compile all these small programs would take minutes."""

    backend = recurrency_jax.JaxBackend(jit=False)
    cells = ("later steps",)
    dtypes = ("float64",)
    examples = 2


def test_it_is_found_by_its_name() -> None:
    assert backend.find("jax") is recurrency_jax.backend
    assert backend.describe()["jax"] is None


@pytest.mark.parametrize("name", ["delay lines", "random", "both ways"])
def test_compiled_loops_compute_the_same(name: str) -> None:
    lengths = {"t": (5, 1, 0), "s": (2, 4, 1)}
    case = case_of(name, "float32", batch=3, lengths=lengths, state=True, training=name == "random")
    assert not differences(cell(name), case, "jax", ["forward", "backward"])
