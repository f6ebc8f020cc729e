"""Resets within sequences, which a caller gives: after one, each sequence begins again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.restarts import Restarts
from recurrency.graph.roots import LOSS, RESET
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes.chunks import of_each_step
from recurrency.passes.stepwise import LATER, WHOLE, place_text


def resets(graph: Graph, clocks: Collection[str]) -> Graph:
    """The graph of a cell, before other passes, with an input `reset:CLOCK` for each of these clocks.

    Where it is not 0, the streams over the clock are as they are before the first step.
    """
    out = rebuild(graph)
    given = {clock: _input(out, clock, "resets" if len(clocks) == 1 else f"resets_{clock}") for clock in clocks}
    work = Restarts(out)
    for id in work.old:
        node = out[id]
        clock = str(out[node.args[0]].type.clock) if node.args else ""
        if clock not in given:
            continue
        if Trait.DELAYS in node.op.traits and node.delay > 0:
            work.delayed(id, given[clock])
        elif Trait.KEEPS_ROWS in node.op.traits:
            work.history(id, given[clock])
    work.finish()
    return rebuild(out)


def _input(graph: Graph, clock: str, name: str) -> Value:
    """The input of the resets of a clock. No gradient is taken with respect to it."""
    attrs = {"name": RESET.of(clock), "type": Type(Kind.STREAM, (), clock), "fixed": 1}
    return graph.add("input", [], attrs, name=name)


def obstacle(graph: Graph, clocks: Collection[str], streams: Iterable[str] = (), loss: bool = True) -> str:
    """Why the results of a cell, some inner streams and its loss can't be reset within sequences ("" if they can)."""
    whole = of_each_step(graph, streams)
    whole = whole if loss else whole.select([root for root in whole.roots if not LOSS.has(root)])
    for node in map(whole.__getitem__, whole.order()):
        over = {str(whole[arg].type.clock) for arg in node.args if whole[arg].type.kind is Kind.STREAM}
        if over.isdisjoint(clocks):
            continue
        if Trait.WHOLE in node.op.traits:
            return place_text(node, WHOLE)
        if node.delay < 0:
            return place_text(node, LATER)
    clipped = (node for node in map(whole.__getitem__, whole.order()) if Trait.CLIPS in node.op.traits)
    return next(
        (
            place_text(n, "clips a gradient that is a sum over all steps")
            for n in clipped
            if n.type.kind is Kind.SEQUENCE
        ),
        "",
    )
