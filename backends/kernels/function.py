"""One function: its program as kernels and a driver, and where its results lie."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import GRADIENT, Layout, computed_there, gradients
from recurrency.program.program import Place, Region
from recurrency.program.schedule import schedule

from ..cupy.loops import Loops, Scan
from ..names import Names
from .arrays import Array
from .launches import Launches
from .lowering import lowered
from .pieces import Store
from .products import whole

TAPE = "tape:"

KERNELS_FUSE = frozenset({"reuse", "in place"})
"""Switched off in the schedule: kernels run in parallel, and what stays within one needs no memory at all."""


class Function:
    """A function of a module. `results` says in Python where each lies, `fresh` names arrays that become the caller's.

    `taken` are the names that other functions of the module have; those of this one are added.
    """

    launched = Launches

    def __init__(
        self, name: str, graph: Graph, layout: Layout, dtype: str, without: frozenset[str], taken: Names
    ) -> None:  # fmt: skip
        self.name, self.layout = name, layout
        self.program = schedule(lowered(with_lengths(graph)), layout, without | KERNELS_FUSE)
        self.graph = self.program.graph
        self.launches = self.launched(name, self.program, dtype, taken)
        self.memory = self.launches.memory
        self._regions(without)
        self.results: dict[str, Any] = {}
        self.fresh: set[str] = set()
        self._results()
        taken.taken |= self.memory.names.taken
        self.kernels, self.body, self.nothing = self.launches.kernels, self.launches.body, self.launches.nothing

    def _regions(self, without: frozenset[str]) -> None:
        """Write all regions."""
        loops = Loops(self.launches, without)
        for region in self.program.regions:
            (loops if region.scans else self.launches).region(region)
        self.scans: list[Scan] = loops.scans

    def _results(self) -> None:
        """Write what does not lie as the caller is to have it."""
        parameters = gradients(self.graph, self.layout)
        stores: list[Store] = []
        for root, id in self.graph.roots.items():
            name = root.removeprefix(GRADIENT)
            is_gradient = root.startswith(GRADIENT) and name in parameters
            stores += self._gradient(name, id) if is_gradient else self._result(root, id)
        self.launches.body += self.launches.launches(stores, self._in_memory(), name="results")

    def _in_memory(self) -> Collection[int]:
        after = Region(len(self.program.regions), "once", None, ())
        ready: Collection[int] = self.launches.stages["gemm"].ready(after, 0)
        return ready

    def _gradient(self, name: str, id: int) -> list[Store]:
        """The gradient of a parameter goes to its place in the flat vector, if it was not computed there."""
        if computed_there(self.program, self.layout, name, id):
            return []
        offset, shape = self.layout.entries[name]
        return [Store(id, None, id, target=Array("gradient", Kind.STATIC, shape, home="gradient", offset=offset))]

    def _result(self, root: str, id: int) -> list[Store]:
        place = self.program.places.get(id)
        if place is not None and self._is_plain(id, place):
            array = self.memory.array(place.buffer)
            self.results[root] = self.told(array, place.delay, self._is_shared(root, place))
            self.fresh.add(array.name)
            return []
        target = self.memory.made(f"{root.split(':')[-1]}_result", self.graph[id].type, home="result")
        self.fresh.add(target.name)
        self.results[root] = self.told(target, 0, False)
        return [Store(id, None, id, target=target)]

    def told(self, array: Array, delay: int, copied: bool) -> Any:
        """Where a result lies: in an array, `delay` steps before; `copied`: as others do."""
        text = whole(array, delay, False)
        return f"self.copy({text})" if copied else text

    @property
    def has_gradient(self) -> bool:
        """Whether it computes gradients of parameters."""
        return bool(gradients(self.graph, self.layout))

    def _is_plain(self, id: int, place: Place) -> bool:
        """Whether a result can be handed out as it lies in memory."""
        type_, array = self.graph[id].type, self.memory.array(place.buffer)
        own = array.home == "own" and not place.views and array.kind is type_.kind
        return own and not any(isinstance(d, str) for d in type_.shape)

    def _is_shared(self, root: str, place: Place) -> bool:
        """Whether another result lies in the same memory: the pieces of the tape may, nothing else."""
        if root.startswith(TAPE):
            return False
        others = [r for r, i in self.graph.roots.items() if r != root and self._buffer(i) == place.buffer]
        handed = self.memory.array(place.buffer).name in self.fresh
        return handed or any(r.startswith(TAPE) for r in others)

    def _buffer(self, id: int) -> int | None:
        place = self.program.places.get(id)
        return None if place is None else place.buffer
