"""Divides the stores of one launch among threads: into pieces with equal numbers of elements.

The thread of unit `i` of an LSTM computes element `i` of each gate, although the gates are one array: that array is
stored in four pieces.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.passes.rewriting import number
from recurrency.program.program import Place

from .arrays import Array

MOST_PIECES = 64
"""The greatest number of pieces of one value."""

MOST_STORES = 96
"""The greatest number of stores in one kernel."""


@dataclass(frozen=True)
class Store:
    """A value to be written to a place; with `row`, to that row before the first step (1 is the nearest).

    With `rows`, the rows of the value go to as many of those rows, the first one to `row`. `node` is the node that the
    value is computed for. A result goes to a `target`, with zeros in its padding.
    """

    value: int
    place: Place | None
    node: int
    row: int | None = None
    rows: bool = False
    target: Array | None = None
    low: int = 0
    size: Dim | None = None
    """The number of rows of the first axis that are written, from `low` on (None: there is no axis)."""


@dataclass(frozen=True)
class Domain:
    """The elements that a kernel computes, one for each thread: those of a value of this kind and shape."""

    kind: Kind
    clock: str | None
    shape: tuple[Dim, ...]


@dataclass
class _Cuts:
    """The rows at which each stored value is cut."""

    graph: Graph
    ready: Container[int]
    cuts: dict[int, set[int]] = field(default_factory=dict)

    def add(self, id: int, *rows: int) -> bool:
        """Cut a value at some rows; returns whether any cut is new."""
        if id not in self.cuts or len(self.cuts[id]) > MOST_PIECES:
            return False
        size = self.graph[id].type.shape[0]
        assert isinstance(size, int)
        new = {row for row in rows if 0 < row < size} - self.cuts[id]
        self.cuts[id] |= new
        return bool(new)

    def pieces(self, id: int) -> list[tuple[int, int]]:
        """The pieces of a value: first row and number of rows."""
        size = self.graph[id].type.shape[0]
        assert isinstance(size, int)
        edges = [0, *sorted(self.cuts[id]), size]
        return [(a, b - a) for a, b in pairwise(edges)]

    def trace(self, origin: int, low: int, size: int) -> bool:
        """Follow a piece of a stored value back through its computation; returns whether that led to new cuts."""
        new = False
        seen: set[tuple[int, int]] = set()
        waiting = [(origin, low)]
        while waiting:
            id, start = waiting.pop()
            if (id, start) in seen or (id in self.ready and id != origin):
                continue
            seen.add((id, start))
            if id != origin:
                new |= self.add(id, start, start + size)
            for arg, first in self._reads(id, start, size):
                if arg is None:
                    new |= self.add(origin, low + first - start)
                elif number(self.graph, arg) is None:
                    waiting.append((arg, first))
        return new

    def _reads(self, id: int, start: int, size: int) -> Iterable[tuple[int | None, int]]:
        """The arguments that a piece needs, each with its first row; None with a row where the piece has to be cut."""
        node = self.graph[id]
        if Trait.ROWS in node.op.traits:
            return [(node.args[0], start + node.attrs["start"])]
        if Trait.JOINS in node.op.traits:
            return self._of_parts(id, start, size)
        if node.op.elementwise or Trait.ALIGNED in node.op.traits:
            return [(arg, start) for arg in node.args]
        return [(node.args[0], start)] if self._keeps_rows(node) else []

    def _keeps_rows(self, node: Node) -> bool:
        """Whether a row of the result is the same row of the argument, in another shape."""
        if Trait.REPEATS in node.op.traits:
            return 0 not in node.attrs["axes"]
        shape = self.graph[node.args[0]].type.shape if node.args else ()
        if Trait.CONTIGUOUS in node.op.traits:
            return shape[:1] == node.type.shape[:1]
        return Trait.PERMUTES in node.op.traits and len(shape) == 1 and shape == node.type.shape

    def _of_parts(self, id: int, start: int, size: int) -> list[tuple[int | None, int]]:
        node = self.graph[id]
        low = int(node.attrs.get("start", 0))
        out: list[tuple[int | None, int]] = []
        for arg in node.args:
            rows = self.graph[arg].type.shape[0]
            if not isinstance(rows, int):
                return []
            if low <= start and start + size <= low + rows:
                return [(arg, start - low)]
            out += [(None, edge) for edge in (low, low + rows) if start < edge < start + size]
            low += rows
        return out


def pieces(graph: Graph, stores: Iterable[Store], ready: Container[int]) -> list[tuple[Domain, list[Store]]]:
    """The stores of each kernel: cut into pieces, grouped by the number of elements; stores that are pieces stay so.

    `ready` are the values that are in memory before.
    """
    stores = list(stores)
    cuts = _Cuts(graph, ready)
    whole = [s for s in stores if s.size is None]
    cuts.cuts = {s.value: set() for s in whole if _rows(graph[s.value].type) is not None and s.value not in ready}
    again = True
    while again:
        again = False
        for id in cuts.cuts:
            for low, size in cuts.pieces(id):
                again |= cuts.trace(id, low, size)
    groups: dict[Domain, list[Store]] = {}
    for store in stores:
        if store.size is not None:
            parts: list[tuple[int, Dim | None]] = [(store.low, store.size)]
        elif store.value in cuts.cuts:
            parts = [*cuts.pieces(store.value)]
        else:
            parts = [_whole(graph[store.value].type)]
        for low, rows in parts:
            groups.setdefault(_domain(graph, store, rows), []).append(replace(store, low=low, size=rows))
    return [
        (domain, found[k : k + MOST_STORES])
        for domain, found in groups.items()
        for k in range(0, len(found), MOST_STORES)
    ]


def _whole(type_: Type) -> tuple[int, Dim | None]:
    """The range of rows of a value in one piece."""
    return 0, type_.shape[0] if type_.shape else None


def _domain(graph: Graph, store: Store, rows: Dim | None) -> Domain:
    """The elements that threads compute which write so many rows of a value."""
    type_ = graph[store.value].type
    shape = (rows, *type_.shape[1:]) if rows is not None else ()
    if store.row is not None:
        return Domain(Kind.SEQUENCE, None, shape)
    return Domain(graph[store.node].type.kind, type_.clock, shape)


def _rows(type_: Type) -> int | None:
    size = type_.shape[0] if type_.shape else None
    return size if isinstance(size, int) else None
