"""What callers of a model see of its cell: inputs, outputs, states, parameters. It is kept without any graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurrency.graph.op import Trait
from recurrency.model.arrays import Port, words
from recurrency.model.results import Parameter

if TYPE_CHECKING:
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.program.layout import Layout


@dataclass(frozen=True)
class Interface:
    """The ports by name, the parameters in the flat vector of `size` numbers, and what else decides how to call.

    `dimensions` are numbers, and functions and cells as a user writes them, by name; `loss_kinds` are the kinds of
    loss lines (`recurrency.passes.loss_lines`), none where there is no loss.
    """

    dimensions: dict[str, Any]
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    streams: dict[str, Port]
    states: dict[str, Port]
    parameters: dict[str, Parameter]
    size: int
    clocks: tuple[str, ...]
    loss_kinds: tuple[str, ...]
    random: bool

    @classmethod
    def of(cls, found: Elaborated, layout: Layout) -> Interface:
        """That of an elaborated cell."""
        from recurrency.language.elaboration.streams import dimension_text
        from recurrency.passes.loss_lines import lines

        graph = found.graph
        declared = {p.name: p for p in (*found.cell.inputs, *found.cell.outputs)}
        parameters = {}
        for name, info in found.parameters.items():
            offset, shape = layout.entries[name]
            parameters[name] = Parameter(name, shape, offset, math.prod(shape), info.initialiser)
        return cls(
            {n: v if isinstance(v, int | float) else dimension_text(v) for n, v in found.dimensions.items()},
            {n: Port.of(n, t, words(declared[n], t)) for n, t in found.inputs.items()},
            {n: Port.of(n, t, words(declared[n], t)) for n, t in found.outputs.items()},
            {r[7:]: Port.of(r[7:], graph[i].type) for r, i in graph.roots.items() if r.startswith("stream:")},
            {n: Port.of(n, t) for n, t in found.starts.items()},
            parameters, layout.size, found.clocks, tuple(lines(graph)),
            any(Trait.DRAWS in graph[i].op.traits for i in graph),
        )  # fmt: skip
