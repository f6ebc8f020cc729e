"""Buffers in generated Python, and views of them: of all steps, or of one step of a loop."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from recurrency.graph.cost import whole
from recurrency.graph.dimensions import Dim
from recurrency.graph.op import Trait
from recurrency.graph.roots import TAPE
from recurrency.graph.types import Kind, Type
from recurrency.program.layout import Layout
from recurrency.program.program import Buffer, Place, Program, Region, View

from ..names import Names
from .dialect import Dialect
from .labels import hints, later, parameters_at, pieces, within
from .products import COPYING


@dataclass
class Loop:
    """The loop over time that is being written; `views`: name of an array of one step -> the array of all steps."""

    region: Region
    views: dict[str, str] = field(default_factory=dict)


class Memory:
    """Gives each place in memory a name, and writes the line that defines it.

    Definitions of our own buffers go to `lines`, which run once for each size; views of the caller's arrays go to
    `body`. `own` are the names that `lines` define, each with its group: `lent` buffers go to the caller, `kept` ones
    do not.
    """

    def __init__(
        self,
        program: Program,
        layout: Layout,
        names: Names,
        clocks: dict[str, str],
        body: list[str],
        dialect: Dialect,
    ) -> None:
        self.program, self.graph, self.layout, self.dialect = program, program.graph, layout, dialect
        self.names, self.clocks, self.body = names, clocks, body
        self.lines: list[str] = []
        self.line_of: dict[str, int] = {}
        self.own: dict[str, str] = {}
        self.arenas: dict[str, list[str]] = {"tape": [], "outputs": []}
        self.homes = _homes(program)
        self.bases: dict[int, str] = {}
        self.known: dict[Place, str] = {}
        self.loop: Loop | None = None
        self.hints = hints(program)
        self.later = later(program)
        self.views: dict[str, str] = {}
        self.pieces = pieces(self.graph)

    def steps(self, clock: str | None) -> str:
        """The number of steps of a clock."""
        return f"T{self.clocks[str(clock)]}"

    def size(self, dim: Dim) -> str:
        """A dimension as source."""
        return self.steps(dim) if isinstance(dim, str) else str(dim)

    def lead(self, place: Place) -> int:
        """The number of axes for steps and sequences of the array that `whole` names."""
        if place.kind is Kind.STREAM and self.program.buffers[place.buffer].step is not None:
            return 1
        return int(place.kind)

    def array(self, place: Place) -> str:
        """The array at a place: in a loop, of this step; outside, of all steps."""
        if self.loop is None or place.kind is not Kind.STREAM or self.program.buffers[place.buffer].step is not None:
            return self.whole(place)
        return self.stepped(self.whole(place), place.kind)

    def stepped(self, whole: str, kind: Kind = Kind.STREAM) -> str:
        """The part of an array of all steps that belongs to this step of the loop."""
        assert self.loop is not None
        for known, text in self.loop.views.items():
            if text == whole:
                return known
        base = re.match(r"\w+", whole)
        name = self.names.new(f"{base[0] if base else 'padding'}_t")
        self.loop.views[name] = whole
        return name

    def whole(self, place: Place) -> str:
        """The array of all steps, or of the one step that has memory."""
        if place not in self.known:
            self.known[place] = self._named(place)
        return self.known[place]

    def derived(self, text: str) -> str:
        """A name for a view such as `W.T`, which is made before the loop if it is the same at all steps."""
        base = _innermost(text)
        if self.loop is None or text == base:
            return text
        rest = text[len(base) :] if text.startswith(base) else ""
        if base in self.loop.views:
            return self._piece(self.loop.views[base], rest) or text
        if COPYING in text and self.group(text):
            return text  # our own arrays change
        if text not in self.views:
            name = self.views[text] = self.names.new(base + ("_T" if rest == ".T" else "_view"))
            self.define(name, text, self.group(text))
        return self.views[text]

    def _piece(self, whole: str, rest: str) -> str:
        """A slice of an array of this step as a step of the slice of all steps; "" if that is not possible."""
        if not rest or rest[0] != "[" or rest[-1] != "]":
            return ""
        if rest.startswith("[..."):
            return self.stepped(whole + rest)
        return self.stepped(f"{whole}[:, {rest[1:]}") if self.dialect.hoists else ""

    def define(self, name: str, text: str, group: str | None) -> None:
        """Write the line that defines a name: of an array in one of our groups, or (None) of the caller's."""
        assert not group or COPYING not in text, f"{text} may be a copy"
        lines = self.lines if group else self.body
        self.line_of.setdefault(name, len(lines))
        lines.append(f"{name} = {text}")
        if group:
            self.own[name] = group

    def group(self, text: str) -> str | None:
        """The group of the array that a text is a view of; None if it is not ours."""
        return self.own.get(_innermost(text))

    def order(self, name: str) -> int:
        """The number of the line that defines a name."""
        return self.line_of[name]

    def _named(self, place: Place) -> str:
        buffer = self.program.buffers[place.buffer]
        base = self.base(buffer)
        text = self._rows(buffer, base, place.delay)
        if not place.views and text == base:
            return base
        text = self.viewed(text, place.views, Place(place.buffer, buffer.type.kind), buffer.home == "given")
        name = self.names.new(self.hints.get(place) or self._wish(buffer, place))
        self.define(name, text, self.group(base))
        return name

    def _wish(self, buffer: Buffer, place: Place) -> str:
        if place.delay:
            return f"{self._label(buffer)}_{'before' if place.delay > 0 else 'after'}"
        return f"{self._label(buffer)}_part" if place.views else self._label(buffer)

    def _rows(self, buffer: Buffer, base: str, delay: int) -> str:
        """The rows of all steps, `delay` steps back."""
        if not buffer.front and not buffer.behind:
            return base
        start, steps = buffer.front - delay, self.steps(buffer.type.clock)
        return f"{base}[{start}:{start} + {steps}]" if start else f"{base}[:{steps}]"

    def base(self, buffer: Buffer) -> str:
        """The array of a whole buffer, with its rows before the first and after the last step."""
        if buffer.id not in self.bases:
            rows = "_rows" if buffer.front or buffer.behind else ""
            name = self.bases[buffer.id] = self.names.new(self._label(buffer) + rows)
            if buffer.home == "own":
                group = "lent" if self.dialect.apart and self._home(buffer) else "kept"
                self.define(name, self._allocation(buffer), group)
            else:
                vector = "params" if buffer.home == "params" else "gradient"
                end = buffer.offset + _size(buffer)
                part, shape = f"{vector}[{buffer.offset}:{end}]", self.shape(buffer.type)
                self.body.append(f"{name} = {self.dialect.view.format(part, shape)}")
        return self.bases[buffer.id]

    def _allocation(self, buffer: Buffer) -> str:
        if buffer.same is not None:
            return self.base(self.program.buffers[buffer.same])
        rows = buffer.front + buffer.behind
        shape = self.shape(buffer.type, rows, buffer.step is not None)
        if buffer.type.index is not None:
            return self.dialect.full(shape, "-1", index=True)
        home = self._home(buffer)
        if home:
            self.arenas[home].append(f"prod({shape})")
        return self.dialect.buffer(shape, buffer.front, buffer.behind, home)

    def _home(self, buffer: Buffer) -> str | None:
        """What a buffer is part of when the caller gets it: `outputs` or the `tape`; None for other buffers."""
        return self.homes.get(buffer.id if buffer.same is None else buffer.same)

    def shape(self, type_: Type, rows: int = 0, step: bool = False) -> str:
        """The shape of an array of this type, as source."""
        lead = []
        if type_.kind is Kind.STREAM and not step:
            lead.append(self.steps(type_.clock) + (f" + {rows}" if rows else ""))
        if type_.kind is not Kind.STATIC:
            lead.append("B")
        sizes = [*lead, *map(self.size, type_.shape)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def _label(self, buffer: Buffer) -> str:
        """What a buffer holds, in a word."""
        node = self.graph[buffer.node]
        if buffer.home == "gradient" or (buffer.home == "params" and Trait.TILES in node.op.traits):
            names = parameters_at(self.layout, buffer.offset, buffer.offset + _size(buffer))
            return f"d_{names}" if buffer.home == "gradient" else names
        named = node.name or self.pieces.get(buffer.node) or self.later.get(buffer.id)
        return named or str(node.attrs.get("name", within(node)))

    def viewed(self, text: str, views: tuple[View, ...], start: Place, copies: bool = False) -> str:
        """Views of the array at `start`; for `copies` see `view`."""
        lead, rank = self.lead(start), len(self.program.buffers[start.buffer].type.shape)
        for view in _joined(views):
            text, lead = self.view(text, view, lead, rank, copies)
            rank = len(view.shape)
        return text

    def view(self, text: str, view: View, lead: int, rank: int, copies: bool = False) -> tuple[str, int]:
        """A view of an array with `lead` axes for steps and sequences and `rank` others; and the view's own `lead`.

        `copies`: a copy is as good, because the array is read at once, or never changes.
        """
        if view.op == "slice":
            return f"{text}[{', '.join([':'] * lead + [f'{view.numbers[0]}:{view.numbers[1]}'])}]", lead
        if view.op == "transpose":
            axes = [*range(lead), *(lead + axis for axis in view.order)]
            return (f"{text}.{self.dialect.permute}({', '.join(map(str, axes))})" if rank > 1 else text), lead
        if view.op == "reshape":
            sizes = "".join(f"{self.size(d)}, " for d in view.shape)
            shape = f"({'*' + text + f'.shape[:{lead}], ' if lead else ''}{sizes})"
            return f"{text}{COPYING}{shape})" if copies else self.dialect.view.format(text, shape), lead
        if view.op == "expand":
            sizes = "".join(f"{self.size(view.shape[a])}, " for a in view.numbers)
            return f"expand({text}, {lead}, {view.numbers}, ({sizes}))", lead
        return f"{text}.swapaxes(0, 1)", 1 if view.op == "frames" else 2


def _size(buffer: Buffer) -> int:
    """The elements of a buffer in a flat vector."""
    return math.prod(whole(d) for d in buffer.type.shape)


def _innermost(text: str) -> str:
    """The name of the array that a text is a view of."""
    found = re.match(r"(?:(?:np\.)?\w+\()*(\w+)", text)
    return found[1] if found else ""


def _joined(views: tuple[View, ...]) -> list[View]:
    """The same views, with a slice of a slice as one slice."""
    out: list[View] = []
    for view in views:
        if out and out[-1].op == view.op == "slice":
            start, (low, high) = out[-1].numbers[0], view.numbers
            out[-1] = View("slice", view.shape, (start + low, start + high))
        else:
            out.append(view)
    return out


def _homes(program: Program) -> dict[int, str]:
    """The buffers that the caller gets parts of: buffer -> `outputs`, or `tape` if no other result is in it."""
    homes: dict[int, str] = {}
    for name, id in program.graph.roots.items():
        place = program.places.get(id)
        if place is None or not leased(program, id):
            continue
        buffer = program.buffers[place.buffer]
        memory = buffer.id if buffer.same is None else buffer.same
        if homes.get(memory) != "outputs":
            homes[memory] = "tape" if TAPE.has(name) else "outputs"
    return homes


def leased(program: Program, id: int) -> bool:
    """Whether the caller gets a result without a copy; its memory is not written again while the caller holds it."""
    place = program.places.get(id)
    if place is None or place.kind is not Kind.STREAM or program.graph[id].type.index is not None or place.repeats:
        return False
    buffer = program.buffers[place.buffer]
    plain = not any(isinstance(d, str) for d in program.graph[id].type.shape)
    return plain and buffer.home == "own" and buffer.type.index is None
