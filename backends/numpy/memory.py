"""A forecast of the memory of a call of generated NumPy, from the buffers that it makes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.graph.cost import volume
from recurrency.graph.op import Trait
from recurrency.graph.roots import GRADIENT, TAPE
from recurrency.graph.types import Kind
from recurrency.program.footprint import GRADIENTS, PASSING, WORKSPACE, Footprint
from recurrency.program.layout import gradients

from ..python.function import Function
from .dialect import handed_out

VIEW, MOST_VIEWS = 128, 2000
"""The bytes of one view; and the longest loop that keeps a view of each array for each step."""

DRAWN = 72
"""Temporary bytes for each random number."""

WHOLE = frozenset({"cumsum", "log_softmax", "take"})
"""Operations with a temporary array of the size of their result."""


@dataclass(frozen=True)
class Allocations:
    """What a function allocates in a call of these sizes."""

    function: Function
    real: np.dtype[Any]
    steps: Mapping[str, int]
    batch: int
    ragged: bool

    def footprint(self) -> Footprint:
        """Bytes by purpose: buffers kept for these sizes, new results, and the largest temporaries of a statement."""
        passing = self._cleaned() + max(self._statements(), default=0)
        return Footprint.of([*self._buffers(), *self._views(), *self._made(), (PASSING, passing)])

    def _size(self, id: int) -> int:
        type_ = self.function.graph[id].type
        return volume(type_, self.steps, self.batch) * (self.real.itemsize if type_.index is None else 8)

    def _buffers(self) -> Iterator[tuple[str, int]]:
        f = self.function
        known = f.uses
        for id in f.memory.bases:
            buffer = f.program.buffers[id]
            if buffer.home == "own" and buffer.same is None:
                size = self.real.itemsize if buffer.type.index is None else 8
                yield known[id], buffer.elements(self.steps, self.batch) * size
        names = {f"T{word}": self.steps[clock] for clock, word in f.clocks.items()} | {"B": self.batch}
        for _, shape, index in f.constants:
            size = 8 if index else self.real.itemsize
            yield WORKSPACE, math.prod(eval(shape, {"__builtins__": {}}, names)) * size

    def _views(self) -> Iterator[tuple[str, int]]:
        for clock, count in self.function.viewed.items():
            if self.steps[clock] <= MOST_VIEWS:
                yield WORKSPACE, count * self.steps[clock] * VIEW

    def _made(self) -> Iterator[tuple[str, int]]:
        """The gradient of the parameters, and results that are copies."""
        f = self.function
        own = gradients(f.graph, f.layout)
        if own:
            yield GRADIENTS, f.layout.size * self.real.itemsize
        lent = handed_out(f.program, f.graph.roots)
        for root, id in f.graph.roots.items():
            if GRADIENT.name(root) not in own and root not in lent:
                yield GRADIENTS if GRADIENT.has(root) else WORKSPACE, self._size(id)

    def _cleaned(self) -> int:
        """Copies of the caller's streams with cleared padding."""
        graph = self.function.graph
        inputs = [id for name, id in graph.sources("input").items() if not TAPE.has(name)]
        return sum(self._size(id) for id in inputs if graph[id].type.kind is Kind.STREAM) if self.ragged else 0

    def _statements(self) -> Iterator[int]:
        """The temporaries of each statement on all steps."""
        program = self.function.program
        for region in program.regions:
            for id in () if region.scans else region.ids:
                yield self._on_the_way(program.sums.get(id, id))

    def _on_the_way(self, id: int) -> int:
        node = self.function.graph[id]
        if Trait.DRAWS in node.op.traits:
            return volume(node.type, self.steps, self.batch) * DRAWN
        if Trait.CONTRACTS in node.op.traits:
            return sum(self._size(arg) for arg in node.args if self._is_cut(arg))
        return self._size(id) if node.op.name in WHOLE else 0

    def _is_cut(self, id: int) -> bool:
        """Whether a stream is not contiguous, so that a product over all steps copies it."""
        place = self.function.program.places.get(id)
        return place is not None and place.kind is Kind.STREAM and not self.function.contiguous(id)
