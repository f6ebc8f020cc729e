"""The memory of a call of compiled code: of this both its layout in C and the forecast are made.

Sizes are texts that C and Python read alike, see `sizes`; names in them are `B` and the steps of the clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.program.footprint import GRADIENTS, TAPE, WORKSPACE, Footprint, uses

from .sizes import LINE, lines, numbers, value

if TYPE_CHECKING:
    from .function import CFunction


@dataclass(frozen=True)
class Sizes:
    """What a call is called with: steps of each clock, sequences, which inputs, whether lengths, threads."""

    steps: Mapping[str, int]
    batch: int
    given: Collection[str]
    ragged: bool
    threads: int


@dataclass(frozen=True)
class Room:
    """An array of a function: how many elements it has, what it is for, and when it has memory of its own."""

    name: str
    real: bool
    elements: str
    use: str = WORKSPACE
    lent: bool = False
    """Whether it becomes the caller's: it is no part of the workspace."""
    only: str = ""
    """The field of the call without which it has none."""
    unless: str = ""
    """The field of the call that stands in its place, where that is given."""

    def wanted(self, fields: Collection[str]) -> bool:
        """Whether it has memory in a call with these fields."""
        return (not self.only or self.only in fields) and self.unless not in fields

    def statement(self, real: str) -> str:
        """What gives it its place in C."""
        room = f"REC_ROOM({self.name}, {real if self.real else 'long long'}, {self.elements});"
        condition = f"call->{self.only}" if self.only else f"!call->{self.unless}"
        return f"if ({condition}) {{ {room} }}" if self.only or self.unless else room


@dataclass(frozen=True)
class Rooms:
    """All that a function has memory for, in order; at the end comes room for the largest of some works per thread."""

    rooms: tuple[Room, ...]
    work: tuple[str, ...]
    clocks: Mapping[str, tuple[str, str]]
    """The fields for steps and lengths of each clock."""
    inputs: Mapping[str, str]
    """The field of each input."""

    def here(self) -> Iterator[Room]:
        """Those of the workspace."""
        return (room for room in self.rooms if not room.lent)


def rooms(f: CFunction) -> Rooms:
    """The memory of a function."""
    from ..kernels.index import clock_name, clock_size

    clocks = {clock: (clock_size(clock), f"n_{clock_name(clock)}") for clock in f.memory.clocks}
    products = f.launches.products
    packed = (Room(name, True, f"rec_packed({k}, {n})") for (*_, k, n), name in products.packed.items())
    sizes = [tuple(text.replace("(b1 - b0)", "B") for text in shape) for shape in products.work]
    work = tuple(f"rec_product_work({', '.join(shape)})" for shape in dict.fromkeys(sizes))
    inputs = {name: array.name for name, array in f.inputs.items()}
    return Rooms((*_counts(f), *_arrays(f), *packed), work, clocks, inputs)


def _counts(f: CFunction) -> Iterator[Room]:
    """How many steps each sequence has, and how many came before, where the caller does not say it."""
    from ..kernels.index import clock_name

    for clock in map(clock_name, f.memory.clocks):
        for name in (f"n_{clock}", f"before_{clock}"):
            yield Room(name, False, "B", unless=name)


def _arrays(f: CFunction) -> Iterator[Room]:
    """The arrays that are not the caller's from the beginning."""
    from ..kernels.index import clock_name
    from .kernels import array_elements

    known = {f.memory.array(id).name: use for id, use in uses(f.program).items() if id in f.memory.arrays}
    known |= {r.array.name: GRADIENTS for root, r in f.results.items() if root.startswith("gradient:")}
    known |= dict.fromkeys(f.taped, TAPE)
    given = {array.name: name for name, array in f.inputs.items()}
    for array in f.arrays:
        name = given.get(array.name)
        elements = f.launches.chunks.elements(array) or array_elements(array)
        room = Room(array.name, array.real, elements, known.get(array.name, WORKSPACE), lent=array.name in f.fresh)
        if room.lent or name is None:
            yield room
        elif array.name in f.padded:
            yield replace(room, only=f"n_{clock_name(array.clock)}")
        elif name.startswith("start:"):
            yield replace(room, unless=array.name)
    if f.has_gradient:
        yield Room("gradient", True, str(f.layout.size), GRADIENTS, lent=True)


def footprint(found: Rooms, real: np.dtype[Any], sizes: Sizes) -> Footprint:
    """The arrays that become the caller's, and the workspace, each of which begins on a line.

    Raises:
        UnknownMemoryError: there is no compiler, so it is not known how wide its vectors would be.
    """
    from recurrency.model.memory import UnknownMemoryError

    from .runtime import compiler
    from .runtime.target import vectors

    if (reason := compiler.obstacle()) is not None:
        raise UnknownMemoryError(f"the backend c packs matrices as its compiler makes vectors, and {reason}")
    known = {**numbers(real.itemsize, vectors()), "B": sizes.batch}
    known |= {steps: sizes.steps[clock] for clock, (steps, _) in found.clocks.items()}
    fields = {found.inputs[name] for name in sizes.given}
    fields |= {length for _, length in found.clocks.values()} if sizes.ragged else set()
    parts = [
        (room.use, lines(value(room.elements, known) * (real.itemsize if room.real else 8)))
        for room in found.rooms
        if room.wanted(fields)
    ]
    work = max((value(text, known) for text in found.work), default=0)
    return Footprint.of([*parts, (WORKSPACE, 3 * LINE + lines(work * sizes.threads * real.itemsize))])
