"""What a function in C does, stage by stage: statements that call kernels and multiply."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from recurrency.program.before import delayed
from recurrency.program.program import Program, Region

from ..kernels.arrays import Array
from ..kernels.index import clock_size
from ..kernels.launches import Launches
from ..kernels.products import MatrixProduct
from ..kernels.stages import Stage, Stages
from ..kernels.text import Kernel
from ..names import Names
from . import sizes
from .chunks import Chunks, fed
from .kernels import CWriter
from .products import CProducts
from .scalars import CScalars

BARRIER = "REC_BARRIER;"
"""All threads wait here for one another."""

SUMS = ("sum_time", "sum_batch")

FEW = 4
"""Fewer sequences than this for each thread may be the work of all of them at each step."""


class CLaunches(Launches):
    """Writes the stages of one program as statements that several threads execute, each with its part of the work."""

    comments = "//"
    scalars = CScalars
    writes = CWriter
    multiplies = CProducts
    writer: CWriter
    products: CProducts

    def __init__(self, name: str, program: Program, dtype: str, taken: Names) -> None:
        super().__init__(name, program, dtype, taken)
        self.scan: Region | None = None
        self.before: list[str] = []
        self.per_row = 0
        self.chunks = self.writer.chunks = Chunks(fed(self.stages["gemm"], self.forms, self.products))

    def _planned(self) -> dict[str, Stages]:
        """Sums over time and sequences always lie in memory: whole rows are added at once."""
        sums = {id for id in self.computed() if self.graph[id].op.name in SUMS}
        return {"gemm": Stages(self.program, self.forms.__contains__, sums)}

    def region(self, region: Region) -> None:
        """Write a region that is no loop."""
        stages = self.stages["gemm"]
        for number, stage in enumerate(stages.of(region)):
            for line in self.stage(stage, stages.ready(region, number), None):
                self.body += [line, BARRIER]

    def loop(self, region: Region) -> None:
        """Write a loop over time: each thread runs over all steps of some sequences.

        Few sequences with large products are the work of all threads at each step, which wait for one another then.
        """
        stages = self.stages["gemm"]
        ready = stages.ready(region, 0)
        firsts = [store for id in delayed(self.graph, region.ids) for store in self.firsts(id)]
        for line in self.launches(firsts, ready, name="firsts"):
            self.body += [line, BARRIER]
        self.scan, self.before, self.products.per_row = region, [], 0
        chunks, lines = self._chunks(region)
        for number, stage in enumerate(stages.of(region)):
            for line in self.stage(stage, stages.ready(region, number), region):
                lines += [line, "REC_MEET;"]
        self.scan = None
        self.per_row = max(self.per_row, self.products.per_row)
        for line in self.before:
            self.body += [line, BARRIER]
        steps = clock_size(region.clock)
        forwards = region.kind == "scan forwards"
        order = f"t = 0; t < {steps}; ++t" if forwards else f"t = {steps} - 1; t >= 0; --t"
        stop = f"if (REC_STOPS({'t' if forwards else f'{steps} - 1 - t'})) break;"
        wide = f"B < {FEW} * count && B * {self.products.per_row} >= {sizes.WORTH}"
        self.body += [
            "{", f"const long long ways = {wide} ? count : 1, way = ways > 1 ? id : 0;",
            "const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;",
            *chunks, f"for (long long {order}) {{", stop, *lines, "}", "}", BARRIER,
        ]  # fmt: skip

    def _chunks(self, region: Region) -> tuple[list[str], list[str]]:
        """What stands before a loop and at the beginning of a step for products that are computed in chunks."""
        statements = []
        for id in (id for id, loop in self.chunks.loops.items() if loop is region):
            array = self.products.output(id)
            assert array is not None
            self.chunks.add(id, array)
            before, text = self.products.chunk(self.forms[id], array)
            self.before += before
            statements.append(self.said(id, text))
        return self.chunks.lines(region, statements) if statements else ([], [])

    def stage(self, stage: Stage, ready: Collection[int], scan: Region | None) -> list[str]:
        """The lines of one stage; within a loop (`scan`) those of one step."""
        out: list[str] = []
        for id in stage.barriers:
            is_start = self.graph[id].op.name == "start"
            if is_start:
                out += self._start(id, ready)
            elif id not in self.chunks.loops:
                out.append(self._product(id, scan is not None))
        sums = [id for id in stage.stores if self.graph[id].op.name in SUMS]
        out += self._sums(sums, ready)
        stores = [store for id in stage.stores if id not in sums for store in self.stores_of(id, scan)]
        stores += [store for id in stage.rows for store in self.firsts(id)]
        return out + list(self.launches(stores, ready, scan))

    def _sums(self, ids: Sequence[int], ready: Collection[int]) -> list[str]:
        """Sums over time and sequences, those of one type together."""
        groups: dict[object, list[int]] = {}
        for id in ids:
            inner = self.graph[self.program.sums.get(id, self.graph[id].args[0])].type
            groups.setdefault((self.graph[id].type, inner.kind, inner.clock), []).append(id)
        return [self.launch(self.writer.sums(g, ready, self.graph[g[-1]].name or "sums")) for g in groups.values()]

    def launch(self, kernel: Kernel) -> str:
        """The statement that calls a kernel for this thread's part."""
        steps = ", t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways"
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
        """Statements that are executed where a flag is not set."""
        return [f"if (!w->{flag}) {{ {line} }}" for line in lines]

    def multiplied(self, form: MatrixProduct, array: Array, stepped: bool) -> str:
        """The statement that computes a product into an array; what has to be done before is written down."""
        before, text = self.products.statements(form, array, stepped)
        if self.scan is not None:
            self.before += before
        else:
            self.body += [line for text in before for line in (text, BARRIER)]
        return str(text)
