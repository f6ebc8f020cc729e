"""The layout of values in memory: size and stride of each axis, before the numbers of steps are known.

An array library decides in the same way at run time whether a new shape is a view or needs a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import TypeAlias

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind
from recurrency.program.program import Buffer, Place, View

Count: TypeAlias = "tuple[int, tuple[str, ...]]"
"""A number of elements: an integer, times the numbers of steps of some clocks (and of sequences)."""

BATCH = ""
"""The number of sequences, among the clocks; no clock has this name."""
ONE: Count = (1, ())


class NoViewError(Exception):
    """A place needs a copy: the planner should have planned one."""


@dataclass(frozen=True)
class Axis:
    """One axis of an array: its size, and how many elements lie between neighbours."""

    size: Dim
    stride: Count


def strides(buffer: Buffer, place: Place, stepped: bool = False) -> tuple[Axis, ...]:
    """The axes of the array at a place: time and sequences first, then those of an element.

    With `stepped`, of the array of one step of a loop.

    Raises:  NoViewError: a view in the place needs a copy.
    """
    kind = buffer.type.kind
    whole = buffer.step is None and not (stepped and place.kind is Kind.STREAM)
    lead: list[Dim] = [str(buffer.type.clock)] if kind is Kind.STREAM and whole else []
    lead += [BATCH] if kind is not Kind.STATIC else []
    axes, count = contiguous((*lead, *buffer.type.shape)), len(lead)
    for view in place.views:
        if view.op in ("frames", "unframes"):
            axes, count = (axes[1], axes[0], *axes[2:]), 1 if view.op == "frames" else 2
        else:
            axes = (*axes[:count], *_viewed(axes[count:], view, place))
    return axes


def evenly(axes: Sequence[Axis]) -> bool:
    """Whether the elements are contiguous."""
    return joined(axes) == ONE


def start(buffer: Buffer, place: Place) -> int:
    """The number of elements of a static buffer before the first element of a place."""
    assert buffer.type.kind is Kind.STATIC
    outer = (replace(place, views=place.views[:k]) for k in range(len(place.views)))
    cuts = ((view, strides(buffer, before)) for view, before in zip(place.views, outer, strict=True))
    return sum(view.numbers[0] * axes[0].stride[0] for view, axes in cuts if view.op == "slice")


def contiguous(sizes: Sequence[Dim]) -> tuple[Axis, ...]:
    """The axes of a contiguous array."""
    return tuple(Axis(size, prod_of(sizes[k + 1 :])) for k, size in enumerate(sizes))


def joined(axes: Sequence[Axis]) -> Count | None:
    """The stride of neighbouring axes taken as one; None if their elements are not evenly spaced."""
    wide = [axis for axis in axes if axis.size != 1]
    for outer, inner in pairwise(wide):
        if outer.stride != _times(inner.stride, prod_of([inner.size])):
            return None
    return wide[-1].stride if wide else ONE


def _viewed(axes: tuple[Axis, ...], view: View, place: Place) -> tuple[Axis, ...]:
    """The axes of an element after a view."""
    if view.op == "slice":
        return (replace(axes[0], size=view.shape[0]), *axes[1:])
    if view.op == "transpose":
        return tuple(axes[k] for k in view.order)
    if view.op == "expand":
        old = iter(axes)
        return tuple(Axis(n, (0, ())) if k in view.numbers else next(old) for k, n in enumerate(view.shape))
    found = _reshaped(axes, view.shape)
    if found is None:
        raise NoViewError(f"{view} of {place} is no view")
    return found


def _reshaped(axes: Sequence[Axis], shape: Sequence[Dim]) -> tuple[Axis, ...] | None:
    """The axes of the same elements in another shape; None if that needs a copy."""
    out: list[Axis] = []
    for new, old in groups(shape, [axis.size for axis in axes]):
        sizes = [shape[k] for k in new]
        stride = joined([axes[k] for k in old])
        if stride is None:
            return None
        out += [Axis(size, _times(stride, prod_of(sizes[k + 1 :]))) for k, size in enumerate(sizes)]
    return tuple(out)


def _times(a: Count, b: Count) -> Count:
    number = a[0] * b[0]
    return (number, tuple(sorted(a[1] + b[1])) if number else ())


def groups(new: Sequence[Dim], old: Sequence[Dim]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes of two shapes that have equally many elements."""
    out: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(new) or j < len(old):
        left: list[int] = []
        right: list[int] = []
        while True:
            a, b = prod_of([new[k] for k in left]), prod_of([old[k] for k in right])
            if (left or right) and a == b:
                break
            take_new = i < len(new) and (not left or j >= len(old) or _smaller(a, b))
            if take_new:
                left.append(i)
                i += 1
            elif j < len(old):
                right.append(j)
                j += 1
            else:
                break
        out.append((left, right))
    return out


def _smaller(a: Count, b: Count) -> bool:
    return (len(a[1]), a[0]) <= (len(b[1]), b[0])


def prod_of(sizes: Sequence[Dim]) -> Count:
    """The product of sizes: of the numbers, and of the clocks."""
    numbers = [size for size in sizes if isinstance(size, int)]
    return prod(numbers), tuple(sorted(str(size) for size in sizes if not isinstance(size, int)))
