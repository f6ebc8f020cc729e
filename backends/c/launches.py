"""The statements of a function in C, which call kernels and multiply matrices."""

from __future__ import annotations

from collections.abc import Container, Sequence

from recurrency.graph.fixed import Fixed
from recurrency.graph.op import Trait
from recurrency.program.before import delayed
from recurrency.program.program import Program, Region

from ..kernels.arrays import Array
from ..kernels.index import clock_size
from ..kernels.launches import Launches, source_of
from ..kernels.pieces import Store
from ..kernels.products import MatrixProduct
from ..kernels.scalars import Scalars
from ..kernels.stages import Stage, Stages
from ..kernels.writer import Kernel
from ..names import Names
from . import sizes
from .carried import keep_last
from .chunks import STOP, Chunks, fed
from .kernels import CWriter
from .math import FUNCTIONS
from .products import CProducts

BARRIER = "REC_BARRIER;"
"""All threads wait here for one another."""

STEP_BARRIER = "REC_STEP_BARRIER;"
"""Threads that work at the same step wait here."""

FEW = 4
"""With fewer sequences than this for each thread, all threads may work at the same step."""


class CLaunches(Launches[CWriter, CProducts]):
    """Writes the stages of one program as statements that several threads execute, each for its part of the work."""

    comment_mark = "//"

    def __init__(self, name: str, program: Program, dtype: str, taken: Names) -> None:
        source = source_of(program, Scalars(dtype, FUNCTIONS), taken)
        super().__init__(CWriter(source, name), CProducts(program, source.memory))
        self.scan: Region | None = None
        self.before: list[str] = []
        self.per_row = 0
        self.alone = False
        """Whether the loop that is written has no products, so that no thread waits for another at a step."""
        self.constants: dict[str, str] = {}
        """The arrays that are read where the file defines them, and the names that they have there."""
        for region in program.regions:
            self._keep_last(region)
        self.chunks = self.writer.chunks = Chunks(fed(self.stages["gemm"], self.forms, self.products))

    def planned(self) -> dict[str, Stages]:
        """See `Launches.planned`; sums over time and sequences are always stored, because they add whole rows."""
        sums = {id for id in self.computed() if Trait.ACCUMULATES in self.graph[id].op.traits}
        return {"gemm": Stages(self.program, self.forms.__contains__, sums)}

    def add(self, lines: Sequence[str]) -> None:
        """See `Launches.add`: all threads wait after each line."""
        self.body += [text for line in lines for text in (line, BARRIER)]

    def stores_of(self, id: int, scan: Region | None) -> list[Store]:
        """See `Launches.stores_of`: a fixed array is read where the file defines it, and not copied in each call."""
        fixed, place = self.graph[id].attrs.get("of"), self.program.places[id]
        buffer = self.program.buffers[place.buffer]
        alone = buffer.node == id and buffer.home == "own" and not place.views and id not in self.results
        if not isinstance(fixed, Fixed) or not alone:
            return super().stores_of(id, scan)
        self.constants[self.memory.array(place.buffer).name] = self.source.fixed_array(fixed)
        return []

    def stage(self, stage: Stage, ready: Container[int], scan: Region | None) -> list[str]:
        """See `Launches.stage`; nothing in a stage depends on another of its values."""
        lines = super().stage(stage, ready, scan)
        return lines if scan is not None else self.products.merged(lines)

    def _keep_last(self, region: Region) -> None:
        """Keep one step of the states of a loop with one stage of kernels (see `carried`)."""
        stages = self.stages["gemm"]
        parts = stages.of(region) if region.scans else []
        filled = [number for number, stage in enumerate(parts) if stage.stores]
        if len(filled) == 1 and not any(stage.barriers or stage.rows for stage in parts):
            stores = [store for id in parts[filled[0]].stores for store in self.stores_of(id, region)]
            keep_last(self.program, region, stores, stages.ready(region, filled[0]))

    def loop(self, region: Region) -> None:
        """Write a loop over time: each thread runs over all steps of some sequences.

        If there are few sequences and large products, all threads work at the same step, and wait for one another.
        """
        stages = self.stages["gemm"]
        ready = stages.ready(region, 0)
        firsts = [store for id in delayed(self.graph, region.ids) for store in self.firsts(id)]
        self.add(self.launches(firsts, ready, name="firsts"))
        self.scan, self.before, self.products.per_row = region, [], 0
        parts = stages.of(region)
        self.alone = not any(stage.barriers for stage in parts)
        statements = self._chunks(region)
        kernels = [self.stage(stage, stages.ready(region, number), region) for number, stage in enumerate(parts)]
        lines = [line for found in kernels for line in found]
        self.scan = None
        self.per_row = max(self.per_row, self.products.per_row)
        self.add(self.before)
        self.body += [
            *(self._alone(region, statements, lines) if self.alone else self._together(region, statements, lines)),
            BARRIER,
        ]

    def _together(self, region: Region, statements: list[str], lines: list[str]) -> list[str]:
        """A loop with products of its own."""
        steps = clock_size(region.clock)
        before, turn = self.chunks.turns(region, statements) if statements else ([], [])
        wide = f"B < {FEW} * count && B * {self.products.per_row} >= {sizes.WORTH}"
        return [
            "{",
            f"const long long ways = {wide} ? count : 1, way = ways > 1 ? id : 0;",
            "const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;",
            *before,
            _over_steps(region, "0", steps),
            _stop(region, "ways, way"),
            *turn,
            *(text for line in lines for text in (line, STEP_BARRIER)),
            "}",
            "}",
        ]

    def _alone(self, region: Region, statements: list[str], lines: list[str]) -> list[str]:
        """A loop without products: threads share those that it reads, then each runs over its own sequences."""
        steps = clock_size(region.clock)
        own = ["const long long from = B * id / count, to = B * (id + 1) / count;"]
        if statements:
            inner = [_over_steps(region, "first", "end"), *lines, "}"]
            return ["{", *own, *self.chunks.whole(region, statements, inner), "}"]
        return ["{", *own, _over_steps(region, "0", steps), _stop(region, "1, 0"), *lines, "}", "}"]

    def _chunks(self, region: Region) -> list[str]:
        """The statements that compute products in chunks for a loop."""
        statements = []
        for id in (id for id, loop in self.chunks.loops.items() if loop is region):
            array = self.products.output(id)
            assert array is not None
            self.chunks.add(id, array)
            before, text = self.products.chunk(self.forms[id], array)
            self.before += before
            statements.append(self.cited(id, text))
        return statements

    def barrier(self, id: int, ready: Container[int], stepped: bool) -> list[str]:
        """See `Launches.barrier`; products in chunks are computed by the loop that reads them."""
        return [] if id in self.chunks.loops else super().barrier(id, ready, stepped)

    def sums(self, stores: Sequence[Store], ready: Container[int]) -> tuple[list[str], list[Store]]:
        """See `Launches.sums`: one kernel for all sums of one type, whose rows are put at the same places."""
        groups: dict[object, list[int]] = {}
        for id in (store.node for store in stores if self._is_sum(store)):
            inner, place = self.graph[self.writer.summed(id)].type, self.writer.placed(self.writer.summed(id), ready)
            groups.setdefault((self.graph[id].type, inner.kind, inner.clock, place), []).append(id)
        kernels = [self.writer.sums(g, ready, self.graph[g[-1]].name or "sums") for g in groups.values()]
        return [self.launch(kernel) for kernel in kernels], [store for store in stores if not self._is_sum(store)]

    def _is_sum(self, store: Store) -> bool:
        return Trait.ACCUMULATES in self.graph[store.node].op.traits

    def launch(self, kernel: Kernel) -> str:
        """See `Launches.launch`: the statement calls the kernel for this thread's part."""
        steps = ", t, from, to" if self.alone else ", t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways"
        args = {
            (): "",
            ("id", "count"): ", id, count",
            ("b0", "b1"): ", B * id / count, B * (id + 1) / count",
            ("t", "b0", "b1"): steps,
            ("t", "b0", "b1", "first"): f"{steps}, first",
            ("t0", "t1", "b0", "b1"): f", {kernel.count} * id / count, {kernel.count} * (id + 1) / count, 0, B",
        }
        call = f"{kernel.name}(w{args[kernel.args]});"
        conditions = ["id == 0"] if not kernel.args else []
        conditions += ["w->ragged"] if kernel.only_ragged else []
        return f"if ({' && '.join(conditions)}) {call}" if conditions else call

    def unless(self, flag: str, lines: Sequence[str]) -> list[str]:
        """See `Launches.unless`."""
        return [f"if (!w->{flag}) {{ {line} }}" for line in lines]

    def multiplied(self, form: MatrixProduct, array: Array, stepped: bool) -> str:
        """See `Launches.multiplied`; statements that have to come before are added where they belong."""
        before, text = self.products.statements(form, array, stepped)
        if self.scan is not None:
            self.before += before
        else:
            self.add(before)
        return text


def _over_steps(region: Region, start: str, end: str) -> str:
    """The head of a loop over some steps, in the direction of a region."""
    forwards = region.kind == "scan forwards"
    order = f"t = {start}; t < {end}; ++t" if forwards else f"t = {end} - 1; t >= {start}; --t"
    return f"for (long long {order}) {{"


def _stop(region: Region, ways: str) -> str:
    """The line that ends a loop over all steps when the call is to be stopped; `ways` meet at each step."""
    step = "t" if region.kind == "scan forwards" else f"{clock_size(region.clock)} - 1 - t"
    return f"{STOP}{step}, {ways})) break;"
