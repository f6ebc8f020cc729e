"""The syntax tree of a `.rnn` text: frozen dataclasses, each with the span it came from.

Nothing here knows what a name means. Three spellings share one node: `h[t-1]` (a step), `W[2]` (a member of a family,
or a row) and `LSTM[H]` (a cell with its dimensions) are all `Subscript`; elaboration distinguishes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeAlias

from recurrency.errors import Source, Span

# ---------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True)
class Number:
    """A literal: `int` where it is written without point or exponent, else `float`."""

    span: Span = field(compare=False)
    value: int | float


@dataclass(frozen=True)
class Text:
    """`"mvk,mk->mv"` among the arguments of a function; `value` is without the quotation marks."""

    span: Span = field(compare=False)
    value: str


@dataclass(frozen=True)
class Name:
    span: Span = field(compare=False)
    name: str


@dataclass(frozen=True)
class Unary:
    """`-x` or `not x`; `op` is `"-"` or `"not"`."""

    span: Span = field(compare=False)
    op: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    """`op` is one of `+ - * / ** @ == != < <= > >= and or`; `⊙` has become `*`."""

    span: Span = field(compare=False)
    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Conditional:
    """`then if condition else otherwise`; the condition is known when the spec is compiled."""

    span: Span = field(compare=False)
    then: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True)
class Keyword:
    """`name = value` among arguments, subscripts and initial states."""

    span: Span = field(compare=False)
    name: str
    value: Expression


@dataclass(frozen=True)
class Range:
    """`1..L`, both ends included."""

    span: Span = field(compare=False)
    first: Expression
    last: Expression


@dataclass(frozen=True)
class Clause:
    """`for i in 1..L if condition` of a comprehension."""

    span: Span = field(compare=False)
    index: str
    range: Range
    condition: Expression | None


@dataclass(frozen=True)
class Comprehension:
    """`body for i in 1..L ...`, the only argument of a call such as `sum` or `concat`."""

    span: Span = field(compare=False)
    body: Expression
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Subscript:
    """`value[indices]`: a step, a member of a family, a row, or a cell with its dimensions."""

    span: Span = field(compare=False)
    value: Expression
    indices: tuple[Expression, ...]
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """`value.name`: a stream inside a sub-cell."""

    span: Span = field(compare=False)
    value: Expression
    name: str


@dataclass(frozen=True)
class Call:
    """`callee(arguments, keywords)`: a function, a cell or an instance of one."""

    span: Span = field(compare=False)
    callee: Expression
    arguments: tuple[Expression, ...]
    keywords: tuple[Keyword, ...] = ()


@dataclass(frozen=True)
class From:
    """`call from (h = ..., c = ...)`: initial states of a sub-cell."""

    span: Span = field(compare=False)
    call: Expression
    first: tuple[Keyword, ...]


@dataclass(frozen=True)
class Changed:
    """`use reset start`: the use of a cell, changed where a stream is not 0; `word` is `"reset"`."""

    span: Span = field(compare=False)
    use: Expression
    word: str
    by: Expression


@dataclass(frozen=True)
class Shape:
    """`[H, N]`, of a declaration or among the arguments of a function; `[]` is a scalar."""

    span: Span = field(compare=False)
    dimensions: tuple[Expression, ...]


Expression: TypeAlias = (
    Number
    | Name
    | Unary
    | Binary
    | Conditional
    | Comprehension
    | Subscript
    | Attribute
    | Call
    | From
    | Changed
    | Text
    | Shape
)

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
class Initialiser:
    """`~ normal(0, 0.01)`; without brackets `arguments` is empty."""

    span: Span = field(compare=False)
    name: str
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[Keyword, ...] = ()


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
    span: Span = field(compare=False)
    targets: tuple[Target, ...]
    shape: Shape
    value: Expression


@dataclass(frozen=True)
class Fn:
    """`fn name(a, b) = body`, at the top of a file or inside a cell."""

    span: Span = field(compare=False)
    name: str
    parameters: tuple[str, ...]
    body: Expression


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
    span: Span = field(compare=False)
    value: Expression


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


def walk(node: Any) -> Iterator[Any]:
    """A piece of syntax and all syntax below it."""
    yield node
    for part in fields(node):
        value = getattr(node, part.name)
        for item in value if isinstance(value, tuple) else (value,):
            if part.name != "span" and is_dataclass(item):
                yield from walk(item)


def mentions_time(tree: Any) -> bool:
    """Whether `t` occurs in a piece of syntax."""
    return any(isinstance(part, Name) and part.name == "t" for part in walk(tree))


def unchanged(use: Expression) -> Expression:
    """A use of a cell without the clauses that change it, such as `reset start`."""
    while isinstance(use, Changed):
        use = use.use
    return use
