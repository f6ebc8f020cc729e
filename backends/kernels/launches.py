"""What a driver does outside of loops: for each stage, the lines that call kernels and multiply matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import ClassVar, Generic, TypeVar

from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.program.before import Filled, Rows, origins, rows_before
from recurrency.program.program import Place, Program, Region

from ..names import Names, comment
from .arrays import Array, Memory
from .ops import FRAGMENTS
from .pieces import Store, pieces
from .products import MatrixProduct, Products, matrix_product
from .races import RaceError
from .scalars import Scalars
from .stages import Stage, Stages
from .values import Source
from .writer import Kernel, Writer

W = TypeVar("W", bound=Writer)
P = TypeVar("P", bound=Products)


def source_of(program: Program, scalars: Scalars, taken: Names) -> Source:
    """What the kernels of a program share; `taken` are the names that other functions of the module have."""
    return Source(program, Memory(program, Names(taken.taken)), scalars, FRAGMENTS)


class Launches(ABC, Generic[W, P]):
    """Writes the stages of one program. `writer` makes its kernels, `body` collects the driver's lines.

    `nothing` names the arrays of initial states that are zero unless the caller passes them.
    """

    comment_mark: ClassVar[str]
    """What a comment to the end of a line begins with."""

    def __init__(self, writer: W, products: P) -> None:
        self.writer, self.products, self.source = writer, products, writer.source
        self.program, self.graph, self.memory = self.source.program, self.source.graph, self.source.memory
        self.regions = {id: region for region in self.program.regions for id in region.ids}
        self.users: dict[int, list[int]] = {}
        for id in self.graph:
            for arg in set(self.graph[id].args):
                self.users.setdefault(arg, []).append(id)
        self.results = frozenset(self.graph.roots.values())
        self.forms = {i: found for i in self.computed() if (found := self._form(i)) is not None}
        self.stages = self.planned()
        self.filled = Filled()
        self.nothing: set[str] = set()
        self.body: list[str] = []

    # -------------------------------------------------------------------------------- what each language writes

    @abstractmethod
    def planned(self) -> dict[str, Stages]:
        """The stages for each way to run loops; there is always `gemm`, where the driver computes all products."""

    @abstractmethod
    def add(self, lines: Sequence[str]) -> None:
        """Append lines to the body, each of which is finished before the next begins."""

    @abstractmethod
    def launch(self, kernel: Kernel) -> str:
        """The line that calls a kernel."""

    @abstractmethod
    def sums(self, stores: Sequence[Store], ready: Container[int]) -> tuple[list[str], list[Store]]:
        """The lines that begin, or compute, sums over time and sequences, and the stores that are left."""

    @abstractmethod
    def unless(self, flag: str, lines: Sequence[str]) -> list[str]:
        """Lines that run only where a flag is not set."""

    @abstractmethod
    def multiplied(self, form: MatrixProduct, array: Array, stepped: bool) -> str:
        """The line that computes a product into an array; `stepped`: of one step, within a loop."""

    # ------------------------------------------------------------------------------------------------------ stages

    def computed(self) -> Iterator[int]:
        """All nodes, in order."""
        for region in self.program.regions:
            yield from region.ids

    def _form(self, id: int) -> MatrixProduct | None:
        """A node as a matrix product, if the driver can compute it and has a place for the result."""
        region = self.regions[id]
        form = matrix_product(self.program, id, region.scans, self.products.batched)
        if form is None or self.products.output(id) is not None:
            return form
        users = self.users.get(id, ())
        plain = all(self.graph[u].op.elementwise or Trait.TILES in self.graph[u].op.traits for u in users)
        inside = all(self.regions.get(u) is region and Trait.VIEW not in self.graph[u].op.traits for u in users)
        return form if plain and inside and id not in self.results else None

    def region(self, region: Region) -> None:
        """Write a region that is no loop."""
        stages = self.stages["gemm"]
        for number, stage in enumerate(stages.of(region)):
            self.add(self.stage(stage, stages.ready(region, number), None))

    def stage(self, stage: Stage, ready: Container[int], scan: Region | None) -> list[str]:
        """The lines of one stage; within a loop (`scan`) those of one step."""
        out = [line for id in stage.barriers for line in self.barrier(id, ready, scan is not None)]
        lines, stores = self.sums([store for id in stage.stores for store in self.stores_of(id, scan)], ready)
        stores += [store for id in stage.rows for store in self.firsts(id)]
        return [*out, *lines, *self.launches(stores, ready, scan)]

    def launches(
        self, stores: Sequence[Store], ready: Container[int], scan: Region | None = None, name: str = ""
    ) -> list[str]:
        """The launches that compute some stores; a store that others still read comes in a later launch."""
        out: list[str] = []
        later: list[Store] = []
        for domain, group in pieces(self.graph, stores, ready):
            while group:
                try:
                    out.append(self.launch(self.writer.points(domain, group, ready, name or self.wish(group), scan)))
                    break
                except RaceError as error:
                    if not error.stores or len(error.stores) == len(group):
                        raise
                    later += error.stores
                    group = [s for s in group if s not in error.stores]
        return out + (self.launches(later, ready, scan, name) if later else [])

    def stores_of(self, id: int, scan: Region | None) -> list[Store]:
        """The stores of a node whose value has to be in memory."""
        place, node = self.program.places[id], self.graph[id]
        if Trait.DELAYS in node.op.traits:
            base = Place(place.buffer, Kind.STREAM)
            return [Store(node.args[0], base, id), *([] if scan else self.firsts(id))]
        return [] if id in self.source.outputs else [Store(id, place, id)]

    def firsts(self, id: int) -> list[Store]:
        """The stores of the initial values that a delayed use reads before the first step, unless they are there."""
        node, place = self.graph[id], self.program.places[id]
        out = []
        for line in rows_before(self.graph, node, place.delay):
            if line.first is None:
                continue
            missing = self.filled.missing((place.buffer, place.views), line)
            for rows in chain.from_iterable(map(self._sources, missing)):
                assert rows.first is not None
                store = Store(rows.first, place, id, row=rows.high)
                if rows.start is not None:
                    store = replace(store, rows=True, low=rows.start, size=rows.high - rows.low + 1)
                out.append(store)
        return out

    def _sources(self, rows: Rows) -> list[Rows]:
        """The same rows, read from memory where all of them are stored: then no element has to choose."""
        found = list(origins(self.graph, rows))
        lie = all(part.first is not None and Trait.NAMED in self.graph[part.first].op.traits for part in found)
        return found if lie else [rows]

    def wish(self, group: Sequence[Store]) -> str:
        """A name for a kernel, after the value that it computes."""
        names = [self.graph[s.node].name for s in group if self.graph[s.node].name]
        return names[-1] if names else self.graph[group[-1].node].op.name

    # ---------------------------------------------------------------------------------------------------- barriers

    def barrier(self, id: int, ready: Container[int], stepped: bool) -> list[str]:
        """The lines that compute a matrix product or an initial state; `stepped`: within a loop."""
        return self._start(id, ready) if Trait.FIRST in self.graph[id].op.traits else [self._product(id, stepped)]

    def _start(self, id: int, ready: Container[int]) -> list[str]:
        """The lines that compute the declared initial state where the caller passes none."""
        node, place = self.graph[id], self.program.places[id]
        flag = self.memory.flag(node.attrs["name"])
        if not node.args:
            self.nothing.add(self.memory.array(place.buffer).name)
            return []
        lines = self.launches([Store(node.args[0], place, id)], ready, name=f"{node.attrs['name']}_start")
        return self.unless(flag, lines)

    def _product(self, id: int, stepped: bool) -> str:
        """The line that computes a product, in place or into an array of its own."""
        array = self.products.output(id)
        if array is None:
            wish = f"{self.graph[id].name or 'product'}_whole"
            array = self.memory.made(wish, self.graph[id].type, whole=not stepped)
            self.source.outputs[id] = array
        return self.cited(id, self.multiplied(self.forms[id], array, stepped))

    def cited(self, id: int, text: str) -> str:
        """A line, with the line of the specification that it computes as a comment."""
        span = self.graph[id].span
        said = f"{span.source.name}:{span.line}  {span.source.line(span.line)}" if span is not None else ""
        return f"{text}  {self.comment_mark} {comment(said)}" if said else text
