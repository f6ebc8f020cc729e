"""One function in C: kernels, the statements that call them, its arrays, and where its results are stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recurrency.graph.graph import Graph
from recurrency.graph.roots import START, TAPE, Group, in_any
from recurrency.graph.types import Kind
from recurrency.program.layout import Layout

from ..kernels.arrays import VECTORS, Array
from ..kernels.function import Function, scheduled
from ..kernels.index import clock_name
from ..names import Names
from .launches import CLaunches


@dataclass(frozen=True)
class Result:
    """Where a result is: in an array that becomes the caller's, from a row on; `copied`: others are there as well."""

    array: Array
    row: int
    copied: bool


class CFunction(Function[CLaunches, Result]):
    """A function of a file in C."""

    def __init__(
        self, name: str, graph: Graph, layout: Layout, dtype: str, without: frozenset[str], taken: Names
    ) -> None:
        launches = CLaunches(name, scheduled(graph, layout, without, gather=True), dtype, taken)
        super().__init__(name, layout, launches, launches.loop, taken)
        self.real = self.launches.source.scalars.real
        self.inputs = dict(self._inputs())
        self.taped = {r.array.name for root, r in self.results.items() if TAPE.has(root)}
        self.padded = {
            a.name for name, a in self.inputs.items() if a.kind is Kind.STREAM and not in_any(name, TAPE, START)
        }
        """Streams of the caller, whose padding may hold anything."""
        names = set(re.findall(r"\w+", "\n".join([*(k.text for k in self.kernels), *self.body])))
        names |= {r.array.name for r in self.results.values()}
        names |= {a.name for a in self.inputs.values()}
        self.arrays = [a for a in self.memory.used() if a.name in names and a.home not in VECTORS]

    def _inputs(self) -> Iterator[tuple[str, Array]]:
        """The arrays that the caller passes: inputs by name, and initial states as `start:NAME`."""
        for op, group in (("input", Group("")), ("start", START)):
            for name, id in self.graph.sources(op).items():
                yield group.of(name), self.memory.array(self.program.places[id].buffer)

    def result(self, array: Array, delay: int, copied: bool) -> Result:
        """See `Function.result`."""
        return Result(array, array.front - delay if array.timed else 0, copied)

    def call_fields(self) -> list[tuple[str, str]]:
        """The fields of the struct of a call, each of 8 bytes: name and declaration."""
        const, real = "const ", self.real
        out = [("params", f"const {real} *params;"), ("gradient", f"{real} *gradient;")]
        for array in self.outside():
            kind = real if array.real else "long long"
            out.append((array.name, f"{const * (array.name not in self.fresh)}{kind} *{array.name};"))
        for clock in map(clock_name, self.memory.clocks):
            out.append((f"n_{clock}", f"const long long *n_{clock};"))
            out.append((f"before_{clock}", f"const long long *before_{clock};"))
            out.append((f"T_{clock}", f"long long T_{clock};"))
        out += [(flag, f"long long {flag};") for flag in self.memory.flags.values()]
        return [
            *out,
            ("B", "long long B;"),
            ("training", "long long training;"),
            ("seed", "unsigned long long seed;"),
            ("work", "void *work;"),
            ("bytes", "long long bytes;"),
            ("barrier", "void *barrier;"),
        ]

    def outside(self) -> list[Array]:
        """The arrays that the caller passes, to be read or to be written."""
        given = {array.name for array in self.inputs.values()}
        return [a for a in self.arrays if a.name in self.fresh or a.name in given]
