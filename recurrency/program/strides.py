"""Where the elements of a value lie: the size and the stride of each axis, known before the numbers of steps are.

What is said here is what an array library finds when it runs: whether a new shape is a view, or would be a copy.
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
"""A number of elements: a number, times the numbers of steps of some clocks (and of sequences)."""

BATCH = ""
"""Stands among the clocks for the number of sequences; no clock is called so."""
ONE: Count = (1, ())


class NoViewError(Exception):
    """A place can't be had without a copy: the planner should have planned one."""


@dataclass(frozen=True)
class Axis:
    """One axis of an array: its size, and how many elements lie between neighbours."""

    size: Dim
    stride: Count


def strides(buffer: Buffer, place: Place, stepped: bool = False) -> tuple[Axis, ...]:
    """The axes of the array at a place: those of time and sequences, then those of an element.

    `stepped`: the array of one step of a loop.

    Raises:
        NoViewError: a view in the place is none.
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
    """Whether the elements lie one after another."""
    return joined(axes) == ONE


def start(buffer: Buffer, place: Place) -> int:
    """How many elements of a static buffer lie before the first one of a place."""
    assert buffer.type.kind is Kind.STATIC
    outer = (replace(place, views=place.views[:k]) for k in range(len(place.views)))
    cuts = ((view, strides(buffer, before)) for view, before in zip(place.views, outer, strict=True))
    return sum(view.numbers[0] * axes[0].stride[0] for view, axes in cuts if view.op == "slice")


def contiguous(sizes: Sequence[Dim]) -> tuple[Axis, ...]:
    """The axes of an array whose elements lie one after another."""
    return tuple(Axis(size, prod_of(sizes[k + 1 :])) for k, size in enumerate(sizes))


def joined(axes: Sequence[Axis]) -> Count | None:
    """The stride of neighbouring axes that are made one; None where their elements do not lie evenly."""
    wide = [axis for axis in axes if axis.size != 1]
    for outer, inner in pairwise(wide):
        if outer.stride != _times(inner.stride, prod_of([inner.size])):
            return None
    return wide[-1].stride if wide else ONE


def _viewed(axes: tuple[Axis, ...], view: View, place: Place) -> tuple[Axis, ...]:
    """The axes of an element after a view of it."""
    if view.op == "slice":
        return (replace(axes[0], size=view.shape[0]), *axes[1:])
    if view.op == "transpose":
        return axes[::-1]
    if view.op == "expand":
        old = iter(axes)
        return tuple(Axis(n, (0, ())) if k in view.numbers else next(old) for k, n in enumerate(view.shape))
    found = _reshaped(axes, view.shape)
    if found is None:
        raise NoViewError(f"{view} of {place} is no view")
    return found


def _reshaped(axes: Sequence[Axis], shape: Sequence[Dim]) -> tuple[Axis, ...] | None:
    """The axes of the same elements in another shape; None where that takes a copy."""
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
    """The product of sizes: of the numbers, and which clocks."""
    numbers = [size for size in sizes if isinstance(size, int)]
    return prod(numbers), tuple(sorted(str(size) for size in sizes if not isinstance(size, int)))
