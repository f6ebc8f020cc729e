"""The memory beside the arrays that a kernel may write: no launch may change it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from .arrays import GUARD, Block, ndarray


@dataclass(frozen=True)
class Margin:
    """Bytes `[start, stop)` of a block, beside the argument `name`."""

    name: str
    start: int
    stop: int

    def of(self, block: Block) -> bytes:
        """The content of these bytes."""
        return ctypes.string_at(block.address + self.start, self.stop - self.start)


@dataclass(frozen=True)
class Use:
    """An array as the argument of a launch: its bytes in its block, and whether they may be written."""

    name: str
    block: Block
    start: int
    stop: int
    written: bool


def use(name: str, array: ndarray, written: bool) -> Use:
    """The bytes from the first element of an array to its last, in the order of addresses."""
    first = array.address - array.block.address
    if not array.size:
        return Use(name, array.block, first, first, written)
    spans = [stride * (n - 1) for n, stride in zip(array.shape, array.strides, strict=True)]
    low, high = (sum(s for s in spans if (s < 0) is negative) for negative in (True, False))
    return Use(name, array.block, first + low, first + high + array.itemsize, written)


def margins(uses: list[Use]) -> list[tuple[Block, Margin]]:
    """The bytes at most `GUARD` beside what a launch writes that are in none of its arguments."""
    return [(u.block, margin) for u in uses if u.written for margin in _beside(u, uses)]


def _beside(one: Use, uses: list[Use]) -> Iterator[Margin]:
    others = sorted((u.start, u.stop) for u in uses if u.block is one.block)
    for start, stop in ((one.start - GUARD, one.start), (one.stop, one.stop + GUARD)):
        for low, high in others:
            if start < low:
                yield from _margin(one.name, start, min(low, stop))
            start = max(start, high)
        yield from _margin(one.name, start, stop)


def _margin(name: str, start: int, stop: int) -> Iterator[Margin]:
    if start < stop:
        yield Margin(name, start, stop)
