"""What calls of a compiled function need to know of it: plain data, which can be kept beside the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, cast

from recurrency.graph.dimensions import Poly, symbol

from .memory import Rooms
from .slabs import Slab, slab

if TYPE_CHECKING:
    from .function import CFunction

BATCH = "B"


@dataclass(frozen=True)
class Found:
    """Where a result lies: in an array, from a row on (None: all of it); `copied`: as others do."""

    name: str
    row: int | None
    clock: str | None
    copied: bool


@dataclass(frozen=True)
class Signature:
    """A function: the fields of its call in order, its arrays, and where its results lie.

    `words` gives for each clock the names of the fields for steps, lengths and steps before. `taped` names the arrays
    that only a backward run reads. `flops` are products of sizes (of a clock, or B) with factors.
    """

    name: str
    fields: tuple[str, ...]
    words: dict[str, tuple[str, str, str]]
    flags: dict[str, str]
    inputs: dict[str, Slab]
    fresh: tuple[Slab, ...]
    taped: frozenset[str]
    results: dict[str, Found]
    gradient: int | None
    """The length of the vector of gradients, if there is one."""
    random: bool
    loops: bool
    """Whether some step waits for another."""
    flops: tuple[tuple[int, tuple[str, ...]], ...]
    per_row: int
    """Operations of the products that wait for the last step, for one step and sequence."""
    rooms: Rooms

    def work(self, steps: Mapping[str, int], batch: int) -> int:
        """Arithmetic operations of a call."""
        sizes = {BATCH: batch, **{_size(clock): count for clock, count in steps.items()}}
        return sum(factor * prod(sizes[name] for name in names) for factor, names in self.flops)


def _size(clock: str) -> str:
    return f"T {clock}"


def signature(f: CFunction) -> Signature:
    """That of a function."""
    from ..kernels.index import clock_name

    clocks = f.memory.clocks
    words = {c: (f"T_{clock_name(c)}", f"n_{clock_name(c)}", f"before_{clock_name(c)}") for c in clocks}
    results = {}
    for root, result in f.results.items():
        array, clock = result.array, str(result.array.clock) if result.array.timed else None
        whole = clock is None or (not array.front and not array.behind)
        results[root] = Found(array.name, None if whole else result.row, clock, result.copied)
    return Signature(
        f.name, tuple(name for name, _ in f.call_fields()), words, dict(f.memory.flags),
        {name: slab(array) for name, array in f.inputs.items()},
        tuple(slab(array) for array in f.arrays if array.name in f.fresh), frozenset(f.taped), results,
        f.layout.size if f.has_gradient else None, f.random, any(region.scans for region in f.program.regions),
        _flops(f), f.launches.per_row, f.rooms,
    )  # fmt: skip


def _flops(f: CFunction) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Sizes are units here, which the program multiplies as if they were numbers."""
    steps = {clock: cast(int, symbol(_size(clock))) for clock in f.memory.clocks}
    found = cast("int | Poly", f.program.flops(steps, cast(int, symbol(BATCH))))
    terms = found.terms if isinstance(found, Poly) else [((), found)]
    return tuple((factor, names) for names, factor in terms if factor)
