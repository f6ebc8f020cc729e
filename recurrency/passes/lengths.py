"""Sequences of different lengths: `valid`, which is zero after the end, is put where padding would be read."""

from __future__ import annotations

from dataclasses import replace

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Op, Trait
from recurrency.graph.roots import TAPE
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number

REARRANGES = frozenset({Trait.VIEW, Trait.PERMUTES})
"""Traits of operations that leave padding as it is, so that their argument may be cleaned instead."""


def lengths(graph: Graph) -> Graph:
    """The graph in which padding is never read. Values within the sequences stay the same.

    Results are cleaned, and the arguments of operations that read other steps: sums over time, advances, `frames`. The
    factors of a product that is summed over time are cleaned, so that the sum may be taken within the product. A factor
    that is a delayed stream, whose first step of padding holds the last value, only has to be finite.
    """
    return _Cleaner(rebuild(graph)).cleaned()


class _Cleaner:
    """Adds nodes to a graph, and records which nodes get other arguments."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[tuple[int, bool], int] = {}
        self.args: dict[int, tuple[int, ...]] = {}

    def cleaned(self) -> Graph:
        """The graph with clean arguments where they are needed."""
        for id in list(self.graph):
            node = self.graph[id]
            if Trait.ALL_STEPS in node.op.traits:
                self.args[id] = (self.summed(node.args[0]),)
            elif node.delay < 0:
                self.args[id] = (self.clean(node.args[0], True), *node.args[1:])
        roots = {name: self.clean(id, not self._late(name, id)) for name, id in self.graph.roots.items()}
        out = Graph()
        for id in self.graph:
            out.put(id, self.graph[id].reading(self.args.get(id, self.graph[id].args)))
        return rebuild(out, roots)

    def _late(self, name: str, id: int) -> bool:
        """Whether a root is a delayed stream of the tape; the input that it becomes has the attribute `delayed`."""
        return TAPE.has(name) and self.graph[id].delay > 0

    def summed(self, id: int) -> int:
        """The same value with padding that adds nothing to a sum."""
        node = self.graph[id]
        if Trait.MULTIPLIES in node.op.traits:
            streams = [k for k, a in enumerate(node.args) if self.graph[a].type.kind is Kind.STREAM]
            exact = min(streams, key=lambda k: (_is_delayed(self.graph, node.args[k]), k))
            args = list(node.args)
            for k in streams:
                args[k] = self.clean(args[k], k == exact)
            return self._with(id, node, tuple(args))
        if Trait.INSERTS in node.op.traits and self.graph[node.args[0]].type.kind is Kind.STREAM:
            return self._with(id, node, (self.clean(node.args[0], True), node.args[1]))
        return self.clean(id, True)

    def clean(self, id: int, exact: bool) -> int:
        """The same stream with zeros in padding, or, without `exact`, with finite numbers there."""
        node = self.graph[id]
        if node.type.kind is not Kind.STREAM or _is_clean(self.graph, id, exact):
            return id
        if (id, exact) not in self.known:
            self.known[id, exact] = self._cleaned(id, node, exact)
        return self.known[id, exact]

    def _cleaned(self, id: int, node: Node, exact: bool) -> int:
        if _rearranges(node.op):
            return self._with(id, node, (self.clean(node.args[0], exact), *node.args[1:]))
        if node.delay > 0 and not exact:
            return self._with(id, node, (self.clean(node.args[0], True), *node.args[1:]))
        return self.graph.value(id).valid().id

    def _with(self, id: int, node: Node, args: tuple[int, ...]) -> int:
        return id if args == node.args else self.graph.insert(replace(node, args=args, name="")).id


def _rearranges(op: Op) -> bool:
    return op.traits >= REARRANGES and Trait.CLEANS not in op.traits


def _is_delayed(graph: Graph, id: int) -> bool:
    while _rearranges(graph[id].op):
        id = graph[id].args[0]
    return graph[id].delay > 0 or "delayed" in graph[id].attrs


def _is_clean(graph: Graph, id: int, exact: bool) -> bool:
    """Whether a stream is zero in padding already: an input (cleaned on entry), or a literal zero."""
    node = graph[id]
    while _rearranges(node.op):
        node = graph[node.args[0]]
    if Trait.INPUT in node.op.traits:
        return not exact or "delayed" not in node.attrs
    return Trait.CLEANS in node.op.traits or number(graph, id) == 0
