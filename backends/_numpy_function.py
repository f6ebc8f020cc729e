"""The text of one function: a program's kernels as statements of NumPy, and the memory that they use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf, isnan

from recurrency.backends._numpy_names import Names, comment
from recurrency.backends._numpy_ops import ELEMENTWISE, FUNCTIONS, HELPERS, UFUNCS
from recurrency.backends._numpy_products import Operand, Product, letter_sizes, lettered
from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.layout import Layout
from recurrency.program.program import Buffer, Place, Program, Region, View

GRADIENT = "gradient:"
RESERVED = (
    "params given lengths steps batch training seed offset np real inf nan half ragged gradient workspace memory threading "
    "B T t clocks results"
).split()


@dataclass
class Loop:
    """The time loop that is being written: its views of each step, by name."""

    region: Region
    views: dict[str, str] = field(default_factory=dict)


class Function:
    """Writes one function; `text()` is its source, `used` what it calls."""

    def __init__(self, name: str, program: Program, layout: Layout, dtype: str) -> None:
        self.name, self.program, self.layout, self.dtype = name, program, layout, dtype
        self.graph: Graph = program.graph
        self.names = Names([*RESERVED, *UFUNCS, *FUNCTIONS, *HELPERS])
        self.body: list[str] = []
        self.memory: list[str] = []
        self.kept: dict[str, None] = {}
        self.used: set[str] = set()
        self.loop: Loop | None = None
        self.loop_body: list[str] = []
        self.known: dict[Place, str] = {}
        self.buffer_names: dict[int, str] = {}
        self.filled: set[object] = set()
        self.said: object = None
        clocks = {node.type.clock for id in self.graph if (node := self.graph[id]).type.clock}
        clocks |= {node.attrs["clock"] for id in self.graph if (node := self.graph[id]).attrs.get("clock")}
        clocks |= {d for id in self.graph for d in self.graph[id].type.shape if isinstance(d, str)}
        self.clocks = sorted(str(c) for c in clocks)
        single = len(self.clocks) == 1
        self.suffix = {c: "" if single else self.names.new(f"_{c}").removeprefix("_") for c in self.clocks}
        if not single:
            self.suffix = {c: f"_{s}" for c, s in self.suffix.items()}
