"""The programs of a model. They are built on first use, and remembered on disk for other processes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from recurrency.backend import Backend, Runner
from recurrency.disk import records
from recurrency.errors import RecurrencyError
from recurrency.model.interface import Interface

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.model.graphs import Graphs
    from recurrency.program.layout import Layout

V = TypeVar("V")

LATER = {"forward_kept": "backward"}
"""Kind of program -> the kind that is called after it: one is compiled while the other is."""


class Programs:
    """All graphs and runners of one compiled cell.

    `elaborated` is the elaborated cell, or a function that returns it: nothing is elaborated for what is remembered
    under the name `record`. `without` names passes and pieces of the schedule that are switched off.

    Raises:
        UsageError: there is no such pass.
    """

    def __init__(
        self,
        elaborated: Elaborated | Callable[[], Elaborated],
        backend: Backend,
        dtype: str,
        without: Collection[str] = (),
        record: str | None = None,
    ) -> None:
        self.backend, self.dtype, self.record = backend, dtype, record
        self.without = _known(without, backend) if without else frozenset()
        self._elaborated = elaborated
        self._runners: dict[Any, Runner] = {}
        self._resetting: dict[tuple[str, ...], Programs] = {}
        self._obstacles: dict[tuple[tuple[str, ...], tuple[str, ...], bool], str] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Programs:
        """The same object: callers see no change of it, and compiled code holds addresses of this process."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all that the programs are made from. They are built again on first use."""
        kept = ("backend", "dtype", "record", "without", "_elaborated")
        return {**{name: getattr(self, name) for name in kept}, "_runners": {}, "_resetting": {}, "_obstacles": {}}

    @cached_property
    def elaborated(self) -> Elaborated:
        """The elaborated cell: its graph before any pass, and the types of its sources and results."""
        return self._elaborated() if callable(self._elaborated) else self._elaborated

    @cached_property
    def graphs(self) -> Graphs:
        """The optimised graphs."""
        from recurrency.model.graphs import Graphs

        return Graphs(self.elaborated, self.without)

    @cached_property
    def layout(self) -> Layout:
        """The offset and shape of each parameter in the flat vector."""
        return self.graphs.layout

    def resetting(self, clocks: tuple[str, ...]) -> Programs:
        """The programs of the same cell that have resets on these clocks; without any, these programs."""
        if not clocks:
            return self
        if clocks not in self._resetting:
            record = None if self.record is None else records.key(self.record, "resets", clocks)
            elaborated = partial(self._with_resets, clocks)
            self._resetting[clocks] = Programs(elaborated, self.backend, self.dtype, self.without, record)
        return self._resetting[clocks]

    def _with_resets(self, clocks: tuple[str, ...]) -> Elaborated:
        """The elaborated cell with resets on these clocks; all models of one elaborated cell share it."""
        from recurrency.passes.resets import resets

        whole = self.elaborated
        if clocks not in whole.resetting:
            whole.resetting[clocks] = replace(whole, graph=resets(whole.graph, clocks))
        return whole.resetting[clocks]

    def obstacle_to_resets(self, clocks: tuple[str, ...], streams: tuple[str, ...] = (), loss: bool = True) -> str:
        """Why the results, some inner streams and the loss can't be reset within sequences ("" where they can)."""
        from recurrency.passes.resets import obstacle

        key = (clocks, streams, loss)
        if key not in self._obstacles:
            self._obstacles[key] = self.remembered(
                str, ("to resets", *key), lambda: obstacle(self.elaborated.graph, *key)
            )
        return self._obstacles[key]

    def interface(self, batch_first: bool) -> Interface:
        """The interface of the cell; where it is remembered, no graph is made."""

        def make() -> Interface:
            return Interface.of(self.elaborated, self.layout, self.dtype, batch_first)

        return self.remembered(Interface, ("interface", batch_first), make)

    def obstacle_over_steps(self) -> str:
        """Why the cell can't be computed step by step ("" where it can)."""
        from recurrency.passes.stepwise import obstacle

        return self.remembered(str, "over steps", lambda: obstacle(self.graph("forward", ())))

    def obstacle_over_calls(self) -> str:
        """Why calls that pass states on do not add up to the losses of the whole sequences ("" where they do)."""
        from recurrency.passes.chunks import of_each_step
        from recurrency.passes.stepwise import obstacle_over_calls

        return self.remembered(str, "over calls", lambda: obstacle_over_calls(of_each_step(self.elaborated.graph)))

    def obstacle_to_curvature(self) -> str:
        """Why the Gauss-Newton matrix of the loss says little about it ("" where it is a model of its curvature)."""
        from recurrency.passes.gauss_newton import obstacle

        return self.remembered(str, "to curvature", lambda: obstacle(self.elaborated.graph, self.elaborated.curvatures))

    def graph(self, kind: str, *options: Any) -> Graph:
        """The optimised graph of a program; `graphs.MAKERS` has the kinds and their options."""
        return self.graphs.graph(kind, *options)

    def runner(self, kind: str, *options: Any) -> Runner:
        """The compiled program of a kind; see `graph`."""
        key = (kind, *options)
        if key not in self._runners:
            found: Any = self._runner(kind, *options)
            self._runners[key] = found
            if kind in LATER and hasattr(found, "ahead"):
                found.ahead = partial(self._begin, LATER[kind], *options)
        return self._runners[key]

    def _begin(self, kind: str, *options: Any) -> None:
        """Have a program compiled that will be needed soon; mistakes in it are for who calls it."""
        with suppress(RecurrencyError):
            runner: Any = self.runner(kind, *options)
            runner.begin()

    def _runner(self, kind: str, *options: Any) -> Runner:
        if self.record is None:
            return self._built(kind, *options)
        backend: Any = self.backend
        made: list[Any] = []

        def make() -> Any:
            made.append(self._built(kind, *options))
            return made[0].kept()

        kept = self.remembered(backend.record, ("runner", kind, *options), make)
        found: Runner = made[0] if made else backend.restored(kept)
        return found

    def _built(self, kind: str, *options: Any) -> Runner:
        from recurrency.passes.beyond import beyond

        graph = self.graph(kind, *options)
        if not getattr(self.backend, "any_dtype", False):
            beyond(graph, self.dtype)
        return self.backend.build(graph, self.layout, self.dtype, kind, self.without)

    def remembered(self, wanted: Any, what: object, make: Callable[[], V]) -> V:
        """What the record holds of `what`, of the type `wanted`; if it holds nothing, it is made and added."""
        return make() if self.record is None else records.remembered(wanted, make, self.record, what)


def _known(without: Collection[str], backend: Backend) -> frozenset[str]:
    from recurrency.model.graphs import SWITCHES, known_passes

    return known_passes(without, SWITCHES | set(getattr(backend, "switches", ())))
