"""Graphs through the passes, and comparing what they compute."""

from __future__ import annotations

import numpy as np

from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.value import Value, constant
from recurrency.graph.verify import verify
from recurrency.passes import PASSES
from recurrency.passes.differentiate import differentiate
from tests.support import graphs
from tests.support.checking import real_sources
from tests.support.graphs import Builder

ALL = tuple(PASSES)

CHOICES = [(name,) for name in ALL] + [tuple(p for p in ALL if p != name) for name in ALL] + [ALL]


def through(graph: Graph, names: tuple[str, ...] = ALL) -> Graph:
    """The graph after some passes, verified after each."""
    for name in names:
        graph = PASSES[name](graph)
        verify(graph)
    return graph


def with_gradients(graph: Graph, prefix: str = "grad") -> Graph:
    """The graph with the gradients of a weighted sum of its roots as further roots."""
    wrt = real_sources(graph)
    adjoints = differentiate(graph, {graphs.scalar_loss(graph).id: constant(graph, 1.0)}, wrt.values())
    graph.roots |= {f"{prefix}:{name}": adjoints[id].id for name, id in wrt.items()}
    return graph


def assert_same(graph: Graph, other: Graph) -> None:
    """Both graphs compute the same values for the same roots; a gradient may be missing where it is zero."""
    for training, starts in ((True, True), (False, False)):
        given = graphs.arrays(graph, starts=starts)
        lengths = graphs.lengths(graph)
        expected = evaluate(graph, given, lengths, training=training)
        found = evaluate(other, given, lengths, training=training)
        assert set(found) <= set(expected)
        for name, value in expected.items():
            if name not in found:
                assert name.startswith("grad:")
                assert not value.any()
                continue
            np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-12, err_msg=name)
            assert other[other.roots[name]].type == graph[graph.roots[name]].type


def x(b: Builder) -> Value:
    """A stream."""
    return b.input("x", 4)


def p(b: Builder) -> Value:
    """A static vector."""
    return b.param("p", 4)


def joined(b: Builder, *values: Value) -> Value:
    """Values side by side."""
    return b.graph.add("concat", [v.id for v in values])


def zero(b: Builder, *shape: int) -> Value:
    """A literal zero."""
    return constant(b.graph, 0.0).to_shape(shape)
