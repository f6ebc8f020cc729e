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
    total = _less_peak(x).apply("exp")
    total = _along_row(total.reduce("sum", (len(x.type.shape) - 1,)), x)
    if node.op.name == "softmax":
        return _less_peak(x).apply("exp") / total
    return _less_peak(x) - total.apply("log")


def _less_peak(x: Value) -> Value:
    """Computed twice: it is read from what lies in memory anyway."""
    return x - _along_row(x.reduce("peak", (len(x.type.shape) - 1,)), x)


def _along_row(value: Value, like: Value) -> Value:
    return value.expand((len(like.type.shape) - 1,), (like.type.shape[-1],))
