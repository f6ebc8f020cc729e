"""The graphs of a cell's programs, derived and optimised: forward pass, backward pass, and all other products."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from math import prod
from typing import Any

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.graph import Graph
from recurrency.graph.roots import FINAL, GRADIENT, INPUT, LOSS, OUTPUT, START, STREAM, WEIGHT, in_any
from recurrency.language.elaboration.elaborate import Elaborated
from recurrency.passes import PASSES, chunks, derivatives, finished, optimised
from recurrency.passes.gauss_newton import gauss_newton_product
from recurrency.passes.loss_lines import apart
from recurrency.program.layout import Layout, layout
from recurrency.program.schedule import PIECES

RESULTS = (OUTPUT, FINAL)
GREATEST_PROGRAM = 8_000
"""Bound on the operations of a compiled cell; each takes some milliseconds to compile."""

GRAPHS = frozenset({*PASSES, "keep"})
"""The passes that make the graphs and can be switched off."""
SWITCHES = GRAPHS | frozenset(PIECES)
"""Everything that can be switched off with equal results; a backend may add its own `switches`."""


def known_passes(names: Iterable[str], known: Collection[str] = SWITCHES) -> frozenset[str]:
    """These names as a set, if all are `known`: by default, passes that can be switched off.

    Raises:
        UsageError: a name is unknown.
    """
    chosen = frozenset(names)
    for name in sorted(chosen - set(known)):
        hint = nearest_hint(name, known)
        raise UsageError(
            f"there is no pass {name} that can be switched off; there are {', '.join(sorted(known))}{hint}"
        )
    return chosen


class Graphs:
    """The optimised graphs of one cell, made on first use. All models of one elaborated cell share them.

    `without` names passes that are switched off.
    """

    def __init__(self, elaborated: Elaborated, without: frozenset[str] = frozenset()) -> None:
        self.elaborated, self.without = elaborated, without
        self._graphs = elaborated.programs.setdefault(without & GRAPHS, {})

    def base(self, streams: Iterable[str] = ()) -> Graph:
        """The optimised graph of results, loss, predictions and some inner streams."""
        key = ("base", tuple(sorted(streams)))
        if key not in self._graphs:
            wanted = [r for r in self.elaborated.graph.roots if not STREAM.has(r)]
            wanted += [STREAM.of(s) for s in key[1]]
            self._graphs[key] = optimised(bounded(self.elaborated.graph.select(wanted)), self.without)
        return self._graphs[key]

    def chunked(self, streams: Iterable[str] = ()) -> Graph:
        """The optimised graph of results, loss and some inner streams, as it runs in chunks: see `passes.chunks`."""
        key = ("chunked", tuple(sorted(streams)))
        if key not in self._graphs:
            self._graphs[key] = optimised(chunks.in_chunks(self.elaborated.graph, key[1]), self.without)
        return self._graphs[key]

    def lined(self) -> Graph:
        """The optimised graph of final states and of the loss lines by kind: see `passes.loss_lines`."""
        key = ("lined",)
        if key not in self._graphs:
            whole = self.elaborated.graph
            kept = [root for root in whole.roots if root == "loss" or in_any(root, FINAL, WEIGHT)]
            self._graphs[key] = optimised(apart(whole.select(kept)), self.without)
        return self._graphs[key]

    @cached_property
    def layout(self) -> Layout:
        """The offset and shape of each parameter in the flat vector."""
        return _completed(layout(self.base()), self.elaborated)

    def graph(self, kind: str, *options: Any) -> Graph:
        """The optimised graph of a kind of program."""
        key = (kind, *options)
        if key not in self._graphs:
            self._graphs[key] = MAKERS[kind](self, *options)
        return self._graphs[key]

    def finished(self, graph: Graph, keep: Callable[[str], bool]) -> Graph:
        """The graph of the roots that `keep` accepts, after all passes."""
        return finished(graph.select([r for r in graph.roots if keep(r)]), self.without)

    def halves(self, streams: tuple[str, ...]) -> tuple[Graph, Graph]:
        """The forward graph with its tape, and the backward graph that reads it."""

        def whole() -> Graph:
            kept = (*RESULTS, STREAM, GRADIENT)
            return self.finished(derivatives.backward(self.base(streams)), lambda r: in_any(r, *kept))

        return self._parted(("halves", streams), whole)

    def pair(self, roots: tuple[str, ...]) -> tuple[Graph, Graph]:
        """The graph of some roots with its tape, and the graph of gradients for given adjoints of the real roots."""

        def whole() -> Graph:
            base = self.rooted(roots)
            return finished(derivatives.backward(base, real_roots(base)), self.without)

        return self._parted(("pair", roots), whole)

    def curved(self, damped: tuple[str, ...], matching: bool) -> tuple[Graph, Graph]:
        """The graph of the loss with its tape, and the graph of Gauss-Newton products that reads it.

        Products with parameters and with directions are not merged before the halves are apart.
        """

        def whole() -> Graph:
            return finished(_with_products(self, damped, matching), self.without | {"reassociate", "pack"})

        key = ("halves of curvature", damped, matching)
        if key not in self._graphs:
            halves = self._parted(("unpacked", *key), whole)
            self._graphs[key], self._graphs[("products of", *key)] = (finished(h, self.without) for h in halves)
        return self._graphs[key], self._graphs[("products of", *key)]

    def rooted(self, roots: tuple[str, ...]) -> Graph:
        """The graph of some results, of inner streams (`stream:NAME`) or of the loss."""
        return self.base(STREAM.name(r) for r in roots if STREAM.has(r)).select(roots)

    def _parted(self, key: tuple[Any, ...], make: Callable[[], Graph]) -> tuple[Graph, Graph]:
        from recurrency.passes.partition import partition

        if key not in self._graphs:
            whole = make()
            first = [r for r in whole.roots if not GRADIENT.has(r)]
            second = [r for r in whole.roots if GRADIENT.has(r)]
            one, two = partition(whole, first, second, recompute="keep" not in self.without)
            self._graphs[key], self._graphs[("backward of", *key)] = one, two
        return self._graphs[key], self._graphs[("backward of", *key)]


def bounded(graph: Graph) -> Graph:
    """The same graph, if it is small enough to be compiled.

    Raises:
        UsageError: it has more than `GREATEST_PROGRAM` operations.
    """
    if len(graph) > GREATEST_PROGRAM:
        raise UsageError(f"the cell expands to {len(graph):,} operations; at most {GREATEST_PROGRAM:,} can be compiled")
    return graph


def real_roots(graph: Graph) -> list[str]:
    """The roots through which gradients flow."""
    return [root for root, id in graph.roots.items() if graph[id].type.index is None]


def _completed(found: Layout, elaborated: Elaborated) -> Layout:
    """A layout with all parameters of the cell; those that no operation reads come last."""
    entries, size = dict(found.entries), found.size
    for name, info in elaborated.parameters.items():
        if name not in entries:
            shape = tuple(d for d in info.shape if isinstance(d, int))  # all of them, in a compiled cell
            entries[name] = (size, shape)
            size += prod(shape)
    return Layout(entries, size)


def gradient_of(root: str) -> str:
    """The group (params, inputs, state) that a root `gradient:...` belongs to."""
    of = GRADIENT.name(root)
    return "inputs" if INPUT.has(of) else "state" if START.has(of) else "params"


def _forward(graphs: Graphs, streams: tuple[str, ...]) -> Graph:
    return graphs.finished(graphs.base(streams), lambda r: in_any(r, *RESULTS, STREAM))


def _loss(graphs: Graphs) -> Graph:
    return graphs.finished(graphs.base(), lambda r: r == "loss")


def _loss_gradients(graphs: Graphs, wrt: tuple[str, ...]) -> Graph:
    graph = derivatives.loss_gradients(graphs.base(), wrt)
    return graphs.finished(graph, lambda r: r == "loss" or in_any(r, GRADIENT, FINAL))


def _losses(graphs: Graphs) -> Graph:
    return graphs.finished(graphs.lined(), lambda r: LOSS.has(r))


def _weighed_gradients(graphs: Graphs, wrt: tuple[str, ...]) -> Graph:
    """The loss lines by kind, and the gradients for given weights of the kinds: the adjoints of their roots."""
    graph = graphs.lined()
    seeded = [root for root in graph.roots if LOSS.has(root)] if wrt else []
    return graphs.finished(derivatives.backward(graph, seeded, wrt), lambda r: in_any(r, LOSS, GRADIENT, FINAL))


def _vjp(graphs: Graphs, seeded: tuple[str, ...]) -> Graph:
    graph = derivatives.backward(graphs.base(), seeded)
    return graphs.finished(graph, lambda r: GRADIENT.has(r))


def _jvp(graphs: Graphs, along: tuple[str, ...]) -> Graph:
    return finished(derivatives.forward_mode(graphs.base(), along), graphs.without)


def _pullback(graphs: Graphs, roots: tuple[str, ...], wanted: tuple[str, ...]) -> Graph:
    """The second half of `pair`, with the gradients of the groups `wanted` only."""
    graph = graphs.pair(roots)[1]
    kept = [root for root in graph.roots if gradient_of(root) in wanted]
    return graph if len(kept) == len(graph.roots) else finished(graph.select(kept), graphs.without)


def _second(graphs: Graphs, roots: tuple[str, ...]) -> Graph:
    base = graphs.rooted(roots)
    return finished(derivatives.second(base, real_roots(base)), graphs.without)


def _chunk(graphs: Graphs, roots: tuple[str, ...]) -> Graph:
    streams = [STREAM.name(root) for root in roots if STREAM.has(root)]
    return finished(graphs.chunked(streams).select(roots), graphs.without)


def _chunk_gradients(graphs: Graphs, seeded: tuple[str, ...], wrt: tuple[str, ...], more: tuple[str, ...]) -> Graph:
    """The gradients for given adjoints of the roots `seeded`, and the roots `more`, of one chunk."""
    graph = derivatives.backward(graphs.chunked().select(sorted({*seeded, *more})), seeded, wrt)
    return graphs.finished(graph, lambda r: r in more or GRADIENT.has(r))


def _hvp(graphs: Graphs) -> Graph:
    return finished(derivatives.hessian_product(graphs.base()), graphs.without)


def _gnvp(graphs: Graphs, damped: tuple[str, ...], matching: bool) -> Graph:
    return graphs.finished(_with_products(graphs, damped, matching), GRADIENT.has)


def _with_products(graphs: Graphs, damped: tuple[str, ...], matching: bool) -> Graph:
    """The loss, what it reads and damped streams, and the products of the Gauss-Newton matrix; before any pass."""
    found = graphs.elaborated
    heads = [f"curvature:{k}" for k in range(found.curvatures)]
    graph = found.graph.select(["loss", *heads, *map(STREAM.of, damped)])
    return gauss_newton_product(graph, found.curvatures, damped, matching)


def _weights(graphs: Graphs) -> Graph:
    """The weights of loss lines, and the final states that those of a later call read."""
    kept = chunks.reached(graphs.base(), filter(WEIGHT.has, graphs.base().roots))
    return graphs.finished(graphs.base(), kept.__contains__)


MAKERS: dict[str, Callable[..., Graph]] = {
    "forward": _forward,
    "forward_kept": lambda graphs, streams: graphs.halves(streams)[0],
    "backward": lambda graphs, streams: graphs.halves(streams)[1],
    "results": lambda graphs, roots: finished(graphs.rooted(roots), graphs.without),
    "results_kept": lambda graphs, roots: graphs.pair(roots)[0],
    "pullback": _pullback,
    "second": _second,
    "loss": _loss,
    "loss_gradients": _loss_gradients,
    "losses": _losses,
    "weights": _weights,
    "weighed_gradients": _weighed_gradients,
    "vjp": _vjp,
    "jvp": _jvp,
    "chunk": _chunk,
    "chunk_gradients": _chunk_gradients,
    "hvp": _hvp,
    "gnvp": _gnvp,
    "curved_kept": lambda graphs, damped, matching: graphs.curved(damped, matching)[0],
    "curved": lambda graphs, damped, matching: graphs.curved(damped, matching)[1],
}
