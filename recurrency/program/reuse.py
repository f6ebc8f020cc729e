"""Buffers whose life times do not overlap share memory."""

from __future__ import annotations

from collections.abc import Iterable

from recurrency.graph.graph import Graph
from recurrency.program.program import Buffer, Region
from recurrency.program.storage import Storage

END = 1 << 60


def share(graph: Graph, regions: tuple[Region, ...], storage: Storage) -> None:
    """Give each buffer the memory of an earlier one of the same type that nobody reads any more.

    Buffers with rows before or after the steps keep their own, for what stands there is written once.
    """
    lives = _lives(graph, regions, storage)
    free: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for id, (first, last) in sorted(lives.items(), key=lambda item: item[1]):
        buffer = storage.buffers[id]
        if buffer.home != "own" or buffer.front or buffer.behind:
            continue
        heap = free.setdefault((buffer.type, buffer.step), [])
        found = next((k for k, (end, _) in enumerate(heap) if end < first), None)
        if found is not None:
            buffer.same = heap.pop(found)[1]
        heap.append((last, buffer.same if buffer.same is not None else id))


def _lives(graph: Graph, regions: tuple[Region, ...], storage: Storage) -> dict[int, tuple[int, int]]:
    """First and last place in the order at which each buffer is in use."""
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
