"""The roots of the programs that compute one chunk of steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from recurrency.graph.roots import FINAL, WEIGHT
from recurrency.model.interface import Interface
from recurrency.model.programs import Programs
from recurrency.passes.chunks import loss_roots, reached
from recurrency.passes.derivatives import sources


class ChunkRoots:
    """What the chunks of a cell compute and pass on."""

    def __init__(self, interface: Interface, programs: Programs) -> None:
        self.interface, self.programs = interface, programs
        self._reached: dict[frozenset[str], tuple[str, ...]] = {}
        self._moving: dict[frozenset[str], tuple[str, ...]] = {}

    @cached_property
    def finals(self) -> tuple[str, ...]:
        """The roots of the states after a chunk."""
        return tuple(FINAL.of(name) for name in self.interface.states)

    @cached_property
    def real_finals(self) -> tuple[str, ...]:
        """The roots of the states after a chunk through which gradients flow."""
        return tuple(FINAL.of(n) for n, p in self.interface.states.items() if p.index is None)

    @cached_property
    def lines(self) -> dict[str, str]:
        """The roots of the loss lines, by kind."""
        return loss_roots(self.interface.loss_kinds)

    def reached(self, roots: Iterable[str]) -> tuple[str, ...]:
        """The states after a chunk that need adjoints if these roots of the later chunks have them.

        Other states must not get zero as their adjoint: zero times infinity is not zero.
        """
        key = frozenset(roots)
        if key not in self._reached:
            found = reached(self.programs.graphs.chunked(), key)
            self._reached[key] = tuple(root for root in self.real_finals if root in found)
        return self._reached[key]

    def moving_weights(self, wrt: Collection[str]) -> tuple[str, ...]:
        """The weights of loss lines whose sums have gradients with respect to these groups of sources."""
        key = frozenset(wrt)
        if key not in self._moving:
            self._moving[key] = tuple(self._with_gradients(filter(WEIGHT.has, self.lines), wrt))
        return self._moving[key]

    def _with_gradients(self, roots: Iterable[str], wrt: Collection[str]) -> Iterator[str]:
        graph = self.programs.graphs.chunked()
        for root in roots:
            below = set(graph.order([graph.roots[r] for r in reached(graph, [root])]))
            if below.intersection(sources(graph, wrt).values()):
                yield root
