"""Sums and products inside recurrences are regrouped, to move what does not depend on the last step out of the loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import add, itemgetter

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.value import Value
from recurrency.passes.recurrence import components
from recurrency.passes.rewriting import made_by, rows

CHAINS = {"add": "sum", "subtract": "sum", "negative": "sum", "multiply": "factors"}


def reassociate(graph: Graph) -> Graph:
    """Regroup each chain of additions, or of multiplications, that ends inside a recurrence.

    Terms from outside are combined first, static values before sequence values and streams: (U h + W x) + b becomes (b
    + W x) + U h. A product of a matrix with a concatenation is split if some parts come from outside: W [x; h] becomes
    W' x + W'' h.
    """
    graph = _parted(graph)
    return rebuild(_Chains(graph).regrouped())


@dataclass(frozen=True)
class Term:
    """One term of a sum (or factor of a product), with its sign."""

    id: int
    negative: bool


class _Chains:
    """The chains of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.loops = graph, components(graph)
        order = graph.order()
        self.uses = Counter(arg for id in order for arg in graph[id].args)
        self.uses.update(graph.roots.values())
        self.inner = {a for id in order for a in graph[id].args if self._continues(id, a)}

    def _continues(self, id: int, arg: int) -> bool:
        """Whether an argument continues the chain of its only user."""
        chain = CHAINS.get(self.graph[id].op.name)
        same = chain is not None and CHAINS.get(self.graph[arg].op.name) == chain
        return same and self.uses[arg] == 1 and self.loops.get(arg, self.loops.get(id)) == self.loops.get(id)

    def regrouped(self) -> Graph:
        """The graph with each chain in its new order."""
        new: dict[int, int] = {}

        def visit(out: Graph, node: Node, old: int) -> Value:
            value = None
            if old in self.loops and CHAINS.get(node.op.name) and old not in self.inner:
                value = self._rebuilt(out, old, new)
            value = out.insert(node) if value is None else value
            new[old] = value.id
            return value

        return rebuild(self.graph, visit=visit)

    def _rebuilt(self, out: Graph, root: int, new: dict[int, int]) -> Value | None:
        """The chain that ends at `root`, in its new order; None if it is in that order already."""
        terms = self._terms(root)
        levels = [self._level(term.id, root) for term in terms]
        if len(terms) < 3 or min(levels) == max(levels):
            return None
        ordered = [
            term for level in sorted(set(levels)) for term, own in zip(terms, levels, strict=True) if own == level
        ]
        chain = CHAINS[self.graph[root].op.name]
        return _combined(out, chain, [Term(new[term.id], term.negative) for term in ordered])

    def _level(self, id: int, root: int) -> int:
        """How late a term is known: 0 static, 1 sequence, 2 stream, 3 inside the loop."""
        return 3 if self.loops.get(id) == self.loops[root] else int(self.graph[id].type.kind)

    def _terms(self, root: int) -> list[Term]:
        out: list[Term] = []
        later = [Term(root, False)]
        while later:
            term = later.pop()
            node = self.graph[term.id]
            if term.id != root and term.id not in self.inner:
                out.append(term)
                continue
            signs = {"subtract": (False, True), "negative": (True,)}.get(node.op.name, (False, False))
            later += [Term(a, term.negative != sign) for a, sign in zip(node.args, signs, strict=True)][::-1]
        return out


def _combined(out: Graph, chain: str, terms: list[Term]) -> Value:
    """All terms from left to right. Negative ones are subtracted; a sum starts with a positive one if there is one."""
    if chain == "factors":
        value = out.value(terms[0].id)
        for term in terms[1:]:
            value = value * out.value(term.id)
        return value
    value = -out.value(terms[0].id) if terms[0].negative else out.value(terms[0].id)
    for term in terms[1:]:
        other = out.value(term.id)
        value = value - other if term.negative else value + other
    return value


def _parted(graph: Graph) -> Graph:
    """The graph in which products of static matrices with partly outer vectors are sums of products."""
    loops = components(graph)
    order = graph.order()

    def visit(out: Graph, node: Node, old: int) -> Value:
        original = graph[old]
        joined = made_by(graph, original.args[1], "concat") if Trait.CONTRACTS in original.op.traits else None
        if joined is None or old not in loops or not _is_matrix_by_vector(graph, original):
            return out.insert(node)
        inside = [loops.get(a) == loops[old] for a in joined.args]
        return out.insert(node) if all(inside) else _split(out, node, inside)

    return rebuild(graph, visit=visit) if order else graph


def _is_matrix_by_vector(graph: Graph, node: Node) -> bool:
    """Whether a product is a static matrix by a vector."""
    left, out = node.attrs["spec"].split("->")
    matrix, vector = left.split(",")
    static = graph[node.args[0]].type.kind == 0
    return static and len(matrix) == 2 and len(vector) == 1 and matrix == out + vector


def _split(out: Graph, node: Node, inside: list[bool]) -> Value:
    """The sum of the products with the parts; neighbours on the same side of the loop stay together."""
    columns = out.value(node.args[0]).transpose()
    terms: list[Value] = []
    start = 0
    for _, run in groupby(zip(out[node.args[1]].args, inside, strict=True), key=itemgetter(1)):
        parts = [part for part, _ in run]
        vector = out.value(parts[0]) if len(parts) == 1 else out.add("concat", parts)
        stop = start + rows(out[vector.id])
        terms.append(columns.slice(start, stop).transpose().product(vector, "ij,j->i"))
        start = stop
    return reduce(add, terms)
