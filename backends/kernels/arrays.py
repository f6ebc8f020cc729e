"""The arrays of kernels: their names, their shapes, and the address of each element as text of C."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from math import prod

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.program.program import Buffer, Place, Program

from ..names import Names
from .index import At, Ix, before_view, clock_name, clock_size, extent, flat

VECTORS = {"params": "params", "gradient": "gradient"}
"""Homes of buffers that are parts of a flat vector, and the name of that vector."""


@dataclass(frozen=True)
class Array:
    """An array: [T + rows, B, *shape] for a stream, [B, *shape] for a value per sequence or for one step of a stream.

    `offset` is its first element in the flat vector, where it is part of one.
    """

    name: str
    kind: Kind
    shape: tuple[Dim, ...]
    clock: str | None = None
    real: bool = True
    home: str = "own"
    front: int = 0
    behind: int = 0
    offset: int = 0
    whole: bool = True
    """Whether a stream's array holds all steps."""

    @property
    def timed(self) -> bool:
        """Whether it has an axis of steps."""
        return self.kind is Kind.STREAM and self.whole

    @property
    def carried(self) -> bool:
        """Whether it holds one step of a state, which the next step reads and then replaces."""
        return self.kind is Kind.STREAM and not self.whole and self.front + self.behind > 0

    def lead(self) -> list[str]:
        """The axes before those of one element."""
        out = []
        if self.timed:
            rows = self.front + self.behind
            out.append(clock_size(self.clock) + (f" + {rows}" if rows else ""))
        return out if self.kind is Kind.STATIC else [*out, "B"]

    def element(self, at: At, delay: int = 0) -> str:
        """The element at an index, `delay` steps before, as text of C."""
        place = flat(at.idx, self.shape)
        if self.kind is Kind.STATIC:
            inner = place if not self.offset else f"{self.offset} + {place}" if place != "0" else str(self.offset)
            return f"{self.name}[{inner}]"
        size = " * ".join(extent(d) for d in self.shape if d != 1)
        if all(isinstance(d, int) for d in self.shape):
            size = str(prod(d for d in self.shape if isinstance(d, int)))
        row = self._row(at, self.front - delay) if self.timed else f"{'(long long)' if size else ''}{at.b}"
        text = row if size in ("", "1") else f"{row} * {size}"
        return f"{self.name}[{text}]" if place == "0" else f"{self.name}[{text} + {place}]"

    def span(self, at: At) -> tuple[int, int]:
        """The range of rows of the first axis that an element is in; in a flat vector, the range of elements."""
        interval = at.idx[0].interval if at.idx else None
        low, high = (0, 1 << 60) if interval is None else interval
        if self.home not in VECTORS:
            return low, high
        inner = prod(d for d in self.shape[1:] if isinstance(d, int))
        size = prod(d for d in self.shape if isinstance(d, int))
        return self.offset + low * inner, self.offset + min(high * inner, size)

    @staticmethod
    def _row(at: At, rows: int) -> str:
        if at.t == "t" and at.b == "b":
            return (
                "tb" if not rows else f"(tb {'+' if rows > 0 else '-'} {'' if abs(rows) == 1 else f'{abs(rows)} * '}B)"
            )
        step = f"({at.t} + {rows})" if rows else str(at.t)
        return f"((long long){step} * B + {at.b})"


