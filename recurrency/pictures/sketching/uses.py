"""Who reads what: the streams that an expression uses, how far delayed, and on which clock its value lives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from recurrency.language import syntax
from recurrency.language.syntax import Expression
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.pictures.sketching.static import Env, numbers_of, static
from recurrency.pictures.sketching.unroll import Instance, Key, reference

OVER_TIME = frozenset({"first", "last", "sum_over_time", "mean_over_time"})
"""Functions of a whole stream whose value is one for each sequence."""


@dataclass(frozen=True)
class Use:
    """`key` is read `delay` steps back."""

    key: Key
    delay: int = 0


def uses(expression: Expression, env: Env, streams: Container[Key], delay: int = 0) -> Iterator[Use]:
    """Every use of one of `streams`, as often as it is written; first states, those in `init(h)` too, are left out."""
    named = reference(expression)
    if named is not None:
        key = named.key(env)
        if key is not None and key in streams:
            yield Use(key, delay + named.delay(env))
        return
    match expression:
        case syntax.From(call=call):
            yield from uses(call, env, streams, delay)
        case syntax.Comprehension(body=body, clauses=clauses):
            for inner in turns(clauses, env):
                yield from uses(body, inner, streams, delay)
        case syntax.Subscript(value=value, indices=(step,)):
            yield from uses(value, env, streams, delay - (static(step, {**env, "t": 0}) or 0))
        case _:
            for child in operands(expression):
                yield from uses(child, env, streams, delay)


def turns(clauses: tuple[syntax.Clause, ...], env: Env) -> Iterator[Env]:
    """The environments of a comprehension's turns."""
    if not clauses:
        yield env
        return
    clause, *rest = clauses
    for number in numbers_of(clause.range, env):
        inner = {**env, clause.index: number}
        if clause.condition is None or static(clause.condition, inner) != 0:
            yield from turns(tuple(rest), inner)


def operands(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly below one that is neither a name nor a comprehension; the callee is none of them."""
    match expression:
        case syntax.Unary(operand=operand):
            return (operand,)
        case syntax.Binary(left=left, right=right):
            return (left, right)
        case syntax.Conditional(then=then, otherwise=otherwise):
            return (then, otherwise)
        case syntax.Attribute(value=value):
            return (value,)
        case syntax.Call(callee=syntax.Name(name="init")):
            return ()  # the first value of a state is no use of the state
        case syntax.Call(arguments=arguments, keywords=keywords):
            return (*arguments, *(k.value for k in keywords))
        case syntax.Comprehension(body=body):
            return (body,)
    return ()


def clock_of(expression: Expression, env: Env, clocks: Mapping[Key, str | None]) -> str | None:
    """The clock of a value, as far as those of `clocks` are known; None for one value a sequence, or not known."""
    named = reference(expression)
    if named is not None:
        key = named.key(env)
        return clocks.get(key) if key is not None else None
    match expression:
        case syntax.Call(callee=syntax.Name(name=name), arguments=arguments):
            if name in OVER_TIME:
                return None
            if name in FUNCTIONS and FUNCTIONS[name].bridges and arguments:
                return clock_of(arguments[0], env, clocks)
        case syntax.From(call=call):
            return clock_of(call, env, clocks)
        case syntax.Comprehension(body=body, clauses=clauses):
            return next((c for e in turns(clauses, env) if (c := clock_of(body, e, clocks))), None)
    return next((c for o in operands(expression) if (c := clock_of(o, env, clocks))), None)


def clocks_of(instances: Mapping[Key, Instance], given: Mapping[Key, str | None]) -> dict[Key, str | None]:
    """The clocks of all streams, from those that are given: what reads a stream is asked once its clock is known."""
    streams = {**instances, **given}
    found, readers = dict(given), defaultdict[Key, dict[Key, None]](dict)
    for key, one in instances.items():
        for use in uses(one.value, one.env, streams):
            readers[use.key][key] = None
    asked: Iterable[Key] = instances
    while asked:
        new = {k: c for k in asked if k not in found and (c := clock_of(instances[k].value, instances[k].env, found))}
        found.update(new)
        asked = dict.fromkeys(reader for key in new for reader in readers[key])
    return found
