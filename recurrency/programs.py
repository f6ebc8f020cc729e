"""The programs of a model, built when they are first asked for: graphs, optimised and handed to a backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from typing import Any

from recurrency import derivatives
from recurrency.backend import Backend, Runner
from recurrency.graph.graph import Graph
from recurrency.language.elaborate import Elaborated
from recurrency.passes import optimised
from recurrency.program.layout import Layout, layout

RESULTS = ("output:", "final:")


class Programs:
    """All graphs and runners of one compiled cell; `without` names passes that are switched off."""

    def __init__(self, elaborated: Elaborated, backend: Backend, dtype: str, without: Collection[str] = ()) -> None:
        self.elaborated, self.backend, self.dtype, self.without = elaborated, backend, dtype, frozenset(without)
        self._runners: dict[Any, Runner] = {}
        self._graphs: dict[Any, Graph] = {}

    def base(self, streams: Iterable[str] = ()) -> Graph:
        """The optimised graph of results, loss, predictions and some inner streams."""
        key = ("base", tuple(sorted(streams)))
        if key not in self._graphs:
            wanted = [r for r in self.elaborated.graph.roots if not r.startswith("stream:")] + [f"stream:{s}" for s in key[1]]
            self._graphs[key] = optimised(self.elaborated.graph.select(wanted), self.without)
        return self._graphs[key]

    @cached_property
    def layout(self) -> Layout:
        """Where each parameter lies in the flat vector."""
        found = layout(self.base())
        names = set(self.elaborated.parameters)
        assert set(found.entries) <= names
        return _completed(found, self.elaborated)

    def graph(self, kind: str, *options: Any) -> Graph:
        """The optimised graph of a kind of program."""
        key = (kind, *options)
        if key not in self._graphs:
            self._graphs[key] = MAKERS[kind](self, *options)
        return self._graphs[key]

    def runner(self, kind: str, *options: Any) -> Runner:
        """Something that runs the graph of a kind of program."""
        key = (kind, *options)
        if key not in self._runners:
            self._runners[key] = self.backend.build(self.graph(kind, *options), self.layout, self.dtype, kind, self.without)
        return self._runners[key]

    def optimised(self, graph: Graph, keep: Callable[[str], bool]) -> Graph:
        """The graph with the roots that are kept, after all passes."""
        return optimised(graph.select([r for r in graph.roots if keep(r)]), self.without)

    def halves(self, streams: tuple[str, ...]) -> tuple[Graph, Graph]:
        """The forward graph with its tape, and the backward one that reads it."""
        from recurrency.passes.keep import partition

        key = ("halves", streams)
        if key not in self._graphs:
            whole = derivatives.backward(self.base(streams))
            whole = self.optimised(whole, lambda r: r.startswith((*RESULTS, "stream:", "gradient:")))
            first = [r for r in whole.roots if not r.startswith("gradient:")]
            second = [r for r in whole.roots if r.startswith("gradient:")]
            one, two = partition(whole, first, second, recompute="keep" not in self.without)
            self._graphs[key], self._graphs[("second", streams)] = one, two
        return self._graphs[key], self._graphs[("second", streams)]


def _completed(found: Layout, elaborated: Elaborated) -> Layout:
    """Parameters that nothing reads stand at the end."""
    entries, size = dict(found.entries), found.size
    for name, info in elaborated.parameters.items():
        if name not in entries:
            shape = tuple(int(d) for d in info.shape)  # type: ignore[arg-type]
            entries[name] = (size, shape)
            count = 1
            for d in shape:
                count *= d
            size += count
    return Layout(entries, size)


def _forward(programs: Programs, streams: tuple[str, ...]) -> Graph:
    return programs.optimised(programs.base(streams), lambda r: r.startswith((*RESULTS, "stream:")))


def _loss(programs: Programs) -> Graph:
    return programs.optimised(programs.base(), lambda r: r == "loss")


def _loss_gradients(programs: Programs, wrt: tuple[str, ...]) -> Graph:
    graph = derivatives.loss_gradients(programs.base(), wrt)
    return programs.optimised(graph, lambda r: r == "loss" or r.startswith(("gradient:", "final:")))


def _vjp(programs: Programs, seeded: tuple[str, ...]) -> Graph:
    graph = derivatives.backward(programs.base(), seeded)
    return programs.optimised(graph, lambda r: r.startswith("gradient:"))


def _jvp(programs: Programs, along: tuple[str, ...]) -> Graph:
    return optimised(derivatives.forward_mode(programs.base(), along), programs.without)


def _hvp(programs: Programs) -> Graph:
    return optimised(derivatives.hessian_product(programs.base()), programs.without)


def _gnvp(programs: Programs) -> Graph:
    return optimised(derivatives.gauss_newton_product(programs.base(), programs.elaborated.curvatures), programs.without)


MAKERS: dict[str, Callable[..., Graph]] = {
    "forward": _forward,
    "forward_kept": lambda programs, streams: programs.halves(streams)[0],
    "backward": lambda programs, streams: programs.halves(streams)[1],
    "loss": _loss,
    "loss_gradients": _loss_gradients,
    "vjp": _vjp,
    "jvp": _jvp,
    "hvp": _hvp,
    "gnvp": _gnvp,
}
