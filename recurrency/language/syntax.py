"""The syntax tree of a `.rnn` text: frozen dataclasses, each with the span it came from.

Nothing here knows what a name means. Three spellings share one node: `h[t-1]` (a step), `W[2]` (a member of a family,
or a row) and `LSTM[H]` (a cell with its dimensions) are all `Subscript`; elaboration distinguishes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeAlias

from recurrency.errors import Source, Span
from recurrency.language.expressions import (
    FORMULAS,
    Attribute,
    Binary,
    Call,
    Changed,
    Clause,
    Comprehension,
    Conditional,
    Expression,
    Formula,
    From,
    Initialiser,
    Keyword,
    Name,
    Number,
    Range,
    Shape,
    Subscript,
    Text,
    Unary,
    With,
)

__all__ = [
    "FORMULAS",
    "Attribute",
    "Binary",
    "Call",
    "Changed",
    "Clause",
    "Comprehension",
    "Conditional",
    "Expression",
    "Formula",
    "From",
    "Initialiser",
    "Keyword",
    "Name",
    "Number",
    "Range",
    "Shape",
    "Subscript",
    "Text",
    "Unary",
    "With",
]

# --------------------------------------------------------------------------------------------------- declarations


@dataclass(frozen=True)
class Target:
    """What a declaration or an equation defines: `h`, `W[1]`, `w[2..L, 1..L]`."""

    span: Span = field(compare=False)
    name: str
    indices: tuple[Expression | Range, ...] = ()


@dataclass(frozen=True)
class IndexType:
    """`index[V]`: a symbol out of a vocabulary of V."""

    span: Span = field(compare=False)
    size: Expression


@dataclass(frozen=True)
class Param:
    span: Span = field(compare=False)
    targets: tuple[Target, ...]
    shape: Shape
    initialiser: Initialiser


@dataclass(frozen=True)
class State:
    """`first` for `= expression`, `initialiser` for `~ zeros`: exactly one of them is given."""

    span: Span = field(compare=False)
    targets: tuple[Target, ...]
    shape: Shape
    first: Expression | None
    initialiser: Initialiser | None


@dataclass(frozen=True)
class Const:
    """`value` is an initialiser for `~ normal(0, 1)`, and the name `given` for an array of the caller."""

    span: Span = field(compare=False)
    targets: tuple[Target, ...]
    shape: Shape
    value: Expression


@dataclass(frozen=True)
class Fn:
    """`fn name(a, b) = body`, at the top of a file or inside a cell.

    `slopes` are the derivatives in the first parameters that follow `derivative`; without it, those of `body` count.
    """

    span: Span = field(compare=False)
    name: str
    parameters: tuple[str, ...]
    body: Expression
    slopes: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class Equation:
    span: Span = field(compare=False)
    target: Target
    value: Expression


@dataclass(frozen=True)
class For:
    span: Span = field(compare=False)
    index: str
    range: Range
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Loss:
    """`loss value`, `loss value where weight`."""

    span: Span = field(compare=False)
    value: Expression
    weight: Expression | None = None


Statement: TypeAlias = Param | State | Const | Fn | Equation | For | Loss


@dataclass(frozen=True)
class Dimension:
    """An entry in the square brackets of a header: a dimension, a function or a cell."""

    span: Span = field(compare=False)
    name: str
    default: Expression | None = None


@dataclass(frozen=True)
class Port:
    """An input or output of a header; `clock` is None where the header does not say `over s`."""

    span: Span = field(compare=False)
    name: str
    type: Shape | IndexType
    clock: str | None = None


@dataclass(frozen=True)
class Cell:
    span: Span = field(compare=False)
    name: str
    dimensions: tuple[Dimension, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    doc: str | None
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Use:
    """`use "lstm.rnn"`, `use LSTM, GRU from "cells.rnn"`, `use LSTM from library`; no names means all of them."""

    span: Span = field(compare=False)
    names: tuple[Name, ...]
    path: str | None
    """The quoted path, or None for the shipped library."""


@dataclass(frozen=True)
class File:
    """A parsed `.rnn` text."""

    source: Source = field(compare=False, repr=False)
    uses: tuple[Use, ...]
    functions: tuple[Fn, ...]
    cells: tuple[Cell, ...]


# ---------------------------------------------------------------------------------------------------------- walks


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of syntax that may hold syntax; none of other types."""
    if kind not in _PARTS:
        named = fields(kind) if is_dataclass(kind) else ()
        _PARTS[kind] = tuple(part.name for part in named if part.name != "span")
    return _PARTS[kind]


def below(node: Any) -> list[Any]:
    """The pieces of syntax directly below one, in the order of the text."""
    found: list[Any] = []
    for name in _parts(type(node)):
        value = getattr(node, name)
        found += value if isinstance(value, tuple) else (value,)
    return [item for item in found if _parts(type(item))]


def walk(node: Any) -> Iterator[Any]:
    """A piece of syntax and all syntax below it, in the order of the text."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(below(node))


def indices(body: tuple[Statement, ...]) -> set[str]:
    """The names of all indices in a body: of loops, comprehensions and formulas."""
    parts = [part for statement in body for part in walk(statement)]
    found = {part.index for part in parts if isinstance(part, For | Clause)}
    return found | {name for part in parts if isinstance(part, Formula) for name in part.indices}


def mentions_time(tree: Any) -> bool:
    """Whether `t` occurs in a piece of syntax."""
    return any(isinstance(part, Name) and part.name == "t" for part in walk(tree))


def unchanged(use: Expression) -> Expression:
    """A use of a cell without the clauses that change it, such as `reset start`."""
    while isinstance(use, Changed | With):
        use = use.use
    return use
