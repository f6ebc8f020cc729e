"""What keeps a graph from being computed step by step, in chunks of steps, or in several calls."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind

WHOLE = "needs the whole sequence"
LATER = "reads later steps"


def obstacle(graph: Graph, clock: str | None = None) -> str:
    """Why a graph can't be computed step by step ("" where it can), on one clock or on any."""
    for node in map(graph.__getitem__, graph.order()):
        over = {graph[arg].type.clock for arg in node.args}
        whole = Trait.WHOLE in node.op.traits
        if (node.delay < 0 or whole) and (clock is None or clock in over):
            return place_text(node, WHOLE if whole else LATER)
    return ""


def obstacle_in_chunks(graph: Graph) -> str:
    """Why a graph (of `chunks.of_each_step`) can't be run in chunks whose gradients add up ("" where it can)."""
    if found := obstacle(graph):
        return found
    used = {arg: graph[id] for id in graph.order() for arg in graph[id].args}
    for id in graph.order():
        node = graph[id]
        if Trait.COUNTS in node.op.traits:
            return place_text(used.get(id, node), WHOLE)
        if Trait.FINAL in node.op.traits and id in used:
            return place_text(used[id], WHOLE)
        if Trait.CLIPS in node.op.traits and node.type.kind is not Kind.STREAM:
            return place_text(node, "clips a gradient that is a sum over all steps")
    return ""


def obstacle_over_calls(graph: Graph) -> str:
    """Why calls that pass states on do not add up to the losses of the whole sequences ("" where they do).

    Values that are read at the last step are available in the call with which the sequences end.
    """
    late: set[int] = set()
    for id in graph.order():
        node = graph[id]
        if Trait.PICKS in node.op.traits and node.attrs["step"] == -1:
            late.add(id)
        elif node.op.traits & {Trait.WHOLE, Trait.LENGTHS}:
            return place_text(node, WHOLE)
        elif node.delay < 0:
            return place_text(node, LATER)
        elif late.intersection(node.args):
            if node.type.kind is Kind.STREAM:
                return place_text(node, WHOLE)
            late.add(id)
    return ""


def place_text(node: Node, why: str) -> str:
    """The line of a spec that a node comes from, and what is wrong with it."""
    span = node.span
    if span is None:
        return f"{node.name or node.op.name} {why}"
    return f"line {span.line} of {span.source.name} {why}: {span.source.line(span.line).strip()}"
