"""The ways to run a loop over time: in one kernel, or at each step with products in kernels or by cuBLAS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.program.before import delayed
from recurrency.program.program import Region

from ..kernels.index import clock_size
from ..kernels.pieces import pieces
from ..kernels.races import NotDiagonalError
from .launches import CudaLaunches
from .rows import Rows
from .work import Work

CROSSES_UNITS = {"product": "a product", "sum": "a sum", "peak": "a peak", "take": "embed", "put": "a row's choice"}
"""Operations whose elements read several elements of an argument, with their names in messages."""


@dataclass
class Scan:
    """A loop over time: the lines of each way to run it, and why it cannot be run in the others.

    `work` is what a step has to do, for each way that runs steps.
    """

    region: Region
    states: str
    ways: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    work: dict[str, tuple[Work, ...]] = field(default_factory=dict)


class Loops:
    """Writes the loops of one program; `without` names ways that are switched off."""

    def __init__(self, launches: CudaLaunches, without: frozenset[str]) -> None:
        self.launches, self.without = launches, without
        self.scans: list[Scan] = []
        self.step: tuple[Work, ...] = ()

    def region(self, region: Region) -> None:
        """Write all ways to run a loop, and the line that runs one of them."""
        made = self.launches
        late = delayed(made.graph, region.ids)
        ready = made.stages["gemm"].ready(region, 0)
        firsts = [store for id in late for store in made.firsts(id)]
        made.body += made.launches(firsts, ready, name="firsts")
        scan = Scan(region, _states(made.graph, late))
        ways: dict[str, Callable[[Region], list[str]]] = {
            "loop": self._loop,
            "step": self._own,
            "split": self._split,
            "gemm": partial(self._steps, way="gemm"),
        }
        for way, write in ways.items():
            try:
                if way in self.without:
                    raise NotDiagonalError(f"{way} is switched off")
                scan.ways[way] = write(region)
                scan.work[way] = self.step
            except NotDiagonalError as error:
                scan.refused[way] = str(error)
        made.body.append(f"self.scan(p, {len(self.scans)})")
        self.scans.append(scan)

    def _loop(self, region: Region) -> list[str]:
        """All steps in one kernel, if each thread only reads what it computed itself."""
        made, stages = self.launches, self.launches.stages["step"]
        for id in region.ids:
            if CROSSES_UNITS.get(made.graph[id].op.name):
                raise NotDiagonalError(_crosses(made.graph[id]))
        found, ready = stages.of(region), stages.ready(region, 0)
        stores = [store for stage in found for id in stage.stores for store in made.stores_of(id, region)]
        groups = pieces(made.graph, stores, ready)
        if len(found) != 1 or len(groups) != 1:
            raise NotDiagonalError("its values have different shapes")
        domain, group = groups[0]
        return [made.launch(made.writer.loop(domain, group, ready, f"{made.wish(group)}_loop", region))]

    def _own(self, region: Region) -> list[str]:
        """Kernels with products at each step; they read transposed weights, so that neighbours read neighbours."""
        made = self.launches
        ready = made.stages["step"].ready(region, 0)
        turned = [made.writer.turned(id, ready, made.graph[id].name or "matrix") for id in self._rows(region)]
        lines = self._steps(region, "step")
        made.source.turned.clear()
        return [*map(made.launch, turned), *lines]

    def _split(self, region: Region) -> list[str]:
        """Kernels of tiles at each step where products fit, see `tiles`, and those of `step` elsewhere."""
        made = self.launches
        with made.writer.splitting() as packs:
            lines = self._steps(
                region, "step", lambda lines: Rows(made.writer, made.launch).merged(lines, made.writer.rows)
            )
            if not packs:
                raise NotDiagonalError("no step has a product of weights and a vector")
            lines = [*map(made.launch, packs), *lines]
            made.writer.keep(lines)
        return lines

    def _rows(self, region: Region) -> Iterator[int]:
        """The matrices whose rows neighbouring threads would read."""
        made = self.launches
        ready = made.stages["step"].ready(region, 0)
        seen = set()
        for node in (
            made.graph[id] for id in region.ids if id in made.forms and Trait.CONTRACTS in made.graph[id].op.traits
        ):
            left, out = node.attrs["spec"].split("->")
            for letters, arg in zip(left.split(","), node.args, strict=True):
                flat = made.graph[arg].type.kind is Kind.STATIC and len(letters) == 2 and arg in ready
                if flat and not made.program.places[arg].views and letters[0] in out and letters[1] not in out:
                    if arg not in seen:
                        yield arg
                    seen.add(arg)

    def _steps(
        self, region: Region, way: str, change: Callable[[list[str]], list[str]] = lambda lines: lines
    ) -> list[str]:
        """A loop over the steps, in the driver; `change` makes the lines of a step others."""
        made, stages = self.launches, self.launches.stages[way]
        outputs = dict(made.source.outputs)
        made.hoisted.clear()
        lines: list[str] = []
        for number, stage in enumerate(stages.of(region)):
            lines += made.stage(stage, stages.ready(region, number), region)
        made.source.outputs.clear()
        made.source.outputs.update(outputs)
        lines = change(lines)
        texts = (line.split("  # ")[0] for line in lines)
        self.step = tuple(made.work[text] for text in texts if text in made.work)
        steps = clock_size(region.clock)
        order = f"range({steps})" if region.kind == "scan forwards" else f"range({steps} - 1, -1, -1)"
        before = [f"{name} = {text}" for text, name in made.hoisted.items()]
        return [*before, f"for t in {order}:", *(f"    {line}" for line in lines or ["pass"])]


def _states(graph: Graph, late: list[int]) -> str:
    """The user's names of the values that are read at the step before."""
    names = []
    for id in late:
        stream = graph[graph[id].args[0]]
        while not stream.name and Trait.CLEANS in stream.op.traits:
            stream = graph[stream.args[0]]
        names.append(stream.name or stream.op.name)
    return ", ".join(dict.fromkeys(names))


def _crosses(node: Node) -> str:
    where = f" (line {node.span.line} of {node.span.source.name})" if node.span else ""
    return f"{CROSSES_UNITS[node.op.name]}{where} reads the step before"
