"""Resets within sequences, which a caller gives: after one, each sequence begins again."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.restarts import Restarts
from recurrency.graph.roots import AFTER, LOSS, RESET
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes.chunks import of_each_step
from recurrency.passes.stepwise import LATER, WHOLE, place_text


def resets(graph: Graph, clocks: Collection[str]) -> Graph:
    """The graph of a cell, before other passes, with an input `reset:CLOCK` for each of these clocks.

    Where it is not 0, the streams over the clock are as they are before the first step. For a clock `after:CLOCK` there
    is an input `reset:after:CLOCK` [B]: where it is not 0, the states after the last step are.
    """
    out = rebuild(graph)
    only = len([clock for clock in clocks if not AFTER.has(RESET.of(clock))]) == 1
    given = {clock: _input(out, clock, only) for clock in clocks}
    work = Restarts(out)
    for id in work.old:
        node = out[id]
        clock = str(out[node.args[0]].type.clock) if node.args else ""
        if clock in given and Trait.DELAYS in node.op.traits and node.delay > 0:
            work.delayed(id, given[clock])
        elif clock in given and Trait.KEEPS_ROWS in node.op.traits:
            work.history(id, given[clock])
        late = RESET.name(AFTER.of(clock))
        if late in given and not node.op.traits.isdisjoint(LAST):
            work.last(id, given[late])
    work.finish()
    return rebuild(out)


def _input(graph: Graph, clock: str, only: bool) -> Value:
    """The input of the resets of a clock. No gradient is taken with respect to it."""
    root = RESET.of(clock)
    word, over = ("resets_after", AFTER.name(root)) if AFTER.has(root) else ("resets", clock)
    type_ = Type(Kind.SEQUENCE) if AFTER.has(root) else Type(Kind.STREAM, (), clock)
    attrs = {"name": root, "type": type_, "fixed": 1}
    return graph.add("input", [], attrs, name=word if only else f"{word}_{over}")


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


LAST = {Trait.FINAL, Trait.KEEPS_ROWS}
"""Operations that give a state after the last step, or the last rows of a stream."""
