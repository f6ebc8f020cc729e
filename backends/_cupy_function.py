"""The driver of one function: a class in Python that allocates, launches kernels and multiplies matrices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from recurrency.backends._cuda_index import clock_size
from recurrency.backends._cuda_kernels import Kernel, NotDiagonalError, RaceError, Writer
from recurrency.backends._cuda_lowering import lowered
from recurrency.backends._cuda_memory import Array, Memory
from recurrency.backends._cuda_ops import FRAGMENTS
from recurrency.backends._cuda_pieces import Store, pieces
from recurrency.backends._cuda_reductions import is_parted
from recurrency.backends._cuda_stages import Stage, Stages
from recurrency.backends._cuda_values import Source
from recurrency.backends._cupy_products import MatrixProduct, ProductText, matrix_product, whole
from recurrency.backends._cupy_words import RESERVED
from recurrency.backends._python_names import Names, comment
from recurrency.backends._scalar_c import Scalars

from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import GRADIENT, Layout, gradients
from recurrency.program.program import ALIASES, Place, Region
from recurrency.program.schedule import schedule

TAPE = "tape:"
ARTICLES = {"product": "a product", "sum": "a sum", "peak": "a peak"}


@dataclass
class Scan:
    """The loop over time of one region: the lines of the ways to run it, and why it can't be run in the others."""

    region: Region
    states: str
    ways: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Function:
    """Plans and writes one function: `kernels` are its kernels, `text()` is the class that launches them."""

    def __init__(
        self, name: str, graph: Graph, layout: Layout, dtype: str, without: frozenset[str], taken: Names
    ) -> None:  # fmt: skip
        self.name, self.layout, self.without = name, layout, without
        self.program = schedule(lowered(with_lengths(graph)), layout, without | {"reuse"})
        self.graph = self.program.graph
        self.memory = Memory(self.program, Names([*taken.taken, *RESERVED]))
        self.clocks = self.memory.clocks
        self.source = Source(self.program, self.memory, Scalars(dtype), FRAGMENTS)
        self.kernels: list[Kernel] = []
        self.writer = Writer(self.source, self.kernels, name)
        self.products = ProductText(self.program, self.memory)
        self.forms = {i: found for i in self._computed() if (found := self._form(i)) is not None}
        self.stages = self._planned()
        self.filled: set[object] = set()
        self.nothing: set[str] = set()
        self.scans: list[Scan] = []
        self.body: list[str] = []
        for region in self.program.regions:
            self._region(region)
        self.results: dict[str, str] = {}
        self.fresh: set[str] = set()
        self._results()
        taken.taken |= self.memory.names.taken

    # ---------------------------------------------------------------------------------------------------- planning

    def _computed(self) -> Iterator[int]:
        for region in self.program.regions:
            yield from region.ids

    def _form(self, id: int) -> MatrixProduct | None:
        """A node as a matrix product whose result the driver can put somewhere."""
        region = next(r for r in self.program.regions if id in r.ids)
        form = matrix_product(self.program, id, region.scans)
        if form is None or self.products.output(id) is not None:
            return form
        users = [i for i in self.graph if id in self.graph[i].args]
        plain = all(self.graph[u].op.elementwise or self.graph[u].op.name == "concat" for u in users)
        inside = all(u in region.ids and self.graph[u].op.name not in ALIASES for u in users)
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

    # ----------------------------------------------------------------------------------------------------- regions

    def _region(self, region: Region) -> None:
        if region.scans:
            self._scan(region)
            return
        stages = self.stages["gemm"]
        for number_, stage in enumerate(stages.of(region)):
            ready = stages.ready(region, number_)
            self.body += self._stage(stage, ready, None)

    def _stage(self, stage: Stage, ready: Collection[int], scan: Region | None) -> list[str]:
        out: list[str] = []
        for id in stage.barriers:
            if self.graph[id].op.name == "start":
                out += self._start(id, ready)
            else:
                out += self._product(id, scan is not None)
        stores = [store for id in stage.stores for store in self._stores_of(id, scan)]
        parted: dict[object, list[Store]] = {}
        for store in stores:
            if is_parted(self.source, store.value):
                parted.setdefault(self.graph[store.value].type, []).append(store)
        for group in parted.values():
            out += self._launch(self.writer.parts([s.value for s in group], ready, self._wish(group)))
        stores += [store for id in stage.rows for store in self._firsts(id)]
        return out + self._kernels(stores, ready, scan)

    def _kernels(
        self, stores: list[Store], ready: Collection[int], scan: Region | None = None, name: str = ""
    ) -> list[str]:
        """The launches that compute some stores. What would be read by others while it is written is written later."""
        out: list[str] = []
        later: list[Store] = []
        for domain, group in pieces(self.graph, stores, ready):
            while group:
                try:
                    out += self._launch(self.writer.points(domain, group, ready, name or self._wish(group), scan))
                    break
                except RaceError as error:
                    late = [s for s in group if self.writer.target(s).name == error.array]
                    if len(late) == len(group):
                        raise
                    later += late
                    group = [s for s in group if s not in late]
        whole = dict.fromkeys(replace(s, low=0, size=None) for s in later)
        return out + (self._kernels(list(whole), ready, scan, name) if later else [])

    def _stores_of(self, id: int, scan: Region | None) -> list[Store]:
        place, node = self.program.places[id], self.graph[id]
        if node.op.name == "shift":
            base = Place(place.buffer, Kind.STREAM)
            return [Store(node.args[0], base, id), *([] if scan else self._firsts(id))]
        return [] if id in self.source.outputs else [Store(id, place, id)]

    def _firsts(self, id: int) -> list[Store]:
        """The first values of a delayed use, to be written in front of the first step, unless they are there."""
        node, place = self.graph[id], self.program.places[id]
        out = []
        for step, first in enumerate(node.args[1:]):
            key = (place.buffer, place.views, place.delay - step)
            if key not in self.filled:
                self.filled.add(key)
                out.append(Store(first, place, id, row=place.delay - step))
        return out

    def _wish(self, group: Sequence[Store]) -> str:
        """A name for a kernel: after what it computes."""
        names = [self.graph[s.node].name for s in group if self.graph[s.node].name]
        return names[-1] if names else self.graph[group[-1].node].op.name

    def _launch(self, kernel: Kernel) -> list[str]:
        args = ["steps[t]" if arg == "t" else arg for arg in kernel.args]
        text = f"launch(k.{kernel.name}, {kernel.count}, {', '.join(args)})"
        return [f"if p.ragged: {text}"] if kernel.only_ragged else [text]

    def _start(self, id: int, ready: Collection[int]) -> list[str]:
        """A first value that the caller did not hand over is the declared one."""
        node, place = self.graph[id], self.program.places[id]
        value = node.args[0] if node.args else id
        target = self.memory.array(place.buffer)
        if node.args:
            launches = self._kernels([Store(value, place, id)], ready, name=f"{node.attrs['name']}_start")
            return [f"if not p.{self.memory.flag(node.attrs['name'])}: {line}" for line in launches]
        self.memory.flag(node.attrs["name"])
        self.nothing.add(target.name)
        return []

    def _product(self, id: int, stepped: bool) -> list[str]:
        form = self.forms[id]
        array = self.products.output(id)
        if array is None:
            type_ = self.graph[id].type
            array = self.memory.made(f"{self.graph[id].name or 'product'}_whole", type_, whole=not stepped)
            self.source.outputs[id] = array
        a, b = (self.products.factor(f, form.sizes, stepped) for f in (form.a, form.b))
        text = f"product(xp, {a}, {b}, {self.products.out(form, array, stepped)})"
        span = self.graph[id].span
        if span is not None:
            text += f"  # {comment(f'{span.source.name}:{span.line}  {span.source.line(span.line)}')}"
        return [text]

    # ------------------------------------------------------------------------------------------------------- loops

    def _scan(self, region: Region) -> None:
        """All ways to run a loop over time."""
        firsts = [store for id in region.ids if self.graph[id].delay for store in self._firsts(id)]
        ready = self.stages["gemm"].ready(region, 0)
        self.body += self._kernels(firsts, ready, name="firsts")
        scan = Scan(region, self._states(region))
        self.scans.append(scan)
        for way, write in (("loop", self._loop), ("step", partial(self._steps, way="step"))):
            try:
                scan.ways[way] = write(region)
            except NotDiagonalError as error:
                scan.refused[way] = str(error)
        scan.ways["gemm"] = self._steps(region, "gemm")
        self.body.append(f"self.scan(p, {len(self.scans) - 1})")

    def _states(self, region: Region) -> str:
        streams = dict.fromkeys(self.graph[i].args[0] for i in region.ids if self.graph[i].delay)
        return ", ".join(self.graph[s].name or self.graph[s].op.name for s in streams)

    def _loop(self, region: Region) -> list[str]:
        if "loop" in self.without:
            raise NotDiagonalError("it is switched off")
        stages = self.stages["step"]
        found = stages.of(region)
        heavy = [i for i in region.ids if self.graph[i].op.group in ("product", "reduce", "index")]
        if len(found) > 1 or heavy:
            what = self.graph[heavy[0]] if heavy else self.graph[found[1].stores[0]]
            where = f" (line {what.span.line} of {what.span.source.name})" if what.span else ""
            raise NotDiagonalError(f"{ARTICLES.get(what.op.name, what.op.name)}{where} reads the step before")
        ready = stages.ready(region, 0)
        stores = [store for id in found[0].stores for store in self._stores_of(id, region)]
        groups = pieces(self.graph, stores, ready)
        if len(groups) != 1:
            raise NotDiagonalError("its values have different shapes")
        kernel = self.writer.loop(*groups[0], ready, f"{self._wish(groups[0][1])}_loop", region)
        return self._launch(kernel)

    def _steps(self, region: Region, way: str) -> list[str]:
        """A loop over the steps in the driver."""
        if way in self.without:
            raise NotDiagonalError("it is switched off")
        stages = self.stages[way]
        outputs = dict(self.source.outputs)
        lines: list[str] = []
        for number_, stage in enumerate(stages.of(region)):
            lines += self._stage(stage, stages.ready(region, number_), region)
        if way == "step":
            self.source.outputs.clear()
            self.source.outputs.update(outputs)
        T = clock_size(region.clock)
        order = f"range({T})" if region.kind == "scan forwards" else f"range({T} - 1, -1, -1)"
        return [f"for t in {order}:", *(f"    {line}" for line in lines or ["pass"])]

    # ----------------------------------------------------------------------------------------------------- results

    def _results(self) -> None:
        ready = {*self._computed()} & self._in_memory()
        parameters = gradients(self.graph, self.layout)
        stores: list[Store] = []
        for root, id in self.graph.roots.items():
            name = root.removeprefix(GRADIENT)
            if root.startswith(GRADIENT) and name in parameters:
                stores += self._gradient(name, id)
            else:
                stores += self._result(root, id)
        self.body += self._kernels(stores, ready, name="results")
        if parameters:
            self.results["gradient"] = "p.gradient"

    def _in_memory(self) -> set[int]:
        stages = self.stages["gemm"]
        return stages.ready(Region(len(self.program.regions), "once", None, ()), 0)

    def _gradient(self, name: str, id: int) -> list[Store]:
        place = self.program.places.get(id)
        if place is not None and self.program.buffers[place.buffer].home == "gradient":
            return []
        offset, shape = self.layout.entries[name]
        return [Store(id, None, id, target=Array("gradient", Kind.STATIC, shape, home="gradient", offset=offset))]

    def _result(self, root: str, id: int) -> list[Store]:
        type_, place = self.graph[id].type, self.program.places.get(id)
        array = None if place is None else self.memory.array(place.buffer)
        plain = array is not None and place is not None and array.home == "own" and not place.views
        if plain and array and place and array.kind is type_.kind and not any(isinstance(d, str) for d in type_.shape):
            self.fresh.add(array.name)
            text = whole(array, place.delay, False)
            tape = [i for r, i in self.graph.roots.items() if r.startswith(TAPE) and self._buffer(i) == place.buffer]
            shared = not root.startswith(TAPE) and (tape or self._handed(place.buffer))
            self.results[root] = f"self.copy({text})" if shared else text
            return []
        target = self.memory.made(f"{root.split(':')[-1]}_result", type_, home="result")
        self.fresh.add(target.name)
        self.results[root] = f"p.{target.name}"
        return [Store(id, None, id, target=target)]

    def _buffer(self, id: int) -> int | None:
        place = self.program.places.get(id)
        return None if place is None else place.buffer

    def _handed(self, buffer: int) -> bool:
        """Whether another result lies in this array and has been handed out."""
        name = self.memory.array(buffer).name
        return any(text.split("[")[0] == f"p.{name}" for text in self.results.values())
