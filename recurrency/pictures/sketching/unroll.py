"""The equations of a cell one by one: static loops unrolled, conditions decided, uses of other cells taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.pictures.sketching.static import (
    Env,
    mentions_time,
    numbers_of,
    resolve,
    static,
    transform,
    transform_below,
)

Key = tuple[str, tuple[int, ...]]
"""A stream, or the member of a family."""


@dataclass(frozen=True)
class Instance:
    """One equation with all its indices known; `free[i]` is the loop index that chose the i-th number, if one did."""

    key: Key
    value: Expression
    env: Mapping[str, int]
    free: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Reference:
    """`h`, `h[2]`, `h[t-1]`, `h[2][t-1]`: a name, the indices of its member, and the step where it is not this one."""

    name: str
    indices: tuple[Expression, ...] = ()
    step: Expression | None = None

    def key(self, env: Env) -> Key | None:
        """The stream that is meant; None where an index is not known."""
        numbers = [static(i, env) for i in self.indices]
        known = tuple(n for n in numbers if n is not None)
        return (self.name, known) if len(known) == len(numbers) else None

    def delay(self, env: Env) -> int:
        """How many steps back; negative for a step ahead."""
        return 0 if self.step is None else -(static(self.step, {**env, "t": 0}) or 0)


def reference(expression: Expression) -> Reference | None:
    """The expression as a reference, None where it is something else."""
    if isinstance(expression, syntax.Name):
        return Reference(expression.name)
    if not isinstance(expression, syntax.Subscript) or expression.keywords:
        return None
    inner = reference(expression.value)
    if inner is None or inner.step is not None:
        return None
    if len(expression.indices) == 1 and mentions_time(expression.indices[0]):
        return replace(inner, step=expression.indices[0])
    return replace(inner, indices=inner.indices + expression.indices)


def unroll(statements: Iterable[syntax.Statement], env: Env) -> Iterator[Instance]:
    """Every equation of the statements, for every turn of the loops around it."""
    for statement in statements:
        match statement:
            case syntax.Equation(target=target, value=value):
                yield from _members(target, value, env)
            case syntax.For(index=index, range=bounds, body=body):
                for number in numbers_of(bounds, env):
                    yield from unroll(body, {**env, index: number})


def _members(target: syntax.Target, value: Expression, env: Env) -> Iterator[Instance]:
    numbers = tuple(static(i, env) or 0 for i in target.indices if not isinstance(i, syntax.Range))
    free = tuple(i.name if isinstance(i, syntax.Name) else None for i in target.indices)
    yield Instance((target.name, numbers), decide(value, env), env, free)


def decide(expression: Expression, env: Env) -> Expression:
    """The expression with every condition that is known replaced by its branch."""
    decided: Expression = transform(expression, lambda e: resolve(e, env) if isinstance(e, syntax.Conditional) else e)
    return decided


def callee(expression: Expression, cells: Iterable[str]) -> str | None:
    """The name of the cell that a call uses, None where the expression is no call of a cell.

    A cell is told by its square brackets, or because it is known as one, or by its capital letter.
    """
    if isinstance(expression, syntax.From):
        expression = expression.call
    if not isinstance(expression, syntax.Call):
        return None
    match expression.callee:
        case syntax.Subscript(value=syntax.Name(name=name)):
            return name
        case syntax.Name(name=name) if name in cells or name[:1].isupper():
            return name
    return None


def lift_cells(instance: Instance, cells: Iterable[str]) -> list[Instance]:
    """The instance, and one more for each use of a cell inside its expression, whose place a reference to it takes.

    The new ones are called `LSTM#1`, `LSTM#2`, after the cell and the stream that they are part of.
    """
    lifted: dict[str, Instance] = {}

    def lift(expression: Expression) -> Expression:
        if isinstance(expression, syntax.From) and (inner := reference(expression.call)) and inner.name in lifted:
            call = lifted[inner.name]
            lifted[inner.name] = replace(call, value=replace(expression, call=call.value))
            return expression.call
        name = callee(expression, cells)
        if name is None or isinstance(expression, syntax.From):
            return expression
        key = (f"{name}#{len(lifted) + 1}.{instance.key[0]}", instance.key[1])
        lifted[key[0]] = replace(instance, key=key, value=expression, free=())
        stand_in = syntax.Name(expression.span, key[0])
        indices = tuple(syntax.Number(expression.span, n) for n in key[1])
        return syntax.Subscript(expression.span, stand_in, indices) if indices else stand_in

    value = instance.value
    if callee(value, cells) is None:
        value = transform(value, lift)
    elif isinstance(value, syntax.From):
        first = tuple(transform_below(f, lift) for f in value.first)
        value = replace(value, call=transform_below(value.call, lift), first=first)
    else:
        value = transform_below(value, lift)
    return [*lifted.values(), replace(instance, value=value)]
