"""What a driver does outside of loops: each stage of a region as lines of Python that launch and multiply."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from recurrency.graph.types import Kind
from recurrency.program.before import Filled, Rows, origins, rows_before
from recurrency.program.program import ALIASES, Place, Program, Region

from ..names import Names, comment
from .arrays import Array, Memory
from .ops import FRAGMENTS
from .pieces import Store, pieces
from .products import Factor, MatrixProduct, ProductText, matrix_product
from .races import RaceError
from .reductions import is_parted
from .scalars import Scalars
from .stages import Stage, Stages
from .text import Kernel
from .values import LEAVES, Source
from .writer import Writer


class Launches:
    """Writes the stages of one program. `kernels` are its kernels, `body` the driver's lines.

    `nothing` are arrays of first values that are zero unless the caller hands them over.
    """

    comments = "#"
    scalars = Scalars
    writes = Writer
    multiplies = ProductText

    def __init__(self, name: str, program: Program, dtype: str, taken: Names) -> None:
        self.name, self.program, self.graph = name, program, program.graph
        self.memory = Memory(program, Names(taken.taken))
        self.source = Source(program, self.memory, self.scalars(dtype), FRAGMENTS)
        self.kernels: list[Kernel] = []
        self.writer = self.writes(self.source, self.kernels, name)
        self.products = self.multiplies(program, self.memory)
        self.regions = {id: region for region in program.regions for id in region.ids}
        self.users: dict[int, list[int]] = {}
        for id in self.graph:
            for arg in set(self.graph[id].args):
                self.users.setdefault(arg, []).append(id)
        self.forms = {i: found for i in self.computed() if (found := self._form(i)) is not None}
        self.stages = self._planned()
        self.filled = Filled()
        self.nothing: set[str] = set()
        self.hoisted: dict[str, str] = {}
        self.body: list[str] = []

    def computed(self) -> Iterator[int]:
        """All nodes, in order."""
        for region in self.program.regions:
            yield from region.ids

    def _form(self, id: int) -> MatrixProduct | None:
        """A node as a matrix product whose result the driver can put somewhere."""
        region = self.regions[id]
        form = matrix_product(self.program, id, region.scans)
        if form is None or self.products.output(id) is not None:
            return form
        users = self.users.get(id, ())
        plain = all(self.graph[u].op.elementwise or self.graph[u].op.name == "concat" for u in users)
        inside = all(self.regions.get(u) is region and self.graph[u].op.name not in ALIASES for u in users)
        return form if plain and inside and id not in self.graph.roots.values() else None

    def _planned(self) -> dict[str, Stages]:
        """The stages with products by the library everywhere, and with own products within loops.

        What lies in memory outside of loops is the same in both.
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

    # ------------------------------------------------------------------------------------------------------ stages

    def region(self, region: Region) -> None:
        """Write a region that is no loop."""
        stages = self.stages["gemm"]
        for number, stage in enumerate(stages.of(region)):
            self.body += self.stage(stage, stages.ready(region, number), None)

    def stage(self, stage: Stage, ready: Collection[int], scan: Region | None) -> list[str]:
        """The lines of one stage; within a loop (`scan`) those of one step."""
        out: list[str] = []
        for id in stage.barriers:
            is_start = self.graph[id].op.name == "start"
            out += self._start(id, ready) if is_start else [self._product(id, scan is not None)]
        stores = [store for id in stage.stores for store in self.stores_of(id, scan)]
        out += self.first_halves(stores, ready)
        stores += [store for id in stage.rows for store in self.firsts(id)]
        return out + self.launches(stores, ready, scan)

    def launches(
        self, stores: Sequence[Store], ready: Collection[int], scan: Region | None = None, name: str = ""
    ) -> list[str]:
        """The launches that compute some stores. What would be read by others while it is written is written later."""
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

    def launch(self, kernel: Kernel) -> str:
        """The line that launches a kernel."""
        return launch(kernel)

    def first_halves(self, stores: Sequence[Store], ready: Collection[int]) -> list[str]:
        """The first halves of sums over all sequences, those of one shape together."""
        groups: dict[object, list[Store]] = {}
        for store in stores:
            if is_parted(self.source, store.value):
                groups.setdefault(self.graph[store.value].type, []).append(store)
        return [launch(self.writer.parts([s.value for s in g], ready, self.wish(g))) for g in groups.values()]

    def stores_of(self, id: int, scan: Region | None) -> list[Store]:
        """What has to be written for a node that is stored."""
        place, node = self.program.places[id], self.graph[id]
        if node.op.name == "shift":
            base = Place(place.buffer, Kind.STREAM)
            return [Store(node.args[0], base, id), *([] if scan else self.firsts(id))]
        return [] if id in self.source.outputs else [Store(id, place, id)]

    def firsts(self, id: int) -> list[Store]:
        """The first values of a delayed use, to be written in front of the first step, unless they are there."""
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
        """The same rows from where they lie, if that is in memory: no element has to choose then."""
        found = list(origins(self.graph, rows))
        lie = all(part.first is not None and self.graph[part.first].op.name in LEAVES for part in found)
        return found if lie else [rows]

    def wish(self, group: Sequence[Store]) -> str:
        """A name for a kernel: after what it computes."""
        names = [self.graph[s.node].name for s in group if self.graph[s.node].name]
        return names[-1] if names else self.graph[group[-1].node].op.name

    # ---------------------------------------------------------------------------------------------------- barriers

    def _start(self, id: int, ready: Collection[int]) -> list[str]:
        """A first value that the caller did not hand over is the declared one."""
        node, place = self.graph[id], self.program.places[id]
        flag = self.memory.flag(node.attrs["name"])
        if not node.args:
            self.nothing.add(self.memory.array(place.buffer).name)
            return []
        lines = self.launches([Store(node.args[0], place, id)], ready, name=f"{node.attrs['name']}_start")
        return self.unless(flag, lines)

    def unless(self, flag: str, lines: Sequence[str]) -> list[str]:
        """Lines that are executed where a flag is not set."""
        return [f"if not p.{flag}:", *(f"    {line}" for line in lines)]

    def _product(self, id: int, stepped: bool) -> str:
        """The line that computes a product, with what it comes from."""
        array = self.products.output(id)
        if array is None:
            wish = f"{self.graph[id].name or 'product'}_whole"
            array = self.memory.made(wish, self.graph[id].type, whole=not stepped)
            self.source.outputs[id] = array
        return self.said(id, self.multiplied(self.forms[id], array, stepped))

    def said(self, id: int, text: str) -> str:
        """A line with what it comes from."""
        span = self.graph[id].span
        said = f"{span.source.name}:{span.line}  {span.source.line(span.line)}" if span is not None else ""
        return f"{text}  {self.comments} {comment(said)}" if said else text

    def multiplied(self, form: MatrixProduct, array: Array, stepped: bool) -> str:
        """The line that computes a product into an array."""
        a, b = (self._factor(f, form, stepped) for f in (form.a, form.b))
        return f"product(xp, {a}, {b}, {self.products.out(form, array, stepped)})"

    def _factor(self, factor: Factor, form: MatrixProduct, stepped: bool) -> str:
        """An operand; one that is the same at all steps gets its name before the loop."""
        text: str = self.products.factor(factor, form.sizes, stepped)
        if not stepped or self.program.places[factor.node].kind is not Kind.STATIC:
            return text
        if text not in self.hoisted:
            self.hoisted[text] = self.memory.names.new(f"{self.graph[factor.node].name or 'matrix'}_matrix")
        return self.hoisted[text]


def launch(kernel: Kernel) -> str:
    """The line that launches a kernel."""
    args = ["steps[t]" if arg == "t" else arg for arg in kernel.args]
    text = f"launch(k.{kernel.name}, {kernel.count}, {', '.join(args)})"
    return f"if p.ragged: {text}" if kernel.only_ragged else text
