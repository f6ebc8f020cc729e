"""No thread of a generated kernel reads what another one of the same launch writes.

Forwards, a thread sees what those before it have written; backwards, what those behind it have: the bits are the same.
"""

from __future__ import annotations

import numpy as np
import pytest
from recurrency.backends import _emulated_compiler as compiler
from recurrency.backends._emulated_cupy import StandIn

from recurrency import library
from tests.emulating import results

pytestmark = pytest.mark.skipif(compiler.obstacle() is not None, reason=f"cupy-emulated: {compiler.obstacle()}")


@pytest.mark.parametrize("plan", ["step", "gemm"])
@pytest.mark.parametrize("name", library.names())
def test_the_order_of_threads_changes_nothing(name: str, plan: str) -> None:
    forwards, backwards = (results(name, StandIn(order), plan) for order in ("forward", "reversed"))
    for root, array in forwards.items():
        np.testing.assert_array_equal(backwards[root], array, err_msg=root)
