"""More functions element by element: rounding, special functions, and a step with a derivative of its own."""

from __future__ import annotations

import math
from typing import Any

from recurrency.graph.value import Value, chosen, constant
from recurrency.language.diagnostics import AXIS_MISMATCH, WRONG_ARGUMENTS
from recurrency.language.vocabulary.elementwise import positive, unary
from recurrency.language.vocabulary.signatures import AXIS, ELEMENTWISE, INDICES, TIME, VECTOR, Arguments, row, shown
from recurrency.language.vocabulary.vectors import axis_of, spread, vector

for _name, _op, _number, _meaning in (
    ("expm1", "expm1", math.expm1, "exp(x) - 1, which keeps its digits near 0"),
    ("log1p", "log1p", math.log1p, "log(1 + x), which keeps its digits near 0"),
    ("atan", "atan", math.atan, "arc tangent, from -pi / 2 to pi / 2"),
    ("erf", "erf", math.erf, "error function, 2 / sqrt(pi) times the integral of exp(-u * u) from 0 to x"),
    ("erfc", "erfc", math.erfc, "1 - erf(x), which keeps its digits where it is small"),
    ("floor", "floor", math.floor, "the greatest whole number that is not above x; its derivative is 0"),
    ("round", "round", round, "the nearest whole number, the even one of two; its derivative is 0"),
):
    row(ELEMENTWISE, f"{_name}(x)", _meaning, unary(_op, _number))


def _ceil(a: Arguments) -> Any:
    return a.fold(math.ceil) if a.static() else -(-a.value(0)).apply("floor")


def _modulo(a: Arguments) -> Any:
    return a.fold(lambda x, y: x % y) if a.static() else a.value(0).apply("mod", a.value(1))


def _leaky_relu(a: Arguments) -> Value:
    x = a.value(0)
    return positive(x, x, x * (a.value(1) if len(a) > 1 else 0.01))


FAR = 40.0
"""Beyond this `gelu_exact` equals 0 on the left and x on the right, even in float64."""


def _gelu_exact(a: Arguments) -> Value:
    """x / 2 * erfc(-x / sqrt(2)), which stays exact where it is small."""
    x = a.value(0).apply("maximum", -FAR)
    return x * 0.5 * (x.apply("minimum", FAR) * -math.sqrt(0.5)).apply("erfc")


def _heaviside(a: Arguments) -> Any:
    if a.static():
        return a.fold(lambda v, *slope: 1 if v > 0 else 0)
    v = a.value(0)
    y = constant(a.graph, 0.0).like(v).apply("less", v)
    return y.apply("stop_grad").with_slope(v, a.value(1)) if len(a) > 1 else y


def _along_first(a: Arguments, name: str) -> tuple[Value, int]:
    """The value, with the axis that the call names in the place of the first one; and this axis."""
    x = a.value(0)
    axis = a.axis(len(x.type.shape)) or 0
    if not x.type.shape:
        a.fail(WRONG_ARGUMENTS, f"{name} needs a vector or a matrix, not a number", position=0)
    return x.swapped(0, axis), axis


def _roll(a: Arguments) -> Value:
    (x, axis), by = _along_first(a, "roll"), a.integer(1)
    size = x.type.shape[0]
    assert not isinstance(size, str)  # elements have no steps
    if isinstance(size, int):
        by %= size
    if not by:
        return a.value(0)
    cut = size - by if by > 0 else -by
    return a.graph.add("concat", [x.slice(cut, size).id, x.slice(0, cut).id]).swapped(0, axis)


def _cumsum(a: Arguments) -> Value:
    x, axis = _along_first(a, "cumsum")
    return x.cumulated().swapped(0, axis)


def _argmax(a: Arguments) -> Value:
    """The only axis may be named. Symbols have no axes, so that a matrix has no argmax."""
    x = a.value(0)
    axis, rank = a.axis(len(x.type.shape)), len(x.type.shape)
    if rank > 1:
        k, name = (rank - 1 if axis is None else axis), a.written(0)
        greatest = f"repeat(max({name}, axis = {k + 1}), {x.type.shape[k]}, axis = {k + 1})"
        help = f"the greatest along an axis are 1, all others 0, in where({name} == {greatest}, 1, 0)"
        a.fail(AXIS_MISMATCH, f"argmax gives one symbol, of a vector, and this is {shown(x.type)}", help, 0)
    return vector(a).apply("argmax")


def _logsumexp(a: Arguments) -> Value:
    """x_i - log_softmax(x)_i at the greatest element i, where the logarithm keeps its digits."""
    x = a.value(0)
    axis, last = axis_of(a, x, "logsumexp"), len(x.type.shape) - 1
    scores = x.swapped(axis, last).apply("log_softmax").swapped(axis, last)
    if not last:
        greatest = x.apply("argmax")
        return x.take(greatest) - scores.take(greatest)
    peak = x.reduce("peak", (axis,))
    hit = x.apply("equal", spread(peak, (axis,), x))
    return peak - chosen(hit, scores).reduce("sum", (axis,)) / hit.reduce("sum", (axis,))


def _max_over_time(a: Arguments) -> Value:
    x = a.stream(0)
    steps = a.graph.add("length", [], {"clock": x.type.clock}).to_shape(x.type.shape)
    return steps.where(x.frames().reduce("peak", (0,)), 0.0)


row(ELEMENTWISE, "ceil(x)", "the least whole number that is not below x; its derivative is 0", _ceil)
row(
    ELEMENTWISE,
    "mod(a, b)",
    "the remainder of a / b, with the sign of b; its derivatives are 1 and -floor(a / b)",
    _modulo,
    2,
)
row(
    ELEMENTWISE,
    "leaky_relu(x, slope)",
    "x where x > 0, else slope * x; the slope is 0.01 if it is not given (Maas et al. 2013)",
    _leaky_relu,
    1,
    2,
)
row(
    ELEMENTWISE,
    "gelu_exact(x)",
    "x times the normal distribution function, by erfc (Hendrycks & Gimpel 2016); `gelu` differs by up to 5e-4",
    _gelu_exact,
)
row(
    ELEMENTWISE,
    "heaviside(v, slope)",
    "1 where v > 0, else 0; its derivative is `slope`, and 0 without it (Neftci et al. 2019)",
    _heaviside,
    1,
    2,
)
row(VECTOR, "logsumexp(x)", "log(sum(exp(x))), computed without overflow", _logsumexp, keywords=AXIS)
row(
    VECTOR, "cumsum(x)", "the sum of each element and those before it; of a matrix, of its rows", _cumsum, keywords=AXIS
)
row(
    INDICES,
    "argmax(x)",
    "the place of the greatest element, as a symbol; the first of equal ones",
    _argmax,
    keywords=AXIS,
)
row(
    TIME,
    "max_over_time(x)",
    "the greatest value of the steps of each sequence, element by element; equal ones share the gradient",
    _max_over_time,
)
row(
    VECTOR,
    "roll(x, k)",
    "elements moved k places towards the end, those beyond it to the start; of a matrix, its rows",
    _roll,
    2,
    keywords=AXIS,
)
