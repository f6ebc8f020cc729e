"""The memory of a call of generated NumPy, from the buffers that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from recurrency.backends._python_function import Function
from recurrency.backends._python_memory import leased

from recurrency.program.footprint import GRADIENTS, WORKSPACE, Footprint, uses
from recurrency.program.layout import gradients
from recurrency.program.program import volume

VIEW = 128
"""Bytes of a view of an array, as which each step of a loop is kept."""


def footprint(f: Function, real: np.dtype[Any], steps: Mapping[str, int], batch: int) -> Footprint:
    """The buffers that are kept for these sizes, the views of them, and what each call makes anew."""
    return Footprint.of([*_buffers(f, real, steps, batch), *_views(f, steps), *_made(f, real, steps, batch)])


def _buffers(f: Function, real: np.dtype[Any], steps: Mapping[str, int], batch: int) -> Iterator[tuple[str, int]]:
    known = uses(f.program)
    for id in f.memory.bases:
        buffer = f.program.buffers[id]
        if buffer.home == "own" and buffer.same is None:
            size = real.itemsize if buffer.type.index is None else 8
            yield known[id], buffer.elements(steps, batch) * size


def _views(f: Function, steps: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Loops of at most 2000 steps keep a view of each step of each array."""
    for clock, count in f.viewed.items():
        if steps[clock] <= 2000:
            yield WORKSPACE, count * steps[clock] * VIEW


def _made(f: Function, real: np.dtype[Any], steps: Mapping[str, int], batch: int) -> Iterator[tuple[str, int]]:
    """The gradient of the parameters, and copies of results."""
    if gradients(f.graph, f.layout):
        yield GRADIENTS, f.layout.size * real.itemsize
    own = {f"gradient:{name}" for name in gradients(f.graph, f.layout)}
    for root, id in f.graph.roots.items():
        if root not in own and not leased(f.program, id):
            use = GRADIENTS if root.startswith("gradient:") else WORKSPACE
            yield use, volume(f.graph[id].type, steps, batch) * real.itemsize
