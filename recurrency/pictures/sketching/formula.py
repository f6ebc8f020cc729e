"""The LaTeX of an equation in a label: that of `language.writing.latex`, with numbers for loop indices."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, cast

from recurrency.errors import Span
from recurrency.language import syntax
from recurrency.language.elaboration.definitions import Env
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.meanings import dimension_text
from recurrency.language.elaboration.numbers import is_number
from recurrency.language.syntax import Expression
from recurrency.language.writing.printer import Printer
from recurrency.language.writing.symbols import Symbols
from recurrency.pictures.sketching.flow import Flow

BREAK = "\x1f"
"""A possible line break in a formula; a digit follows it, and breaks with lower digits are preferred."""
CALLED = "#"
"""Suffix of a name that replaces a call which is a separate node."""

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
"""Changes to LaTeX for small labels: brackets that may be on different lines, larger fractions, more space."""


@dataclass(frozen=True)
class LabelPrinter(Printer):
    """Prints a call that is a separate node, `LSTM#`, as the name of the cell; streams at this step get no index t."""

    time: str = ""

    def name(self, name: str, members: str = "") -> str:
        """A stream, or the name of a called cell."""
        called = name.endswith(CALLED)
        return self.scope.naming.operator(name.removesuffix(CALLED)) if called else super().name(name, members)


@dataclass(frozen=True)
class Formula:
    """Prints expressions of one equation.

    `env` has the numbers of loop indices; an index that is missing stays a letter. `calls` are the places of calls that
    are drawn as separate nodes.
    """

    flow: Flow
    scope: Symbols
    env: Env
    calls: frozenset[Span | None] = frozenset()

    def __call__(self, expression: Expression) -> str:
        """The LaTeX of an expression with `BREAK` where a line may end."""
        return breakable(LabelPrinter(self.scope).text(self._whole(expression)))

    def _whole(self, expression: Expression) -> Any:
        """The same syntax node, with everything known replaced below it and below a use that clauses change."""
        if isinstance(expression, syntax.Changed):
            return dataclasses.replace(expression, use=self._whole(expression.use), by=self._known(expression.by))
        if isinstance(expression, syntax.With):
            past = tuple(map(self._known, expression.past))
            return dataclasses.replace(expression, use=self._whole(expression.use), past=past)
        return self._below(expression)

    def _known(self, expression: Any) -> Any:
        """An expression with everything known replaced: indices, conditions, aliases, functions of the header."""
        use = syntax.unchanged(expression)
        use = use.call if isinstance(use, syntax.From) else use
        if isinstance(use, syntax.Call) and use.span in self.calls:
            expression = use
        if isinstance(expression, syntax.Call) and expression.span in self.calls:
            return self._named(_callee(expression), CALLED)
        if isinstance(expression, syntax.Conditional):
            chosen = self.flow.chosen(expression, self.env)
            return self._below(expression) if chosen is expression else self._known(chosen)
        if isinstance(expression, syntax.Name):
            return self._named(expression)
        if isinstance(expression, syntax.Subscript) and isinstance(expression.value, syntax.Name):
            return self._member(expression, expression.value)
        return self._below(expression)

    def _below(self, expression: Any) -> Any:
        """The same syntax node with `_known` applied to its children."""
        known: dict[str, Any] = {}
        for field in dataclasses.fields(expression):
            value = getattr(expression, field.name)
            if isinstance(value, tuple):
                known[field.name] = tuple(self._known(v) if dataclasses.is_dataclass(v) else v for v in value)
            elif field.name != "span" and dataclasses.is_dataclass(value):
                known[field.name] = self._known(value)
        return dataclasses.replace(expression, **known)

    def _named(self, name: syntax.Name, mark: str = "") -> Expression:
        if name.name in self.env:
            return syntax.Number(name.span, self.env[name.name])
        meant = self.flow.top.dimensions.get(name.name)
        if meant is not None and not is_number(meant):
            return syntax.Name(name.span, dimension_text(meant).partition("[")[0] + mark)
        return _reference(name.span, *self.flow.drawn_as((name.name + mark, ())))

    def _member(self, subscript: syntax.Subscript, name: syntax.Name) -> Expression:
        """A member of a family, with numbers for the indices that are known."""
        if not self.flow.top.defined.is_family(name.name) or syntax.mentions_time(subscript):
            return cast(Expression, self._below(subscript))
        indices = tuple(map(self._index, subscript.indices))
        numbers = tuple(i.value for i in indices if isinstance(i, syntax.Number) and isinstance(i.value, int))
        if len(numbers) == len(indices):
            return _reference(subscript.span, *self.flow.drawn_as((name.name, numbers)))
        return dataclasses.replace(subscript, indices=indices)

    def _index(self, index: Expression) -> Expression:
        if self.flow.knows(index, self.env):
            return syntax.Number(index.span, Evaluator(self.flow.top, self.env).integer(index))
        return cast(Expression, self._known(index))


def _reference(span: Span, name: str, numbers: tuple[int, ...]) -> Expression:
    indices = tuple(syntax.Number(span, n) for n in numbers)
    return syntax.Subscript(span, syntax.Name(span, name), indices) if indices else syntax.Name(span, name)


def _callee(call: syntax.Call) -> syntax.Name:
    """The name of the cell that is called: `LSTM` of `LSTM[H](x)`."""
    callee = call.callee
    while isinstance(callee, syntax.Subscript):
        callee = callee.value
    assert isinstance(callee, syntax.Name)
    return callee


def breakable(latex: str) -> str:
    """LaTeX with `BREAK` before signs and after commas that are not inside braces."""
    for pattern, instead in AIR:
        latex = pattern.sub(instead, latex)
    out, depth, brackets, end = [], 0, 0, 0
    for word in WORDS.finditer(latex):
        out.append(latex[end : word.start()])
        text, end = word[0], word.end()
        depth += DEEPER.get(text, 0)
        brackets += BRACKETS.get(text, 0)
        product = "odot" in text  # breaks at sums are preferred to those at products, both to those in brackets
        mark = f"{BREAK}{min(2 * brackets + product, DEEPEST)}"
        if depth or text in DEEPER or text in BRACKETS or text in ("\\{", "\\}"):
            out.append(text)
        else:
            out.append(f"{mark}{{}}{text}" if text in (" + ", " - ") or product else f"{text}{mark}")
    return "".join([*out, latex[end:]])
