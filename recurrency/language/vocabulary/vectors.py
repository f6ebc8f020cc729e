"""The functions over a vector, or along an axis: sums, means, norms, and what makes a distribution of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recurrency.graph.value import Value, constant
from recurrency.language.diagnostics import AXIS_MISMATCH, SHAPE_MISMATCH, WRONG_ARGUMENTS
from recurrency.language.vocabulary.signatures import AXIS, VECTOR, Arguments, along, row, shown

Axes = tuple[int, ...]


def vector(a: Arguments, position: int = 0) -> Value:
    """An argument that has one dimension."""
    x = a.value(position)
    if len(x.type.shape) != 1:
        a.fail(WRONG_ARGUMENTS, f"a vector is needed here, not {shown(x.type)}", position=position)
    return x


def axis_of(a: Arguments, x: Value, name: str) -> int:
    """The axis along which a function of a whole row works: named, or the only one."""
    rank = len(x.type.shape)
    axis = a.axis(rank)
    if axis is not None:
        return axis
    if rank > 1:
        help = f"name one, from 1 to {rank}: {name}({a.written(0)}, axis = {rank}) goes along the last"
        a.fail(AXIS_MISMATCH, f"{name} of {shown(x.type)} needs an axis", help, 0)
    if rank == 0:
        a.fail(WRONG_ARGUMENTS, f"a vector is needed here, not {shown(x.type)}", position=0)
    return 0


# --------------------------------------------------------------------------------------------------------------- sums


def _sum(a: Arguments) -> Any:
    if not a.collected and (not a.static() or a.has("axis")):
        return a.value(0).reduce("sum", along(a, 0))
    a.no_axis()
    if a.static():
        return a.fold(lambda *numbers: sum(numbers))
    total = a.value(0)
    for i in range(1, len(a)):
        total = total + a.value(i)
    return total


def _size(x: Value, axes: Axes) -> float:
    """The number of elements along some axes, as far as it is known."""
    sizes = (x.type.shape[axis] for axis in axes)
    return float(math.prod(d if isinstance(d, int) else 1 for d in sizes))


def mean(x: Value, axes: Axes) -> Value:
    """The mean of the elements along some axes."""
    return x.reduce("sum", axes) * (1.0 / max(_size(x, axes), 1.0))


def _mean(a: Arguments) -> Any:
    return _sum(a) * (1.0 / len(a)) if a.collected else mean(a.value(0), along(a, 0))


def spread(x: Value, axes: Axes, like: Value) -> Value:
    """What was reduced along some axes of a value, repeated along them."""
    return x.expand(axes, tuple(like.type.shape[axis] for axis in axes)) if axes else x


def _centred(x: Value, axes: Axes) -> Value:
    return x - spread(mean(x, axes), axes, x)


def _var(x: Value, axes: Axes) -> Value:
    centred = _centred(x, axes)
    return mean(centred * centred, axes)


def _norm(a: Arguments) -> Value:
    """Scaled by the largest element, so that squares stay in range; the gradient at 0 is 0."""
    x, axes = a.value(0), along(a, 0)
    most = x.apply("abs").reduce("peak", axes).apply("stop_grad")
    unit = (constant(x.graph, 0.0).apply("less", most) * most.apply("less", 1e38)).where(most, 1.0)
    scaled = x / spread(unit, axes, x)
    square = (scaled * scaled).reduce("sum", axes)
    return square.where(square.apply("sqrt"), 0.0) * unit


row(
    VECTOR,
    "sum(x)",
    "sum of all elements, or along an axis; with `for`, of all terms",
    _sum,
    1,
    1,
    AXIS,
    comprehends=True,
)
row(
    VECTOR,
    "mean(x)",
    "mean of all elements, or along an axis; with `for`, of all terms",
    _mean,
    1,
    1,
    AXIS,
    comprehends=True,
)
row(VECTOR, "var(x)", "mean squared deviation from the mean", lambda a: _var(a.value(0), along(a, 0)), keywords=AXIS)
row(VECTOR, "norm(x)", "Euclidean length; its derivative at 0 is taken as 0", _norm, keywords=AXIS)

# ------------------------------------------------------------------------------------------------------ distributions


def _normalised(op: str) -> Callable[[Arguments], Value]:
    """`softmax` and `log_softmax`, which the graph knows along the last axis."""

    def lower(a: Arguments) -> Value:
        x = a.value(0)
        axis, last = axis_of(a, x, op), len(x.type.shape) - 1
        return x.swapped(axis, last).apply(op).swapped(axis, last)

    return lower


row(VECTOR, "softmax(x)", "exp(x) / sum(exp(x))", _normalised("softmax"), keywords=AXIS)
row(
    VECTOR,
    "log_softmax(x)",
    "log(softmax(x)), computed without overflow",
    _normalised("log_softmax"),
    keywords=AXIS,
)

# ------------------------------------------------------------------------------------------------------ normalisation


def _scaled(a: Arguments, x: Value, axis: int) -> Value:
    """`x`, times a gain and plus a bias where the call has them: of the shape of x, or of its axis."""
    others = tuple(k for k in range(len(x.type.shape)) if k != axis)
    for position, op in ((1, "multiply"), (2, "add")):
        if len(a) > position:
            other = a.value(position)
            if other.type.shape == (x.type.shape[axis],) and others:
                other = other.expand(others, tuple(x.type.shape[k] for k in others))
            if other.type.shape not in ((), x.type.shape):
                what = "vector" if not others else "value"
                title = f"a gain or bias of {shown(other.type)} does not fit the {what} of {shown(x.type)}"
                a.fail(SHAPE_MISMATCH, title, position=position)
            x = x.apply(op, other)
    return x


def _layer_norm(a: Arguments) -> Value:
    x = a.value(0)
    axis = axis_of(a, x, "layer_norm")
    deviation = (_var(x, (axis,)) + 1e-5).apply("sqrt")
    return _scaled(a, _centred(x, (axis,)) / spread(deviation, (axis,), x), axis)


def _rms_norm(a: Arguments) -> Value:
    x = a.value(0)
    axis = axis_of(a, x, "rms_norm")
    size = (mean(x * x, (axis,)) + 1e-5).apply("sqrt")
    return _scaled(a, x / spread(size, (axis,), x), axis)


row(
    VECTOR,
    "layer_norm(x, gain, bias)",
    "(x - mean) / sqrt(var + 1e-5), scaled and shifted if these are given (Ba et al. 2016)",
    _layer_norm,
    1,
    3,
    AXIS,
)
row(
    VECTOR,
    "rms_norm(x, gain)",
    "x / sqrt(mean(x * x) + 1e-5), scaled if a gain is given (Zhang & Sennrich 2019)",
    _rms_norm,
    1,
    2,
    AXIS,
)

# ------------------------------------------------------------------------------------------------------------ products


def _dot(a: Arguments) -> Value:
    for position in (0, 1):
        if len(a.value(position).type.shape) == 2:
            help = "a matrix is multiplied with @: W @ x"
            title = f"dot takes two vectors, not {shown(a.value(position).type)}"
            a.fail(WRONG_ARGUMENTS, title, position=position, help=help)
    x, y = vector(a, 0), vector(a, 1)
    if x.type.shape != y.type.shape:
        a.fail(SHAPE_MISMATCH, f"dot needs two vectors of one size, not {shown(x.type)} and {shown(y.type)}")
    return x.product(y, "i,i->")


row(VECTOR, "dot(a, b)", "sum of the products of the elements", _dot, 2)
