"""The graph of a cell that runs in chunks of steps: losses of all steps apart from those that count once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import add

from recurrency.graph.graph import Graph
from recurrency.graph.value import Value, constant

STEPS, ONCE = "loss:steps", "loss:once"
"""Roots: the sum of the loss lines over all steps and sequences, and the lines that are one value for all."""

EACH = "loss:step:"
"""Roots: the streams that `loss:steps` is the sum of."""


def in_chunks(graph: Graph, streams: Iterable[str] = ()) -> Graph:
    """The graph of results and some inner streams, with the loss, if there is one, as the roots STEPS and ONCE.

    The loss is `loss:steps / max(1, n) + loss:once` for n steps of all sequences together.
    """
    out = _selected(graph, streams)
    if "loss" in out.roots:
        summed, others = _lines(out)
        del out.roots["loss"]
        out.roots[STEPS] = _sum(out, summed).id
        out.roots[ONCE] = _sum(out, others).id
    return out.select(out.roots)


def of_each_step(graph: Graph, streams: Iterable[str] = ()) -> Graph:
    """The same graph without the sums over time, which chunks may be added up to: the streams as roots EACH."""
    out = _selected(graph, streams)
    if "loss" in out.roots:
        summed, others = _lines(out)
        del out.roots["loss"]
        inner = [out[out[id].args[0]].args[0] for id in summed]
        out.roots |= {f"{EACH}{k}": id for k, id in enumerate(inner)}
        out.roots[ONCE] = _sum(out, others).id
    return out.select(out.roots)


def _selected(graph: Graph, streams: Iterable[str]) -> Graph:
    kept = [root for root in graph.roots if root.startswith(("output:", "final:")) or root == "loss"]
    return graph.select([*kept, *(f"stream:{name}" for name in streams)])


def _sum(graph: Graph, ids: Iterable[int]) -> Value:
    values = [graph.value(id) for id in ids]
    return reduce(add, values) if values else constant(graph, 0.0)


def _lines(graph: Graph) -> tuple[list[int], list[int]]:
    """The loss lines: of those that are a mean over all steps the sum, and the others."""
    summed: list[int] = []
    others: list[int] = []
    for id in _terms(graph, graph.roots["loss"]):
        total = _total(graph, id)
        (others if total is None else summed).append(id if total is None else total)
    return summed, others


def _terms(graph: Graph, id: int) -> Iterator[int]:
    later = [id]
    while later:
        node = graph[id := later.pop(0)]
        if node.op.name == "add":
            later = [*node.args, *later]
        else:
            yield id


def _total(graph: Graph, id: int) -> int | None:
    """The sum in `sum_batch(sum_time(x)) / maximum(sum_batch(length), 1)`, the mean of a stream over all real steps."""
    if graph[id].op.name != "divide":
        return None
    total, divisor = graph[id].args
    steps = _below(graph, divisor, "maximum", "sum_batch", "length")
    return total if steps and _below(graph, total, "sum_batch", "sum_time") else None


def _below(graph: Graph, id: int, *ops: str) -> bool:
    """Whether these operations stand one below the other, each the first argument of the one before."""
    for op in ops:
        if graph[id].op.name != op:
            return False
        id = graph[id].args[0] if graph[id].args else id
    return True
