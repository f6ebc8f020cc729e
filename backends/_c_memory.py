"""The memory of a call of compiled code, from the same arrays as its layout, without compiling it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from recurrency.backends._c_function import CFunction
from recurrency.backends._cuda_index import clock_size
from recurrency.backends._cuda_memory import Array as Place

from recurrency.graph.types import Kind
from recurrency.program.footprint import GRADIENTS, TAPE, WORKSPACE, Footprint, uses

LINE = 64
"""Bytes of a cache line, at multiples of which arrays begin."""

ROWS, STRIP, STEPS = 6, 8, 256
"""REC_ROWS, REC_STRIP and REC_K of `_c_gemm`."""

VECTORS = 64
"""Bytes of a row of the tile, with AVX; other machines round columns otherwise."""


@dataclass(frozen=True)
class Sizes:
    """What a call is called with: steps of each clock, sequences, which inputs, whether lengths, threads."""

    steps: Mapping[str, int]
    batch: int
    given: Collection[str]
    ragged: bool
    threads: int


@dataclass(frozen=True)
class Room:
    """An array of a function: what it is for, and when it has memory of its own, see `CFunction._lay`."""

    array: Place
    use: str
    ragged: bool = False
    """Whether only with lengths."""
    unless: str = ""
    """The first state that stands in its place where it is given."""

    def wanted(self, sizes: Sizes) -> bool:
        """Whether it has memory in a call."""
        return (sizes.ragged or not self.ragged) and (not self.unless or self.unless not in sizes.given)


def rooms(f: CFunction) -> list[Room]:
    """The arrays of the workspace and those that become the caller's."""
    known = {f.memory.array(id).name: use for id, use in uses(f.program).items() if id in f.memory.arrays}
    known |= {r.array.name: GRADIENTS for root, r in f.results.items() if root.startswith("gradient:")}
    known |= dict.fromkeys(f.taped, TAPE)
    given = {array.name: name for name, array in f.inputs.items()}
    out = []
    for array in f.arrays:
        name = given.get(array.name, "")
        padded, start = array.name in f.padded, name if name.startswith("start:") else ""
        if not name or padded or start or array.name in f.fresh:
            out.append(Room(array, known.get(array.name, WORKSPACE), padded, start))
    return out


def footprint(f: CFunction, arrays: list[Room], real: np.dtype[Any], sizes: Sizes) -> Footprint:
    """The arrays that become the caller's, and the workspace."""
    parts = [
        (room.use, _lines(_elements(room.array, sizes) * (real.itemsize if room.array.real else 8)))
        for room in arrays
        if room.wanted(sizes)
    ]
    if f.has_gradient:
        parts.append((GRADIENTS, _lines(f.layout.size * real.itemsize)))
    parts += [(WORKSPACE, 3 * LINE + _products(f, real, sizes)), *_counts(f, sizes)]
    return Footprint.of(parts)


def _counts(f: CFunction, sizes: Sizes) -> Iterator[tuple[str, int]]:
    for _ in f.memory.clocks:
        yield WORKSPACE, _lines(8 * sizes.batch) * (1 if sizes.ragged else 2)


def _elements(array: Place, sizes: Sizes) -> int:
    lead = [sizes.batch] if array.kind >= Kind.SEQUENCE else []
    if array.timed:
        lead.insert(0, sizes.steps[str(array.clock)] + array.front + array.behind)
    return math.prod((*lead, *(sizes.steps[d] if isinstance(d, str) else d for d in array.shape)))


def _products(f: CFunction, real: np.dtype[Any], sizes: Sizes) -> int:
    """Bytes of packed matrices, and of the room that products need in each thread."""
    names = {clock_size(c): sizes.steps[c] for c in f.memory.clocks} | {"B": sizes.batch, "b1": sizes.batch, "b0": 0}
    product = _Products(real.itemsize)
    packed = sum(
        _lines(product.packed(_number(k, names), _number(n, names)) * real.itemsize)
        for *_, k, n in f.launches.products.packed
    )
    work = [product.work(*(_number(text, names) for text in texts)) for texts in f.launches.products.work]
    return packed + _lines(max(work, default=0) * sizes.threads * real.itemsize)


def _number(text: str, names: Mapping[str, int]) -> int:
    """The value of a size as text of C: a product of numbers, names and differences."""
    return int(eval(text, {"__builtins__": {}}, dict(names)))


class _Products:
    """The elements that products need, as the functions of the same names in `_c_gemm` count them."""

    def __init__(self, itemsize: int) -> None:
        self.size = itemsize
        self.columns = VECTORS // itemsize
        self.greatest = 16384 // itemsize

    def packed(self, k: int, n: int) -> int:
        return -(-n // self.columns) * self.columns * k

    def work(self, m: int, n: int, k: int) -> int:
        depth = min(k, STEPS * (self.greatest // n)) if 0 < n < self.greatest // 2 else min(k, STEPS)
        rows = min(m, 8 // self.size * 16 * ROWS)
        return -(-rows // ROWS) * STRIP * self._steps(depth) + self.packed(depth, min(n, self.greatest))

    @staticmethod
    def _steps(k: int) -> int:
        blocks = -(-k // STEPS)
        return -(-k // blocks) if blocks > 1 else k


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
