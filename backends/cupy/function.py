"""One function of a module for CuPy: kernels in CUDA C, and the lines of a driver in Python."""

from __future__ import annotations

from recurrency.graph.graph import Graph
from recurrency.program.layout import Layout

from ..kernels.arrays import Array
from ..kernels.function import Function, scheduled
from ..names import Names
from .launches import CudaLaunches
from .loops import Loops
from .products import whole


class CudaFunction(Function[CudaLaunches, str]):
    """A function of a module; `results` are the results as text of Python, `scans` its loops over time."""

    def __init__(
        self, name: str, graph: Graph, layout: Layout, dtype: str, without: frozenset[str], taken: Names
    ) -> None:
        launches = CudaLaunches(name, scheduled(graph, layout, without), dtype, taken)
        loops = Loops(launches, without)
        self.scans = loops.scans
        super().__init__(name, layout, launches, loops.region, taken)

    def result(self, array: Array, delay: int, copied: bool) -> str:
        """See `Function.result`."""
        text = whole(array, delay, False)
        return f"self.copy({text})" if copied else text
