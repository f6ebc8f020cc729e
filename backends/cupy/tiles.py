"""The rule for the tiles of the plan `split`: which part of a step's products one block computes, and with what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

WARP = 32
"""Threads of a warp."""

LOAD = 16
"""Bytes that a thread loads at once."""

SEQUENCES = (4, 16)
"""Sequences of a block: each kernel is written for both, and the batch chooses."""

MOST_WARPS = {4: 12, 8: 8}
"""Warps of a block by the bytes of an element: 384 threads leave 168 registers to each, 256 threads leave 255."""

MULTIPROCESSORS = 132
"""Blocks that run at the same time: those of an H100."""

SHARED = 48 * 1024
"""Bytes of shared memory that a block has without asking for more."""

MOST_COLUMNS = 64
"""Columns of a product in a block."""


@dataclass(frozen=True)
class Part:
    """One product of a tile: `terms` are added up for each of `columns` (those of all its units, and padding).

    A thread adds for `vector` columns, and reads so many terms at once; `lanes` threads of a warp have all columns, the
    others have other terms.
    """

    terms: int
    columns: int
    vector: int

    @property
    def lanes(self) -> int:
        """The threads of a warp that share the columns."""
        return self.columns // self.vector

    @property
    def groups(self) -> int:
        """The groups of threads of a warp that share the terms."""
        return WARP // self.lanes

    @property
    def rounds(self) -> int:
        """How often one warp would read terms if it were alone."""
        return ceil(self.terms / (self.groups * self.vector))

    @property
    def row(self) -> int:
        """The elements of shared memory for one sequence: the columns, and a gap that spreads them over the banks."""
        return self.columns + self.vector

    @property
    def packed(self) -> int:
        """The elements of the packed weights of one block."""
        return self.rounds * self.vector * WARP * self.vector


@dataclass(frozen=True)
class Tile:
    """What one block computes: `units` of `inner` units, which exist `outer` times (heads), by `warps` warps."""

    outer: int
    inner: int
    units: int
    warps: int
    parts: tuple[Part, ...]

    @property
    def threads(self) -> int:
        """The threads of a block."""
        return self.warps * WARP

    @property
    def tiles(self) -> int:
        """The blocks for the inner units."""
        return ceil(self.inner / self.units)

    @property
    def blocks(self) -> int:
        """The blocks for one group of sequences."""
        return self.outer * self.tiles


def tile(outer: int, inner: int, products: Sequence[tuple[int, int]], itemsize: int) -> Tile | None:
    """The tile for a stage of `outer * inner` units, or None where no tile fits into shared memory.

    Each product is its number of terms and its number of columns for each unit (gates): at H = 768 one step of an LSTM
    is `tile(1, 768, [(768, 4)], 4)`, and the way back `tile(1, 768, [(3072, 1)], 4)`. `itemsize` is that of an element
    in bytes.

    A step takes as long as its slowest multiprocessor, which reads the weights of its blocks, and the terms of all
    sequences for each of these. The rule takes the number of units for which this is least, assuming `MULTIPROCESSORS`,
    and of several the greatest. Each warp reads terms at least twice (several loads hide the latency of one) if there
    are enough, and there are as many warps as this and shared memory leave, `MOST_WARPS` at most.
    """
    if not products or not inner or not outer or any(terms < 1 for terms, _ in products):
        return None
    found = [made for units in range(1, inner + 1) for made in _of(outer, inner, units, products, itemsize)]
    return min(found, key=lambda made: (_time(made), -made.units), default=None)


def _of(outer: int, inner: int, units: int, products: Sequence[tuple[int, int]], itemsize: int) -> Iterator[Tile]:
    """The tile of so many units, if there is one."""
    vector = LOAD // itemsize
    parts = tuple(Part(terms, _columns(units * count, vector), vector) for terms, count in products)
    if max(part.columns for part in parts) > MOST_COLUMNS:
        return
    wanted = min(MOST_WARPS[itemsize], max(ceil(part.rounds / 2) for part in parts))
    warps = min(wanted, SHARED // (max(SEQUENCES) * itemsize * sum(part.row for part in parts)))
    if warps:
        yield Tile(outer, inner, units, warps, parts)


def _columns(count: int, vector: int) -> int:
    """So many columns with padding: a power of two, and at least those of one thread."""
    return int(max(vector, 1 << (count - 1).bit_length()))


def _time(made: Tile) -> int:
    """The elements that the slowest multiprocessor reads: weights, and terms of as many sequences as a block has."""
    read = sum((part.columns + SEQUENCES[-1]) * part.terms for part in made.parts)
    return ceil(made.blocks / MULTIPROCESSORS) * read


def shared(made: Tile, sequences: int, itemsize: int) -> int:
    """The bytes of shared memory of a block."""
    return made.warps * sequences * itemsize * sum(part.row for part in made.parts)


def sequences(batch: int) -> int:
    """The sequences of a block for a batch; there are as many groups of blocks as these need."""
    return next((few for few in SEQUENCES if batch <= few), SEQUENCES[-1])
