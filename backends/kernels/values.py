"""Writes the body of a kernel: each element of a value is read, or computed once, where it is needed."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from recurrency.graph.dimensions import Dim
from recurrency.graph.fixed import Fixed
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Op, Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.program import Program

from ..names import Names, comment
from .arrays import Array, Memory
from .index import At, clock_name, clock_size, extent
from .scalars import Scalars

"""Operations whose values are always in memory."""

Fragment = Callable[["Body", int, Node, At], str]
"""Gives the text of one element of the result of an operation, after writing what it needs into the body."""


Asked = dict[int, list[At]]
"""Elements of values."""


@dataclass
class Scope:
    """Lines between two braces, and the values that have a name there."""

    lines: list[str] = field(default_factory=list)
    known: dict[tuple[int, At], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Read:
    """An element that a kernel reads: the array, the element, and whether it belongs to another step (`late`).

    `span` is the range of rows of the array's first axis that it is in.
    """

    array: str
    element: str
    late: bool
    node: int
    span: tuple[int, int]


@dataclass(frozen=True)
class Source:
    """What the kernels of one function share.

    `outputs` are arrays for products that are not stored in their own places, `partials` for the parts of sums over all
    sequences, `turned` for transposed matrices.
    """

    program: Program
    memory: Memory
    scalars: Scalars
    fragments: dict[str, Fragment]
    outputs: dict[int, Array] = field(default_factory=dict)
    partials: dict[int, Array] = field(default_factory=dict)
    turned: dict[int, Array] = field(default_factory=dict)
    fixed: dict[str, Fixed] = field(default_factory=dict)
    """The fixed arrays that kernels read, by name."""

    def fixed_array(self, array: Fixed) -> str:
        """The name of a fixed array in the file."""
        self.fixed[array.word] = array
        return array.word

    @property
    def graph(self) -> Graph:
        """The graph of the program."""
        return self.program.graph


class Body(ABC):
    """Writes the body of one kernel. `ready` are the values that are in memory when it runs.

    In a kernel over all steps, `carried` has the values of the step before that stay in registers: element -> name.
    `texts` has the definitions of names, and `cleaned` what a text is outside of padding. `asked` are the elements of
    products that the whole kernel needs; a second body, which is given those of the first, computes them together.
    """

    def __init__(self, source: Source, ready: Container[int], names: Names, asked: Asked | None = None) -> None:
        self.source, self.graph, self.program, self.scalars = source, source.graph, source.program, source.scalars
        self.ready, self.names = ready, names
        self.scopes = [Scope()]
        self.part: str | None = None
        self.carried: dict[str, str] = {}
        self.started: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.cleaned: dict[str, str] = {}
        self.asked: Asked = {}
        self.together = asked or {}
        self.reads: list[Read] = []
        self._said: object = None

    # ------------------------------------------------------------------------------------------------------- lines

    def line(self, text: str, id: int | None = None) -> None:
        """Write a line, with the line of the specification as a comment unless the line before has the same."""
        node = None if id is None else self.graph[id]
        if node is not None and node.span is not None:
            here = (node.span.source.name, node.span.line)
            if here != self._said:
                said = comment(f"{here[0]}:{here[1]}  {node.span.source.line(node.span.line)}")
                text = f"{text}  // {said.replace(chr(39) * 3, '...').rstrip(chr(92))}"
            self._said = here
        self.scopes[-1].lines.append(text)

    def declare(self, wish: str, text: str, kind: str = "", id: int | None = None) -> str:
        """A new constant with this value."""
        name: str = self.names.new(wish)
        self.line(f"const {kind or self.scalars.real} {name} = {text};", id)
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Put braces around what is written within it."""
        self.scopes.append(Scope())
        try:
            yield
        finally:
            inner = self.scopes.pop()
            self.scopes[-1].lines += [f"{head} {{", *(f"    {line}" for line in inner.lines), "}"]
            self._said = None

    def choose(
        self, condition: str, then: Callable[[], str], otherwise: Callable[[], str] | str, kind: str = ""
    ) -> str:
        """A value that is computed in one of two ways; each way reads only what it needs."""
        name: str = self.names.new("chosen")
        start = otherwise if isinstance(otherwise, str) else ""
        self.line(f"{kind or self.scalars.real} {name}{f' = {start}' if start else ''};")
        with self.block(f"if ({condition})"):
            self.line(f"{name} = {then()};")
        if not isinstance(otherwise, str):
            with self.block("else"):
                self.line(f"{name} = {otherwise()};")
        return name

    # ------------------------------------------------------------------------------------------------------ values

    def value(self, id: int, at: At) -> str:
        """One element of a value, as a name or a literal; writes the lines that compute it."""
        id = self._origin(id)
        node = self.graph[id]
        literal = number(self.graph, id)
        if literal is not None:
            return self.scalars.literal(literal) if node.type.index is None else str(int(literal))
        at = self._of_kind(node, at)
        for scope in reversed(self.scopes):
            if (id, at) in scope.known:
                return scope.known[id, at]
        text = self._written(id, node, at)
        if not _is_plain(text):
            name = self.declare(node.name or node.op.name, text, self.ctype(node), id)
            self.texts[name], text = text, name
        self.scopes[-1].known[id, at] = text
        return text

    def _origin(self, id: int) -> int:
        """The value whose elements these are, past operations that change none: a chain of them has any length."""
        while copies(self.graph[id].op) and not self._lies(id):
            id = self.graph[id].args[0]
        return id

    def _lies(self, id: int) -> bool:
        """Whether a value can be read from memory."""
        return id in self.ready or id in self.source.outputs or id in self.source.turned

    def _of_kind(self, node: Node, at: At) -> At:
        """The same element, without what the value does not depend on."""
        kind = node.type.kind
        return At(at.t if kind is Kind.STREAM else None, at.b if kind >= Kind.SEQUENCE else None, at.idx)

    def _written(self, id: int, node: Node, at: At) -> str:
        if id in self.source.turned:
            return str(self.source.turned[id].element(at.to(*at.idx[::-1])))
        if id in self.source.outputs:
            array = self.source.outputs[id]
            self.reads.append(Read(array.name, array.element(at), False, id, array.span(at)))
            return str(array.element(at))
        if Trait.NAMED in node.op.traits or id in self.ready:
            return self._read(id, node, at)
        return self.source.fragments[node.op.name](self, id, node, at)

    def _read(self, id: int, node: Node, at: At) -> str:
        place = self.program.places[id]
        array, at = self.source.memory.find(place, at)
        element = array.element(at)
        late = bool(node.delay) and at.t == "t"
        self.reads.append(Read(array.name, element, late, id, array.span(at)))
        if late and abs(place.delay) == 1 and element in self.carried:
            self.started[element] = array.element(at, place.delay)
            return self.carried[element]
        return str(array.element(at, place.delay))

    def beside(self, id: int, at: At) -> list[At]:
        """The elements of a product that are computed together with this one, which comes first."""
        if len(self.scopes) > 1:
            return [at]
        self.asked.setdefault(id, []).append(at)
        return [at, *(other for other in self.together.get(id, ()) if other != at)]

    def real(self, id: int, at: At) -> str:
        """One element of a value as a real number, even if it is a symbol."""
        text = self.value(id, at)
        plain = self.graph[id].type.index is None or number(self.graph, id) is not None
        return text if plain else f"({self.scalars.real}){text}"

    def ctype(self, node: Node) -> str:
        """The type of a value's elements."""
        return self.scalars.real if node.type.index is None else "long long"

    def nothing(self, node: Node) -> str:
        """What a value of this type is where there is none: zero, or no symbol."""
        return f"0.0{self.scalars.f}" if node.type.index is None else "-1"

    # ----------------------------------------------------------------------------------------------------- lengths

    def length(self, clock: str | None, at: At) -> str:
        """The number of steps of the sequence."""
        return f"n_{clock_name(clock)}[{at.b}]"

    def steps(self, clock: str | None) -> str:
        """The number of steps of the arrays."""
        return str(clock_size(clock))

    def bound(self, dim: Dim, at: At) -> str:
        """The end of a loop over an axis; over an axis of steps, the number of steps of the sequence."""
        return self.length(dim, at) if isinstance(dim, str) else str(extent(dim))

    @abstractmethod
    def loop(self, wish: str, bound: str, count: int = 1) -> AbstractContextManager[str]:
        """A loop from 0 to below `bound`, in which `count` sums grow side by side; yields the name of its variable."""

    @abstractmethod
    def reduction(self, names: Sequence[str], adds: bool) -> None:
        """Called before the innermost of some loops: it adds to these names, or finds the greatest, in any order."""


PLAIN = re.compile(r"\w+|\d[\d.]*f?|\(-\d[\d.]*(e[+-]?\d+)?f?\)", re.ASCII)


def _is_plain(text: str) -> bool:
    """Whether a text is a name or a number, which costs nothing to repeat."""
    return PLAIN.fullmatch(text) is not None


def copies(op: Op) -> bool:
    """Whether each element of the result is that of the argument, padding included."""
    return Trait.SAME in op.traits and Trait.CLEANS not in op.traits
