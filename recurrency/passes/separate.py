"""Separates what runs over other clocks from the rest: an encoder from its decoder."""

from __future__ import annotations

from dataclasses import replace

from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS
from recurrency.graph.roots import READ
from recurrency.graph.types import Kind


def separate(graph: Graph, clock: str) -> tuple[Graph, Graph]:
    """The streams over other clocks that the roots read, as roots `read:K`, and the rest, which has them as inputs.

    One run of the first graph serves any number of runs of the second one.
    """

    def elsewhere(id: int) -> bool:
        type_ = graph[id].type
        return type_.kind is Kind.STREAM and type_.clock != clock

    crossing = {
        arg: None
        for id in graph.order()
        if not elsewhere(id)
        for arg in graph[id].args
        if elsewhere(arg) and Trait.INPUT not in graph[arg].op.traits
    }
    names = {id: READ.of(number) for number, id in enumerate(crossing)}
    rest = Graph()
    for id in graph:
        node = graph[id]
        if id in names:
            node = replace(node, op=OPS["input"], args=(), attrs={"name": names[id], "type": node.type})
        rest.put(id, node)
    return rebuild(graph, {name: id for id, name in names.items()}), rebuild(rest, graph.roots)
