"""The lines of a loss, by what they are means over: the steps of a clock, the sequences of a batch, or nothing.

A loss is a sum of lines, each with its own divisor. Losses of several batches, or of parts of one, are therefore
combined line by line, weighted with the number of steps or sequences in each part. The kind of a line is `steps:t` (the
steps of the clock t), `sequences`, `once` (one value for all, such as a penalty), or, where a part counts by the sum of
some weights, `weight:0` (the first weights, of steps) or `weight:sequences:1` (the second ones, of sequences).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import add

from recurrency.graph.graph import Graph
from recurrency.graph.roots import LOSS, SEQUENCE_WEIGHT, WEIGHT
from recurrency.graph.value import Value, constant
from recurrency.passes.rewriting import made_by

SEQUENCES, ONCE = "sequences", "once"
STEPS = "steps:"
"""The prefix of the kind of a mean over steps; its clock follows."""


def steps_of(clock: str) -> str:
    """The kind of a mean over the steps of a clock."""
    return STEPS + clock


def clock_of(kind: str) -> str | None:
    """The clock of a mean over steps; None for other kinds."""
    return kind.removeprefix(STEPS) if kind.startswith(STEPS) else None


def weight_of(kind: str) -> str | None:
    """The root of the weights of a line that has weights; None for other kinds."""
    return kind if WEIGHT.has(kind) else None


def over_steps(kind: str) -> bool:
    """Whether a line is a mean over steps, with weights or without."""
    return clock_of(kind) is not None or (WEIGHT.has(kind) and not SEQUENCE_WEIGHT.has(kind))


def over_sequences(kind: str) -> bool:
    """Whether a line is a mean over sequences, with weights or without."""
    return kind == SEQUENCES or SEQUENCE_WEIGHT.has(kind)


def lines(graph: Graph) -> dict[str, list[int]]:
    """The lines of the loss by kind, in a graph as it was elaborated; empty without a loss."""
    found: dict[str, list[int]] = {}
    for id in _terms(graph) if "loss" in graph.roots else ():
        found.setdefault(_kind(graph, id), []).append(id)
    return found


def apart(graph: Graph) -> Graph:
    """The graph with a root for each kind of line instead of the loss, which is their sum."""
    out = graph.select(graph.roots)
    found = lines(out)
    out.roots.pop("loss", None)
    for kind, ids in found.items():
        out.roots[LOSS.of(kind)] = total(out, ids).id
    return out


def divisor(graph: Graph) -> Value:
    """What the loss is divided by, at least 1: the number of sequences, or of steps if all its means are over steps.

    Steps have the weights of their line. If the divisors of such means differ, the first line counts. A loss without
    any mean is divided by the number of sequences.
    """
    found = lines(graph)
    means = [kind for kind in found if over_steps(kind)]
    if any(map(over_sequences, found)) or not means:
        return graph.add("batch").apply("maximum", 1.0)
    return graph.value(graph[found[means[0]][0]].args[1])


def total(graph: Graph, ids: Iterable[int]) -> Value:
    """The sum of some values of a graph; 0 where there is none."""
    values = [graph.value(id) for id in ids]
    return reduce(add, values) if values else constant(graph, 0.0)


def _terms(graph: Graph) -> Iterator[int]:
    later = [graph.roots["loss"]]
    while later:
        node = graph[id := later.pop(0)]
        if made_by(graph, id, "add"):
            later = [*node.args, *later]
        else:
            yield id


def _kind(graph: Graph, id: int) -> str:
    """The kind of a line: a mean is divided by the number of steps or sequences, at least 1."""
    mean = made_by(graph, id, "divide")
    divisor = made_by(graph, mean.args[1], "where") if mean else None
    if divisor is not None and (weighed := made_by(graph, divisor.args[2], "sum_batch")):
        found = [root for root, node in WEIGHT.within(graph.roots).items() if node == weighed.args[0]]
        if found:
            return WEIGHT.of(found[0])
    divisor = made_by(graph, mean.args[1], "maximum") if mean else None
    if divisor is None:
        return ONCE
    (count, _) = divisor.args
    if made_by(graph, count, "batch"):
        return SEQUENCES
    total = made_by(graph, count, "sum_batch")
    length = made_by(graph, total.args[0] if total else count, "length")
    return steps_of(str(length.attrs["clock"])) if length else ONCE
