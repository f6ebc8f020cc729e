"""Expressions of a cell: numbers are computed, streams become nodes of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from recurrency.errors import Span
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    MALFORMED_DIMENSION,
    NO_FINITE_VALUE,
    NOT_A_VALUE,
    NOT_STATIC,
    SYMBOLS_AS_NUMBERS,
    UNKNOWN_NAME,
    WRONG_DIMENSIONS,
    Code,
    brief,
)
from recurrency.language.elaboration.binding import fault_of_size
from recurrency.language.elaboration.definitions import Env
from recurrency.language.elaboration.meanings import CellValue, Shared
from recurrency.language.elaboration.names import Names
from recurrency.language.elaboration.numbers import as_float, decided, is_number, spelt, whole
from recurrency.language.elaboration.scope import FnValue, Scope, Used
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.elaboration.streams import Busy, Stream
from recurrency.language.elaboration.suggestions import AT_RUN_TIME, meant, of_number, of_size
from recurrency.language.vocabulary.table import Function, shown

MOST_HELPED = 50
"""After this many mistakes, unknown names get no suggestion: the search takes longer than everything else."""
ADVICE = {
    CellValue: ("a cell", "call it: write its inputs in round brackets"),
    Shared: ("an instance of a cell", "call it: write its inputs in round brackets"),
    FnValue: ("a function", "call it: write its arguments in round brackets"),
    Function: ("a function", "call it: write its arguments in round brackets"),
}


class Evaluator(Names):
    """Evaluates expressions of one use of a cell, with local names (`env`), for the definition called `target`.

    `counts` numbers what has no name in this definition: uses of cells, and places of random draws. `calls` are the
    functions that are being applied.
    """

    def __init__(
        self,
        scope: Scope,
        env: Env,
        target: str = "",
        counts: dict[str, int] | None = None,
        calls: tuple[syntax.Fn, ...] = (),
        alone: bool = False,
        within: Scope | None = None,
    ) -> None:
        super().__init__(scope, env, alone)
        self.within = within or scope
        """The use of a cell whose equation is computed; `scope` may be that of a function which it was given."""
        self.target, self.calls, self.work = target, calls, scope.work
        self.counts: dict[str, int] = {} if counts is None else counts
        self.declared: tuple[Dim, ...] | None = None
        """The shape of the constant whose value this is."""
        self.tabulates = False
        """Whether this is the body of a formula: `if` chooses for each element."""

    def inner(self, env: Env) -> Evaluator:
        """An evaluator of the same definition with other local names."""
        return self._alike(Evaluator(self.scope, env, self.target, self.counts, self.calls, self.alone, self.within))

    def of_function(self, callee: FnValue, env: Env) -> Evaluator:
        """An evaluator of the same definition, for the body of a function."""
        home, calls = callee.home or self.scope, (*self.calls, callee.fn)
        return self._alike(Evaluator(home, env, self.target, self.counts, calls, callee.home is None, self.within))

    def _alike(self, other: Evaluator) -> Evaluator:
        """Another evaluator, for the same constant."""
        other.declared, other.tabulates = self.declared, self.tabulates
        return other

    @property
    def graph(self) -> Graph:
        """The graph that is built."""
        return self.work.graph

    def problem(self, code: Code, title: str, span: Span, **rest: Any) -> Problem:
        """A mistake, to be raised."""
        return self.scope.problem(code, title, span, **rest)

    # --------------------------------------------------------------------------------------------- forms of values

    def equation(self, expression: syntax.Expression) -> Value:
        """The value of the right side of a definition; a cell that it uses directly gets the name of the definition."""
        return self.value_of(self.meaning(expression, direct=True), expression)

    def value(self, expression: syntax.Expression) -> Value:
        """An expression as a node of the graph (numbers become constants)."""
        return self.value_of(self.meaning(expression), expression)

    def all(self, evaluate: Callable[[Any], Any], expressions: Iterable[syntax.Expression]) -> list[Any]:
        """Evaluate independent expressions, so that a mistake in one does not hide mistakes in the others."""
        values, problems, poisoned = list[Any](), list[Problem](), False
        for expression in expressions:
            try:
                values.append(evaluate(expression))
            except TooMuch:
                raise
            except Problem as problem:
                problems.append(problem)
            except Poisoned:
                poisoned = True
        for earlier in problems[:-1]:
            self.work.report(earlier.diagnostic)
        if problems:
            raise problems[-1]
        if poisoned:
            raise Poisoned
        return values

    def plain(self, expression: syntax.Expression) -> Any:
        """An expression as a number or a value (a stream at this step)."""
        meaning = self.meaning(expression)
        return meaning if is_number(meaning) else self.value_of(meaning, expression)

    def value_of(self, meaning: Any, expression: syntax.Expression) -> Value:
        """The meaning of an expression as a node of the graph."""
        if isinstance(meaning, Used):
            meaning = meaning.output()
        if isinstance(meaning, Stream):
            try:
                return meaning.now()
            except Busy as busy:
                busy.span = busy.span or expression.span
                raise
        if isinstance(meaning, Value):
            return meaning
        if is_number(meaning):
            return constant(self.graph, self.finite(meaning, expression.span))
        what, help = ADVICE.get(type(meaning), ("no value", None))
        title = f"{brief(expression.span.text)} is {what}, not a value"
        raise self.problem(NOT_A_VALUE, title, expression.span, help=help)

    def real(self, expression: syntax.Expression, meaning: Any) -> Value:
        """A value as a real number or array of them, not as symbols."""
        value = self.value_of(meaning, expression)
        if value.type.index is not None:
            title = f"{brief(expression.span.text)} holds symbols, {shown(value.type)}: there is no arithmetic on them"
            help = "embed(E, w) or onehot(w) makes a vector of a symbol"
            raise self.problem(SYMBOLS_AS_NUMBERS, title, expression.span, notes=self.origins(expression), help=help)
        return value

    # ---------------------------------------------------------------------------------------- known at compilation

    def static(self, expression: syntax.Expression) -> Any:
        """The meaning of an expression that is known at compilation: a number, a dimension, a function or a cell."""
        try:
            meaning = self.meaning(expression)
        except Problem as problem:
            unknown = problem.diagnostic
            if unknown.number == UNKNOWN_NAME.number and unknown.help is None and unknown.span is not None:
                raise Problem(replace(unknown, help=of_size(self, unknown.span.text))) from None
            raise
        if isinstance(meaning, (Value, Stream, Used)):
            title = f"{brief(expression.span.text)} is not known when the spec is compiled"
            size = of_size(self, expression.name) if isinstance(expression, syntax.Name) else None
            help = (
                size
                or of_number(self, expression)
                or ("use dimensions, numbers and loop indices; to choose at each step write where(c, a, b)")
            )
            raise self.problem(NOT_STATIC, title, expression.span, notes=self.origins(expression), help=help)
        return meaning

    def entry(self, expression: syntax.Expression) -> Any:
        """An entry of the square brackets after a cell: a number, a dimension, a function or a cell."""
        value = self.static(expression)
        if isinstance(value, Shared):
            title = f"{brief(expression.span.text)} is an instance; pass the cell itself"
            raise self.problem(WRONG_DIMENSIONS, title, expression.span)
        return value

    def number(self, expression: syntax.Expression) -> float:
        """An expression as a number; a symbolic dimension counts as 1."""
        value = self.static(expression)
        if not is_number(value):
            raise self.problem(NOT_STATIC, f"{brief(expression.span.text)} is not a number", expression.span)
        return self.finite(value, expression.span)

    def finite(self, value: Any, span: Span) -> float:
        """A number as it enters the graph."""
        result = as_float(value)
        if not math.isfinite(result):
            raise self.problem(NO_FINITE_VALUE, f"{brief(span.text)} has no finite value", span)
        return result

    def integer(self, expression: syntax.Expression) -> int:
        """An expression as a whole number; a symbolic dimension must get its number for this."""
        value = decided(self.static(expression))
        found = whole(value)
        if found is None:
            title = f"{brief(expression.span.text)}{_equals(expression, value)} is not a whole number"
            raise self.problem(NOT_STATIC, title, expression.span)
        return found

    def truth(self, expression: syntax.Expression, op: str = "") -> bool:
        """An expression as a condition; `op` is the `and`, `or` or `not` around it."""
        try:
            return bool(decided(self.static(expression)))
        except Problem as problem:
            if problem.diagnostic.number != NOT_STATIC.number or not op:
                raise
            raise Problem(replace(problem.diagnostic, help=AT_RUN_TIME[op])) from None

    def condition(self, expression: syntax.Expression, op: str = "") -> bool | Value:
        """Whether a condition holds; in a formula, if it differs from element to element, 1 or 0 for each of them."""
        meaning = self.plain(expression) if self.tabulates else None
        if isinstance(meaning, Value):
            return meaning
        return bool(decided(meaning)) if is_number(meaning) else self.truth(expression, op)

    def dimension(self, expression: syntax.Expression) -> int | Poly:
        """An expression as a dimension: a polynomial of symbols, or a positive whole number."""
        value = self.static(expression)
        if isinstance(value, Poly):
            return value
        size = whole(value)
        text = f"{brief(expression.span.text)}{_equals(expression, value)}"
        if size is None:
            title, help = f"{text} is not a dimension", "a dimension is a whole number, or an expression of dimensions"
            raise self.problem(MALFORMED_DIMENSION, title, expression.span, help=help)
        if fault := fault_of_size(size):
            raise self.problem(MALFORMED_DIMENSION, f"{text} is not a dimension: {fault}", expression.span)
        return size

    def shape(self, shape: syntax.Shape) -> tuple[Dim, ...]:
        """The dimensions of a shape."""
        return tuple([self.dimension(d) for d in shape.dimensions])

    def bounds(self, range_: syntax.Range) -> tuple[int, int]:
        """First and last of a range."""
        return self.integer(range_.first), self.integer(range_.last)

    # ------------------------------------------------------------------------------------------------- expressions

    def meaning(self, expression: syntax.Expression, direct: bool = False) -> Any:
        """What an expression means; `direct`: it is the whole of a definition."""
        self.work.enter(expression.span)
        try:
            return self.work.forms[type(expression)](self, expression, direct)
        finally:
            self.work.depth -= 1

    def named(self, expression: syntax.Name, called: bool = False) -> Any:
        """What a name means; `called`: its arguments follow."""
        found = self.find(expression.name)
        if found is not None:
            return found
        name, defined = expression.name, self.scope.defined
        if not self.alone and defined.is_family(name):
            members = defined.members(name)
            help = f"its members are {', '.join(members[:6])}{' ...' if len(members) > 6 else ''}"
            title = f"{name} is a family; say which member"
            raise self.problem(NOT_A_VALUE, title, expression.span, notes=self.scope.notes(name), help=help)
        raise self._unknown(name, expression.span, called)

    def _unknown(self, name: str, span: Span, called: bool) -> Problem:
        module, defined = self.scope.definition.module, self.scope.defined
        if (name in defined.spoilt and not self.alone) or name in module.missing:
            raise Poisoned
        help = meant(self, name, called) if len(self.work.diagnostics) < MOST_HELPED else None
        return self.problem(UNKNOWN_NAME, f"{name} is not defined", span, help=help)

    # ------------------------------------------------------------------------------------------------------- names

    def use_name(self, written: str, direct: bool) -> str:
        """The name of a use, which prefixes the names of its parameters."""
        return self.target if direct else f"{self.target}.{self.numbered(written)}"

    def numbered(self, what: str) -> str:
        """A name for something in this definition; from the second on with a number."""
        self.counts[what] = self.counts.get(what, 0) + 1
        return f"{what}_{self.counts[what]}" if self.counts[what] > 1 else what


def _equals(expression: syntax.Expression, value: Any) -> str:
    """` = 1.5` after an expression that is not written like this already."""
    text = spelt(value)
    return f" = {text}" if is_number(value) and text != expression.span.text else ""
