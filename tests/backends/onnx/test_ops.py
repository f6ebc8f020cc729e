"""Every operation has a row or a reason why not, and is right in its edges."""

from __future__ import annotations

import pytest

from recurrency.graph.ops import OPS
from recurrency.testing import edges

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
table = pytest.importorskip("recurrency.backends.onnx.table")


def test_every_operation_is_written_or_refused_with_a_reason() -> None:
    assert not table.WRITTEN & table.REFUSED.keys()
    assert table.WRITTEN | table.REFUSED.keys() == OPS.keys()
    assert all(table.REFUSED.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_have_the_values_of_the_table_of_edges(dtype: str) -> None:
    assert not edges.differences("onnx", dtype, second=False)
