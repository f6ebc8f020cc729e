"""Delays that begin again: at a step that resets, they read what is there before the first step.

`h[t-1]` becomes `where(reset, h0, h[t-1])` with the declared initial value h0 (zero for other streams, no symbol for
symbols). A longer delay asks whether a reset lies between the two steps: with n[t], the number of resets up to step t,
`h[t-k]` becomes `where(n[t-k] < n[t], h0, h[t-k])`. n begins at 0 in each call, because what a call passes on is what
its own delays would read next: rows that lie before the last reset hold h0.
"""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.replacing import Replacing
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value


class Restarts(Replacing):
    """Rewrites delayed uses of a graph as elaboration makes them. `finish` puts the new values in their places.

    Each method takes the number of a node and a stream of numbers; where this is not 0, the delay begins again.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._counts: dict[int, Value] = {}

    def delayed(self, id: int, reset: Value) -> None:
        """A use of a stream at an earlier step."""
        node = self.graph[id]
        self.graph.span = node.span
        mask = reset if node.delay == 1 else self._crossed(reset, node.delay)
        self._choose(id, mask.like(self.graph.value(id)), self._declared(node))

    def history(self, id: int, reset: Value) -> None:
        """The last rows of a stream, the oldest first, which a call passes on."""
        node = self.graph[id]
        self.graph.span = node.span
        rows = node.type.shape[0]
        assert isinstance(rows, int)
        counts = self._count(reset).history(rows)
        last = counts.slice(rows - 1, rows).reshape().expand((0,), (rows,))
        mask, inner = counts.apply("less", last), node.type.shape[1:]
        mask = mask.expand(tuple(range(1, 1 + len(inner))), inner) if inner else mask
        self._choose(id, mask, self._declared(node))

    def last(self, id: int, reset: Value) -> None:
        """A state after the last step, or the last rows of a stream; `reset` has one number for each sequence."""
        node = self.graph[id]
        self.graph.span = node.span
        self._choose(id, reset.like(self.graph.value(id)), self._declared(node))

    def _choose(self, id: int, mask: Value, first: Value | None) -> None:
        """Choose the first value where the mask is not 0, else what was there; an inner restart stays inside."""
        old, type_ = self.instead.get(id, id), self.graph[id].type
        first = nothing(self.graph, type_) if first is None else first
        if first.type.shape != type_.shape:  # the same in each row
            first = first.expand((0,), type_.shape[:1])
        found = self.graph.add("where", [mask.id, first.id, old])
        self.graph.rename(found.id, self.graph[id].name)
        self.instead[id] = found.id

    def _declared(self, node: Node) -> Value | None:
        """The declared initial value of what a delayed use reads; None: it is zero, or no symbol."""
        if len(node.args) < 2:
            return None
        first = self.graph[node.args[1]]
        while Trait.FIRST not in first.op.traits:  # through the rows before the first step to the last of them
            first = self.graph[first.args[-1]]
        return self.graph.value(first.args[0]) if first.args else None

    def _crossed(self, reset: Value, delay: int) -> Value:
        """1 where a reset lies after the step that a delay reads, up to this one."""
        count = self._count(reset)
        return count.shift(delay).apply("less", count)

    def _count(self, reset: Value) -> Value:
        """The number of resets up to each step of a call."""
        if reset.id not in self._counts:
            earlier = self.graph.delayed(Type(Kind.STREAM, (), reset.type.clock), 1)
            self._counts[reset.id] = earlier + reset.where(1.0, 0.0)
            self.graph.bind(earlier.id, self._counts[reset.id].id)
        return self._counts[reset.id]


def nothing(graph: Graph, type_: Type) -> Value:
    """What a stream holds where it has no value: zeros, or no symbol."""
    number: dict[str, object] = {"value": 0.0 if type_.index is None else -1.0}
    if type_.index is not None:
        number["type"] = Type(Kind.STATIC, (), None, type_.index)
    return graph.add("constant", [], number).to_shape(type_.shape)
