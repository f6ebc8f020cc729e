"""Softmax as operations of which each is one kernel's work: rows may be long, and a thread computes one element."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.value import Value

SOFTMAXES = ("softmax", "log_softmax")


def lowered(graph: Graph) -> Graph:
    """The graph without `softmax` and `log_softmax`: peak and sum of each row are values of their own."""
    return rebuild(graph, visit=_visit)


def _visit(out: Graph, node: Node, old: int) -> Value:
    if node.op.name not in SOFTMAXES:
        return out.insert(node)
    x = out.value(node.args[0])
    if x.type.shape[-1] == 0:
        return x
    last = (len(x.type.shape) - 1,)
    peak = x.reduce("peak", last)
    total = _along_row((x - _along_row(peak, x)).apply("exp").reduce("sum", last), x)
    less = x - _along_row(peak, x)  # again: it is cheaper to compute than to store
    return less.apply("exp") / total if node.op.name == "softmax" else less - total.apply("log")


def _along_row(value: Value, like: Value) -> Value:
    return value.expand((len(like.type.shape) - 1,), (like.type.shape[-1],))
