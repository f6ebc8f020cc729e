"""Indices of elements as text of C, and how views map them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from recurrency.graph.dimensions import Dim
from recurrency.program.strides import groups

from ..names import ascii_name


@dataclass(frozen=True)
class Ix:
    """An index along one axis: `text`, from 0 to below `size`, plus `offset`; with the text 0 it is constant."""

    text: str
    offset: int = 0
    size: Dim = 1

    def shifted(self, by: int) -> Ix:
        """This index plus a number."""
        return replace(self, offset=self.offset + by)

    @property
    def interval(self) -> tuple[int, int] | None:
        """The range of values, the end exclusive, or None where it is unknown."""
        return (self.offset, self.offset + self.size) if isinstance(self.size, int) else None

    def __str__(self) -> str:
        if not self.offset:
            return self.text
        if self.text == "0":
            return str(self.offset)
        return f"({self.text} {'+' if self.offset > 0 else '-'} {abs(self.offset)})"


@dataclass(frozen=True)
class At:
    """One element of a value: its step and sequence (None: the same for all), and an index for each axis."""

    t: str | None
    b: str | None
    idx: tuple[Ix, ...] = ()

    def to(self, *idx: Ix) -> At:
        """Another element at the same step of the same sequence."""
        return At(self.t, self.b, idx)

    def step(self, t: str | None) -> At:
        """The same element at another step."""
        return At(t, self.b, self.idx)


def extent(dim: Dim) -> str:
    """A size as text; an axis of steps has the size `T_CLOCK`, the number of steps of its clock."""
    return clock_size(dim) if isinstance(dim, str) else str(dim)


def clock_size(clock: str | None) -> str:
    """The name of the number of steps of a clock."""
    return f"T_{clock_name(clock)}"


TIME = "t"
"""The clock of a specification that names none; no other clock can have this name."""

PLAIN = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*(?<!_c[0-9a-f]{8})", re.ASCII)


def clock_name(clock: str | None) -> str:
    """A unique ASCII name for a clock, marked as a word of the specification (see `Names`)."""
    text = str(clock)
    if text == TIME:
        return text
    return f"{text}_" if PLAIN.fullmatch(text) else f"{ascii_name(text)}_c{zlib.crc32(text.encode()):08x}_"


def flat(idx: Sequence[Ix], shape: Sequence[Dim], size_of: Callable[[Dim], str] = extent) -> str:
    """The position of an element in row-major order."""
    out = ""
    for index, size in zip(idx, shape, strict=True):
        if size == 1:
            continue
        out = f"{_factor(out)} * {size_of(size)} + {index}" if out else str(index)
    return out or "0"


def _factor(text: str) -> str:
    return f"({text})" if " " in text and not _enclosed(text) else text


def _enclosed(text: str) -> bool:
    """Whether the first bracket of a text closes at its end."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place == len(text) - 1
    return False


def before_view(
    op: str, numbers: Sequence[int], shape: Sequence[Dim], old: Sequence[Dim], idx: tuple[Ix, ...]
) -> tuple[Ix, ...]:
    """The index into a value of shape `old` of the element `idx` of its view, which has the shape `shape`."""
    if op == "slice":
        return (idx[0].shifted(numbers[0]), *idx[1:])
    if op == "transpose":
        return tuple(idx[numbers.index(k)] for k in range(len(idx))) if numbers else idx[::-1]
    if op == "expand":
        return tuple(index for axis, index in enumerate(idx) if axis not in numbers)
    assert op == "reshape"
    return tuple(_reshaped(shape, old, idx))


def _reshaped(shape: Sequence[Dim], old: Sequence[Dim], idx: tuple[Ix, ...]) -> Iterator[Ix]:
    """Indices into the old shape; axes that both shapes share keep their index."""
    for new_axes, old_axes in groups(shape, old):
        new = [idx[a] for a in new_axes]
        sizes = [shape[a] for a in new_axes]
        wide = [k for k, size in enumerate(sizes) if size != 1]
        if len(wide) == 1 and sum(old[a] != 1 for a in old_axes) == 1:
            yield from (Ix("0") if old[a] == 1 else new[wide[0]] for a in old_axes)
        else:
            yield from _divided(flat(new, sizes), [old[a] for a in old_axes])


def _divided(text: str, shape: Sequence[Dim]) -> Iterator[Ix]:
    """The index of an element from its position in row-major order."""
    for axis, size in enumerate(shape):
        inner = prod(s for s in shape[axis + 1 :] if isinstance(s, int))
        if size == 1:
            yield Ix("0")
            continue
        part = text if inner == 1 else f"({text}) / {inner}"
        yield Ix(f"({part})" if axis == 0 else f"(({part}) % {extent(size)})", 0, size)
