"""Rewrites softmax as operations for separate kernels: a thread computes one element, and rows may be long."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.value import Value


def lowered(graph: Graph) -> Graph:
    """The graph without `softmax` and `log_softmax`: the peak and the sum of each row become nodes."""
    return rebuild(graph, visit=_visit)


def _visit(out: Graph, node: Node, old: int) -> Value:
    if Trait.NORMALISES not in node.op.traits:
        return out.insert(node)
    x = out.value(node.args[0])
    if x.type.shape[-1] == 0:
        return x
    last = (len(x.type.shape) - 1,)
    peak = x.reduce("peak", last)
    less = x - _along_row(peak, x)
    again = x - _along_row(peak, x)  # cheaper to recompute than to store
    if Trait.DISTRIBUTION in node.op.traits:
        return again.apply("exp") / _along_row(less.apply("exp").reduce("sum", last), x)
    # the sum leaves out the greatest term, 1, so that log1p of a small rest keeps its digits
    most = less.apply("equal", 0.0)
    rest = (less.apply("exp") - most).reduce("sum", last) + (most.reduce("sum", last) - 1.0)
    return again - _along_row(rest.apply("log1p"), x)


def _along_row(value: Value, like: Value) -> Value:
    return value.expand((len(like.type.shape) - 1,), (like.type.shape[-1],))
