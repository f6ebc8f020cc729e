"""The functions that join, cut and rearrange: `concat`, `split`, `slice`, `reshape`, `transpose` and the like."""

from __future__ import annotations

import math

from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.value import Value
from recurrency.language.diagnostics import (
    AXIS_MISMATCH,
    MALFORMED_DIMENSION,
    NO_SUCH_MEMBER,
    SHAPE_MISMATCH,
    WRONG_ARGUMENTS,
)
from recurrency.language.vocabulary.signatures import AXIS, MATRICES, VECTOR, Arguments, row, shown
from recurrency.language.vocabulary.vectors import vector

# ------------------------------------------------------------------------------------------------------------- pieces


def part(a: Arguments, size: int | Poly, pieces: int) -> int | Poly:
    """The size of one of some equal pieces of an axis."""
    one: int | Poly | None = None
    if pieces >= 1 and isinstance(size, Poly):
        one = size.divided(pieces)
    elif pieces >= 1 and isinstance(size, int) and size % pieces == 0:
        one = size // pieces
    if one is None:
        help = f"declare the vector as [{pieces} * {size}]" if isinstance(size, Poly) and pieces > 0 else None
        a.fail(MALFORMED_DIMENSION, f"{size} does not divide into {pieces} equal parts", position=1, help=help)
    return one


def _known(size: Dim) -> int | Poly:
    """A dimension that is not the number of steps of a clock."""
    assert not isinstance(size, str)
    return size


def negative(size: int | Poly) -> bool:
    """Whether a difference of dimensions is negative for all their values."""
    if isinstance(size, Poly):
        return all(factor < 0 for _, factor in size.terms)
    return size < 0


def _cut(a: Arguments) -> tuple[Value, int]:
    """The value that is cut, and the axis: the first one, unless the call names another."""
    x = a.value(0)
    axis = a.axis(len(x.type.shape))
    if not x.type.shape:
        a.fail(WRONG_ARGUMENTS, f"a vector is needed here, not {shown(x.type)}", position=0)
    return x, axis or 0


def piece(x: Value, axis: int, start: int | Poly, stop: int | Poly) -> Value:
    """The elements `start` to `stop` (exclusive, from 0) along an axis."""
    return x.swapped(0, axis).slice(start, stop).swapped(0, axis)


def _split(a: Arguments) -> Value:
    (x, axis), pieces, which = _cut(a), a.integer(1), a.integer(2)
    size = part(a, _known(x.type.shape[axis]), pieces)
    if not 1 <= which <= pieces:
        a.fail(NO_SUCH_MEMBER, f"there are {pieces} parts, counted from 1; there is no part {which}", position=2)
    return piece(x, axis, size * (which - 1), size * which)


def _slice(a: Arguments) -> Value:
    (x, axis), first, last = _cut(a), a.position(1), a.position(2)
    if beyond(x, axis, first, last):
        along = f" along axis {axis + 1}" if len(x.type.shape) > 1 else ""
        title = f"there are no elements {first} to {last} in {shown(x.type)}, whose elements{along} count from 1"
        a.fail(NO_SUCH_MEMBER, title)
    return piece(x, axis, first - 1, last)


def beyond(x: Value, axis: int, first: int | Poly, last: int | Poly) -> bool:
    """Whether there are no elements `first` to `last` (from 1, both included) along an axis."""
    size = _known(x.type.shape[axis])
    return negative(first - 1) or negative(size - last) or negative(last - first)


def _concat(a: Arguments) -> Value:
    parts = [a.value(i) for i in range(len(a))]
    axis = a.axis(len(parts[0].type.shape)) or 0
    parts = [p if p.type.shape else p.reshape(1) for p in parts]
    rests = [_without(p.type.shape, axis) for p in parts]
    for i, rest in enumerate(rests):
        if rest != rests[0] or len(parts[i].type.shape) != len(parts[0].type.shape):
            which = "the first dimension" if axis == 0 else f"dimension {axis + 1}"
            title = f"concat cannot join {shown(parts[0].type)} and {shown(parts[i].type)}: only {which} may differ"
            a.fail(SHAPE_MISMATCH, title, position=i)
    if len(parts) == 1:
        return parts[0]
    return a.graph.add("concat", [p.swapped(0, axis).id for p in parts]).swapped(0, axis)


