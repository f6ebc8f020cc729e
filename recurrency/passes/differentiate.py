"""Reverse differentiation: the adjoint of a stream graph is the transposed graph with every delay negated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Type
from recurrency.graph.value import Value, constant
from recurrency.passes.guards import Guards


def differentiate(
    graph: Graph, seeds: Mapping[int, Value | int], wrt: Iterable[int], leaves: Collection[int] = frozenset()
) -> dict[int, Value]:
    """The adjoints of the nodes `wrt`, given the adjoints `seeds` of some nodes.

    New nodes are added to the same graph, and the old ones stay as they are. The result may be differentiated again.
    Each adjoint has the type of its node, and is zero where nothing depends on the node. A seed of a lower kind than
    its node counts at each step and sequence. Nodes below `leaves` are not visited.
    """
    wanted = list(wrt)
    sweep = _Sweep(graph, seeds, wanted, leaves)
    sweep.run()
    return {id: sweep.answer(id) for id in wanted}


def zeros(graph: Graph, type_: Type) -> Value:
    """A zero of a type. It is real-valued: symbols have no adjoints."""
    return constant(graph, 0.0).to_shape(type_.shape).spread_like(type_)


def real(type_: Type) -> Type:
    """The type of the adjoint of a value of this type."""
    return replace(type_, index=None)


class _Sweep:
    """One walk through the graph against the order of computation."""

    def __init__(
        self, graph: Graph, seeds: Mapping[int, Value | int], wrt: Iterable[int], leaves: Collection[int]
    ) -> None:
        self.graph, self.leaves = graph, leaves
        self.order = graph.order(seeds)
        self.active = self._between(seeds, wrt)
        self.terms: dict[int, list[Value]] = defaultdict(list)
        self.adjoint: dict[int, Value | None] = {}
        self.holes: dict[int, Value] = {}
        self.readers: dict[int, list[int]] = defaultdict(list)
        self.guards = Guards(graph, self.order)
        self.order = self.guards.order
        for id in self.order:
            if id in self.active and id not in leaves and graph[id].delay:
                self.readers[graph[id].args[0]].append(id)
        for id, seed in seeds.items():
            self.terms[id].append(seed if isinstance(seed, Value) else graph.value(seed))
            self.guards.edges[id].append(None)

    def _between(self, seeds: Iterable[int], wrt: Iterable[int]) -> set[int]:
        """The nodes on the paths from `wrt` to `seeds`, both included."""
        users: dict[int, list[int]] = defaultdict(list)
        uses: dict[int, list[int]] = defaultdict(list)
        for id in self.order:
            if id not in self.leaves and self.graph[id].type.index is None:
                for arg in self.graph[id].args:
                    users[arg].append(id)
                    uses[id].append(arg)
        return _reached(seeds, uses) & _reached(wrt, users)

    def run(self) -> None:
        """Find the adjoints of all active nodes, the last node first."""
        for id in reversed(self.order):
            if id not in self.active:
                continue
            node = self.graph[id]
            self.graph.span = node.span
            self.adjoint[id] = total = self._total(id)
            if total is not None:
                self.guards.clean.add(total.id)
                if node.name:
                    self.graph.rename(total.id, f"d_{node.name}")
            if id not in self.leaves:
                self._send(id, node)
        for shift, hole in self.holes.items():
            if self.graph[hole.id].args[0] < 0:
                self.graph.bind(hole.id, zeros(self.graph, self.graph[shift].type).id)
        self.graph.span = None

    def _total(self, id: int) -> Value | None:
        """The sum of the adjoints that the users have sent, and placeholders for those that delayed uses will send."""
        for shift in self.readers[id]:
            if shift not in self.adjoint:
                node = self.graph[shift]
                self.holes[shift] = self.graph.delayed(real(node.type), -node.delay)
                self.terms[id].append(self.holes[shift])
                self.guards.edges[id].append(None)
        terms = self.terms[id]
        total = terms[0] if terms else None
        for term in terms[1:]:
            assert total is not None
            total = total + term
        return total

    def _send(self, id: int, node: Node) -> None:
        """Apply the gradient rule of the node and give each argument its part."""
        g = self.adjoint[id]
        if g is None or node.op.gradient is None:
            return
        types = [self.graph[a].type for a in node.args]
        if node.op.group == "time" or any(t.kind < node.type.kind for t in types):
            g = g.spread_like(node.type)
            self.guards.clean.add(g.id)
        guard = self.guards.of(id)
        y, *args = map(self.graph.value, self.guards.safe(node, guard, id))
        parts = node.op.gradient(g, y, *args, **node.attrs)
        if id in self.holes:
            self.graph.bind(self.holes[id].id, g.id)
            parts = (None, *parts[1:])
        for position, (arg, part) in enumerate(zip(node.args, parts, strict=True)):
            if part is not None and arg in self.active:
                part = self.guards.cleaned(node, guard, part)
                self.terms[arg].append(part.reduced_to(types[position].kind))
                self.guards.edges[arg].append(self.guards.edge(node, id, position, guard))

    def answer(self, id: int) -> Value:
        """The adjoint of a node, in the type of the node."""
        type_ = self.graph[id].type
        g = self.adjoint.get(id)
        return zeros(self.graph, type_) if g is None else g.spread_like(type_)


def _reached(start: Iterable[int], steps: Mapping[int, list[int]]) -> set[int]:
    found = set(start)
    later = list(found)
    while later:
        for id in steps.get(later.pop(), ()):
            if id not in found:
                found.add(id)
                later.append(id)
    return found
