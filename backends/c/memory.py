"""The memory of a call of compiled code, from which both its layout in C and the forecast are made.

Sizes are texts that are both C and Python, see `sizes`; names in them are `B` and the steps of the clocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.program.footprint import WORKSPACE, Footprint

from .sizes import LINE, lines, numbers, value


@dataclass(frozen=True)
class Sizes:
    """The sizes of a call: steps of each clock, sequences, the inputs passed, whether there are lengths, threads."""

    steps: Mapping[str, int]
    batch: int
    given: Collection[str]
    ragged: bool
    threads: int


@dataclass(frozen=True)
class Room:
    """An array of a function: its elements, its use, and the calls in which it has memory of its own."""

    name: str
    real: bool
    elements: str
    use: str = WORKSPACE
    lent: bool = False
    """Whether it becomes the caller's, and is no part of the workspace."""
    only: str = ""
    """The field of the call that has to be set."""
    unless: str = ""
    """The field of the call that replaces it, if set."""

    def wanted(self, fields: Collection[str]) -> bool:
        """Whether it has memory in a call with these fields."""
        return (not self.only or self.only in fields) and self.unless not in fields

    def statement(self, real: str) -> str:
        """The statement in C that gives it its place."""
        room = f"REC_PLACE({self.name}, {real if self.real else 'long long'}, {self.elements});"
        condition = f"call->{self.only}" if self.only else f"!call->{self.unless}"
        return f"if ({condition}) {{ {room} }}" if self.only or self.unless else room


@dataclass(frozen=True)
class Rooms:
    """The memory of a function in order; at its end, for each thread, the largest of some workspaces of products."""

    rooms: tuple[Room, ...]
    work: tuple[str, ...]
    clocks: Mapping[str, tuple[str, str]]
    """The fields for steps and lengths of each clock."""
    inputs: Mapping[str, str]
    """The field of each input."""

    def here(self) -> Iterator[Room]:
        """The arrays of the workspace."""
        return (room for room in self.rooms if not room.lent)


def footprint(found: Rooms, real: np.dtype[Any], sizes: Sizes) -> Footprint:
    """The bytes of the arrays that become the caller's, and of the workspace; each begins on a cache line.

    Raises:
        UnknownMemoryError: there is no compiler, so the width of its vectors is unknown.
    """
    from recurrency.model.memory import UnknownMemoryError

    from .runtime import compiler
    from .runtime.target import vectors

    if (reason := compiler.obstacle()) is not None:
        raise UnknownMemoryError(f"the backend c packs matrices as its compiler makes vectors, and {reason}")
    known = {**numbers(real.itemsize, vectors()), "B": sizes.batch}
    known |= {steps: sizes.steps[clock] for clock, (steps, _) in found.clocks.items()}
    fields = {found.inputs[name] for name in sizes.given if name in found.inputs}  # others are read by nothing
    fields |= {length for _, length in found.clocks.values()} if sizes.ragged else set()
    parts = [
        (room.use, lines(value(room.elements, known) * (real.itemsize if room.real else 8)))
        for room in found.rooms
        if room.wanted(fields)
    ]
    work = max((value(text, known) for text in found.work), default=0)
    return Footprint.of([*parts, (WORKSPACE, 3 * LINE + lines(work * sizes.threads * real.itemsize))])
