"""Tools of passes: looking at a graph, and replacing nodes by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.types import Type
from recurrency.graph.value import Value, constant

Rule: TypeAlias = Callable[[Graph, Node], "Value | None"]
"""Gives a better form of a node that is about to be added; None if it knows none."""


def number(graph: Graph, id: int) -> float | None:
    """The number that all elements of a value equal; None if that is not known."""
    node = graph[id]
    while Trait.UNIFORM in node.op.traits:
        node = graph[node.args[0]]
    return float(node.attrs["value"]) if Trait.LITERAL in node.op.traits else None


def filled(graph: Graph, value: float, type_: Type) -> Value:
    """A value of this type, all of whose elements are one number."""
    return constant(graph, value).to_shape(type_.shape).spread_like(type_)


def made_by(graph: Graph, id: int, op: str) -> Node | None:
    """The node if it is of this operation, else None. For passes that look for the terms of an equation."""
    node = graph[id]
    return node if node.op.name == op else None


def rows(node: Node) -> int:
    """The size of the first axis."""
    size = node.type.shape[0]
    assert isinstance(size, int)
    return size


def known(*dims: Dim) -> bool:
    """Whether all of these dimensions are numbers."""
    return all(isinstance(d, int) for d in dims)


def redirected(graph: Graph, instead: Mapping[int, int]) -> Graph:
    """The graph in which some nodes are replaced by others, which must be of the same types."""

    def final(id: int) -> int:
        while id in instead:
            id = instead[id]
        return id

    out = Graph()
    for id in graph:
        node = graph[id]
        out.put(id, node.reading(tuple(map(final, node.args))))
    for old in instead:
        out.rename(final(old), graph[old].name, graph[old].span)
    out.roots = {name: final(id) for name, id in graph.roots.items()}
    return rebuild(out)
