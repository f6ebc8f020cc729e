"""Algebra: each node is replaced by the simplest form that a table of rules knows."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.value import Value
from recurrency.passes.rewriting import Rule, filled, number
from recurrency.passes.rules import elements, shapes, time

RULES: dict[str, tuple[Rule, ...]] = {}
"""The rules of each operation; the first one with a better form wins. `*` stands for every operation."""

for _table in (elements.RULES, shapes.RULES, time.RULES):
    for _op, _rules in _table.items():
        RULES[_op] = RULES.get(_op, ()) + _rules

ROUNDS = 100
"""More rounds than any graph has needed; rules only shrink a graph, or move nodes in one direction."""


def simplify(graph: Graph) -> Graph:
    """Apply the rules of algebra until none matches.

    All rules hold for real numbers. Two differ in rounding: a product with a literal zero is zero even if the other
    factor is NaN, and constant factors are multiplied first. The sign of a zero may differ too. Sums are not reordered
    here. Parameters and inputs that no result depends on any more are removed.
    """
    for _ in range(ROUNDS):
        simplifier = _Simplifier(graph)
        graph = rebuild(graph, visit=simplifier.visit)
        if not simplifier.changes:
            break
    return graph


class _Simplifier:
    """One walk through a graph."""

    def __init__(self, old: Graph) -> None:
        self.old, self.changes = old, 0

    def visit(self, graph: Graph, node: Node, old: int) -> Value:
        """Put the simplest form of a node into the new graph."""
        if node.delay:
            return self._shifted(graph, node, old)
        for _ in range(ROUNDS):
            before = len(graph)
            better = _applied(graph, node)
            if better is None:
                break
            self.changes += 1
            if better.type.kind < node.type.kind:
                better = better.spread_like(node.type)
            assert better.type == node.type, f"{node} became {graph[better.id]}"
            if better.id < before:
                return better
            node = graph[better.id]
        else:
            raise RuntimeError(f"the rules for {node} do not end")
        return graph.insert(node)

    def _shifted(self, graph: Graph, node: Node, old: int) -> Value:
        """A delayed use of nothing but zeros is zero; its stream is known only in the old graph."""
        stream = self.old[old].args[0]
        if number(self.old, stream) == 0 and all(number(graph, first) == 0 for first in node.args[1:]):
            self.changes += 1
            return filled(graph, 0.0, node.type)
        return graph.insert(node)


def _applied(graph: Graph, node: Node) -> Value | None:
    for rules in (RULES["*"], RULES.get(node.op.name, ())):
        for rule in rules:
            better = rule(graph, node)
            if better is not None:
                return better
    return None
