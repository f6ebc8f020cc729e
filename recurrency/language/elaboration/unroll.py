"""What a cell declares and defines, written out: loops unrolled, families member by member, nothing computed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from recurrency.errors import Span
from recurrency.language import syntax
from recurrency.language.diagnostics import DEFINED_TWICE, MALFORMED_STEP
from recurrency.language.elaboration.definitions import Env, Key, Table, Written
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.scope import Scope
from recurrency.language.syntax import mentions_time


def unroll(scope: Scope) -> None:
    """Fill the definitions of a cell from its body; a mistake is reported, and spoils the names that it defines."""
    _body(scope, scope.cell.body, {})


def _body(scope: Scope, body: tuple[syntax.Statement, ...], env: Env) -> None:
    for statement in body:
        write = STATEMENTS[type(statement)]
        scope.defined.attempt(_names(statement), write, scope, statement, env)


def _for(scope: Scope, loop: syntax.For, env: Env) -> None:
    first, last = Evaluator(scope, env).bounds(loop.range)
    for i in range(first, last + 1):
        scope.work.count_definition(loop.range.span)
        _body(scope, loop.body, {**env, loop.index: i})


def _param(scope: Scope, statement: syntax.Param | syntax.Const, env: Env) -> None:
    defined = scope.defined
    _write(scope, statement, statement.targets, env, defined.statics, defined.states, defined.equations)


def _state(scope: Scope, statement: syntax.State, env: Env) -> None:
    _write(scope, statement, statement.targets, env, scope.defined.states, scope.defined.statics)


def _equation(scope: Scope, statement: syntax.Equation, env: Env) -> None:
    _write(scope, statement, (statement.target,), env, scope.defined.equations, scope.defined.statics)


def _write(
    scope: Scope, statement: Any, targets: tuple[syntax.Target, ...], env: Env, table: Table, *others: Table
) -> None:
    """Enter a statement in a table under each of its keys; refuse keys that this table or one of the others has."""
    for key, span in _keys(scope, targets, env):
        scope.defined.claim(key, span, (*others, table))
        table[key] = Written(statement, env, span)


def _fn(scope: Scope, fn: syntax.Fn, env: Env) -> None:
    defined = scope.defined
    if env:
        title, help = (
            f"fn {fn.name} is defined again at each turn of a loop",
            "move it out of the loop, and pass the index",
        )
        raise scope.work.problem(DEFINED_TWICE, title, fn.span, help=help)
    defined.claim((fn.name, ()), fn.span, (defined.statics, defined.states, defined.equations))
    if fn.name in defined.functions:
        raise defined.twice(fn.name, fn.span, defined.functions[fn.name].span)
    defined.functions[fn.name] = fn


def _loss(scope: Scope, loss: syntax.Loss, env: Env) -> None:
    scope.defined.losses.append((loss, env))


STATEMENTS: dict[type, Callable[[Scope, Any, Env], None]] = {
    syntax.Param: _param,
    syntax.Const: _param,
    syntax.State: _state,
    syntax.Equation: _equation,
    syntax.Fn: _fn,
    syntax.Loss: _loss,
    syntax.For: _for,
}


# --------------------------------------------------------------------------------------------------------- what names


def _keys(scope: Scope, targets: tuple[syntax.Target, ...], env: Env) -> Iterator[tuple[Key, Span]]:
    """The names of targets, with each choice of their indices."""
    evaluator, work = Evaluator(scope, env), scope.work
    for target in targets:
        _refuse_step(scope, target)
        choices: list[range] = []
        for index in target.indices:
            ends = evaluator.bounds(index) if isinstance(index, syntax.Range) else (evaluator.integer(index),) * 2
            choices.append(range(ends[0], ends[1] + 1))
        for choice in choices:
            work.count_range(len(choice), target.span)
        for indices in itertools.product(*choices):
            work.count_definition(target.span)
            yield (target.name, indices), target.span


def _refuse_step(scope: Scope, target: syntax.Target) -> None:
    """Refuse `h[t] = ...`: an equation gives the value of a name at each step."""
    steps = [i for i in target.indices if mentions_time(i)]
    if not steps:
        return
    rest = [i.span.text for i in target.indices if i not in steps]
    name = f"{target.name}[{', '.join(rest)}]" if rest else target.name
    help = f"write {name} = ..."
    if not isinstance(steps[0], syntax.Name):
        help += f", and {name}[t-1] where it reads {name}"
    title = (
        f"{target.span.text} cannot be defined: an equation holds at every step, and its left side has no time index"
    )
    raise scope.work.problem(MALFORMED_STEP, title, target.span, help=help)


def _names(statement: syntax.Statement) -> list[str]:
    """The names that a statement defines."""
    if isinstance(statement, syntax.For):
        return [n for inner in statement.body for n in _names(inner)]
    if isinstance(statement, syntax.Equation):
        return [statement.target.name]
    if isinstance(statement, syntax.Fn):
        return [statement.name]
    return [] if isinstance(statement, syntax.Loss) else [t.name for t in statement.targets]