def _without(shape: tuple[Dim, ...], axis: int) -> tuple[Dim, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _maxout(a: Arguments) -> Value:
    x, pieces = vector(a), a.integer(1)
    return x.reshape(pieces, part(a, _known(x.type.shape[0]), pieces)).reduce("peak", (0,))


row(VECTOR, "maxout(x, k)", "maximum of k consecutive pieces, element by element (Goodfellow et al. 2013)", _maxout, 2)
row(
    VECTOR,
    "concat(a, b, ...)",
    "joined end to end; matrices along their first axis, or the one that is named",
    _concat,
    1,
    None,
    AXIS,
    comprehends=True,
)
row(VECTOR, "split(x, n, k)", "the k-th (from 1) of n equal parts; of a matrix, of its rows", _split, 3, keywords=AXIS)
row(
    VECTOR,
    "slice(x, a, b)",
    "elements a to b, counted from 1, both included; of a matrix, its rows",
    _slice,
    3,
    keywords=AXIS,
)

# ------------------------------------------------------------------------------------------------------- arrangements


def _transpose(a: Arguments) -> Value:
    x = a.value(0)
    rank = len(x.type.shape)
    if len(a) == 2:
        a.fail(WRONG_ARGUMENTS, "transpose exchanges two axes; this call names one", "write transpose(x, 1, 2)", 1)
    if len(a) == 1 and rank > 2:
        help = f"say which two axes are exchanged: transpose({a.written(0)}, {rank - 1}, {rank}) for the last two"
        a.fail(AXIS_MISMATCH, f"transpose of {shown(x.type)} needs two axes", help, 0)
    if len(a) == 1 and rank < 2:
        a.fail(WRONG_ARGUMENTS, f"transpose needs a matrix, not {shown(x.type)}", position=0)
    return x.swapped(_place(a, 1, rank), _place(a, 2, rank)) if len(a) == 3 else x.transpose()


def _place(a: Arguments, position: int, rank: int) -> int:
    """An axis, from 0, that an argument names from 1 on."""
    axis = a.integer(position)
    if not 1 <= axis <= rank:
        help = f"axes count from 1: they are 1 to {rank}" if rank else "a number has no axes"
        a.fail(AXIS_MISMATCH, f"there is no axis {axis} in {shown(a.value(0).type)}", help, position)
    return axis - 1


def _reshape(a: Arguments) -> Value:
    x, shape = a.value(0), a.shape(1)
    old, new = math.prod(map(_known, x.type.shape)), math.prod(shape)
    if old != new:
        title = f"{a.written(0)} {shown(x.type)} cannot get the shape [{', '.join(map(str, shape))}]"
        help = f"it has {old} elements, and the new shape {new}; dimensions are units, and their products must agree"
        a.fail(AXIS_MISMATCH, title, help, 1)
    return x.reshape(*shape)


def _repeat(a: Arguments) -> Value:
    x, size = a.value(0), a.dimension(1)
    rank = len(x.type.shape)
    axis = a.axis(rank + 1)
    if axis is None and rank:
        help = f"say where the new axis goes: repeat({a.written(0)}, {a.written(1)}, axis = {rank + 1}) for the last"
        a.fail(AXIS_MISMATCH, f"repeat of {shown(x.type)} needs an axis", help, 0)
    return x.expand((axis or 0,), (size,))


row(
    MATRICES,
    "transpose(A, i, j)",
    "axes i and j exchanged; without them, rows of a matrix become columns",
    _transpose,
    1,
    3,
)
row(
    MATRICES,
    "reshape(x, [M, D])",
    "the same elements, row by row, in another shape of as many",
    _reshape,
    2,
    shapes=(1,),
)
row(MATRICES, "repeat(x, n)", "x n times along a new axis, `axis = k` of the result", _repeat, 2, keywords=AXIS)