class Memory:
    """The arrays of one function: one for each buffer of its program that is used, and others that kernels need."""

    def __init__(self, program: Program, names: Names) -> None:
        self.program, self.names = program, names
        self.clocks = clocks(program.graph)
        names.taken |= {f"{word}_{clock_name(c)}" for c in self.clocks for word in ("T", "n", "before", "steps")}
        self.arrays: dict[int, Array] = {}
        self.more: list[Array] = []
        self.flags: dict[str, str] = {}
        self.places: dict[str, tuple[int, int, Array]] = {}
        """Arrays besides the flat vectors by their names, with their places among all."""
        self.flagged: dict[str, int] = {}
        """The names of flags, with their places among all."""
        hints = _hints(program)
        self.labels = {b.id: self._label(b, hints) for b in program.buffers.values() if b.home != "params"}

    def _label(self, buffer: Buffer, hints: dict[int, str]) -> str:
        """The name of a buffer, after the user's name of the value in it where there is one."""
        node = self.program.graph[buffer.node]
        if Trait.FIRST in node.op.traits:
            return str(self.names.new(f"{node.attrs['name']}_start"))
        wish = hints.get(buffer.id) or node.name or str(node.attrs.get("name", _within(node)))
        return VECTORS.get(buffer.home) or str(self.names.new(wish))

    def array(self, buffer: int) -> Array:
        """The array of a buffer."""
        if buffer not in self.arrays:
            array = self.arrays[buffer] = self._made(self.program.buffers[buffer])
            if array.home not in VECTORS:
                self.places[array.name] = (0, len(self.arrays), array)
        return self.arrays[buffer]

    def _made(self, buffer: Buffer) -> Array:
        type_, home = buffer.type, buffer.home
        name = VECTORS.get(home) or self.labels[buffer.id]
        return Array(
            name,
            type_.kind,
            type_.shape,
            type_.clock,
            type_.index is None,
            home,
            buffer.front,
            buffer.behind,
            buffer.offset,
            buffer.step is None,
        )

    def made(self, wish: str, type_: Type, whole: bool = True, home: str = "own", lead: int | None = None) -> Array:
        """An array that is no buffer of the program; `lead` rows replace the axes of steps and sequences."""
        shape = type_.shape if lead is None else (lead, *type_.shape)
        name = self.names.new(wish)
        array = Array(name, type_.kind, shape, type_.clock, type_.index is None, home, whole=whole)
        self.more.append(array)
        self.places[name] = (1, len(self.more), array)
        return array

    def scalars(self, words: Set[str] | None = None) -> dict[str, str]:
        """What kernels read besides arrays, with types: sizes, lengths, the steps before the first one, flags.

        With `words`, only those whose names are among them.
        """
        out = {"B": "int ", "training": "int ", "seed": "const unsigned long long* "}
        for clock in map(clock_name, self.clocks):
            out |= {f"T_{clock}": "int ", f"n_{clock}": "const int* ", f"before_{clock}": "const long long* "}
        if words is None:
            return {**out, **dict.fromkeys(self.flags.values(), "int ")}
        flags = sorted(words & self.flagged.keys(), key=self.flagged.__getitem__)
        return {**{word: kind for word, kind in out.items() if word in words}, **dict.fromkeys(flags, "int ")}

    def flag(self, start: str) -> str:
        """The name of the flag that says whether the caller passes an initial state."""
        if start not in self.flags:
            self.flags[start] = self.names.new(f"given_{start}")
            self.flagged[self.flags[start]] = len(self.flagged)
        return self.flags[start]

    def find(self, place: Place, at: At) -> tuple[Array, At]:
        """The array that stores a value, and the element of it that stores an element of the value."""
        array = self.array(place.buffer)
        shapes = [array.shape, *(view.shape for view in place.views)]
        for k in reversed(range(len(place.views))):
            view = place.views[k]
            if view.op == "frames":
                at = At(at.idx[0].text, at.b, at.idx[1:])
            elif view.op == "unframes":
                at = At(None, at.b, (Ix(str(at.t), 0, shapes[k][0]), *at.idx))
            else:
                at = at.to(*before_view(view.op, view.numbers, view.shape, shapes[k], at.idx))
        if array.kind < Kind.STREAM:
            at = At(None, at.b if array.kind is Kind.SEQUENCE else None, at.idx)
        return array, at

    def used(self, words: Set[str] | None = None) -> list[Array]:
        """All arrays, or those whose names are among some words; the flat vectors come first."""
        vectors = [Array(name, Kind.STATIC, (), home=name) for name in VECTORS.values()]
        if words is not None:
            found = sorted((*self.places[word][:2], word) for word in words & self.places.keys())
            return [*(a for a in vectors if a.name in words), *(self.places[word][2] for _, _, word in found)]
        return [*vectors, *(a for a in self.arrays.values() if a.home not in VECTORS), *self.more]


def clocks(graph: Graph) -> list[str]:
    """The clocks of a graph."""
    found: set[str] = set()
    for id in graph.order():
        node = graph[id]
        found |= {str(c) for c in (node.type.clock, node.attrs.get("clock"), *node.type.shape) if isinstance(c, str)}
    return sorted(found)


def _within(node: Node) -> str:
    """A name for a part of an equation, after the variable that the equation defines: `c_multiply`."""
    head, equals, _ = node.span.text.partition("=") if node.span is not None else ("", "", "")
    whole = head.strip()
    return f"{whole}_{node.op.name}" if equals and whole.isidentifier() else node.op.name


def _hints(program: Program) -> dict[int, str]:
    """The user's name for each buffer that holds a named value."""
    hints: dict[int, str] = {}
    for id, place in program.places.items():
        if not place.views and not place.delay and program.graph[id].name:
            hints.setdefault(place.buffer, program.graph[id].name)
    return hints
