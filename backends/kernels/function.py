"""One function of a module: its program, the kernels and lines that compute it, and where its results are stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container
from functools import cached_property
from typing import Any, Generic, TypeVar

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import GRADIENT, TAPE, bare
from recurrency.graph.types import Kind
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import Layout, computed_there, gradients
from recurrency.program.program import Place, Program, Region
from recurrency.program.schedule import schedule

from ..names import Names
from .arrays import Array
from .launches import Launches
from .lowering import lowered, sliced
from .pieces import Store

KERNELS_FUSE = frozenset({"reuse", "in place"})
"""Steps of the schedule that are left out: kernels run in parallel, and values within one kernel need no memory."""

L = TypeVar("L", bound=Launches[Any, Any])
R = TypeVar("R")


def scheduled(graph: Graph, layout: Layout, without: frozenset[str], gather: bool = False) -> Program:
    """The program of a graph, with every operation one that kernels can compute; `without` names steps to leave out.

    With `gather`, loops take element-wise work around them (see `recurrency.program.gathering`).
    """
    low = lowered(with_lengths(graph))
    return schedule(sliced(low) if gather else low, layout, without | KERNELS_FUSE, gather)


class Function(ABC, Generic[L, R]):
    """A function of a module: `launches` writes what is outside of loops, and `loop` the loops over time.

    `results` says where each result is, `fresh` names the arrays that become the caller's. `taken` are the names that
    other functions of the module have; those of this one are added.
    """

    def __init__(self, name: str, layout: Layout, launches: L, loop: Callable[[Region], None], taken: Names) -> None:
        self.name, self.layout, self.launches = name, layout, launches
        self.program, self.graph, self.memory = launches.program, launches.graph, launches.memory
        for region in self.program.regions:
            (loop if region.scans else launches.region)(region)
        self.results: dict[str, R] = {}
        self.fresh: set[str] = set()
        self._results()
        taken.taken |= self.memory.names.taken
        self.kernels, self.body, self.nothing = launches.writer.made, launches.body, launches.nothing

    @abstractmethod
    def result(self, array: Array, delay: int, copied: bool) -> R:
        """Where a result is: in an array, `delay` steps before; `copied`: another result is in the same memory."""

    def _results(self) -> None:
        """Find where each result is, and write the kernels that copy those that are not stored as callers get them."""
        parameters = gradients(self.graph, self.layout)
        stores: list[Store] = []
        for root, id in self.graph.roots.items():
            name = GRADIENT.name(root)
            is_gradient = GRADIENT.has(root) and name in parameters
            stores += self._gradient(name, id) if is_gradient else self._result(root, id)
        self.launches.body += self.launches.launches(stores, self._in_memory(), name="results")

    def _in_memory(self) -> Container[int]:
        after = Region(len(self.program.regions), "once", None, ())
        return self.launches.stages["gemm"].ready(after, 0)

    def _gradient(self, name: str, id: int) -> list[Store]:
        """The store that puts the gradient of a parameter into the flat vector, unless it was computed there."""
        if computed_there(self.program, self.layout, name, id):
            return []
        offset, shape = self.layout.entries[name]
        return [Store(id, None, id, target=Array("gradient", Kind.STATIC, shape, home="gradient", offset=offset))]

    def _result(self, root: str, id: int) -> list[Store]:
        place = self.program.places.get(id)
        if place is not None and self._is_plain(id, place):
            array = self.memory.array(place.buffer)
            self.results[root] = self.result(array, place.delay, self._is_shared(root, place))
            self.fresh.add(array.name)
            return []
        target = self.memory.made(f"{bare(root)}_result", self.graph[id].type, home="result")
        self.fresh.add(target.name)
        self.results[root] = self.result(target, 0, False)
        return [Store(id, None, id, target=target)]

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return any(Trait.DRAWS in self.graph[id].op.traits for id in self.graph)

    @property
    def has_gradient(self) -> bool:
        """Whether it computes gradients of parameters."""
        return bool(gradients(self.graph, self.layout))

    def _is_plain(self, id: int, place: Place) -> bool:
        """Whether the caller gets a result in the array in which it is stored."""
        type_, array = self.graph[id].type, self.memory.array(place.buffer)
        own = array.home == "own" and not place.views and array.kind is type_.kind
        return own and not any(isinstance(d, str) for d in type_.shape)

    def _is_shared(self, root: str, place: Place) -> bool:
        """Whether another result is in the same memory; pieces of the tape may share it."""
        if TAPE.has(root):
            return False
        return self.memory.array(place.buffer).name in self.fresh or place.buffer in self._taped

    @cached_property
    def _taped(self) -> set[int]:
        """The buffers that hold pieces of the tape."""
        ids = [id for root, id in self.graph.roots.items() if TAPE.has(root)]
        return {self.program.places[id].buffer for id in ids if id in self.program.places}
