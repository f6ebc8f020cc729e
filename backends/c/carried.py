"""States of which a loop keeps the last step alone.

A value that only the next step reads, such as the adjoint of a state, needs no array of all steps: each element reads
what its predecessor left in one place, and then writes it. That is so in a loop of one kernel, in which an element
reads the same element alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recurrency.graph.op import Trait
from recurrency.program.program import Program, Region

from ..kernels.pieces import Store, pieces
from ..kernels.stages import Ready

KEEPS = frozenset({Trait.DELAYS, Trait.CLEANS, Trait.SAME, Trait.ROWS})
"""Views of one of these traits have the elements of their argument, in the same places or in a range of rows."""

JOINS = frozenset({Trait.JOINS})
"""Each element of the result is one of an argument. Other operations, such as a running sum, may read many of them."""


def keep_last(program: Program, region: Region, stores: Sequence[Store], ready: Ready) -> None:
    """Keep one step of the states of a loop whose only kernels are those of these stores, where that is enough."""
    domains = [domain for domain, _ in pieces(program.graph, stores, ready)]
    ops = [program.graph[id].op for id in region.ids]
    if len(domains) != 1 or not all(op.elementwise or op.traits & (KEEPS | JOINS) for op in ops):
        return
    for buffer in {program.places[id].buffer for id in region.ids if program.graph[id].delay}:
        found = program.buffers[buffer]
        if found.type.shape == domains[0].shape and _is_passed_on(program, region, buffer):
            found.step = region.number


def _is_passed_on(program: Program, region: Region, buffer: int) -> bool:
    """Whether a buffer of all steps holds one state, which the next step reads and nothing else."""
    found, inside = program.buffers[buffer], set(region.ids)
    if found.home != "own" or found.step is not None or found.front + found.behind != 1:
        return False
    within = [id for id, place in program.places.items() if place.buffer == buffer]
    alone = all(id in inside and not program.places[id].views for id in within)
    named = set(program.graph.roots.values()) & set(within)
    return alone and not named and all(_is_near(program, region, user) for user in _readers(program, set(within)))


def _readers(program: Program, ids: set[int]) -> Iterator[int]:
    graph = program.graph
    computed = [id for other in program.regions for id in other.ids]
    return (id for id in {*computed, *program.sums.values()} if id not in ids and ids & set(graph[id].args))


def _is_near(program: Program, region: Region, user: int) -> bool:
    """Whether a node reads a state within the loop, or after a loop backwards at the first step, its last one."""
    node = program.graph[user]
    picks = Trait.PICKS in node.op.traits and node.attrs["step"] == 1 and region.kind == "scan backwards"
    return picks or user in region.ids
