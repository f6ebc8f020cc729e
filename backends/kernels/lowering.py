"""Rewrites what is computed along rows for separate kernels: a thread computes one element, and rows may be long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.passes.rewriting import number


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


def sliced(graph: Graph) -> Graph:
    """The graph in which slices of element-wise values are computed from slices, where only slices are read.

    Gates that are computed side by side become several values, each of which can be stored where it is wanted.
    """
    found = _Slices(graph)
    return rebuild(graph, visit=found.visit) if found.cut else graph


class _Slices:
    """Moves slices before element-wise operations."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.roots = graph, frozenset(graph.roots.values())
        self.new: dict[int, int] = {}
        self.rows: dict[tuple[int, int, int], Value] = {}
        """Rows of values of the old graph: node, first row, last row (exclusive)."""
        users: dict[int, list[int]] = {}
        order = graph.order()
        for id in order:
            for arg in graph[id].args:
                users.setdefault(arg, []).append(id)
        self.cut: set[int] = set()
        """The values of which only slices are read."""
        for id in reversed(order):
            if self._is_cut(id, users.get(id, ())):
                self.cut.add(id)

    def _is_cut(self, id: int, users: Sequence[int]) -> bool:
        node = self.graph[id]
        own = node.op.elementwise or Trait.CLEANS in node.op.traits
        if not own or not users or id in self.roots or node.type.kind is not Kind.STREAM or node.delay:
            return False
        shapes = {self.graph[arg].type.shape for arg in node.args if number(self.graph, arg) is None}
        plain = len(shapes) == 1 and node.type.shape in shapes and all(isinstance(d, int) for d in node.type.shape)
        return plain and all(u in self.cut or Trait.ROWS in self.graph[u].op.traits for u in users)

    def visit(self, out: Graph, node: Node, old: int) -> Value:
        """A node of the new graph; see `rebuild`."""
        before = self.graph[old].args
        self.new |= {a: b for a, b in zip(before, node.args, strict=True) if not (node.delay and a == before[0])}
        if Trait.ROWS in node.op.traits:
            return self._rows(out, before[0], node.attrs["start"], node.attrs["stop"])
        return out.insert(node)

    def _rows(self, out: Graph, old: int, start: int, stop: int) -> Value:
        """Rows of a value, each computed once; those of a cut one from rows of its arguments."""
        key = (old, start, stop)
        if key not in self.rows:
            whole = old not in self.cut
            self.rows[key] = out.value(self.new[old]).slice(start, stop) if whole else self._slice(out, *key)
        return self.rows[key]

    def _slice(self, out: Graph, old: int, start: int, stop: int) -> Value:
        node = self.graph[old]
        numbers = [not self.graph[arg].type.shape for arg in node.args]
        args = (
            self.new[arg] if plain else self._rows(out, arg, start, stop).id
            for arg, plain in zip(node.args, numbers, strict=True)
        )
        type_ = replace(node.type, shape=(stop - start, *node.type.shape[1:]))
        return out.insert(replace(node, args=tuple(args), type=type_, name=""))
