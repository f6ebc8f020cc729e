"""Rewrites what is computed along rows for separate kernels: a thread computes one element, and rows may be long."""

from __future__ import annotations

from math import ceil, sqrt

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.value import Value


def lowered(graph: Graph) -> Graph:
    """The graph without `softmax` and `log_softmax`: the peak and the sum of each row become nodes.

    Cumulative sums of many rows are computed in blocks.
    """
    return rebuild(graph, visit=_visit)


SHORT = 32
"""Up to so many rows, the additions of a cumulative sum cost less than the kernels of its blocks."""


def _visit(out: Graph, node: Node, old: int) -> Value:
    if Trait.CUMULATES in node.op.traits:
        return _cumulated(out.value(node.args[0]), node.attrs["back"])
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


def _cumulated(x: Value, back: bool) -> Value:
    """Sums of rows, by blocks of about sqrt(n) rows: n^1.5 additions, for a thread adds the rows of its element."""
    size, *rest = x.type.shape
    if not isinstance(size, int) or size <= SHORT:
        return x.cumulated(back)
    rows = ceil(sqrt(size))
    count = ceil(size / rows)
    blocks = x.pad(0, rows * count).reshape(count, rows, *rest).swapped(0, 1).cumulated(back)
    end = 0 if back else rows - 1
    totals = blocks.slice(end, end + 1).reshape(count, *rest)
    start = int(back)
    others = totals.slice(start, start + count - 1).pad(1 - start, count).cumulated(back)
    whole = blocks + others.expand((0,), (rows,))
    return whole.swapped(0, 1).reshape(rows * count, *rest).slice(0, size)
