"""What serves gradients alone is left out of a graph that is not differentiated any more."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.value import Value


def forget(graph: Graph) -> Graph:
    """Replace values with derivatives of their own by the plain values, and drop the slopes.

    Only for graphs whose gradients have been taken: afterwards they are different ones.
    """

    if not any(Trait.FORGETS in graph[id].op.traits for id in graph):
        return graph

    def visit(out: Graph, node: Node, old: int) -> Value:
        if Trait.FORGETS not in node.op.traits:
            return out.insert(node)
        return out.value(node.args[0]).spread_like(node.type)

    return rebuild(graph, visit=visit)
