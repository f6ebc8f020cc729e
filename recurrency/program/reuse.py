"""Buffers whose lifetimes do not overlap share memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from recurrency.graph.graph import Graph
from recurrency.program.program import Buffer, Region
from recurrency.program.storage import Storage

END = 1 << 60


def share(graph: Graph, regions: tuple[Region, ...], storage: Storage) -> None:
    """Give each buffer the memory of an earlier one of the same type that is not read any more.

    Buffers with rows before or after the steps keep their own memory, because those rows are written only once.
    """
    lives = _lives(graph, regions, storage)
    heaps: dict[tuple[object, ...], Heap] = {}
    for id, (first, last) in sorted(lives.items(), key=lambda item: item[1]):
        buffer = storage.buffers[id]
        if buffer.home != "own" or buffer.front or buffer.behind:
            continue
        heap = heaps.setdefault((buffer.type, buffer.step), Heap())
        buffer.same = heap.taken(first)
        heap.put(last, id if buffer.same is None else buffer.same)


@dataclass
class Heap:
    """Memory of one type: buffers in use, by their last read, and free ones, of which the oldest is taken first."""

    busy: list[tuple[int, int, int]] = field(default_factory=list)
    free: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0

    def put(self, last: int, memory: int) -> None:
        """Add memory that is in use until the position `last`."""
        heappush(self.busy, (last, self.count, memory))
        self.count += 1

    def taken(self, first: int) -> int | None:
        """Memory that is not read any more at the position `first`, to be used again; None if there is none."""
        while self.busy and self.busy[0][0] < first:
            heappush(self.free, heappop(self.busy)[1:])
        return heappop(self.free)[1] if self.free else None


def _lives(graph: Graph, regions: tuple[Region, ...], storage: Storage) -> dict[int, tuple[int, int]]:
    """The first and last position in the order at which each buffer is in use."""
    touched: dict[int, list[int]] = {}
    for id, place in storage.places.items():
        if id in storage.position:
            at = storage.position[id]
            reads = (
                [END] if storage.readers.escapes(id) else [storage.position[r.reader] for r in storage.readers.of(id)]
            )
            touched.setdefault(place.buffer, []).extend([at, *reads])
    ends = _ends(regions, storage)
    return {id: _life(storage.buffers[id], positions, ends) for id, positions in touched.items()}


def _ends(regions: tuple[Region, ...], storage: Storage) -> list[tuple[int, int]]:
    return [(storage.position[r.ids[0]], storage.position[r.ids[-1]]) for r in regions if r.scans and r.ids]


def _life(buffer: Buffer, positions: Iterable[int], ends: list[tuple[int, int]]) -> tuple[int, int]:
    """A buffer that holds all steps is in use throughout each loop in which it is used."""
    first, last = min(positions), max(positions)
    if buffer.step is None:
        for start, stop in ends:
            if start <= first <= stop:
                first = start
            if start <= last <= stop:
                last = stop
    return first, last
