"""Products with an axis that both factors and the result have, such as heads: matrix products in a loop over it."""

from __future__ import annotations

import re
from typing import Any

import pytest

import recurrency as rc
from recurrency import backend
from recurrency.backend import find
from recurrency.model.model import Model
from recurrency.testing.case import Case
from recurrency.testing.compare import differences

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

TEXT = """
cell Blocks[N, M, D, E](x: [N]) -> (h: [M, D]) {
    param W : [M, D, N] ~ glorot_uniform
    param R : [M, D, E] ~ glorot_uniform
    param P : [E, M, D] ~ glorot_uniform

    state h : [M, D] = 0

    u = tanh(einsum("emd,md->me", P, h[t-1]))
    h = tanh(einsum("mdn,n->md", W, x) + einsum("mde,me->md", R, u))

    loss squared_error(h, sin(h[t-1]))
}
"""
SIZES = {"N": 3, "M": 2, "D": 5, "E": 4}


def text_of(kind: str, *options: Any) -> str:
    """A function of the cell in C."""
    spec = rc.parse(TEXT)
    model = Model(spec, spec.elaborate(**SIZES), find("numpy"), "float32")
    found: Any = find("c", run=False)
    return str(found.emit([(kind, model.programs.graph(kind, *options))], model.programs.layout, "float32")[0])


def loops(text: str) -> list[str]:
    """The products that are computed in a loop."""
    return re.findall(rf"for \(long long g = 0; g < {SIZES['M']}; \+\+g\) (rec_multiply_part|rec_product_part)", text)


def test_each_product_with_heads_is_a_loop_of_matrix_products() -> None:
    steps, sums = ["rec_multiply_part"] * 2, ["rec_product_part"] * 2
    assert loops(text_of("forward_kept", ())) == steps, "P h and R u, with weights that are packed once"
    assert sorted(loops(text_of("backward", ()))) == steps + sums, "their gradients"


@pytest.mark.parametrize("batch", [1, 3, 9])
def test_the_numbers_are_those_of_the_interpreter(batch: int) -> None:
    lengths = {"t": tuple(range(1, 1 + batch))[:batch]} if batch > 1 else None
    case = Case(SIZES, {"t": batch}, batch=batch, lengths=lengths, cuts=(1,) if batch > 1 else ())
    assert not differences(rc.parse(TEXT), case, "c")
