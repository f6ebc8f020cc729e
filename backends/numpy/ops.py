"""The statements of each element-wise operation in NumPy; they leave the result in `out`."""

from __future__ import annotations

import numpy as np

from recurrency.graph.op import Op
from recurrency.graph.ops import OPS


def _call(op: Op) -> tuple[str, ...]:
    """The call of the universal function that is the meaning of an operation."""
    args = ", ".join(f"{{{position}}}" for position in range(op.arity or 0))
    return (f"{op.meaning.__name__}({args}, {{out}})",) if isinstance(op.meaning, np.ufunc) else ()


ELEMENTWISE: dict[str, tuple[str, ...]] = {
    **{op.name: _call(op) for op in OPS.values() if _call(op)},
    "sigmoid": (
        "negative({0}, {out})",
        "exp({out}, {out})",
        "add({out}, one, {out})",
        "divide(one, {out}, {out})",
    ),
    "softplus": ("logaddexp({0}, 0.0, {out})",),
    "relu": ("maximum({0}, 0.0, out={out})",),
    "erf": ("erf({0}, {out})",),
    "erfc": ("erfc({0}, {out})",),
    "less": ("less({0}, {1}, {out})",),
    "less_equal": ("less_equal({0}, {1}, {out})",),
    "equal": ("equal({0}, {1}, {out})",),
    "minimum": ("minimum({0}, {1}, out={out})",),
    "maximum": ("maximum({0}, {1}, out={out})",),
    "where": ("copyto({out}, {1})", "copyto({out}, {2}, where=equal({0}, 0.0))"),
}
"""`{0}`, `{1}`, `{2}` are the arguments. They may share memory with `out`, so only the first statement reads them.

A function of NumPy needs no row here.
"""

FUNCTIONS = frozenset(
    [op.meaning.__name__ for op in OPS.values() if isinstance(op.meaning, np.ufunc)]
    + "arange asarray copyto dot einsum empty equal full less less_equal logaddexp matmul prod zeros".split()
)
"""The functions of NumPy that a module imports by name if it uses them."""
