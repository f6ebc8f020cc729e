"""The parts of random specs: sizes as sums of units, expressions with known properties, names that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Size:
    """A dimension: a sum of units with whole factors (the unit "" is 1)."""

    terms: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, unit: str | int) -> Size:
        """A unit, or a number."""
        return cls((("", unit),) if isinstance(unit, int) else ((unit, 1),))

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for unit, factor in other.terms:
            total[unit] = total.get(unit, 0) + factor
        return Size(tuple(sorted(total.items(), key=lambda term: (not term[0], term[0]))))

    def __rmul__(self, factor: int) -> Size:
        return Size(tuple((unit, factor * k) for unit, k in self.terms))

    def __str__(self) -> str:
        return " + ".join(unit if k == 1 and unit else f"{k} * {unit}" if unit else f"{k}" for unit, k in self.terms)

    def number(self, units: Mapping[str, int]) -> int:
        """The number for these numbers of the units."""
        return sum(k * units.get(unit, 1) for unit, k in self.terms)

    def at(self, units: Mapping[str, Size]) -> Size:
        """With other sizes in place of the units."""
        parts = [k * units.get(unit, Size.of(unit)) if unit else Size.of(k) for unit, k in self.terms]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def pieces(self) -> tuple[Size, Size] | None:
        """Two sizes that add up to this one, if it is not a single unit."""
        (unit, factor), *rest = self.terms
        if rest:
            return Size(((unit, factor),)), Size(tuple(rest))
        return None if factor < 2 else (Size(((unit, 1),)), Size(((unit, factor - 1),)))


Shape: TypeAlias = tuple[Size, ...]


def shown(shape: Shape) -> str:
    """A shape as it is written."""
    return f"[{', '.join(map(str, shape))}]"


class Level(IntEnum):
    """The allowed dependencies of a value; each level includes all below it."""

    CONST = 0
    STATIC = 1
    SEQUENCE = 2
    STREAM = 3


@dataclass(frozen=True)
class Expr:
    """The text of an expression, and the known properties of its value.

    `degree` bounds its growth: 0 for what is bounded, 1 for what grows like an input, 2 for products of two of these.
    In a template, `{0}` is the text and `{0:p}` the text with brackets where they are needed around an operand.
    """

    text: str
    level: Level
    degree: int = 0
    tight: bool = True

    def __format__(self, spec: str) -> str:
        return f"({self.text})" if spec == "p" and not self.tight else self.text


@dataclass(frozen=True)
class Want:
    """The required properties of an expression.

    With `must` it has to be a stream; with `whole` no name of a recurrence that is being written may be read, because
    all steps of the value are needed at once.
    """

    shape: Shape = ()
    level: Level = Level.STREAM
    clock: str = "t"
    must: bool = False
    whole: bool = False
    depth: int = 2

    def part(self, **changes: Any) -> Want:
        """The value of an operand."""
        return replace(self, **{"depth": self.depth - 1, **changes})


@dataclass(frozen=True)
class Entry:
    """A name that can be read.

    `timed`: it has other steps (`h[t-1]`). `first`: it is a state, so that `init` may read its first value.
    """

    text: str
    shape: Shape
    level: Level
    clock: str = "t"
    index: Size | None = None
    timed: bool = True
    first: bool = False
    degree: int = 1


@dataclass(frozen=True)
class Family:
    """Members `name[1]` to `name[count]`, all of one type."""

    name: str
    count: int
    member: Entry


@dataclass(frozen=True)
class Fn:
    """A function of the file (for any `shape`), or of the cell, where it may read streams over one clock.

    `timed`: it reads other steps of its argument.
    """

    name: str
    arity: int
    shape: Shape | None = None
    level: Level = Level.CONST
    clock: str = ""
    timed: bool = False
    takes: str = ""
    """The functions of one value that the first argument may be, where it is one."""


@dataclass(frozen=True)
class Port:
    """An input of a cell."""

    name: str
    shape: Shape
    index: Size | None = None
    clock: str = "t"

    def __str__(self) -> str:
        return f"{self.name}: {shown(self.shape) if self.index is None else f'index[{self.index}]'}"


INITIALISERS: dict[int, tuple[str, ...]] = {
    0: ("normal(0, 0.5)", "zeros", "ones", "constant(0.4)", "uniform(0.5)", "between(0.1, 0.9)"),
    1: (
        "normal(0, 0.5)",
        "zeros",
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "standard_uniform",
        "constant(-0.3)",
        "chrono(9)",
    ),
    2: (
        "normal(0, 0.5)",
        "glorot_uniform",
        "standard_uniform",
        "lecun_uniform",
        "lecun_normal",
        "orthogonal",
        "orthogonal(0.7)",
        "sparse(2, 0.5)",
        "uniform(a = 0.5)",
        "dirac",
        "bernoulli(0.4)",
        "normal(0, 1) * bernoulli(0.5)",
    ),
    3: ("normal(0, 0.5)", "uniform(0.5)", "glorot_uniform", "orthogonal", "sparse(2, 0.5)"),
    4: ("normal(0, 0.5)",),
}
"""By the number of dimensions, the plainest first."""
SQUARE = ("identity", "identity(0.5)", "spectral(0.8)", "normal(0, 1) * spectral(0.7)", "hippo(legs)")
