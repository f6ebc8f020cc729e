"""Every operation has a row or a reason why not, and is right in its edges."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.ops import OPS
from recurrency.model.graphs import SWITCHES
from recurrency.testing import edges
from recurrency.testing.case import Case
from recurrency.testing.compare import compared

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_is_the_greatest_element_wherever_it_is(dtype: str) -> None:
    """onnxruntime's own operators see it in some places only."""
    text = """cell Greatest[N](x, z: [N]) -> (most: [], place: index[N], parts: [N]) {
        v     = x + z
        most  = max(v)
        place = argmax(v)
        parts = softmax(v)
    }"""
    model = rc.parse(text).compile("onnx", dtype=dtype, N=5)
    x = np.arange(25.0).reshape(5, 1, 5) % 7
    nan = np.diag(np.full(5, np.inf))[:, None]
    found = model.forward(model.init(0), {"x": x + nan, "z": -nan}).outputs
    assert np.isnan(found["most"]).all()
    assert np.isnan(found["parts"]).all()
    np.testing.assert_array_equal(found["place"][:, 0], np.arange(5))


@pytest.mark.parametrize("without", [(), SWITCHES], ids=["optimised", "plain"])
def test_what_onnxruntime_would_compute_wrongly_is_written_in_another_way(without: frozenset[str]) -> None:
    """It fuses the product of a transposed matrix and a vector to a wrong one; lengths are no Boolean values."""
    spec = rc.parse("""cell Fused[N](x: [N]) -> (y: [N, N], z: [N], most: [N]) {
        param W : [N, N] ~ normal(0, 1)
        param q : [N]    ~ normal(0, 1)
        state C : [N, N] = identity(N)
        C    = tanh(transpose(C[t-1] @ W) @ repeat(q, N, axis = 2))
        y    = C * mean(x)
        z    = transpose(outer(x, q)) @ q
        most = where(max_over_time(x), x, 0) + max_over_time(x)
    }""")
    case = Case({"N": 3}, {"t": 4}, 3, {"t": (4, 0, 2)})
    found = compared(spec, case, "onnx", without=without)
    assert not found.differences, "\n".join(map(str, found.differences[:5]))
