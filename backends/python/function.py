"""The text of one function: a program's kernels as statements of Python on arrays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from recurrency.graph.cost import count
from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.before import Filled, delayed
from recurrency.program.footprint import uses
from recurrency.program.layout import GRADIENT, Layout, computed_there, gradients
from recurrency.program.program import ALIASES, Program, Region
from recurrency.program.strides import Axis, contiguous, evenly, strides

from ..names import Names, clock_suffixes, comment
from .aliases import write_alias, write_firsts, write_late_copy
from .dialect import Dialect, Fused, listed, number_text
from .memory import Loop, Memory
from .sums import sum_with_product
from .writers import WRITERS

ARGUMENTS = "params, given, lengths, steps, batch, training, seed, offset"


class Function:
    """Writes one function; `text` is its source."""

    def __init__(self, name: str, program: Program, layout: Layout, dialect: Dialect) -> None:
        self.name, self.program, self.layout, self.dialect = name, program, layout, dialect
        self.graph: Graph = program.graph
        self.names = Names()
        self.clocks = clock_suffixes(self.graph, self.names)
        self.body: list[str] = []
        self.inner: list[str] = []
        self.memory = Memory(program, self.names, self.clocks, self.body, dialect)
        self.constants: dict[tuple[float, str], str] = {}
        self.filled = Filled()
        self.said: object = None
        self.viewed: Counter[str] = Counter()
        self.fused = dialect.fusions(program)
        self.skipped = {id for fused in self.fused.values() for id in fused.inner}
        for region in program.regions:
            self._region(region)
        self._results()

    # ------------------------------------------------------------------------------------------------------ frame

    def text(self) -> str:
        """The function, and what makes its memory."""
        return str(self.dialect.text(self))

    @cached_property
    def uses(self) -> Mapping[int, str]:
        """What each buffer is for: see `recurrency.program.footprint`."""
        return uses(self.program)

    @property
    def sizes(self) -> list[str]:
        """The names of the numbers of steps and sequences."""
        return [f"T{suffix}" for suffix in self.clocks.values()] + ["B"]

    def frame(self, borrowed: list[str]) -> list[str]:
        """The lines of the function; `borrowed` are those that get its memory."""
        numbers = [f"int(steps[{c!a}])" for c in self.clocks] + ["int(batch)"]
        body = [f"{', '.join(self.sizes)} = {', '.join(numbers)}", *borrowed, *self._measures(), *self.body]
        return [f"def {self.name}({ARGUMENTS}):", *(f"    {line}" if line else "" for line in body)]

    def words(self) -> set[str]:
        """All words of the body."""
        return set(re.findall(r"\w+", "\n".join(self.body)))

    def _measures(self) -> list[str]:
        """What the function has to know about the lengths of the sequences."""
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
        """Write statements, beside the first the line of the specification that they come from."""
        target = self.body if self.memory.loop is None else self.inner
        span = self.graph[id].span
        here = (span.source.name, span.line) if span else None
        for k, statement in enumerate(statements):
            note = ""
            if k == 0 and span is not None and here != self.said:
                note = f"  # {comment(f'{span.source.name}:{span.line}  {span.source.line(span.line)}')}"
            target.append(statement + note)
        self.said = here

    # ---------------------------------------------------------------------------------------------------- regions

    def _region(self, region: Region) -> None:
        if not region.scans:
            for id in region.ids:
                self._node(id)
            return
        for id in delayed(self.graph, region):
            write_firsts(self, id)
        self.memory.loop, self.inner, self.said = Loop(region), [], None
        for id in region.ids:
            self._node(id)
        for id in region.ids:
            write_late_copy(self, id)
        loop, self.memory.loop, self.said = self.memory.loop, None, None
        self.body.append(self._header(loop))
        self.body += [f"    {line}" for line in self.inner]

    def _header(self, loop: Loop) -> str:
        """The line that begins a loop: views of our own arrays are made once, those of the caller's each time."""
        backwards = loop.region.kind == "scan backwards"
        self.viewed[str(loop.region.clock)] += sum(map(bool, map(self.memory.group, loop.views.values())))
        each = {name: self.dialect.each(whole, backwards) for name, whole in loop.views.items()}
        if not each:
            return f"for _ in range({self.memory.steps(loop.region.clock)}):"
        names, lists, grouped = [], [], set()
        for group in ("kept", "lent"):
            ours = [name for name, whole in loop.views.items() if self.memory.group(whole) == group]
            if not ours:
                continue
            grouped |= set(ours)
            steps = self.names.new("each_step")
            self.memory.define(steps, self.dialect.per_step([loop.views[name] for name in ours], backwards), group)
            names.append(f"({listed(ours)})" if len(ours) < len(each) else listed(ours))
            lists.append(steps)
        others = [name for name in each if name not in grouped]
        names += others
        lists += [each[name] for name in others]
        together = f"zip({', '.join(lists)})" if len(lists) > 1 else lists[0]
        return f"for {', '.join(names)} in {together}:"

    def _node(self, id: int) -> None:
        node = self.graph[id]
        if id in self.skipped:
            return
        if id in self.fused and self._together(id, node, self.fused[id]):
            return
        if node.op.elementwise and node.op.name not in ALIASES:
            args = self._arguments(id, node, node.args)
            self.say(id, *(row.format(*args, out=self.out(id)) for row in self.dialect.elementwise[node.op.name]))
        elif node.op.name in ALIASES:
            write_alias(self, id, node)
        else:
            WRITERS[node.op.name](self, id, node)

    def _together(self, id: int, node: Node, fused: Fused) -> bool:
        """Write what is computed together with other nodes, if that is possible (else the others alone)."""
        if fused.template:
            args = dict(zip(fused.letters, self._arguments(id, node, tuple(fused.letters.values())), strict=True))
            one = {"one": self.dialect.literal(self, 1.0)} if "{one}" in fused.template else {}
            self.say(id, fused.template.format(**args, **one, out=self.out(id)))
            return True
        (inner,) = fused.inner
        statement = sum_with_product(self, id, inner, fused.letters["x"])
        if statement:
            self.say(id, statement)
        else:
            WRITERS["product"](self, inner, self.graph[inner])
        return bool(statement)

    def _arguments(self, id: int, node: Node, ids: tuple[int, ...]) -> list[str]:
        """The arguments of an element-wise function, one of which has all axes of the result, if that must be."""
        args = [self.ref(a) for a in ids]
        wide = any(number(self.graph, a) is None and self.kind(a) is self.kind(id) for a in ids)
        if not wide and not self.dialect.widens and (self.kind(id) or node.type.shape):
            type_ = replace(node.type, kind=self.kind(id))
            args[0] = self.dialect.spread(args[0], self.memory.shape(type_, step=self.memory.loop is not None))
        return args

    # ----------------------------------------------------------------------------------------------------- arrays

    def kind(self, id: int) -> Kind:
        """The kind of the array that stands for a value."""
        place = self.program.places.get(id)
        return Kind.STATIC if place is None else place.kind

    def ref(self, id: int) -> str:
        """A value as an argument of an element-wise function."""
        value = number(self.graph, id)
        if value is not None:
            return str(self.dialect.literal(self, value))
        return str(self.memory.array(self.program.places[id]))

    def array(self, id: int) -> str:
        """A value as an array, though it be a literal number."""
        value = number(self.graph, id)
        if value is None:
            return self.ref(id)
        return self.constant(value, f"({''.join(f'{self.memory.size(d)}, ' for d in self.graph[id].type.shape)})")

    def constant(self, value: float, shape: str, wish: str = "") -> str:
        """An array of equal numbers."""
        if (value, shape) not in self.constants:
            name = self.names.new(wish or ("ones" if value == 1 else "constant"))
            self.constants[value, shape] = name
            self.memory.define(name, self.dialect.full(shape, number_text(value)), "kept")
        return self.constants[value, shape]

    def full(self, id: int) -> str:
        """A value as an array with all the axes of its type."""
        type_ = self.graph[id].type
        text = self.array(id)
        if self.kind(id) is type_.kind:
            return text
        return str(self.dialect.spread(text, self.memory.shape(type_, step=self.memory.loop is not None)))

    def out(self, id: int) -> str:
        """The array that a node is computed into."""
        text: str = self.memory.array(self.program.places[id])
        return text

    def lead(self, kind: Kind) -> int:
        """The number of axes of time and sequences of an array of this kind, here."""
        return 1 if kind is Kind.STREAM and self.memory.loop is not None else int(kind)

    def lead_of(self, id: int) -> int:
        """The number of axes of time and sequences of the array that stands for a value."""
        return self.lead(self.kind(id))

    def strides(self, id: int) -> tuple[Axis, ...] | None:
        """Where the elements of the array of a value lie; None where the caller decides that, or without views."""
        place = self.program.places.get(id)
        if place is None:
            return contiguous(self.graph[id].type.shape)
        buffer = self.program.buffers[place.buffer]
        known = self.program.views and buffer.home != "given"
        return strides(buffer, place, self.memory.loop is not None) if known else None

    def contiguous(self, id: int) -> bool:
        """Whether the elements of the array of a node lie one after another."""
        found = self.strides(id)
        return found is not None and evenly(found)

    # ---------------------------------------------------------------------------------------------------- results

    def _results(self) -> None:
        parameters = gradients(self.graph, self.layout)
        if parameters:
            self._gradient(parameters)
        own = {GRADIENT + name for name in parameters}
        self.body += self.dialect.results(self, {r: id for r, id in self.graph.roots.items() if r not in own})

    def _gradient(self, roots: dict[str, int]) -> None:
        in_place = 0
        for name, id in roots.items():
            offset, shape = self.layout.entries[name]
            in_place += count(shape)
            if not computed_there(self.program, self.layout, name, id):
                sizes = "".join(f"{n}, " for n in shape)
                piece = self.dialect.view.format(f"gradient[{offset}:{offset + count(shape)}]", f"({sizes})")
                self.body.append(self.dialect.assign(piece, self.ref(id)))
        zeros = in_place != self.layout.size
        self.body.insert(0, f"gradient = {self.dialect.empty(str(self.layout.size), zeros, here=True)}")
