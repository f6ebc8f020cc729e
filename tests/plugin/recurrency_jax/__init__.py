"""A backend on JAX: a graph is walked node by node, and each of its recurrences becomes one `lax.scan`."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from recurrency.backend import Call
from recurrency.graph.graph import Graph
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import Layout


class JaxBackend:
    """What `recurrency.backend.Backend` asks for. Without `jit` nothing is compiled, and all is slow at once."""

    name = "jax"

    def __init__(self, jit: bool = True) -> None:
        self.jit = jit

    def available(self) -> str | None:
        """None, or what is missing."""
        return None if importlib.util.find_spec("jax") else "JAX is not installed: pip install jax"

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """A function of arrays that computes the roots of a graph."""
        return Runner(with_lengths(graph), layout, dtype, self.jit)


class Runner:
    """One program; see `recurrency.backend.Runner`."""

    def __init__(self, graph: Graph, layout: Layout, dtype: str, jit: bool) -> None:
        self.graph, self.layout, self.dtype, self.jit = graph, layout, dtype, jit
        self.compiled: dict[Any, Any] = {}

    def __call__(self, call: Call) -> dict[str, Any]:
        from recurrency_jax.walk import Sizes, Walk, drawn

        full = {clock: np.full(call.batch, count) for clock, count in call.steps.items()}
        arrays = {
            "params": call.params,
            "given": dict(call.given),
            "lengths": {**full, **(call.lengths or {})},
            "random": drawn(self.graph, call),
        }
        sizes = Sizes(tuple(sorted(call.steps.items())), call.batch)
        with self._settings() as jax:
            if sizes not in self.compiled:
                self.compiled[sizes] = jax.jit(lambda arrays: Walk(self.graph, self.layout, sizes, arrays).roots())
            found = self.compiled[sizes](arrays)
            return self._handed_out({root: np.array(value) for root, value in found.items()})

    @contextlib.contextmanager
    def _settings(self) -> Iterator[Any]:
        """64 bits for float64 only; no compilation where none is wanted."""
        import jax

        with jax.enable_x64(self.dtype == "float64"), contextlib.ExitStack() as stack:
            if not self.jit:
                stack.enter_context(jax.disable_jit())
            yield jax

    def _handed_out(self, values: dict[str, Any]) -> dict[str, Any]:
        """Symbols as int64, and the gradients of parameters in one vector."""
        out = {root: v.astype(np.int64 if v.dtype.kind == "i" else self.dtype) for root, v in values.items()}
        flat = np.zeros(self.layout.size, self.dtype)
        for name, (start, shape) in self.layout.entries.items():
            if f"gradient:{name}" in out:
                flat[start : start + int(np.prod(shape))] = out.pop(f"gradient:{name}").ravel()
        return {**out, "gradient": flat}


backend = JaxBackend()
