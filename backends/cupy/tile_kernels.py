"""Kernels of one step in which a block computes the products of a tile together: see `tiles`.

The warps of a block share the terms of its products, and a thread adds up for several sequences and columns. What the
threads have added goes to shared memory; behind a barrier, threads add it up, each for one unit of one sequence, and
compute what the stage does with it. The order of additions depends neither on chance nor on the number of sequences.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

from recurrency.graph.types import Kind
from recurrency.program.program import Region

from ..kernels.arrays import VECTORS, Array
from ..kernels.index import At, Ix
from ..kernels.pieces import Domain, Store
from ..kernels.races import Written, race
from ..kernels.values import Source
from ..kernels.writer import Draft, Kernel
from ..names import Names
from .rows import Row
from .split import Group, SplitBody
from .sums import Terms, declared, product_lines, total_lines
from .tiles import SEQUENCES, WARP, Tile, tile
from .writer import CudaBody, CudaWriter, decoded, index_lines, kernel_of, loads_first, signature

LARGEST = 2**31 - 2**10
"""The greatest number of elements of an array: kernels count in 32 bits."""

NEIGHBOURS = re.compile(r"(\w+)\[(?:.* \+ )?(?:k|\(k \+ (\d+)\))\]")
"""An element of an array whose neighbour is that of the next term."""

STRIDE = re.compile(r"\w+\[(?:tb|\(tb [+-] (?:\d+ \* )?B\)|\(long long\)b) \* (\d+) \+ ")
"""An element of an array, and how many elements one sequence has there."""


@dataclass(frozen=True)
class TileKernel(Kernel):
    """A kernel with a version for each of `SEQUENCES`, which ends its name; `count` is the number of sequences."""

    blocks: int = 1
    threads: int = WARP
    work: int = 1
    """The multiplications of a block for one sequence."""


@dataclass(frozen=True)
class Tiled:
    """A stage whose products are computed in tiles: the groups of products, and the indices of a unit."""

    tile: Tile
    groups: list[Group]
    idx: tuple[Ix, ...]
    axes: int
    wish: str

    def outer(self, number: str) -> list[str]:
        """The lines that find the leading indices of a tile, which an operand may depend on."""
        return index_lines(self.idx[: self.axes], f"{number} / {self.tile.tiles}")

    def inner(self, unit: str) -> list[str]:
        """The lines that find the other indices of a unit."""
        return index_lines(self.idx[self.axes :], unit)


class SplitWriter(CudaWriter):
    """Writes kernels of tiles for stages of a loop within `splitting`; those of no other way are in `apart`."""

    packs: list[Kernel] | None = None
    """Within `splitting`, the kernels that pack weights before the loop."""

    def __init__(self, source: Source, prefix: str) -> None:
        super().__init__(source, prefix)
        self.apart: list[Kernel] = []
        self.rows: list[Row] = []
        self.kept: list[Kernel] = []
        self.begun = 0

    @contextmanager
    def splitting(self) -> Iterator[list[Kernel]]:
        """Write kernels of tiles where products fit; yields the kernels that pack their weights."""
        known, made = dict(self.known), len(self.made)
        self.begun = made
        packs: list[Kernel] = []
        self.packs, self.rows = packs, []
        try:
            yield packs
        finally:
            self.apart += self.kept
            del self.made[made:]
            self.known, self.packs, self.kept = known, None, []

    def keep(self, lines: Sequence[str]) -> None:
        """Keep those kernels that some lines launch, within `splitting`."""
        words = set(re.findall(r"\w+", "\n".join(lines)))
        names = {k.name: {k.name, *(f"{k.name}{size}" for size in SEQUENCES)} for k in self.made}
        self.kept = [kernel for kernel in self.made[self.begun :] if names[kernel.name] & words]

    def points(
        self, domain: Domain, stores: Sequence[Store], ready: Container[int], wish: str, scan: Region | None = None
    ) -> Kernel:
        """See `Writer.points`."""
        if self.packs is None or scan is None:
            return super().points(domain, stores, ready, wish, scan)
        tiled = self._tiled(domain, stores, ready, wish)
        if tiled is not None:
            return tiled
        kernel = super().points(domain, stores, ready, wish, scan)
        if domain.kind is Kind.STREAM and all(isinstance(size, int) for size in domain.shape):
            self.rows.append(Row(kernel, domain, tuple(stores), ready, wish))
        return kernel

    def _tiled(self, domain: Domain, stores: Sequence[Store], ready: Container[int], wish: str) -> TileKernel | None:
        """The kernel of a stage in which blocks compute tiles, or None where no product fits.

        Raises:
            RaceError: blocks would read what others write.
        """
        shape = [size for size in domain.shape if isinstance(size, int)]
        if domain.kind is not Kind.STREAM or len(shape) < len(domain.shape):
            return None
        _, at, _ = self.begin(domain, ready, "step")
        body = SplitBody(self.source, ready, Names(outer=self.source.memory.names), at.idx)
        written = self.stores(body, stores, at)
        groups = list(body.groups.values())
        counts = [(group.terms, len(group.columns)) for group in groups]
        made = tile(prod(shape[: body.axes]), prod(shape[body.axes :]), counts, _itemsize(self))
        if made is None or any(made.blocks * part.packed > LARGEST for part in made.parts):
            return None
        terms = [self._terms(group, body, part.vector) for group, part in zip(groups, made.parts, strict=True)]
        found = race(body.reads, written, True)
        if found is not None:
            found.stores = [s for s in stores if self.element(s, at)[1] in found.written]
            raise found
        tiled = Tiled(made, groups, at.idx, body.axes, wish)
        weights = [self._packed(tiled, number, ready) for number in range(len(groups))]
        return self._kernel(tiled, body, written, list(zip(weights, terms, strict=True)))

    def _terms(self, group: Group, body: SplitBody, size: int) -> Terms:
        """How a thread reads the terms of an operand, `size` at once where they are neighbours in memory."""
        reader = CudaBody(self.source, body.ready, body.names)
        text = reader.real(group.node, group.at)
        body.reads += reader.reads
        lines = reader.scopes[0].lines
        element = reader.texts.get(text, text)
        found = NEIGHBOURS.fullmatch(element) if len(lines) == 1 else None
        aligned = found is not None and self._is_aligned(found[1], int(found[2] or 0), size)
        alone = len(re.findall(r"\bk\b", element)) == 1 and group.terms % size == 0
        stride = STRIDE.match(element)
        vector = element if aligned and alone and stride is not None else None
        return Terms(tuple(lines), text, vector, int(stride[1]) if stride else 0)

    def _is_aligned(self, name: str, offset: int, size: int) -> bool:
        """Whether rows of an array begin at addresses from which a thread can load several elements.

        Those of the caller's arrays need not.
        """
        graph, memory = self.source.graph, self.source.memory
        given = {id for op in ("input", "start") for id in graph.sources(op).values()}
        names = {memory.labels.get(self.source.program.places[id].buffer) for id in given}
        found = [array for array in memory.used({name}) if array.home not in VECTORS and array.real and array.shape]
        last = found[0].shape[-1] if found and name not in names else None
        return isinstance(last, int) and last % size == 0 and offset % size == 0

    def _packed(self, tiled: Tiled, number: int, ready: Container[int]) -> Array:
        """The array of the weights of one group, in the order in which threads read them; a kernel fills it."""
        made, group, part = tiled.tile, tiled.groups[number], tiled.tile.parts[number]
        size, v = made.blocks * part.packed, part.vector
        type_ = self.source.graph[group.columns[0][0]].type.with_shape(size)
        array = self.source.memory.made(f"{tiled.wish}_packed", type_)
        body = CudaBody(replace(self.source, turned={}), ready, Names(outer=self.source.memory.names))
        zero = self.source.scalars.literal(0.0)
        body.line(f"{self.source.scalars.real} weight = {zero};")
        with body.block(f"if (k < {group.terms} && unit < {made.inner})"):
            for line in [*tiled.outer("tile"), *tiled.inner("unit")]:
                body.line(line)
            for column, (weights, at, _) in enumerate(group.columns):
                with body.block(f"if (column == {column})"):
                    body.line(f"weight = {body.value(weights, at)};", weights)
        place = At(None, None, (Ix("place", 0, size),))
        body.line(f"{array.element(place)} = weight;")
        head = [
            *decoded([("place", str(size))]),
            f"const int lane = place / {v} % {WARP}, round = place / {v * v * WARP} % {part.rounds};",
            f"const int tile = place / {part.packed}, at = lane % {part.lanes} * {v} + place % {v};",
            f"const int k = (round * {part.groups} + lane / {part.lanes}) * {v} + place / {v * WARP} % {v};",
            f"const int column = at / {made.units}, unit = tile % {made.tiles} * {made.units} + at % {made.units};",
        ]
        written = {array.element(place): Written(array, "weight", array.span(place))}
        draft = Draft(Domain(Kind.STATIC, None, (size,)), "all", body, [*head, *body.scopes[0].lines], written)
        assert self.packs is not None
        self.packs.append(self.finish(f"{tiled.wish}_packed", draft))
        return array

    def _kernel(
        self, tiled: Tiled, body: SplitBody, written: dict[str, Written], operands: list[tuple[Array, Terms]]
    ) -> TileKernel:
        """The kernel of tiles, in all its versions."""
        made, memory = tiled.tile, self.source.memory
        name: str = memory.names.new(f"{self.prefix}_{tiled.wish}_tile")
        text, args = "", list[str]()
        for sequences in SEQUENCES:
            early, late = loads_first(body.scopes[0].lines, written)
            lines = list(self._lines(tiled, [*early, *late], operands, sequences))
            domain = Domain(Kind.STREAM, None, ())
            params, args = signature(Draft(domain, "step", body, lines, written), self.source, early=True)
            text += kernel_of(f"{name}{sequences}", [*params, "int t"], lines, (made.threads, 1)) + "\n"
        work = sum(part.terms * part.columns for part in made.parts)
        kernel = TileKernel(name, text.rstrip("\n") + "\n", (*args, "t"), "B", False, made.blocks, made.threads, work)
        self.made.append(kernel)
        return kernel

    def _lines(
        self, tiled: Tiled, body: Sequence[str], operands: list[tuple[Array, Terms]], sequences: int
    ) -> Iterator[str]:
        """The lines of a kernel of tiles for so many sequences; `body` is what a thread does with sums of a unit."""
        made, real = tiled.tile, self.source.scalars.real
        yield from declared(made, sequences, real)
        yield from tiled.outer("tile")
        for number, (weights, terms) in enumerate(operands):
            yield from product_lines(made, number, sequences, weights.name, terms, real)
        yield "__syncthreads();"
        yield f"for (int i = threadIdx.x; i < {sequences * made.units}; i += {made.threads}) {{"
        yield f"    const int s = i / {made.units}, u = i % {made.units};"
        yield f"    const int b = b0 + s, unit = tile % {made.tiles} * {made.units} + u;"
        yield f"    if (b >= B || unit >= {made.inner}) continue;"
        inner = [*tiled.inner("unit"), "const long long tb = (long long)t * B + b;"]
        for number, group in enumerate(tiled.groups):
            for column, (_, _, name) in enumerate(group.columns):
                inner += total_lines(made, number, column, name, sequences, real)
        yield from (f"    {line}" for line in [*inner, *body])
        yield "}"


def _itemsize(writer: CudaWriter) -> int:
    """The bytes of a number."""
    return {"float": 4, "double": 8}[writer.source.scalars.real]
