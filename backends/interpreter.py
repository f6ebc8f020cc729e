"""The interpreter as a backend: slow, and correct by definition."""

from __future__ import annotations

import math

import numpy as np

from recurrency.backend import Call, Runner
from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.op import Array
from recurrency.graph.roots import GRADIENT
from recurrency.program.layout import Layout


class InterpreterBackend:
    """The interpreter (`recurrency.graph.interpreter`) behind the protocol of backends."""

    name = "interpreter"

    def available(self) -> str | None:
        """It always runs."""
        return None

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """See `recurrency.backend.Backend`."""

        def run(call: Call) -> dict[str, Array]:
            views = {n: call.params[o : o + math.prod(s)].reshape(s) for n, (o, s) in layout.entries.items()}
            full = {clock: np.full(call.batch, count) for clock, count in call.steps.items()}
            values = evaluate(
                graph,
                {**views, **call.given},
                {**full, **(call.lengths or {})},
                call.steps,
                call.training,
                call.seed,
                call.offset,
            )
            flat = np.zeros(layout.size)
            for n, (o, s) in layout.entries.items():
                if GRADIENT.of(n) in values:
                    flat[o : o + math.prod(s)] = values.pop(GRADIENT.of(n)).reshape(-1)
            out = {root: v if v.dtype.kind == "i" else v.astype(dtype) for root, v in values.items()}
            return {**out, "gradient": flat.astype(dtype)}

        return run


backend = InterpreterBackend()
