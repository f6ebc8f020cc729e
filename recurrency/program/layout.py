"""The place of each parameter in the flat vector of all parameters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from recurrency.graph.cost import count, whole
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import GRADIENT
from recurrency.program.program import Program
from recurrency.program.strides import evenly, start, strides


@dataclass(frozen=True)
class Layout:
    """Offset and shape of each parameter by name, and the number of all elements."""

    entries: dict[str, tuple[int, tuple[int, ...]]]
    size: int

    def offset(self, name: str) -> int:
        """The offset of a parameter in the flat vector."""
        return self.entries[name][0]


def gradients(graph: Graph, layout: Layout) -> dict[str, int]:
    """The roots that are gradients of parameters, by the names of the parameters."""
    return {name: id for name, id in GRADIENT.within(graph.roots).items() if name in layout.entries}


def computed_there(program: Program, layout: Layout, name: str, id: int) -> bool:
    """Whether the gradient of a parameter is computed in its place of the flat vector."""
    place = program.places.get(id)
    if place is None or program.buffers[place.buffer].home != "gradient":
        return False
    buffer = program.buffers[place.buffer]
    there = buffer.offset + start(buffer, place) == layout.offset(name)
    return there and evenly(strides(buffer, place))


def layout(graph: Graph) -> Layout:
    """A layout in which parameters that the graph concatenates stand side by side, in that order.

    Their concatenation is then a view of the flat vector. Where two concatenations contradict each other, the larger
    one wins.
    """
    names = {id: str(graph[id].attrs["name"]) for id in sorted(graph.sources("param").values())}
    after: dict[int, int] = {}
    before: dict[int, int] = {}
    for row in sorted(_rows(graph), key=lambda row: (-sum(_size(graph, p) for p in row), row)):
        for left, right in pairwise(row):
            if left not in after and right not in before and not _leads_to(after, right, left):
                after[left], before[right] = right, left
    entries: dict[str, tuple[int, tuple[int, ...]]] = {}
    size = 0
    for id in _chained(list(names), after, before):
        shape = tuple(whole(d) for d in graph[id].type.shape)
        entries[names[id]] = (size, shape)
        size += prod(shape)
    return Layout(entries, size)


def _rows(graph: Graph) -> set[tuple[int, ...]]:
    """The runs of neighbouring parameters among the parts of each `concat`."""
    out = set()
    for id in graph.order():
        if Trait.TILES in graph[id].op.traits:
            run: list[int] = []
            for part in (*graph[id].args, None):
                if part is not None and Trait.PARAMETER in graph[part].op.traits and part not in run:
                    run.append(part)
                    continue
                out.add(tuple(run))
                run = []
    return {row for row in out if len(row) > 1}


def _size(graph: Graph, id: int) -> int:
    return count(graph[id].type.shape)


def _leads_to(after: dict[int, int], start: int, goal: int) -> bool:
    while start in after:
        start = after[start]
        if start == goal:
            return True
    return start == goal


def _chained(ids: list[int], after: dict[int, int], before: dict[int, int]) -> list[int]:
    """The ids in their order, but each chain in one piece, in the position of its first member."""
    out: list[int] = []
    done: set[int] = set()
    for id in ids:
        if id in done:
            continue
        head = id
        while head in before:
            head = before[head]
        run = [head]
        while run[-1] in after:
            run.append(after[run[-1]])
        out += run
        done |= set(run)
    return out
