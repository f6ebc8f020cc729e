"""Why a cell can't be run in chunks of steps, within a call or from call to call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.model.graphs import WHOLE, obstacle, place_text
from recurrency.passes.chunks import of_each_step

if TYPE_CHECKING:
    from recurrency.model.model import Model


def in_one_piece(model: Model, streams: Sequence[str] = ()) -> str:
    """Why a cell, or some streams of it, can't be run in chunks whose gradients add up ("" where they can)."""
    whole = model.programs.elaborated.graph
    clocks = sorted({str(whole[id].type.clock) for id in whole.order() if whole[id].type.kind is Kind.STREAM})
    if len(clocks) > 1:
        return f"it runs over the clocks {' and '.join(clocks)}"
    for name, port in model.outputs.items():
        if port.kind is not Kind.STREAM:
            return f"its output {name} is one value for all steps"
    graph = of_each_step(whole, streams)
    return obstacle(graph) or _other_obstacle(graph)


def over_calls(model: Model) -> str:
    """Why calls that hand on states do not give the losses of the whole sequences ("" where they do).

    What is read at the last step is there in the call with which the sequences end.
    """
    graph = of_each_step(model.programs.elaborated.graph)
    late: set[int] = set()
    for id in graph.order():
        node = graph[id]
        if Trait.PICKS in node.op.traits and node.attrs["step"] == -1:
            late.add(id)
        elif node.op.traits & {Trait.WHOLE, Trait.LENGTHS}:
            return place_text(node, WHOLE)
        elif node.delay < 0:
            return place_text(node, "reads later steps")
        elif late.intersection(node.args):
            if node.type.kind is Kind.STREAM:
                return place_text(node, WHOLE)
            late.add(id)
    return ""


def _other_obstacle(graph: Graph) -> str:
    """What can be computed step by step, and yet not in chunks."""
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
