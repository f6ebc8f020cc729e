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
FLAT = """
cell Flat[N, M, D](x: [N]) -> (h: [M * D]) {
    param W_z, W_f : [M * D, N] ~ glorot_uniform
    param R_z, R_f : [M, D, D]  ~ glorot_uniform

    state h : [M * D] = 0

    fn within(R) = reshape(einsum("mij,mj->mi", R, reshape(h[t-1], [M, D])), [M * D])

    f = sigmoid(W_f @ x + within(R_f))
    h = f * h[t-1] + (1 - f) * tanh(W_z @ x + within(R_z))

    loss squared_error(h, sin(h[t-1]))
}
"""
"""Gradients of its products are pieces of a vector, seen as matrices."""
APART = """
cell Apart[N, M, D](x: [N]) -> (h: [M, D]) {
    param W : [M * D, N]    ~ glorot_uniform
    param R : [2, M, D, D]  ~ glorot_uniform

    state h : [M, D] = 0

    a = einsum("gmij,mj->gmi", R, h[t-1])
    h = tanh(reshape(W @ x, [M, D]) + a[1] * sigmoid(a[2]))

    loss squared_error(h, sin(h[t-1]))
}
"""
"""The rows of a head lie apart: no matrix product can go through them with one stride."""
SIZES = {"N": 3, "M": 2, "D": 5, "E": 4}


def text_of(text: str, kind: str, *options: Any) -> str:
    """A function of a cell in C."""
    spec = rc.parse(text)
    model = Model(spec, spec.elaborate(**sizes(text)), find("numpy"), "float32")
    found: Any = find("c", run=False)
    return str(found.emit([(kind, model.programs.graph(kind, *options))], model.programs.layout, "float32")[0])


def sizes(text: str) -> dict[str, int]:
    """Numbers for the dimensions of a cell."""
    return {d.name: SIZES[d.name] for d in rc.parse(text).cell.dimensions}


def loops(text: str) -> list[str]:
    """The products that are computed in a loop."""
    return re.findall(rf"for \(long long g = 0; g < {SIZES['M']}; \+\+g\) (rec_multiply_part|rec_product_part)", text)


def test_each_product_with_heads_is_a_loop_of_matrix_products() -> None:
    steps, sums = ["rec_multiply_part"] * 2, ["rec_product_part"] * 2
    assert loops(text_of(TEXT, "forward_kept", ())) == steps, "P h and R u, with weights that are packed once"
    assert sorted(loops(text_of(TEXT, "backward", ()))) == steps + sums, "their gradients"


def test_pieces_of_vectors_are_factors_of_such_products() -> None:
    steps, sums = ["rec_multiply_part"] * 2, ["rec_product_part"] * 2
    assert sorted(loops(text_of(FLAT, "backward", ()))) == steps + sums


@pytest.mark.parametrize(("text", "batch"), [(TEXT, 1), (TEXT, 3), (TEXT, 9), (FLAT, 3), (APART, 3)])
def test_the_numbers_are_those_of_the_interpreter(text: str, batch: int) -> None:
    lengths = {"t": tuple(range(1, 1 + batch))[:batch]} if batch > 1 else None
    case = Case(sizes(text), {"t": batch}, batch=batch, lengths=lengths, cuts=(1,) if batch > 1 else ())
    assert not differences(rc.parse(text), case, "c")
