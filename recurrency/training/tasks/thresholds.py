"""The threshold between no and yes: the output for which a loss is the same with either target.

So a probability is cut at 1/2, a logit at 0, and a number that goes from -1 to 1 in the middle, whatever the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from recurrency.backend import Call, find
from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.roots import OUTPUT
from recurrency.graph.value import Value
from recurrency.passes.loss_lines import lines, total

ANSWER = "answer, as it is asked"
"""The input in place of the output; no user's name has spaces."""

GRID = np.unique(np.concatenate([np.linspace(-4, 4, 81), [-64, -32, -16, -8, 8, 16, 32, 64]]))
"""Outputs at which the loss is looked at first; at some of them it may not be a number."""
HALVINGS = 60


def threshold(model: Any, reads: str, params: Any) -> float | None:
    """The value of a model's first output at which its loss is the same for the targets 0 and 1 of the input `reads`.

    None where no line of the loss has both of them, or the loss prefers the same target whatever the output.
    """
    graph: Graph = model.programs.elaborated.graph
    output = graph.roots[OUTPUT.of(next(iter(model.outputs)))]
    squashed = Trait.LOGISTIC in graph[output].op.traits
    cut = _cut(graph, graph[output].args[0] if squashed else output, reads)
    if cut is None:
        return None
    runner = find("interpreter").build(cut, model.programs.layout, "float64")
    params = np.asarray(params, np.float64)
    one = dict.fromkeys(model.clocks, 1)
    blank = {n: p.zeros(one, 1, np.dtype("float64" if p.index is None else "int64")) for n, p in model.inputs.items()}

    def preferred(answer: float) -> float:
        """By how much the loss is larger with the target 1 than with 0."""
        losses = []
        for target in (1.0, 0.0):
            known = {**blank, reads: blank[reads] + target, ANSWER: np.full_like(blank[reads], answer)}
            with np.errstate(all="ignore"):
                losses.append(float(runner(Call(params, known, None, one, 1))["loss"]))
        return losses[0] - losses[1]

    found = _root(preferred)
    return found if found is None or not squashed else float(1 / (1 + np.exp(-found)))


def _cut(graph: Graph, output: int, reads: str) -> Graph | None:
    """The lines of the loss that read an output and a target, with the output as an input."""
    source = graph.sources("input")[reads]
    out, made = _with_answer(graph, output)
    source = out.sources("input").get(reads, -1)
    both = [id for ids in lines(out).values() for id in ids if {made, source} <= out.needed([id])]
    return out.select({"loss": total(out, both).id}) if both else None


def _with_answer(graph: Graph, output: int) -> tuple[Graph, int]:
    made: list[int] = []

    def visit(out: Graph, node: Node, old: int) -> Value:
        if old != output:
            return out.insert(node)
        value = out.add("input", [], {"name": ANSWER, "type": node.type})
        made.append(value.id)
        return value

    changed = rebuild(graph, {"loss": graph.roots["loss"]}, visit)
    return changed, made[0] if made else -1


def _root(f: Callable[[float], float]) -> float | None:
    """Where a function changes its sign."""
    seen = [(float(a), value) for a in GRID if np.isfinite(value := f(float(a))) and value]
    for (low, before), (high, after) in pairwise(seen):
        if (before > 0) != (after > 0):
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                value = f(middle)
                if value == 0:
                    return middle
                low, high = (middle, high) if (value > 0) == (before > 0) else (low, middle)
            return (low + high) / 2
    return None
