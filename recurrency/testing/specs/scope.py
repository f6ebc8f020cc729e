"""A file and a cell while they are being written: what has been declared, and what can be read at this place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from recurrency.testing.specs.sources import Choices
from recurrency.testing.specs.terms import (
    INITIALISERS,
    SQUARE,
    Entry,
    Expr,
    Family,
    Fn,
    Level,
    Port,
    Shape,
    Size,
    Want,
    shown,
)

X = TypeVar("X")


@dataclass
class File:
    """The text around the cells: what they may use."""

    functions: list[Fn] = field(default_factory=list)
    cells: list[Written] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass
class Written:
    """A finished cell: its text, and what a use of it needs to know. Shapes are in its own units."""

    name: str
    units: list[str]
    inputs: list[Port]
    inner: list[Entry]
    """The output that the use alone means first, then its other streams."""
    states: list[tuple[str, Shape]]
    causal: bool
    text: str
    clock: str = "t"
    options: tuple[str, ...] = ()
    """Entries of the square brackets that a use may add, such as `squash = relu`."""
    sizes: dict[str, int] = field(default_factory=dict)
    given: dict[str, Shape] = field(default_factory=dict)
    held: bool = False
    """Whether a mask may hold it: it has no loss."""


@dataclass
class Cell:
    """What a cell has so far."""

    name: str
    units: list[str]
    clock: str = "t"
    ahead: bool = False
    """Whether later steps may be read, and whole streams."""
    depth: int = 2
    """How deep expressions are nested at most."""
    budget: int = 60
    """How many expressions may still be written."""
    dimensions: list[str] = field(default_factory=list)
    """Entries of the square brackets beside the units."""
    layer: str = ""
    """The cell for which an entry of the square brackets stands, if there is one."""
    inputs: list[Port] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    given: dict[str, Shape] = field(default_factory=dict)
    """The constants whose arrays the caller gives."""
    families: list[Family] = field(default_factory=list)
    functions: list[Fn] = field(default_factory=list)
    states: list[tuple[str, Shape]] = field(default_factory=list)
    pending: dict[str, bool] = field(default_factory=dict)
    """The names of the recurrence that is being written, and whether each can be read at this very step."""
    direction: int = 1
    held: bool = True
    """Whether no cell that it uses has a loss."""
    numbers: dict[str, int] = field(default_factory=dict)
    causal: bool = True


AWKWARD = (
    "new this class int double M_E NULL errno unix I outputs tape self len lambda None params steps batch training "
    "forward loss_ h_ _h α alpha Δ work call memory real out np torch xp kept lease given_h h_start sum_ rec_ T_t n_t _"
).split()
"""Words of Python, C and C++, of headers and of generated code, and names that some mangling would make one."""


class Writer:
    """Writes one cell of a file, as `choices` decide."""

    def __init__(self, choices: Choices, file: File, cell: Cell) -> None:
        self.choices, self.file, self.cell = choices, file, cell

    def pick(self, options: Sequence[X]) -> X:
        """One of some options, the simplest first."""
        return options[self.choices.number(len(options))]

    def sometimes(self, chances: int = 3) -> bool:
        """No, or once in so many times yes."""
        return self.pick(range(chances)) == chances - 1

    def name(self, stem: str) -> str:
        """A new name; once in a while one that means something else in a language or in generated code."""
        if self.cell.name and self.sometimes(12):
            stem = self.pick(AWKWARD)
        self.cell.numbers[stem] = self.cell.numbers.get(stem, 0) + 1
        number = self.cell.numbers[stem]
        return f"{stem}{number}" if number > 1 else stem

    # ------------------------------------------------------------------------------------------------------- sizes

    def size(self) -> Size:
        """Any size: mostly a unit, or what a stream has."""
        units = [Size.of(unit) for unit in self.cell.units]
        known = [e.shape[0] for e in self.cell.entries if e.timed and len(e.shape) == 1]
        return self.pick([units[0], *known, *units, 2 * units[0], units[0] + units[-1], Size.of(1)])

    def vector(self) -> Shape:
        """The shape of a vector."""
        return (self.size(),)

    def shape(self) -> Shape:
        """Any shape: mostly a vector."""
        dimensions = self.pick((1, 1, 1, 0, 2, 2, 3))
        sizes = tuple(self.size() for _ in range(dimensions))
        return sizes[:1] * 2 if dimensions == 2 and self.sometimes(2) else sizes

    # ------------------------------------------------------------------------------------------------ declarations

    def param(self, shape: Shape) -> Expr:
        """A parameter, an old one or a new one."""
        old = [e for e in self.cell.entries if e.level is Level.STATIC and not e.timed and e.shape == shape]
        found = self.pick([*old, None])
        if found is None:
            found = Entry(self.name("pqWEF"[len(shape)]), shape, Level.STATIC, timed=False, degree=0)
            self.cell.entries.append(found)
            self.cell.declared.append(f"param {found.text} : {shown(shape)} ~ {self.initialiser(shape)}")
        return Expr(found.text, Level.STATIC)

    def initialiser(self, shape: Shape) -> str:
        """How a value of this shape may be drawn."""
        options = list(INITIALISERS[len(shape)])
        if len(shape) == 2 and shape[0] == shape[1]:
            options += SQUARE
        return self.pick(options)

    def const(self, shape: Shape, text: str) -> Expr:
        """A declared constant of this shape."""
        found = Entry(self.name("k"), shape, Level.CONST, timed=False, degree=0)
        self.cell.entries.append(found)
        equals = "" if text.startswith("~") else "= "
        self.cell.declared.append(f"const {found.text} : {shown(shape)} {equals}{text}")
        if text == "given":
            self.cell.given[found.text] = shape
        return Expr(found.text, Level.CONST)

    def input(self, shape: Shape, index: Size | None = None, clock: str | None = None) -> Entry:
        """One more input."""
        clock = clock or self.cell.clock
        name = self.name("x" if index is None else "w")
        self.cell.inputs.append(Port(name, shape, index, clock))
        self.cell.entries.append(Entry(name, shape, Level.STREAM, clock, index))
        return self.cell.entries[-1]

    def define(self, name: str, shape: Shape, value: Expr, clock: str) -> Entry:
        """An equation; in a recurrence its name belongs to it."""
        self.cell.lines.append(f"{name} = {value.text}")
        entry = Entry(name, shape, value.level, clock, degree=min(value.degree, 4))
        self.cell.entries.append(entry)
        if self.cell.pending:
            self.cell.pending[name] = True
        return entry

    # ------------------------------------------------------------------------------------------------------ reading

    def readable(self, want: Want) -> list[Entry]:
        """The names that can stand for a value."""
        return [e for e in self.cell.entries if e.index is None and e.shape == want.shape and self.allows(want, e)]

    def symbols(self, want: Want) -> list[Entry]:
        """The names of symbols that can be looked up in a value."""
        return [e for e in self.cell.entries if e.index is not None and self.allows(want, e)]

    def allows(self, want: Want, e: Entry) -> bool:
        """Whether a name may be read at a place, its shape apart."""
        if e.level > want.level or (want.must and e.level is not Level.STREAM):
            return False
        if e.level is Level.STREAM and e.clock != want.clock:
            return False
        return not (want.whole and e.text in self.cell.pending)

    def read(self, want: Want, e: Entry) -> Expr:
        """A name, perhaps at another step."""
        delay = self.pick(self.delays(want, e)) if e.timed else 0
        self.cell.causal = self.cell.causal and delay >= 0
        level = Level.STREAM if delay else e.level
        return Expr(e.text + at(delay), level, e.degree)

    def delays(self, want: Want, e: Entry) -> tuple[int, ...]:
        """The steps back at which a name may be read, the simplest first."""
        if e.text in self.cell.pending:
            earlier = tuple(self.cell.direction * k for k in (1, 2))
            return (0, *earlier) if self.cell.pending[e.text] else earlier
        if want.level is not Level.STREAM or (e.level is not Level.STREAM and want.clock != e.clock):
            return (0,)
        return (0, 0, 0, 1, 3, 11, *((-1, -2, -13) if self.cell.ahead else ()))

    # ----------------------------------------------------------------------------------------------- recurrences

    def begin(self, direction: int) -> None:
        """A recurrence begins, forwards (1) or backwards (-1)."""
        self.cell.direction = direction
        self.cell.causal = self.cell.causal and direction > 0

    def state(self, shape: Shape, first: str) -> Entry:
        """A state of the recurrence that has begun; its equation follows."""
        name = self.name("shCS"[len(shape)])
        self.cell.declared.append(f"state {name} : {shown(shape)} {first}")
        self.cell.states.append((name, shape))
        return self.pending(name, shape, first=True)

    def pending(self, name: str, shape: Shape, first: bool = False) -> Entry:
        """A name of the recurrence, to be defined later."""
        entry = Entry(name, shape, Level.STREAM, self.cell.clock, first=first)
        self.cell.entries.append(entry)
        self.cell.pending[name] = False
        return entry

    def settle(self, name: str, value: Expr) -> None:
        """The equation of a pending name."""
        self.cell.lines.append(f"{name} = {value.text}")
        self.cell.pending[name] = True

    def end(self) -> None:
        """The recurrence is complete: its names are like all others."""
        self.cell.pending.clear()
        self.cell.direction = 1


def at(delay: int) -> str:
    """The index that reads a step so many steps back."""
    return f"[t{-delay:+d}]" if delay else ""


def used(units: Sequence[str], text: str) -> list[str]:
    """The units that stand in a text."""
    words = set(re.findall(r"\w+", text))
    return [unit for unit in units if unit in words]


def moved(entry: Entry, prefix: str, units: dict[str, Size], clock: str) -> Entry:
    """A stream of a cell as it is called where the cell is used."""
    shape = tuple(size.at(units) for size in entry.shape)
    index = None if entry.index is None else entry.index.at(units)
    return replace(entry, text=prefix + entry.text, shape=shape, index=index, clock=clock)
