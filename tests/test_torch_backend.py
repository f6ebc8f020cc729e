"""The PyTorch backend computes what the interpreter says, and hands out tensors that nobody else holds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from recurrency.backends.torch import backend

from recurrency.program.schedule import PIECES
from tests import graphs, test_numpy_backend
from tests.test_numpy_backend import differentiated, optimised, twice

torch = pytest.importorskip("torch")
check = functools.partial(test_numpy_backend.check, on=backend)
each_graph = pytest.mark.parametrize("name", graphs.GRAPHS)


@each_graph
def test_values_and_gradients_are_those_of_the_interpreter(name: str) -> None:
    graph = differentiated(name)
    check(graph)
    check(graph, optimised(graph), dtype="float32")


@each_graph
def test_passes_change_nothing(name: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph))


@pytest.mark.parametrize("piece", sorted(PIECES))
@each_graph
def test_each_piece_of_scheduling_can_be_left_out(name: str, piece: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph), without=frozenset({piece}))


@each_graph
def test_second_derivatives_are_those_of_the_interpreter(name: str) -> None:
    graph = twice(name)
    check(graph, optimised(graph))


@each_graph
def test_what_stands_in_padding_reaches_no_result(name: str) -> None:
    graph = differentiated(name)

    def spoil(given: dict[str, Any]) -> None:
        for source, id in graph.sources("input").items():
            clock = str(graph[id].type.clock)
            for b, n in enumerate(graphs.lengths(graph)[clock]):
                given[source][n:, b] = np.nan if graph[id].type.index is None else 0

    check(graph, optimised(graph), spoil=spoil)


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 2, 1]])
@each_graph
def test_sequences_may_be_empty(name: str, counts: list[int]) -> None:
    graph = differentiated(name)
    lengths = {clock: counts if clock == "t" else n for clock, n in graphs.lengths(graph).items()}
    steps = {clock: max(n) for clock, n in lengths.items()}
    arrays = graphs.arrays(graph)
    for source, id in graph.sources("input").items():
        arrays[source] = arrays[source][: steps[str(graph[id].type.clock)]]
    check(graph, optimised(graph), lengths=lengths, steps=steps, arrays=arrays)
