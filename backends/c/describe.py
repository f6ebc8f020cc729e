"""Reads off a finished function what callers of its compiled code need: its signature and its memory, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from recurrency.graph.cost import whole
from recurrency.graph.dimensions import Poly, symbol
from recurrency.graph.roots import AFTER, GRADIENT, START, in_any
from recurrency.program.footprint import GRADIENTS, TAPE, WORKSPACE, uses

from ..kernels.arrays import Array
from ..kernels.index import clock_name, clock_size
from .function import CFunction
from .kernels import array_elements
from .memory import Room, Rooms
from .signature import BATCH, Found, PassedArray, Signature, size_of_clock


def signature(f: CFunction) -> Signature:
    """The signature of a function."""
    clocks = f.memory.clocks
    words = {c: (f"T_{clock_name(c)}", f"n_{clock_name(c)}", f"before_{clock_name(c)}") for c in clocks}
    results = {}
    for root, result in f.results.items():
        array, clock = result.array, str(result.array.clock) if result.array.timed else None
        whole = clock is None or (not array.front and not array.behind)
        results[root] = Found(array.name, None if whole else result.row, clock, result.copied)
    return Signature(
        f.name,
        tuple(name for name, _ in f.call_fields()),
        words,
        dict(f.memory.flags),
        {name: _passed(array) for name, array in f.inputs.items()},
        tuple(_passed(array) for array in f.arrays if array.name in f.fresh),
        frozenset(f.taped),
        results,
        f.layout.size if f.has_gradient else None,
        f.random,
        any(region.scans for region in f.program.regions),
        _flops(f),
        f.launches.per_row,
        rooms(f),
    )


def _flops(f: CFunction) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Operations as a polynomial of the sizes: symbols take the place of numbers."""
    steps = {clock: cast(int, symbol(size_of_clock(clock))) for clock in f.memory.clocks}
    found = cast("int | Poly", f.program.flops(steps, cast(int, symbol(BATCH))))
    terms = found.terms if isinstance(found, Poly) else [((), found)]
    return tuple((factor, names) for names, factor in terms if factor)


def rooms(f: CFunction) -> Rooms:
    """The memory of a function."""
    clocks = {clock: (clock_size(clock), f"n_{clock_name(clock)}") for clock in f.memory.clocks}
    products = f.launches.products
    packed = (Room(name, True, elements) for name, elements in products.rooms.items())
    work = tuple(dict.fromkeys(text.replace("(b1 - b0)", "B") for text in products.work))
    inputs = {name: array.name for name, array in f.inputs.items()}
    return Rooms((*_counts(f), *_arrays(f), *packed), work, clocks, inputs)


def _counts(f: CFunction) -> Iterator[Room]:
    """The numbers of steps and of steps before, for each sequence, where the caller does not pass them."""
    for clock in map(clock_name, f.memory.clocks):
        for name in (f"n_{clock}", f"before_{clock}"):
            yield Room(name, False, "B", unless=name)


def _arrays(f: CFunction) -> Iterator[Room]:
    """The arrays that the caller does not pass."""
    known = {f.memory.array(id).name: use for id, use in uses(f.program).items() if id in f.memory.arrays}
    known |= {r.array.name: GRADIENTS for root, r in f.results.items() if GRADIENT.has(root)}
    known |= dict.fromkeys(f.taped, TAPE)
    given = {array.name: name for name, array in f.inputs.items()}
    for array in f.arrays:
        if array.name in f.launches.constants:
            continue
        name = given.get(array.name)
        elements = f.launches.chunks.elements(array) or array_elements(array)
        room = Room(array.name, array.real, elements, known.get(array.name, WORKSPACE), lent=array.name in f.fresh)
        if room.lent or name is None:
            yield room
        elif array.name in f.padded:
            yield replace(room, only=f"n_{clock_name(array.clock)}")
        elif in_any(name, START, AFTER):
            yield replace(room, unless=array.name)
    if f.has_gradient:
        yield Room("gradient", True, str(f.layout.size), GRADIENTS, lent=True)


def _passed(array: Array) -> PassedArray:
    """An array as callers see it."""
    clock = str(array.clock) if array.timed else None
    shape = tuple(size if isinstance(size, str) else whole(size) for size in array.shape)
    return PassedArray(array.name, array.real, clock, array.kind > 0, shape, array.front, array.behind)
