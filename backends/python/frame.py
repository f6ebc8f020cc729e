"""A Python function while it is being written: its names, its arrays and its statements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from recurrency.graph.fixed import Fixed
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.before import Filled
from recurrency.program.layout import Layout
from recurrency.program.program import Program
from recurrency.program.strides import Axis, contiguous, evenly, strides

from ..names import Names, clock_suffixes, comment
from .dialect import Dialect, Fused, number_text
from .memory import Memory
from .products import Call

ARGUMENTS = "params, given, lengths, steps, batch, training, seed, offset"


class FunctionDialect(Dialect, Protocol):
    """A dialect with the parts of a function that need to know the rest of it."""

    def text(self, f: Frame) -> str:
        """The source of the function, and of the functions that allocate its memory."""

    def literal(self, f: Frame, value: float, index: bool = False) -> str:
        """A number, or a symbol, as an argument of an element-wise function."""

    def product(self, f: Frame, call: Call) -> str:
        """The statement that computes a product."""

    def results(self, f: Frame, roots: Mapping[str, int]) -> list[str]:
        """The statements that end a function; `roots` excludes the gradients of parameters."""

    def fusions(self, program: Program) -> dict[int, Fused]:
        """What one statement computes for several nodes: the last of them -> how."""


class Frame:
    """What the writers of operations need to know of the function that they write.

    Outside of loops statements go to `body`, inside of one to `inner`.
    """

    def __init__(self, name: str, program: Program, layout: Layout, dialect: FunctionDialect) -> None:
        self.name, self.program, self.layout, self.dialect = name, program, layout, dialect
        self.graph: Graph = program.graph
        self.names = Names()
        self.clocks = clock_suffixes(self.graph, self.names)
        self.body: list[str] = []
        self.inner: list[str] = []
        self.memory = Memory(program, layout, self.names, self.clocks, self.body, dialect)
        self.constants: dict[tuple[float, str, bool], str] = {}
        self.fixed: dict[str, Fixed] = {}
        """The fixed arrays that the function reads, by their names in the module."""
        self.filled = Filled()
        self.said: object = None

    @property
    def sizes(self) -> list[str]:
        """The names of the numbers of steps of each clock, and of sequences: `T`, `B`."""
        return [f"T{suffix}" for suffix in self.clocks.values()] + ["B"]

    def definition(self, borrowed: list[str]) -> list[str]:
        """The lines of the function; `borrowed` are the lines that get its buffers."""
        numbers = [f"int(steps[{c!a}])" for c in self.clocks] + ["int(batch)"]
        body = [f"{', '.join(self.sizes)} = {', '.join(numbers)}", *borrowed, *self._measures(), *self.body]
        return [f"def {self.name}({ARGUMENTS}):", *(f"    {line}" if line else "" for line in body)]

    def words(self) -> set[str]:
        """All words in the body."""
        return set(re.findall(r"\w+", "\n".join(self.body)))

    def _measures(self) -> list[str]:
        """The lines that define the lengths of the sequences and their padding, as far as the body uses them."""
        words = self.words()
        out: list[str] = []
        for clock, s in self.clocks.items():
            if words & {f"n{s}", f"ragged{s}"}:
                out.append(f"n{s} = None if lengths is None else lengths.get({clock!a})")
                out.append(f"ragged{s} = n{s} is not None and bool((n{s} < T{s}).any())")
                steps = self.dialect.range.format(T=f"T{s}")
                out.append(f"padding{s} = {steps} >= n{s} if ragged{s} else None")
            if f"n{s}" in words:
                out.append(f"n{s} = {self.dialect.length.format(T=f'T{s}')} if n{s} is None else n{s}")
        return out

    def say(self, id: int, *statements: str) -> None:
        """Write statements; a comment at the first one quotes the line of the specification that they come from."""
        target = self.body if self.memory.loop is None else self.inner
        span = self.graph[id].span
        here = (span.source.name, span.line) if span else None
        for k, statement in enumerate(statements):
            note = ""
            if k == 0 and span is not None and here != self.said:
                note = f"  # {comment(f'{span.source.name}:{span.line}  {span.source.line(span.line)}')}"
            target.append(statement + note)
        self.said = here

    # ----------------------------------------------------------------------------------------------------- arrays

    def kind(self, id: int) -> Kind:
        """The kind of the array that holds a value."""
        place = self.program.places.get(id)
        return Kind.STATIC if place is None else place.kind

    def ref(self, id: int) -> str:
        """A value as an argument of an element-wise function."""
        value = number(self.graph, id)
        if value is not None:
            return self.dialect.literal(self, value, self.graph[id].type.index is not None)
        return self.memory.array(self.program.places[id])

    def array(self, id: int) -> str:
        """A value as an array, even if it is a literal number."""
        value = number(self.graph, id)
        if value is None:
            return self.ref(id)
        type_ = self.graph[id].type
        shape = f"({''.join(f'{self.memory.size(d)}, ' for d in type_.shape)})"
        return self.constant(value, shape, index=type_.index is not None)

    def constant(self, value: float, shape: str, wish: str = "", index: bool = False) -> str:
        """An array with one value everywhere; `index`: of symbols."""
        if (value, shape, index) not in self.constants:
            name = self.names.new("no_symbol" if index else wish or ("ones" if value == 1 else "constant"))
            self.constants[value, shape, index] = name
            text = str(int(value)) if index else number_text(value)
            self.memory.define(name, self.dialect.full(shape, text, index), "kept")
        return self.constants[value, shape, index]

    def fixed_array(self, array: Fixed) -> str:
        """The name of a fixed array of the module."""
        self.fixed[array.word] = array
        return array.word

    def full(self, id: int) -> str:
        """A value as an array with all axes of its type."""
        type_ = self.graph[id].type
        text = self.array(id)
        if self.kind(id) is type_.kind:
            return text
        return self.dialect.spread(text, self.memory.shape(type_, step=self.memory.loop is not None))

    def out(self, id: int) -> str:
        """The array for the result of a node."""
        return self.memory.array(self.program.places[id])

    def lead(self, kind: Kind) -> int:
        """The number of axes for steps and sequences that an array of this kind has here, in a loop or outside."""
        return 1 if kind is Kind.STREAM and self.memory.loop is not None else int(kind)

    def lead_of(self, id: int) -> int:
        """The number of axes for steps and sequences of the array that holds a value."""
        return self.lead(self.kind(id))

    def strides(self, id: int) -> tuple[Axis, ...] | None:
        """The strides of the array of a value; None where the caller decides them, or where views are switched off."""
        place = self.program.places.get(id)
        if place is None:
            return contiguous(self.graph[id].type.shape)
        buffer = self.program.buffers[place.buffer]
        known = self.program.views and buffer.home != "given"
        return strides(buffer, place, self.memory.loop is not None) if known else None

    def contiguous(self, id: int) -> bool:
        """Whether the array of a node is contiguous."""
        found = self.strides(id)
        return found is not None and evenly(found)
