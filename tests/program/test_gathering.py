"""Loops without products take the element-wise work around them. The suites of the backend `c` check the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from recurrency.backends.kernels.function import scheduled

import recurrency as rc
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.passes.recurrence import recurrences
from recurrency.passes.rewriting import number
from recurrency.program.layout import Layout
from recurrency.program.program import Program, Region

SIZES: dict[str, dict[str, Any]] = {
    "MinGRU": {"N": 3, "H": 4},
    "QRNN": {"N": 3, "H": 4},
    "SRU": {"N": 3, "H": 4},
    "LRU": {"N": 3, "H": 4, "K": 5},
    "GRUD": {"N": 3, "H": 4},
    "S6": {"N": 3, "K": 2, "R": 1},
    "LSTM": {"N": 3, "H": 4},
    "Bidirectional": {"N": 3, "H": 4},
}
PASSES = ("forward", "forward_kept", "backward")
each_cell = pytest.mark.parametrize("cell", SIZES)
each_pass = pytest.mark.parametrize("kind", PASSES)


@cache
def program(cell: str, kind: str, gather: bool = True, without: frozenset[str] = frozenset()) -> Program:
    """The program of kernels of a pass."""
    model = rc.library.spec(cell).compile(backend="numpy", **SIZES[cell])
    graph: Graph = model.programs.graph(kind, ())
    layout: Layout = model.programs.layout
    found: Program = scheduled(graph, layout, without, gather=gather)
    return found


def loops(found: Program) -> list[Region]:
    """The loops over time."""
    return [region for region in found.regions if region.scans]


def around(found: Program) -> list[str]:
    """The operations outside of loops that compute an element for each of the 4 units at each step."""
    nodes = [found.graph[id] for region in found.regions if region.kind == "over time" for id in region.ids]
    return [node.op.name for node in nodes if node.op.elementwise and node.type.shape == (4,)]


@pytest.mark.parametrize("without", [frozenset[str](), frozenset({"fuse"})], ids=["all", "without fuse"])
@each_pass
@each_cell
def test_every_value_is_computed_once_and_after_what_it_reads(cell: str, kind: str, without: frozenset[str]) -> None:
    found = program(cell, kind, without=without)
    done: set[int] = set()
    for region in found.regions:
        inside = set(region.ids)
        for id in region.ids:
            node = found.graph[id]
            now = node.args[1:] if region.scans and node.delay and node.args[0] in inside else node.args
            missing = [a for a in now if a not in done and a in found.places and number(found.graph, a) is None]
            assert not missing, f"{node.op} comes before what it reads"
            assert id not in done
            done.add(id)
    assert done == {id for id in found.places if id in found.graph}


@each_pass
@each_cell
def test_a_loop_reads_other_steps_of_itself_in_its_own_direction(cell: str, kind: str) -> None:
    for region in loops(program(cell, kind)):
        for delay in _delays(program(cell, kind), region):
            assert (delay > 0) == (region.kind == "scan forwards")


def _delays(found: Program, region: Region) -> Iterator[int]:
    """By how many steps what the nodes of a loop read is late, where the loop computes it."""
    inside = set(region.ids)
    read = {a for id in inside for a in found.graph[id].args} | inside
    return (found.graph[a].delay for a in read if found.graph[a].delay and found.graph[a].args[0] in inside)


@each_pass
@each_cell
def test_a_loop_with_products_takes_nothing(cell: str, kind: str) -> None:
    found = program(cell, kind)
    parts = {frozenset(part.ids) for part in recurrences(found.graph)}
    for region in loops(found):
        if any(Trait.CONTRACTS in found.graph[id].op.traits for id in region.ids):
            assert frozenset(region.ids) in parts


@pytest.mark.parametrize("kind", PASSES)
def test_nothing_is_left_around_the_loops_of_mingru_and_qrnn(kind: str) -> None:
    assert around(program("MinGRU", kind)) == []
    assert around(program("QRNN", kind)) == []
    assert around(program("MinGRU", kind, False)) != []


def test_what_only_sums_read_is_left_to_them() -> None:
    """S6: what is added up along an axis, or over time, would be stored if the loop computed it."""
    found = program("S6", "backward")
    own = {id for part in recurrences(found.graph) for id in part.ids}
    for region in loops(found):
        read = {arg for id in region.ids for arg in found.graph[id].args}
        taken = [id for id in region.ids if id not in own and len(found.graph[id].type.shape) == 2]
        assert all(id in read for id in taken)


def test_gates_that_are_computed_side_by_side_are_stored_each_by_itself() -> None:
    """The candidate of minGRU is kept for the backward pass: as a part of the gates, it would have to be copied."""
    found = program("MinGRU", "forward_kept")
    kept = [found.places[id] for name, id in found.graph.roots.items() if name.startswith("tape:")]
    assert kept
    assert not any(place.views for place in kept)
