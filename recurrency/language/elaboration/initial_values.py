"""Initial values: of parameters, which are drawn, and of states, which are drawn or computed."""

from __future__ import annotations

from recurrency.errors import Span, UsageError, nearest
from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    INITIALISER_MISMATCH,
    INPUT_MISMATCH,
    WRONG_INITIAL_STATE,
    WRONG_INITIALISER,
    brief,
)
from recurrency.language.elaboration.definitions import Env
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.meanings import ParamInfo
from recurrency.language.elaboration.scope import Scope
from recurrency.language.foreign_names import drawn_elsewhere
from recurrency.language.vocabulary.drawing import Initialiser
from recurrency.language.vocabulary.initialisers import INITIALISERS, PRODUCT
from recurrency.language.vocabulary.table import shown


def fitting(
    scope: Scope, value: Value, type_: Type, span: Span, name: str, notes: tuple[str, ...] | None = None
) -> Value:
    """An initial value: not a stream, and of the shape of its state (a number is used for all elements)."""
    if value.type.kind is Kind.STREAM:
        help = "take one of its steps, with last(...) or first(...)"
        raise scope.problem(WRONG_INITIAL_STATE, f"the initial value of {name} is a stream", span, help=help)
    value = value.to_shape(type_.shape)
    if value.type.shape != type_.shape:
        title = f"the state {name} is {shown(type_)}, but its initial value is {shown(value.type)}"
        notes = scope.notes(name.split("[")[0]) if notes is None else notes
        raise scope.problem(WRONG_INITIAL_STATE, title, span, notes=notes)
    return value


def drawn(scope: Scope, name: str, draw: syntax.Initialiser, shape: tuple[Dim, ...], env: Env) -> Value:
    """A trained value: a parameter, which all calls of an instance share."""
    full, known = scope.home + name, scope.work.parameters
    info = known.get(full)
    if info is None:
        info = known[full] = ParamInfo(full, shape, initialiser_of(scope, draw, shape, env), draw.span)
    if info.shape != shape:
        one, other = shown(Type(Kind.STATIC, info.shape)), shown(Type(Kind.STATIC, shape))
        title = f"{full} is shared, but is {one} in one use and {other} in another"
        raise scope.problem(INPUT_MISMATCH, title, draw.span)
    if full not in scope.work.drawn:
        attrs = {"name": full, "type": Type(Kind.STATIC, shape)}
        scope.work.drawn[full] = scope.work.graph.add("param", [], attrs, span=draw.span)
    return scope.work.drawn[full]


def initialiser_of(
    scope: Scope, draw: syntax.Initialiser, shape: tuple[Dim, ...], env: Env
) -> tuple[str, tuple[float, ...]]:
    """The name of an initialiser, or the names of a product of several, and all their arguments."""
    found = [_factor(scope, factor, shape, env) for factor in (draw, *draw.factors)]
    return PRODUCT.join(name for name, _ in found), tuple([a for _, arguments in found for a in arguments])


def _factor(scope: Scope, draw: syntax.Initialiser, shape: tuple[Dim, ...], env: Env) -> tuple[str, tuple[float, ...]]:
    row = INITIALISERS.get(draw.name)
    if row is None:
        near = drawn_elsewhere(draw.name) or nearest(draw.name, INITIALISERS)
        help: str | None = f"did you mean {near}?" if near else f"there are {', '.join(INITIALISERS)}"
        raise scope.problem(WRONG_INITIALISER, f"unknown initialiser {draw.name}", draw.span, help=help)
    if not row.arguments and (draw.arguments or draw.keywords):
        raise scope.problem(WRONG_INITIALISER, f"{draw.name} takes no arguments", draw.span)
    evaluator = Evaluator(scope, env)
    positional = [_argument(evaluator, row, a) for a in draw.arguments]
    try:
        arguments = row.bind(positional, {k.name: _argument(evaluator, row, k.value) for k in draw.keywords})
    except UsageError as error:
        help = _both_ends(draw, positional)
        raise scope.problem(WRONG_INITIALISER, str(error), draw.span, help=help) from None
    known = not any(isinstance(d, Poly) for d in shape)
    mistake = row.check(tuple(shape), arguments) if known or draw.name != "sparse" else None
    if mistake:
        raise scope.problem(
            INITIALISER_MISMATCH, mistake, draw.span, label=f"the shape is {shown(Type(Kind.STATIC, shape))}"
        )
    return draw.name, arguments


def _argument(evaluator: Evaluator, row: Initialiser, expression: syntax.Expression) -> float:
    """An argument as a number; a word counts by its place among the words of the initialiser."""
    if not row.words:
        return evaluator.number(expression)
    if isinstance(expression, syntax.Name) and expression.name in row.words:
        return float(row.words.index(expression.name))
    title = f"{row.name} knows {', '.join(row.words)}, not {brief(expression.span.text)}"
    near = nearest(expression.span.text, row.words)
    help = f"did you mean {near}?" if near else None
    raise evaluator.problem(WRONG_INITIALISER, title, expression.span, help=help)


def _both_ends(draw: syntax.Initialiser, positional: list[float]) -> str | None:
    """The help for `uniform(0, 1)` and `normal(0.1)`, which other frameworks call with other arguments."""
    if draw.name == "uniform" and len(positional) == 2:
        return f"uniform(a) draws from -a to a; write between({', '.join(a.span.text for a in draw.arguments)})"
    given = {k.name: k.value.span.text for k in draw.keywords}
    if draw.name == "uniform" and {"low", "high"} & set(given):
        return f"uniform(a) draws from -a to a; write between({given.get('low', '0')}, {given.get('high', '1')})"
    if draw.name == "normal" and len(positional) == 1:
        return f"write normal(0, {draw.arguments[0].span.text})"
    if draw.name == "normal" and not positional:
        return f"write normal({given.get('mean', '0')}, {given.get('std', '0.1')})"
    return "write uniform(0.1), for example" if draw.name == "uniform" and not positional else None
