"""The syntax of expressions: frozen dataclasses, each with the span it came from (see `recurrency.language.syntax`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from recurrency.errors import Span


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
    """`use reset start`, `use when m`: the use of a cell, changed by a stream; `word` is `"reset"` or `"when"`."""

    span: Span = field(compare=False)
    use: Expression
    word: str
    by: Expression


@dataclass(frozen=True)
class With:
    """`use with (h = below)`: the use of a cell whose equations read other values as `h[t-1]`."""

    word: ClassVar[str] = "with"
    span: Span = field(compare=False)
    use: Expression
    past: tuple[Keyword, ...]


@dataclass(frozen=True)
class Shape:
    """`[H, N]`, of a declaration or among the arguments of a function; `[]` is a scalar."""

    span: Span = field(compare=False)
    dimensions: tuple[Expression, ...]


FORMULAS = {"vector": 1, "matrix": 2, "tensor": 0}
"""The words before a formula, and how many indices follow (0: any number)."""


@dataclass(frozen=True)
class Formula:
    """`matrix(i, j: body)`: an array whose elements are computed from their indices, which begin at 1."""

    span: Span = field(compare=False)
    kind: str
    indices: tuple[str, ...]
    body: Expression


@dataclass(frozen=True)
class Initialiser:
    """`~ normal(0, 0.01)`; without brackets `arguments` is empty. `factors` follow in `~ normal(0, 1) * spectral(0.9)`.

    It is an expression as the value of a constant.
    """

    span: Span = field(compare=False)
    name: str
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    factors: tuple[Initialiser, ...] = ()


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
    | With
    | Text
    | Shape
    | Formula
    | Initialiser
)
