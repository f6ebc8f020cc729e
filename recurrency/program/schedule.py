"""The program of a graph: regions, kernels and storage."""

from __future__ import annotations

from collections import Counter

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.program.layout import Layout
from recurrency.program.program import Program
from recurrency.program.regions import cut
from recurrency.program.reuse import share
from recurrency.program.storage import Storage

PIECES = frozenset({"fuse", "views", "in-place concat", "in-place gradients", "in place", "reuse", "sums"})
"""Parts of the planning that may be switched off. The results stay the same."""


def schedule(
    graph: Graph, layout: Layout | None = None, without: frozenset[str] = frozenset(), gather: bool = False
) -> Program:
    """The program that computes the roots of a graph.

    With a `layout`, gradients of parameters (roots `gradient:NAME`) are computed in place in the flat vector where
    possible. `without` names parts of the planning (`PIECES`) to leave out. With `gather`, loops take element-wise
    nodes of other regions (see `gathering`).
    """
    sums, hidden = ({}, frozenset[int]()) if "sums" in without else _sums(graph)
    regions = cut(graph, hidden, "fuse" not in without, gather)
    storage = Storage(graph, regions, hidden, layout, without)
    if "reuse" not in without:
        share(graph, regions, storage)
    copies = frozenset(storage.copies)
    return Program(graph, regions, storage.buffers, storage.places, copies, sums, "views" not in without)


def _sums(graph: Graph) -> tuple[dict[int, int], frozenset[int]]:
    """Sums over time or sequences -> the node that is summed while it is computed; and the nodes that are never stored.

    A product summed over time is one product over all steps: the outer products of single steps are never stored.
    """
    order = graph.order()
    uses = Counter(arg for id in order for arg in graph[id].args)
    uses.update(graph.roots.values())
    sums: dict[int, int] = {}
    hidden: set[int] = set()
    for id in order:
        if Trait.ACCUMULATES not in graph[id].op.traits:
            continue
        inner = graph[id].args[0]
        if inner in sums and uses[inner] == 1:
            sums[id] = sums.pop(inner)
            hidden.add(inner)
        else:
            sums[id] = inner
            if Trait.ADDS_UP in graph[inner].op.traits and uses[inner] == 1:
                hidden.add(inner)
    return sums, frozenset(hidden)
