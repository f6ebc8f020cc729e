"""No thread of a generated kernel reads what another one of the same launch writes.

Forwards, a thread sees what those before it have written; backwards, what those behind it have: the bits are the same.
"""

from __future__ import annotations

import numpy as np
import pytest
from recurrency.backends.cupy.emulated import compiler
from recurrency.backends.cupy.emulated.stand_in import StandIn

from recurrency import library
from tests.support.emulating import compiled, results_of
from tests.support.usual import diagonal

pytestmark = pytest.mark.skipif(compiler.obstacle() is not None, reason=f"cupy-emulated: {compiler.obstacle()}")


@pytest.mark.parametrize(("name", "plan"), diagonal(library.names(), ["step", "split", "gemm"], every=2))
def test_the_order_of_threads_changes_nothing(name: str, plan: str) -> None:
    device = StandIn()
    model = compiled(name, device, plan)
    forwards = results_of(model)
    device.turn("reversed")
    backwards = results_of(model)
    for root, array in forwards.items():
        np.testing.assert_array_equal(backwards[root], array, err_msg=root)
