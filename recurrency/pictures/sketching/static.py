"""What is known before any stream flows: the numbers of indices and dimensions, and walks over expressions."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

from recurrency.language import syntax
from recurrency.language.syntax import Expression, walk

Env = Mapping[str, int]

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
}
"""The quotient rounds down, where the compiler would refuse one that is not whole: a picture need not be strict."""


def static(expression: Expression, env: Env) -> int | None:
    """The value of an expression over indices and dimensions, None where it is not known."""
    match expression:
        case syntax.Number(value=int() as number):
            return number
        case syntax.Name(name=name):
            return env.get(name)
        case syntax.Unary(op=op, operand=operand):
            value = static(operand, env)
            return None if value is None else (int(not value) if op == "not" else -value)
        case syntax.Binary(op=op, left=left, right=right) if op in _OPERATIONS:
            a, b = static(left, env), static(right, env)
            if a is None or b is None or (op == "/" and b == 0):
                return None
            return int(_OPERATIONS[op](a, b))
        case syntax.Conditional():
            chosen = resolve(expression, env)
            return None if chosen is expression else static(chosen, env)
    return None


def resolve(expression: Expression, env: Env) -> Expression:
    """The branch that a condition on indices selects; the expression itself where it is not one or not known."""
    while isinstance(expression, syntax.Conditional):
        condition = static(expression.condition, env)
        if condition is None:
            break
        expression = expression.then if condition else expression.otherwise
    return expression


def mentions_time(expression: Expression) -> bool:
    """Whether an index speaks of a step: `t`, `t-1`."""
    return any(isinstance(e, syntax.Name) and e.name == "t" for e in walk(expression))


def transform(expression: Any, change: Callable[[Any], Any]) -> Any:
    """The expression rebuilt from below, each piece of syntax replaced by what `change` makes of it."""
    return change(transform_below(expression, change))


def transform_below(expression: Any, change: Callable[[Any], Any]) -> Any:
    """Like `transform`, except that the expression itself stays what it is."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(expression):
        value = getattr(expression, field.name)
        if isinstance(value, tuple):
            fields[field.name] = tuple(transform(v, change) if dataclasses.is_dataclass(v) else v for v in value)
        elif field.name != "span" and dataclasses.is_dataclass(value):
            fields[field.name] = transform(value, change)
    return dataclasses.replace(expression, **fields)


def numbers_of(bounds: syntax.Range, env: Env, unknown: int = 2) -> range:
    """The numbers of `first..last`; an end that is not known counts as `unknown`."""
    first, last = static(bounds.first, env), static(bounds.last, env)
    return range(1 if first is None else first, (unknown if last is None else last) + 1)
