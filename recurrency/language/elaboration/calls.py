"""Calls: of functions of the language, functions of the user, cells and their instances."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from recurrency.graph.dimensions import Poly
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    INSTANT_CYCLE,
    NOT_CALLABLE,
    RECURSION,
    WRONG_ARGUMENTS,
    WRONG_CLAUSE,
    WRONG_INITIAL_STATE,
    brief,
)
from recurrency.language.elaboration.arguments import call_function
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.meanings import CellValue, Shared
from recurrency.language.elaboration.numbers import is_number
from recurrency.language.elaboration.scope import FnValue
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.elaboration.slopes import sloped
from recurrency.language.elaboration.streams import Stream
from recurrency.language.elaboration.uses import use_cell
from recurrency.language.syntax import mentions_time
from recurrency.language.vocabulary.table import FUNCTIONS, Function


def call(
    evaluator: Evaluator,
    expression: syntax.Call,
    direct: bool,
    first: tuple[syntax.Keyword, ...] = (),
    changes: tuple[syntax.Changed | syntax.With, ...] = (),
) -> Any:
    """The meaning of a call; `first` are the initial states that `from` gives, `changes` the clauses that follow."""
    if isinstance(expression.callee, syntax.Name) and expression.callee.name == "init":
        return _init(evaluator, expression)
    try:
        callee = _callee(evaluator, expression.callee)
    except (Problem, Poisoned):
        _only_check(evaluator, expression.arguments)
        raise
    if isinstance(callee, (CellValue, Shared)):
        return use_cell(evaluator, expression, callee, direct, first, changes)
    if first:
        title = f"`from` gives initial states to a cell, and {brief(expression.callee.span.text)} is not a cell"
        raise evaluator.problem(WRONG_INITIAL_STATE, title, expression.span)
    if changes:
        name = brief(expression.callee.span.text)
        title = f"`{changes[0].word}` follows the use of a cell, and {name} is not a cell"
        raise evaluator.problem(WRONG_CLAUSE, title, expression.span)
    if isinstance(callee, FnValue):
        return _apply(evaluator, callee, expression)
    if isinstance(callee, Function):
        return call_function(evaluator, callee, expression)
    step = next((a for a in expression.arguments if mentions_time(a)), None)
    if step is None:
        _only_check(evaluator, expression.arguments)
    raise _no_function(evaluator, callee, expression.callee, step)


def _no_function(
    evaluator: Evaluator, callee: Any, expression: syntax.Expression, step: syntax.Expression | None
) -> Problem:
    what, notes = brief(expression.span.text), evaluator.origins(expression)
    help = f"for a product write {what} * (...) or {what} @ (...)"
    if isinstance(callee, Poly) and what == "N":
        help = "normal noise is noise(x, std); N is a dimension here"
    elif isinstance(callee, Poly):
        help = f"give {what} a default in the header, such as {what} = tanh or {what} = LSTM"
    elif step is not None:
        help = f"a step goes in square brackets: {what}[{step.span.text}]"
    title = f"{what} is neither a function nor a cell"
    return evaluator.problem(NOT_CALLABLE, title, expression.span, notes=notes, help=help)


def _only_check(evaluator: Evaluator, arguments: tuple[syntax.Expression, ...]) -> None:
    """Look for mistakes in the arguments of something that can't be called."""
    rest = [a for a in arguments if not isinstance(a, syntax.Comprehension)]
    evaluator.work.guarded(lambda: evaluator.all(evaluator.meaning, rest))


def _callee(evaluator: Evaluator, expression: syntax.Expression) -> Any:
    """What is called; a function of the language precedes a stream of the same name."""
    if not isinstance(expression, syntax.Name):
        base = expression.value if isinstance(expression, syntax.Subscript) else None
        if isinstance(base, syntax.Name) and not evaluator.finds(base.name):
            evaluator.named(base, called=True)  # `lstm[H](x)` is refused as `lstm(x)` is
        return evaluator.meaning(expression)
    found = evaluator.named(expression, called=True)
    is_function = expression.name in FUNCTIONS and expression.name not in evaluator.env
    return (
        FUNCTIONS[expression.name]
        if is_function and isinstance(found, (Value, Stream, int, float, Fraction))
        else found
    )


def _apply(evaluator: Evaluator, callee: FnValue, expression: syntax.Call) -> Any:
    """A function of the user, expanded: its parameters are local names for the arguments."""
    fn, calls = callee.fn, evaluator.calls
    if expression.keywords or len(expression.arguments) != len(fn.parameters):
        raise _miscounted(evaluator, fn, expression)
    if fn in calls:
        names = " calls ".join([f.name for f in calls[calls.index(fn) :]] + [fn.name])
        raise evaluator.problem(RECURSION, f"{names}: functions can't be recursive", expression.span)
    evaluator.work.count_definition(expression.span)
    values = evaluator.all(lambda e: _handed(evaluator, e), expression.arguments)
    try:
        inner = evaluator.of_function(callee, dict(zip(fn.parameters, values, strict=True)))
        return sloped(evaluator, fn, expression, inner) if fn.slopes else inner.plain(fn.body)
    except TooMuch:
        raise
    except Problem as problem:
        raise problem.noted(f"{fn.name} is called at {expression.span}") from None


def _miscounted(evaluator: Evaluator, fn: syntax.Fn, expression: syntax.Call) -> Problem:
    wanted, count = len(fn.parameters), len(expression.arguments) + len(expression.keywords)
    note = f"it is defined in {fn.span.source.name} at line {fn.span.line}"
    title = f"{fn.name} takes {wanted} value{'s' * (wanted != 1)}, not {count}"
    if expression.keywords and wanted == count:
        title = f"{fn.name} takes its arguments without names"
    help = f"it is called {fn.name}({', '.join(fn.parameters)})"
    return evaluator.problem(WRONG_ARGUMENTS, title, expression.span, notes=(note,), help=help)


def _handed(evaluator: Evaluator, expression: syntax.Expression) -> Any:
    """An argument of a function of the user; a stream stays a stream, so that the function can read its other steps."""
    meaning = evaluator.meaning(expression)
    as_it_is = isinstance(meaning, (FnValue, Function, CellValue, Shared, Stream)) or is_number(meaning)
    return meaning if as_it_is else evaluator.value_of(meaning, expression)


def _init(evaluator: Evaluator, expression: syntax.Call) -> Value:
    """`init(c)`: the declared initial value of a state, one value for each sequence.

    It is always computed from the declaration: what a caller passes may be the last state of the previous chunk of the
    sequence.
    """
    if len(expression.arguments) != 1 or expression.keywords:
        title = "init takes the name of one state"
        raise evaluator.problem(WRONG_ARGUMENTS, title, expression.span, help="write init(c)")
    argument = expression.arguments[0]
    stream = evaluator.meaning(argument)
    if not isinstance(stream, Stream) or stream.first is None:
        title, notes = f"{brief(argument.span.text)} is not a state", evaluator.origins(argument)
        raise evaluator.problem(WRONG_INITIAL_STATE, title, argument.span, notes=notes)
    if stream in evaluator.work.starting:
        for state in evaluator.work.starting:
            state.broken_first = True
        raise evaluator.problem(INSTANT_CYCLE, f"the initial value of {stream.name} needs itself", expression.span)
    return stream.initial().as_sequence()
