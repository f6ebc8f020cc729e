"""The statements of each element-wise operation in NumPy; they leave the result in `out`."""

from __future__ import annotations

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    "negative": ("negative({0}, {out})",),
    "add": ("add({0}, {1}, {out})",),
    "subtract": ("subtract({0}, {1}, {out})",),
    "multiply": ("multiply({0}, {1}, {out})",),
    "divide": ("divide({0}, {1}, {out})",),
    "power": ("power({0}, {1}, {out})",),
    "exp": ("exp({0}, {out})",),
    "expm1": ("expm1({0}, {out})",),
    "log": ("log({0}, {out})",),
    "log1p": ("log1p({0}, {out})",),
    "sqrt": ("sqrt({0}, {out})",),
    "tanh": ("tanh({0}, {out})",),
    "sigmoid": (
        "negative({0}, {out})",
        "exp({out}, {out})",
        "add({out}, one, {out})",
        "divide(one, {out}, {out})",
    ),
    "softplus": ("logaddexp({0}, 0.0, {out})",),
    "relu": ("maximum({0}, 0.0, out={out})",),
    "abs": ("absolute({0}, {out})",),
    "sign": ("sign({0}, {out})",),
    "sin": ("sin({0}, {out})",),
    "cos": ("cos({0}, {out})",),
    "less": ("less({0}, {1}, {out})",),
    "less_equal": ("less_equal({0}, {1}, {out})",),
    "equal": ("equal({0}, {1}, {out})",),
    "minimum": ("minimum({0}, {1}, out={out})",),
    "maximum": ("maximum({0}, {1}, out={out})",),
    "where": ("copyto({out}, {1})", "copyto({out}, {2}, where=equal({0}, 0.0))"),
}
"""`{0}`, `{1}`, `{2}` are the arguments. They may share memory with `out`, so only the first statement reads them."""

FUNCTIONS = frozenset(
    "absolute add arange asarray copyto cos divide dot einsum empty equal exp expm1 full less less_equal log log1p "
    "logaddexp matmul maximum minimum multiply negative power prod sign sin sqrt subtract tanh zeros".split()
)
"""The functions of NumPy that a module imports by name if it uses them."""
