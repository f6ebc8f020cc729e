"""Passes: functions from graph to graph that keep its meaning, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from recurrency.graph.graph import Graph
from recurrency.passes import cse, pack, reassociate, simplify

Pass: TypeAlias = Callable[[Graph], Graph]

PASSES: dict[str, Pass] = {
    "simplify": simplify.simplify,
    "cse": cse.cse,
    "reassociate": reassociate.reassociate,
    "pack": pack.pack,
}


ORDER = ("simplify", "cse", "reassociate", "simplify", "cse", "pack", "cse")
"""The order. Some passes run several times, because others leave work for them."""


def optimised(graph: Graph, without: Collection[str] = (), watch: Callable[[str, Graph], None] | None = None) -> Graph:
    """The graph after all passes but those `without`; `watch` sees the name of each pass and its result."""
    for name in ORDER:
        if name not in without:
            graph = PASSES[name](graph)
            if watch is not None:
                watch(name, graph)
    return graph
