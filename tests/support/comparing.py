"""Cells to compare, and changes to them."""

from __future__ import annotations

from recurrency import parse
from recurrency.comparing import Comparison, compare
from recurrency.model.spec import Spec

GATED = """\
cell Gated[N, H](x: [N]) -> (h: [H]) {
    param W_z, W_r, W_c : [H, N] ~ glorot_uniform
    param U_z, U_r, U_c : [H, H] ~ orthogonal
    param b_z, b_c      : [H]    ~ zeros

    state h : [H] = 0

    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    r = sigmoid(W_r @ x + U_r @ h[t-1])
    c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    h = (1 - z) * h[t-1] + z * c
}
"""

MEMORY = """\
fn squash(a) = tanh(a)

cell Memory[N, H, p = 0.5](x: [N]) -> (h: [H]) {
    param W, V, O : [H, N] ~ glorot_uniform
    param u, v    : [H]    ~ ones
    param b       : [H]    ~ zeros

    const k : [] = 2

    state c : [H] = 0

    i = sigmoid(W @ x + b)
    f = sigmoid(V @ x + u * c[t-1])
    o = sigmoid(O @ x)
    c = f * c[t-1] + i * squash(v * x_in)
    h = k * o * tanh(c)

    param P : [H, N] ~ glorot_uniform
    x_in    = P @ x
}
"""


def changed(text: str, *pairs: tuple[str, str]) -> Spec:
    """The cell of a text in which some pieces are replaced."""
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse(text)


def difference(text: str, *pairs: tuple[str, str]) -> Comparison:
    return compare(parse(text), changed(text, *pairs))
