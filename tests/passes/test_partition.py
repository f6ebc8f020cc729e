"""The tape: both halves together say what the whole says, and nothing dear is computed twice."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest
from recurrency.backends.numpy.backend import backend

from recurrency import library
from recurrency.backend import Call
from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.op import FUNCTION
from recurrency.graph.roots import TAPE
from recurrency.graph.types import Kind
from recurrency.graph.verify import verify
from recurrency.passes import optimised
from recurrency.passes.partition import partition
from recurrency.program.layout import layout
from tests.backends.numpy.test_backend import differentiated, expected_of, split
from tests.passes.test_passes import with_gradients
from tests.support import graphs


def halves(graph: Graph, recompute: bool = True) -> tuple[Graph, Graph]:
    """The graph cut between its results and its gradients."""
    first = [name for name in graph.roots if name.startswith(("output:", "final:"))]
    return partition(graph, first, [name for name in graph.roots if name not in first], recompute)


@pytest.mark.parametrize("recompute", [True, False])
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_the_halves_say_what_the_whole_says(name: str, recompute: bool) -> None:
    original = differentiated(name)
    graph = optimised(original)
    first, second = halves(graph, recompute)
    verify(first)
    verify(second)
    lengths, arrays = graphs.lengths(graph), graphs.arrays(original)
    steps = {clock: max(n) for clock, n in lengths.items()}
    flat, given = split(graph, arrays, "float64")
    call = Call(flat, given, {c: np.array(n) for c, n in lengths.items()}, steps, 3)
    places = layout(graph)
    found = backend.build(first, places, "float64")(call)
    found |= backend.build(second, places, "float64")(call.plus(found))
    for root, value in expected_of(original, graph, arrays, lengths, steps, {}).items():
        np.testing.assert_allclose(found[root], value, rtol=1e-11, atol=1e-11, err_msg=root)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_nothing_dear_is_computed_twice(name: str) -> None:
    first, second = halves(optimised(differentiated(name)))
    keys = {first[id].name for id in first if first[id].name and first[id].op.cost >= FUNCTION}
    again = [second[id].name for id in second if second[id].name in keys and second[id].op.name != "input"]
    assert not again


@pytest.mark.parametrize(
    ("cell", "op", "rows"),
    [("GRU", "subtract", 5), ("CIFG", "subtract", 8), ("UGRNN", "subtract", 3), ("LayerNormLSTM", "divide", 16)],
)
def test_a_recurrence_keeps_nothing_that_is_cheap_to_make_of_what_it_keeps(cell: str, op: str, rows: int) -> None:
    """Of a gate and one minus it, or of a centred vector and the normalised one, one is kept."""
    forward, _ = library.spec(cell).compile(backend="numpy", N=3, H=4).programs.graphs.halves(())
    tape = [forward[id] for id in {id for root, id in forward.roots.items() if TAPE.has(root)}]
    assert op not in {node.op.name for node in tape}
    sizes = [prod(node.type.shape) for node in tape if node.type.kind is Kind.STREAM]
    assert sum(sizes) // 4 == rows


def test_products_reductions_and_draws_are_not_computed_again_though_their_arguments_are_at_hand() -> None:
    b = graphs.Builder()
    x, matrix = b.input("x", 3), b.param("W", 3, 3)
    law = {"site": 1, "law": "normal", "p": 0.5, "per": "step", "rest": 0.0}
    draw = b.graph.add("random", attrs={**law, "type": x.type})
    dear = graphs.times(matrix, x) * x.reduce("sum").expand((0,), (3,)) * draw * b.graph.add("softmax", [x.id])
    b.root("output:y", dear * dear)
    graph = optimised(with_gradients(b.graph, "adjoint"))
    both, whole = (Counter(g[id].op.name for g in each for id in g) for each in (halves(graph), (graph,)))
    for op in ("product", "sum", "softmax", "random"):
        assert both[op] == whole[op] > 0, op


def test_a_minimum_cut_keeps_no_more_than_the_boundary() -> None:
    for name in graphs.GRAPHS:
        graph = optimised(differentiated(name))
        sizes = [
            sum(_size(g, i) for r, i in g.roots.items() if r.startswith("tape:"))
            for g, _ in (halves(graph, True), halves(graph, False))
        ]
        assert sizes[0] <= sizes[1]


def _size(graph: Graph, id: int) -> int:
    """Numbers kept; a delayed use lies in the memory of its stream."""
    type_ = graph[id].type
    lead = {Kind.STATIC: 1, Kind.SEQUENCE: 3, Kind.STREAM: 12}[type_.kind]
    return 0 if graph[id].delay else lead * int(np.prod([4 if isinstance(d, str) else d for d in type_.shape]))


def test_the_tape_of_the_interpreter_is_that_of_the_graph() -> None:
    graph = optimised(differentiated("gru"))
    first, second = halves(graph)
    given = graphs.arrays(graph)
    tape = evaluate(first, given, graphs.LENGTHS)
    found = evaluate(second, {**given, **tape}, graphs.LENGTHS)
    whole = evaluate(graph, given, graphs.LENGTHS)
    for name, value in found.items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-12, atol=1e-12)
