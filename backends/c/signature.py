"""What callers need to know of a compiled function: plain data, which is kept beside the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from .memory import Rooms

BATCH = "B"


@dataclass(frozen=True)
class PassedArray:
    """An array that a caller passes or gets: [T + rows, B, *shape], [B, *shape] or [*shape].

    `clock` is the clock of its axis of steps, if any; a size that is a string is the number of steps of that clock.
    """

    name: str
    real: bool
    clock: str | None
    batched: bool
    shape: tuple[int | str, ...]
    front: int
    behind: int

    def sizes(self, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
        """The shape of the array with all its rows."""
        lead: tuple[int, ...] = (batch,) if self.batched else ()
        if self.clock is not None:
            lead = (steps[self.clock] + self.front + self.behind, batch)
        return (*lead, *(steps[d] if isinstance(d, str) else d for d in self.shape))


@dataclass(frozen=True)
class Found:
    """Where a result is: in an array, from a row on (None: all of it); `copied`: other results are there as well."""

    name: str
    row: int | None
    clock: str | None
    copied: bool


@dataclass(frozen=True)
class Signature:
    """A function: the fields of its call in order, its arrays, and where its results are.

    `words` gives for each clock the names of the fields for steps, lengths and steps before. `taped` names the arrays
    that only a backward run reads. `flops` are products of sizes (of a clock, or B) with factors.
    """

    name: str
    fields: tuple[str, ...]
    words: dict[str, tuple[str, str, str]]
    flags: dict[str, str]
    inputs: dict[str, PassedArray]
    fresh: tuple[PassedArray, ...]
    taped: frozenset[str]
    results: dict[str, Found]
    gradient: int | None
    """The length of the vector of gradients, if there is one."""
    random: bool
    loops: bool
    """Whether it has loops over time."""
    flops: tuple[tuple[int, tuple[str, ...]], ...]
    per_row: int
    """Operations of the products in loops over time, for one step and sequence."""
    rooms: Rooms

    def work(self, steps: Mapping[str, int], batch: int) -> int:
        """The number of arithmetic operations of a call."""
        sizes = {BATCH: batch, **{size_of_clock(clock): count for clock, count in steps.items()}}
        return sum(factor * prod(sizes[name] for name in names) for factor, names in self.flops)


def size_of_clock(clock: str) -> str:
    """The name of the number of steps of a clock in `flops`."""
    return f"T {clock}"
