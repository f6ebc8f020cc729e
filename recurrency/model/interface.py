"""The interface of a compiled cell: dimensions, inputs, outputs, states, parameters. It refers to no graph."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import UsageError, nearest
from recurrency.graph.roots import ADJOINT, FINAL, GRADIENT, INPUT, OUTPUT, START, STREAM
from recurrency.graph.types import Kind
from recurrency.model.arrays import REALS, Port, words

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.graph.op import Array
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.program.layout import Layout

GREATEST_SIZE = 1 << 33
"""Bound on the number of parameters: 32 GiB in float32."""
MOST_LISTED = 20
"""A message lists no more names than these."""


@dataclass(frozen=True)
class Parameter:
    """A parameter: its range in the flat vector, and the initialiser of its values."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int
    initialiser: tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Interface:
    """The ports and parameters of a compiled cell, by name, and the options that decide how it is called.

    `dimensions` are numbers, or the text of a function or cell; `size` is the number of elements of the flat vector of
    parameters; `loss_kinds` are the kinds of loss lines (`recurrency.passes.loss_lines`), empty without a loss.
    """

    name: str
    dtype: str
    batch_first: bool
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
    samples: bool
    """Whether it draws random numbers outside of training too."""

    @classmethod
    def of(cls, found: Elaborated, layout: Layout, dtype: str, batch_first: bool) -> Interface:
        """The interface of an elaborated cell.

        Raises:
            UsageError: it has more than `GREATEST_SIZE` parameters.
        """
        from recurrency.graph.op import Trait
        from recurrency.language.elaboration.meanings import dimension_text
        from recurrency.passes.loss_lines import lines

        graph, name = found.graph, found.cell.name
        if layout.size > GREATEST_SIZE:
            raise UsageError(f"{name} has {layout.size:,} parameters; at most {GREATEST_SIZE:,} are possible")
        declared = {p.name: p for p in (*found.cell.inputs, *found.cell.outputs)}
        parameters = {}
        for parameter, info in found.parameters.items():
            offset, shape = layout.entries[parameter]
            parameters[parameter] = Parameter(parameter, shape, offset, math.prod(shape), info.initialiser)
        return cls(
            name,
            dtype,
            batch_first,
            {n: v if isinstance(v, int | float) else dimension_text(v) for n, v in found.dimensions.items()},
            {n: Port.of(n, t, words(declared[n], t)) for n, t in found.inputs.items()},
            {n: Port.of(n, t, words(declared[n], t)) for n, t in found.outputs.items()},
            {name: Port.of(name, graph[i].type) for name, i in STREAM.within(graph.roots).items()},
            {n: Port.of(n, t) for n, t in found.starts.items()},
            parameters,
            layout.size,
            found.clocks,
            tuple(lines(graph)),
            any(Trait.DRAWS in graph[i].op.traits for i in graph),
            any(Trait.DRAWS in graph[i].op.traits and bool(graph[i].attrs.get("always")) for i in graph),
        )

    @cached_property
    def real(self) -> np.dtype[Any]:
        """The dtype of real numbers: the object that NumPy itself uses, so that `is` compares it."""
        return REALS[self.dtype]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but `real`, which would become another object, and calls would convert each array."""
        return {name: value for name, value in self.__dict__.items() if name != "real"}

    @cached_property
    def input_clocks(self) -> list[str]:
        """The clocks of the inputs, sorted."""
        return sorted({str(p.clock) for p in self.inputs.values()})

    def only_clock(self, what: str) -> list[str]:
        """The clocks of the inputs, of which there may be no more than one; `what` is what the caller gives for it.

        Raises:
            UsageError: there are several.
        """
        if len(self.input_clocks) > 1:
            many = f"runs over the clocks {', '.join(self.input_clocks)}"
            raise UsageError(f"{self.name} {many}: pass {what} for each by name")
        return self.input_clocks

    @cached_property
    def clock(self) -> str:
        """The clock whose steps `state["t"]` counts: the only clock of the inputs, or `t`."""
        return self.input_clocks[0] if len(self.input_clocks) == 1 else "t"

    @cached_property
    def output_adjoints(self) -> dict[str, tuple[str, Port]]:
        """The name `d:output:NAME` of the adjoint, and the port, of each real output by its name."""
        return {n: (ADJOINT.of(OUTPUT.of(n)), p) for n, p in self.outputs.items() if p.index is None}

    @cached_property
    def state_adjoints(self) -> dict[str, tuple[str, Port]]:
        """The name `d:final:NAME` of the adjoint, and the port, of each real state by its name."""
        return {n: (ADJOINT.of(FINAL.of(n)), p) for n, p in self.states.items() if p.index is None}

    @cached_property
    def input_gradients(self) -> dict[str, tuple[str, Port]]:
        """The root of the gradient, and the port, of each real input by its name."""
        return {n: (GRADIENT.of(INPUT.of(n)), p) for n, p in self.inputs.items() if p.index is None}

    @cached_property
    def state_gradients(self) -> dict[str, tuple[str, Port]]:
        """The root of the gradient, and the port, of each real initial state by its name."""
        return {n: (GRADIENT.of(START.of(n)), p) for n, p in self.states.items() if p.index is None}

    def roots(self, group: str) -> tuple[str, ...]:
        """The roots of the groups `output` and `final`; any other name is a root itself."""
        tables = {"output": self.outputs, "final": self.states}
        return tuple(f"{group}:{name}" for name in tables[group]) if group in tables else (group,)

    def views(self, vector: Array) -> dict[str, Array]:
        """The parameters by name, as views of a flat vector [size] of any dtype."""
        return {n: vector[p.offset : p.offset + p.size].reshape(p.shape) for n, p in self.parameters.items()}

    def needed(self, graph: Graph) -> tuple[str, ...]:
        """The inputs that a graph reads, and at least one input of each clock, which gives its number of steps."""
        read = set(graph.sources("input"))
        for clock in self.clocks:
            on_clock = [name for name, port in self.inputs.items() if port.clock == clock]
            if on_clock and not read & set(on_clock):
                read.add(on_clock[0])
        return tuple(name for name in self.inputs if name in read)

    def outward(self, array: Array, kind: Kind) -> Array:
        """An array with the axes that the caller uses: [B, T, ...] instead of [T, B, ...] with `batch_first`."""
        return np.swapaxes(array, 0, 1) if self.batch_first and kind is Kind.STREAM else array

    def matching(self, what: str, pattern: str, names: Iterable[str]) -> list[str]:
        """Those of `names` that a pattern such as `U*` or `l[2].*` fits, in their order; `what` says what they are.

        Raises:
            UsageError: there is none.
        """
        names = list(names)
        found = [name for name in names if fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))]
        if not found:
            raise self.unknown(what, pattern, names)
        return found

    def unknown(self, what: str, name: str, names: Iterable[str]) -> UsageError:
        """The error for a name that is none of `names`; `what` says what was looked for."""
        names = list(names)
        near = nearest(str(name), names)
        more = ", ..." if len(names) > MOST_LISTED else ""
        listed = f"it has {', '.join(names[:MOST_LISTED])}{more}" if names else "it has none"
        return UsageError(f"{self.name} has no {what} {name}; {f'did you mean {near}?' if near else listed}")
