"""The memory of a call of compiled code, from the same arrays as its layout, without compiling it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from recurrency.backends._c_slabs import Slab, slab

from recurrency.program.footprint import GRADIENTS, TAPE, WORKSPACE, Footprint, uses

if TYPE_CHECKING:
    from collections.abc import Collection

    from recurrency.backends._c_function import CFunction

LINE = 64
"""Bytes of a cache line, at multiples of which arrays begin."""

ROWS, STRIP, STEPS = 6, 8, 256
"""REC_ROWS, REC_STRIP and REC_K of `_c_gemm`."""

CHUNK = 262144
"""Bytes of a chunk of products that a loop reads: see `_c_chunks`."""

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

    slab: Slab
    use: str
    ragged: bool = False
    """Whether only with lengths."""
    unless: str = ""
    """The first state that stands in its place where it is given."""
    row: int = 0
    """Of a chunk at a time: the elements of one sequence at one step of all that is computed in the same chunks."""

    def wanted(self, sizes: Sizes) -> bool:
        """Whether it has memory in a call."""
        return (sizes.ragged or not self.ragged) and (not self.unless or self.unless not in sizes.given)

    def elements(self, sizes: Sizes, itemsize: int) -> int:
        """The number of its elements."""
        if not self.row:
            return prod(self.slab.sizes(sizes.steps, sizes.batch))
        row = sizes.batch * self.row
        most = CHUNK // itemsize // row if 0 < row < CHUNK // itemsize else 1
        steps = {**sizes.steps, str(self.slab.clock): min(most, sizes.steps[str(self.slab.clock)])}
        return prod(self.slab.sizes(steps, sizes.batch))


Sized = tuple[str, ...]
"""A product of numbers and names of sizes."""


@dataclass(frozen=True)
class Rooms:
    """All that a function has memory for: arrays, packed matrices (k, n), and the work of products (m, n, k)."""

    arrays: tuple[Room, ...]
    packed: tuple[tuple[Sized, Sized], ...]
    work: tuple[tuple[Sized, Sized, Sized], ...]
    gradient: int
    """The length of the vector of gradients."""
    clocks: dict[str, str]
    """How the steps of each clock are called in products."""


def rooms(f: CFunction) -> Rooms:
    """The arrays of the workspace and those that become the caller's."""
    from recurrency.backends._cuda_index import clock_size

    known = {f.memory.array(id).name: use for id, use in uses(f.program).items() if id in f.memory.arrays}
    known |= {r.array.name: GRADIENTS for root, r in f.results.items() if root.startswith("gradient:")}
    known |= dict.fromkeys(f.taped, TAPE)
    given = {array.name: name for name, array in f.inputs.items()}
    out = []
    for array in f.arrays:
        name = given.get(array.name, "")
        padded, start = array.name in f.padded, name if name.startswith("start:") else ""
        if not name or padded or start or array.name in f.fresh:
            row = f.launches.chunks.row(array)
            out.append(Room(slab(array), known.get(array.name, WORKSPACE), padded, start, row))
    products = f.launches.products
    packed = tuple((_sized(k), _sized(n)) for *_, k, n in products.packed)
    work = tuple((_sized(m), _sized(n), _sized(k)) for m, n, k in dict.fromkeys(products.work))
    size = f.layout.size if f.has_gradient else 0
    return Rooms(tuple(out), packed, work, size, {clock: clock_size(clock) for clock in f.memory.clocks})


def _sized(text: str) -> Sized:
    """The factors of a size as text of C."""
    return tuple(text.replace("(b1 - b0)", "B").split(" * "))


def footprint(found: Rooms, real: np.dtype[Any], sizes: Sizes) -> Footprint:
    """The arrays that become the caller's, and the workspace."""
    parts = [
        (room.use, _lines(room.elements(sizes, real.itemsize) * (real.itemsize if room.slab.real else 8)))
        for room in found.arrays
        if room.wanted(sizes)
    ]
    if found.gradient:
        parts.append((GRADIENTS, _lines(found.gradient * real.itemsize)))
    parts += [(WORKSPACE, 3 * LINE + _products(found, real, sizes)), *_counts(found, sizes)]
    return Footprint.of(parts)


def _counts(found: Rooms, sizes: Sizes) -> Iterator[tuple[str, int]]:
    for _ in found.clocks:
        yield WORKSPACE, _lines(8 * sizes.batch) * (1 if sizes.ragged else 2)


def _products(found: Rooms, real: np.dtype[Any], sizes: Sizes) -> int:
    """Bytes of packed matrices, and of the room that products need in each thread."""
    names = {word: sizes.steps[clock] for clock, word in found.clocks.items()} | {"B": sizes.batch}
    product = _Products(real.itemsize)

    def number(sized: Sized) -> int:
        return prod(int(factor) if factor.isdigit() else names[factor] for factor in sized)

    packed = sum(_lines(product.packed(number(k), number(n)) * real.itemsize) for k, n in found.packed)
    work = [product.work(*map(number, shape)) for shape in found.work]
    return packed + _lines(max(work, default=0) * sizes.threads * real.itemsize)


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
