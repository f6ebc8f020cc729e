"""Passes: functions from graph to graph that keep its meaning, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from recurrency.graph.graph import Graph
from recurrency.passes import cse, forget, pack, reassociate, simplify

Pass: TypeAlias = Callable[[Graph], Graph]

PASSES: dict[str, Pass] = {
    "forget": forget.forget,
    "simplify": simplify.simplify,
    "cse": cse.cse,
    "reassociate": reassociate.reassociate,
    "pack": pack.pack,
}


ORDER = ("simplify", "cse", "reassociate", "simplify", "cse", "pack", "cse")
"""The order. Some passes run several times, because others leave work for them."""
LAST_ORDER = ("forget", *ORDER)
"""The order for a graph that is not differentiated any more."""


def optimised(
    graph: Graph,
    without: Collection[str] = (),
    watch: Callable[[str, Graph], None] | None = None,
    order: Sequence[str] = ORDER,
) -> Graph:
    """The graph after all passes but those `without`; `watch` sees the name of each pass and its result."""
    for name in order:
        if name not in without:
            graph = PASSES[name](graph)
            if watch is not None:
                watch(name, graph)
    return graph


def finished(graph: Graph, without: Collection[str] = (), watch: Callable[[str, Graph], None] | None = None) -> Graph:
    """`optimised`, for a graph that is not differentiated any more: it computes nothing for gradients alone."""
    return optimised(graph, without, watch, LAST_ORDER)
