"""The functions that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recurrency.graph.value import Value, constant
from recurrency.language.vocabulary.signatures import AXIS, ELEMENTWISE, Arguments, along, row

# ----------------------------------------------------------------------------------------------- element by element


def unary(op: str, number: Callable[[float], float]) -> Callable[[Arguments], Any]:
    """The lowering of a function of one number that is an operation; `number` computes it at compilation."""
    return lambda a: a.fold(number) if a.static() else a.value(0).apply(op)


def _sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


for _name, _number, _meaning in (
    ("exp", math.exp, "e to the power of x"),
    ("log", math.log, "natural logarithm"),
    ("sqrt", math.sqrt, "square root"),
    ("tanh", math.tanh, "hyperbolic tangent"),
    ("sigmoid", _sigmoid, "1 / (1 + exp(-x)); also written σ"),
    ("sin", math.sin, "sine"),
    ("cos", math.cos, "cosine"),
    ("abs", abs, "absolute value; its derivative at 0 is taken as 0"),
    ("sign", lambda x: float((x > 0) - (x < 0)), "-1, 0 or 1; its derivative is 0"),
    ("relu", lambda x: max(x, 0.0), "max(x, 0); its derivative at 0 is taken as 0"),
    ("softplus", lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), "log(1 + exp(x))"),
):
    row(ELEMENTWISE, f"{_name}(x)", _meaning, unary(_name, _number))


def positive(x: Value, yes: Value, no: Value) -> Value:
    """`yes` where x is greater than 0, else `no`."""
    zero = constant(x.graph, 0.0)
    return zero.apply("less", x).where(yes, no)


def _elu(a: Arguments) -> Value:
    x = a.value(0)
    return positive(x, x, x.apply("minimum", 0.0).apply("expm1"))


FAR = {"gelu": 30.0, "silu": 1000.0}
"""Beyond this both functions equal 0 on the left and x on the right, even in float64."""


def _gelu(a: Arguments) -> Value:
    """x * (1 + tanh(u)) / 2, which is x * sigmoid(2 u): which stays exact where it is small."""
    x = a.value(0).apply("maximum", -FAR["gelu"])
    near = x.apply("minimum", FAR["gelu"])
    return x * ((near + near * near * near * 0.044715) * (2 * math.sqrt(2 / math.pi))).apply("sigmoid")


def _silu(a: Arguments) -> Value:
    x = a.value(0).apply("maximum", -FAR["silu"])
    return x * x.apply("minimum", FAR["silu"]).apply("sigmoid")


def _clip(a: Arguments) -> Value:
    return a.value(0).apply("maximum", a.value(1)).apply("minimum", a.value(2))


def _fold(op: str) -> Callable[[Arguments], Any]:
    """`max` and `min`: of several values element by element, or of the elements of one value."""

    def lower(a: Arguments) -> Any:
        if len(a) == 1 and not a.collected and (not a.static() or a.has("axis")):
            x, axes = a.value(0), along(a, 0)
            return x.reduce("peak", axes) if op == "maximum" else -(-x).reduce("peak", axes)
        a.no_axis()
        if a.static():
            return a.fold(lambda *numbers: {"maximum": max, "minimum": min}[op](numbers))
        total = a.value(0)
        for i in range(1, len(a)):
            total = total.apply(op, a.value(i))
        return total

    return lower


row(ELEMENTWISE, "square(x)", "x * x", lambda a: a.fold(lambda x: x * x) if a.static() else a.value(0) * a.value(0))
row(
    ELEMENTWISE,
    "prelu(x, a)",
    "x where x > 0, else a * x (He et al. 2015)",
    lambda a: positive(a.value(0), a.value(0), a.value(0) * a.value(1)),
    2,
)
row(ELEMENTWISE, "elu(x)", "x where x > 0, else exp(x) - 1 (Clevert et al. 2016)", _elu)
row(ELEMENTWISE, "gelu(x)", "x times the normal distribution function, by tanh (Hendrycks & Gimpel 2016)", _gelu)
row(ELEMENTWISE, "silu(x)", "x * sigmoid(x)", _silu)
row(
    ELEMENTWISE,
    "hard_sigmoid(x)",
    "clip(0.2 * x + 0.5, 0, 1)",
    lambda a: ((a.value(0) + 2.5) * 0.2).apply("maximum", 0.0).apply("minimum", 1.0),
)
row(ELEMENTWISE, "clip(x, low, high)", "x limited to the interval from low to high", _clip, 3)
row(ELEMENTWISE, "where(c, a, b)", "a where c is not 0, else b", lambda a: a.value(0).where(a.value(1), a.value(2)), 3)
row(
    ELEMENTWISE,
    "max(a, b, ...)",
    "the larger, element by element; for one value, its largest element, or those along an axis",
    _fold("maximum"),
    1,
    None,
    AXIS,
    comprehends=True,
)
row(
    ELEMENTWISE,
    "min(a, b, ...)",
    "the smaller, element by element; for one value, its smallest element, or those along an axis",
    _fold("minimum"),
    1,
    None,
    AXIS,
    comprehends=True,
)
