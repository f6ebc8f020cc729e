"""What a driver in Python does outside of loops: it launches kernels, and calls cuBLAS for products."""

from __future__ import annotations

from collections.abc import Container, Sequence

from recurrency.graph.types import Kind
from recurrency.program.program import Program

from ..kernels.arrays import Array
from ..kernels.launches import Launches, source_of
from ..kernels.pieces import Store
from ..kernels.products import Factor, MatrixProduct
from ..kernels.reductions import is_parted
from ..kernels.scalars import Scalars
from ..kernels.stages import Stages
from ..kernels.writer import Kernel
from ..names import Names
from .products import CudaProducts
from .rows import RowKernel
from .tile_kernels import SplitWriter, TileKernel
from .tiles import SEQUENCES
from .work import Work, of_kernel, of_product


class CudaLaunches(Launches[SplitWriter, CudaProducts]):
    """Writes the stages of one program as lines of Python. `hoisted` are operands that get a name before a loop.

    `work` is what the launches and products written so far have to do, by their line.
    """

    comment_mark = "#"

    def __init__(self, name: str, program: Program, dtype: str, taken: Names) -> None:
        source = source_of(program, Scalars(dtype), taken)
        super().__init__(SplitWriter(source, name), CudaProducts(program, source.memory))
        self.hoisted: dict[str, str] = {}
        self.work: dict[str, Work] = {}

    def planned(self) -> dict[str, Stages]:
        """See `Launches.planned`; in those of `step`, kernels compute the products within loops.

        Both store the same values outside of loops.
        """
        inside = {id for region in self.program.regions if region.scans for id in region.ids}
        outside = set(self.forms) - inside
        forced: frozenset[int] = frozenset()
        while True:
            found = {
                "gemm": Stages(self.program, self.forms.__contains__, forced),
                "step": Stages(self.program, outside.__contains__, forced),
            }
            needs = [{id for id in s.stored if id not in inside or id in s.wanted_outside} for s in found.values()]
            if needs[0] == needs[1]:
                return found
            forced |= needs[0] | needs[1]

    def add(self, lines: Sequence[str]) -> None:
        """See `Launches.add`: launches of one stream run in order."""
        self.body += lines

    def launch(self, kernel: Kernel) -> str:
        """See `Launches.launch`."""
        text = self._launch(kernel)
        if not kernel.only_ragged:
            self.work[text] = of_kernel(kernel)
        return text

    def _launch(self, kernel: Kernel) -> str:
        args = ["steps[t]" if arg == "t" else arg for arg in kernel.args]
        if isinstance(kernel, RowKernel):
            return f"launch_rows(k.{kernel.name}, {kernel.count}, {kernel.threads}, {', '.join(args)})"
        if isinstance(kernel, TileKernel):
            versions = ", ".join(f"{size}: k.{kernel.name}{size}" for size in SEQUENCES)
            return f"launch_tiles({{{versions}}}, {kernel.count}, {kernel.blocks}, {kernel.threads}, {', '.join(args)})"
        text = f"launch(k.{kernel.name}, {kernel.count}, {', '.join(args)})"
        return f"if p.ragged: {text}" if kernel.only_ragged else text

    def sums(self, stores: Sequence[Store], ready: Container[int]) -> tuple[list[str], list[Store]]:
        """See `Launches.sums`: the first halves of sums over all sequences; the second halves are ordinary stores."""
        groups: dict[object, list[Store]] = {}
        for store in stores:
            if is_parted(self.source, store.value):
                groups.setdefault(self.graph[store.value].type, []).append(store)
        parts = [self.writer.parts([s.value for s in g], ready, self.wish(g)) for g in groups.values()]
        return [self.launch(kernel) for kernel in parts], list(stores)

    def unless(self, flag: str, lines: Sequence[str]) -> list[str]:
        """See `Launches.unless`."""
        return [f"if not p.{flag}:", *(f"    {line}" for line in lines)]

    def multiplied(self, form: MatrixProduct, array: Array, stepped: bool) -> str:
        """See `Launches.multiplied`."""
        a, b = (self._factor(f, form, stepped) for f in (form.a, form.b))
        text = f"product(xp, {a}, {b}, {self.products.out(form, array, stepped)})"
        self.work[text] = of_product(form)
        return text

    def _factor(self, factor: Factor, form: MatrixProduct, stepped: bool) -> str:
        """An operand; one that is the same at all steps gets a name before the loop."""
        text = self.products.factor(factor, form.sizes, stepped)
        if not stepped or self.program.places[factor.node].kind is not Kind.STATIC:
            return text
        if text not in self.hoisted:
            self.hoisted[text] = self.memory.names.new(f"{self.graph[factor.node].name or 'matrix'}_matrix")
        return self.hoisted[text]
