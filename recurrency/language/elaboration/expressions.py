"""What each form of expression means: numbers are computed, streams become nodes of the graph."""

from __future__ import annotations

from typing import Any

from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    NO_FINITE_VALUE,
    NOT_A_VALUE,
    PRODUCT_MISMATCH,
    WRONG_ARGUMENTS,
    WRONG_CLAUSE,
    WRONG_INITIAL_STATE,
    brief,
)
from recurrency.language.elaboration.arguments import call_function
from recurrency.language.elaboration.calls import call
from recurrency.language.elaboration.constants import drawn_once, formula
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.numbers import compute, is_number, negated
from recurrency.language.elaboration.products import combined
from recurrency.language.elaboration.subscripts import attribute, subscript
from recurrency.language.elaboration.walk import Form
from recurrency.language.vocabulary.table import FUNCTIONS


def _unary(evaluator: Evaluator, expression: syntax.Unary, direct: bool) -> Any:
    if expression.op == "not":
        holds = evaluator.condition(expression.operand, "not")
        return holds.apply("equal", 0.0) if isinstance(holds, Value) else not holds
    meaning = evaluator.plain(expression.operand)
    return negated(meaning) if is_number(meaning) else -evaluator.real(expression.operand, meaning)


def _binary(evaluator: Evaluator, expression: syntax.Binary, direct: bool) -> Any:
    op, left, right, span = expression.op, expression.left, expression.right, expression.span
    if op in ("and", "or"):
        first = evaluator.condition(left, op)
        if not isinstance(first, Value):
            return evaluator.condition(right, op) if first == (op == "and") else first
        second = evaluator.condition(right, op)
        return first.where(second, 0.0) if op == "and" else first.where(1.0, second)
    one, two = evaluator.all(evaluator.plain, (left, right))
    if not (is_number(one) and is_number(two)):
        return combined(evaluator, expression, evaluator.real(left, one), evaluator.real(right, two))
    if op == "@":
        title = "@ multiplies matrices and vectors, not numbers"
        raise evaluator.problem(PRODUCT_MISMATCH, title, span, help="write *")
    try:
        return compute(op, one, two)
    except (ArithmeticError, ValueError):
        raise evaluator.problem(NO_FINITE_VALUE, f"{brief(span.text)} has no finite value", span) from None


CONDITION = "the condition"
"""The name of a condition that has been evaluated; no spec can write it."""


def _conditional(evaluator: Evaluator, expression: syntax.Conditional, direct: bool) -> Any:
    holds = evaluator.condition(expression.condition)
    if not isinstance(holds, Value):
        return evaluator.meaning(expression.then if holds else expression.otherwise, direct)
    condition, callee = (syntax.Name(expression.condition.span, name) for name in (CONDITION, "where"))
    call = syntax.Call(expression.span, callee, (condition, expression.then, expression.otherwise))
    return call_function(evaluator.inner({**evaluator.env, CONDITION: holds}), FUNCTIONS["where"], call)


def _comprehension(evaluator: Evaluator, expression: syntax.Comprehension, direct: bool) -> Any:
    title = "`for` belongs in the brackets of sum, mean, concat, max or min"
    raise evaluator.problem(WRONG_ARGUMENTS, title, expression.span)


def _literal(evaluator: Evaluator, expression: syntax.Text | syntax.Shape, direct: bool) -> Any:
    title = f"{brief(expression.span.text)} is not a value"
    help = 'texts and shapes are arguments, as in einsum("ij,j->i", A, x) and reshape(x, [M, D])'
    raise evaluator.problem(NOT_A_VALUE, title, expression.span, help=help)


def _from(evaluator: Evaluator, expression: syntax.From, direct: bool) -> Any:
    if not isinstance(expression.call, syntax.Call):
        raise evaluator.problem(WRONG_INITIAL_STATE, "`from` follows the use of a cell", expression.span)
    return call(evaluator, expression.call, direct, expression.first)


def _changed(evaluator: Evaluator, expression: syntax.Changed | syntax.With, direct: bool) -> Any:
    """A use with clauses such as `reset start`; `from` is nearest to the call."""
    changes, use, first = list[syntax.Changed | syntax.With](), expression.use, tuple[syntax.Keyword, ...]()
    changes.append(expression)
    while isinstance(use, syntax.Changed | syntax.With):
        changes.append(use)
        use = use.use
    if isinstance(use, syntax.From):
        first, use = use.first, use.call
    if not isinstance(use, syntax.Call):
        title = f"`{expression.word}` follows the use of a cell, and {brief(use.span.text)} is none"
        raise evaluator.problem(
            WRONG_CLAUSE, title, use.span, help=f"write LSTM[H](x) {_EXAMPLES[expression.word]}, for example"
        )
    return call(evaluator, use, direct, first, tuple(reversed(changes)))


_EXAMPLES = {"reset": "reset s", "when": "when s", "with": "with (h = s)"}
FORMS: dict[type, Form] = {
    syntax.Number: lambda evaluator, expression, direct: expression.value,
    syntax.Name: lambda evaluator, expression, direct: evaluator.named(expression),
    syntax.Unary: _unary,
    syntax.Binary: _binary,
    syntax.Conditional: _conditional,
    syntax.Comprehension: _comprehension,
    syntax.Subscript: lambda evaluator, expression, direct: subscript(evaluator, expression),
    syntax.Attribute: lambda evaluator, expression, direct: attribute(evaluator, expression),
    syntax.Call: call,
    syntax.From: _from,
    syntax.Changed: _changed,
    syntax.With: _changed,
    syntax.Text: _literal,
    syntax.Shape: _literal,
    syntax.Formula: formula,
    syntax.Initialiser: drawn_once,
}
