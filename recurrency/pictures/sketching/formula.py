"""Equations as the mathematics of a label: as `language.writing.latex` prints them, with all indices known."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.language.writing.latex import Printer, Scope
from recurrency.pictures.sketching.static import Env, static, transform
from recurrency.pictures.sketching.unroll import Key, reference

BREAK = "\x1f"
"""Stands where a long formula may go on in the next line; a digit follows, and a line ends rather at a lower one."""

WORDS = re.compile(r"\\begin|\\end|\\[{}]|[{}()\[\]]| \+ | - | ?\\,\\odot\\, ?|(?<!\\), |;\\, ?", re.ASCII)
DEEPER = {"{": 1, "\\begin": 1, "}": -1, "\\end": -1}
BRACKETS = {"(": 1, "[": 1, ")": -1, "]": -1}
DEEPEST = 9
SIGN = re.compile(r"(^|[(=,;{\[|] ?)-")
"""A minus that is a sign, not a difference."""
AIR = (
    (SIGN, r"\1{-}"),
    (re.compile(r"\\(left|right)(?=[()\[\]|\\])"), ""),
    (re.compile(r"\\frac"), r"\\dfrac"),
    (re.compile(r"\\odot"), r"\\,\\odot\\,"),
    (re.compile(r"(\\sum_\{[^{}]*\}\^\{[^{}]*\})"), r"\1\\,"),
)
"""What a small label wants otherwise than a line of a paper: brackets that may be apart, readable fractions, air."""


@dataclass(frozen=True)
class LabelPrinter(Printer):
    """Prints a lifted use of a cell, `LSTM#1.y`, as the name of the cell; streams carry no time if it is this step."""

    time: str = ""

    def name(self, name: str, members: str = "") -> str:
        """A name, and what was put in the place of a use of a cell."""
        cell, lifted, _ = name.partition("#")
        return self.scope.naming.operator(cell) if lifted else super().name(name, members)


@dataclass(frozen=True)
class Formula:
    """Prints the expressions of one equation.

    `env` holds the numbers of indices and dimensions, `dimensions` which of its names stay letters, `stands_for` a
    stream's other name where an equation only renames it, `bound` what the functions and cells of the header are.
    """

    scope: Scope
    env: Env
    dimensions: Container[str] = ()
    stands_for: Callable[[Key], Key] = lambda key: key
    bound: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, expression: Expression) -> str:
        """The LaTeX of an expression, with marks where it may be broken."""
        return breakable(LabelPrinter(self.scope).text(transform(expression, self._known)))

    def _known(self, expression: Any) -> Any:
        """A piece of an expression with what is known put in: numbers for indices, functions for their names."""
        match expression:
            case syntax.Name(name=name, span=span) if name in self.env and name not in self.dimensions:
                return syntax.Number(span, self.env[name])
            case syntax.Name(name=name, span=span) if name.partition("#")[0] in self.bound:
                cell, lifted, rest = name.partition("#")
                return syntax.Name(span, self.bound[cell] + lifted + rest)
            case syntax.Name() | syntax.Subscript():
                return self._reference(expression)
        return expression

    def _reference(self, expression: syntax.Name | syntax.Subscript) -> Expression:
        named = reference(expression)
        if named is None or not (named.name in self.scope.known or "#" in named.name):
            return expression
        span = expression.span
        name, numbers = self.stands_for(named.key(self.env) or (named.name, ()))
        members: tuple[Expression, ...] = tuple(syntax.Number(span, n) for n in numbers)
        if named.key(self.env) is None:
            members = tuple(
                syntax.Number(i.span, n) if (n := static(i, self.env)) is not None else i for i in named.indices
            )
        out: Expression = syntax.Name(span, name)
        if members and "#" not in name:
            out = syntax.Subscript(span, out, members)
        return out if named.step is None else syntax.Subscript(span, out, (named.step,))


def breakable(latex: str) -> str:
    """A formula with marks before its signs and after its commas, as far as they are not inside braces."""
    for pattern, instead in AIR:
        latex = pattern.sub(instead, latex)
    out, depth, brackets, end = [], 0, 0, 0
    for word in WORDS.finditer(latex):
        out.append(latex[end : word.start()])
        text, end = word[0], word.end()
        depth += DEEPER.get(text, 0)
        brackets += BRACKETS.get(text, 0)
        product = "odot" in text  # a sum is broken rather than its products, and both rather than what is in brackets
        mark = f"{BREAK}{min(2 * brackets + product, DEEPEST)}"
        if depth or text in DEEPER or text in BRACKETS or text in ("\\{", "\\}"):
            out.append(text)
        else:
            out.append(f"{mark}{{}}{text}" if text in (" + ", " - ") or product else f"{text}{mark}")
    return "".join([*out, latex[end:]])
