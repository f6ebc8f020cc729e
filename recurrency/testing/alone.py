"""A graph of a single operation and its arguments, and random arrays for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurrency.backend import Backend, Call, find
from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind, Type
from recurrency.program.layout import Layout

if TYPE_CHECKING:
    from recurrency.graph.op import Array

LENGTHS = (3, 4, 1)
"""The lengths of three sequences, on each clock."""

Law = Callable[[np.random.Generator, tuple[int, ...]], "Array"]


def distinct(graphs: Iterable[Graph]) -> Iterator[tuple[Node, tuple[Type, ...]]]:
    """One node for each combination of operation, attributes and argument types."""
    seen = set()
    for graph in graphs:
        for id in graph.order():
            node = graph[id]
            types = tuple(graph[a].type for a in node.args)
            mark = (node.op.name, repr(sorted((k, str(v)) for k, v in node.attrs.items() if k != "name")), types)
            if mark not in seen:
                seen.add(mark)
                yield node, types


@dataclass
class Alone:
    """A graph whose inputs `a0`, `a1`, ... are the arguments and whose root `y` is the result."""

    graph: Graph
    args: list[int]
    y: int

    @classmethod
    def of(cls, node: Node, types: tuple[Type, ...]) -> Alone:
        """The graph of one operation."""
        graph = Graph()
        args = [graph.add("input", [], {"name": f"a{k}", "type": t}).id for k, t in enumerate(types)]
        y = graph.add(node.op, args, node.attrs).id
        graph.roots["y"] = y
        return cls(graph, args, y)

    def lengths(self) -> dict[str, Array]:
        """The lengths on all clocks of the graph."""
        types = [self.graph[i].type for i in self.graph]
        clocks = {str(t.clock) for t in types if t.clock} | {d for t in types for d in t.shape if isinstance(d, str)}
        named = {str(self.graph[self.y].attrs.get("clock") or "t")}
        return {clock: np.array(LENGTHS) for clock in sorted(clocks | named)}

    def arrays(self, law: Law, rng: np.random.Generator) -> dict[str, Array]:
        """Arrays for all inputs."""
        return {n: self._array(self.graph[i].type, law, rng) for n, i in self.graph.sources("input").items()}

    def _array(self, type_: Type, law: Law, rng: np.random.Generator) -> Array:
        most, symbols = max(LENGTHS), type_.index
        lead = {Kind.STREAM: (most, len(LENGTHS)), Kind.SEQUENCE: (len(LENGTHS),), Kind.STATIC: ()}[type_.kind]
        shape = (*lead, *(d if isinstance(d, int) else most for d in type_.shape))
        if isinstance(symbols, int):
            return np.asarray(rng.integers(-1, symbols, shape))
        return law(rng, shape)

    def runner(
        self, backend: str | Backend, dtype: str = "float64"
    ) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """Computes the roots for arrays of the inputs."""
        inner = find(backend) if isinstance(backend, str) else backend
        run, lengths = inner.build(self.graph, Layout({}, 0), dtype), self.lengths()
        steps = dict.fromkeys(lengths, max(LENGTHS))
        return lambda given: run(Call(np.zeros(0, dtype), given, lengths, steps, len(LENGTHS)))
