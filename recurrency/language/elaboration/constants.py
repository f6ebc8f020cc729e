"""Fixed arrays: computed by a formula over indices, drawn once, given by the caller, or computed from other arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from recurrency.errors import Span, UsageError
from recurrency.graph.dimensions import Dim
from recurrency.graph.fixed import GREATEST_FIXED, Fixed
from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.op import Array, Trait
from recurrency.graph.text import graph_text
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    NO_FINITE_VALUE,
    NOT_STATIC,
    WRONG_ARGUMENTS,
    WRONG_INITIALISER,
    brief,
)
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.initial_values import initialiser_of
from recurrency.language.elaboration.scope import Scope
from recurrency.language.elaboration.signals import Problem
from recurrency.language.vocabulary.initialisers import draw, generator, spelling
from recurrency.language.vocabulary.table import shown

# ------------------------------------------------------------------------------------------------------------- values


def known(graph: Graph, value: Value) -> Array | None:
    """The elements of a constant value in float64; None while they depend on symbols, or on arrays not given."""
    needed = [graph[id] for id in graph.needed([value.id])]
    unknown = any(isinstance(of := node.attrs.get("of"), Fixed) and of.data is None for node in needed)
    if unknown or any(numbers(node.type.shape) is None for node in needed):
        return None
    return evaluate(graph.select({"value": value.id}), {})["value"]


def numbers(shape: tuple[Dim, ...]) -> tuple[int, ...] | None:
    """A shape, if it has no symbols."""
    sizes = tuple(size for size in shape if isinstance(size, int))
    return sizes if len(sizes) == len(shape) else None


def elements_of(scope: Scope, shape: tuple[Dim, ...], span: Span) -> tuple[int, ...] | None:
    """The shape of a constant whose elements are computed; None if they are not.

    Raises:
        Problem: there are too many.
    """
    sizes = numbers(shape) if scope.work.handed.computes else None
    if sizes is not None and prod(sizes) > GREATEST_FIXED:
        raise _too_many(scope, span)
    return sizes


def _too_many(scope: Scope, span: Span) -> Problem:
    title = f"the fixed arrays of this spec have more than {GREATEST_FIXED} elements"
    return scope.work.too_much(span, title, "use smaller dimensions")


def varies(graph: Graph, value: Value, computed: bool = False) -> str | None:
    """Why a value is no constant, after "its value" or "this"; None if it is one.

    A constant may be drawn anew at each call in training, as by `dropout`, unless it is `computed` now.
    """
    if value.type.kind is not Kind.STATIC:
        return "changes at run time"
    nodes = [graph[id] for id in sorted(graph.needed([value.id]))]
    trained = next((node for node in nodes if Trait.PARAMETER in node.op.traits), None)
    if trained is not None:
        return f"depends on the parameter {trained.attrs['name']}"
    return "is drawn in training" if computed and any(Trait.DRAWS in node.op.traits for node in nodes) else None


def meaning(graph: Graph, *values: Value) -> str:
    """A digest of the operations that compute some values: what an array without elements is known by."""
    texts = [graph_text(graph.select({"value": value.id})) for value in values]
    lines = [line.partition("   # ")[0] for text in texts for line in text.splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def fixed_value(scope: Scope, name: str, shape: tuple[Dim, ...], array: Array | None, span: Span) -> Value:
    """A fixed array as a node; without elements it is only its shape and name.

    Raises:
        Problem: an element is not finite, or there are too many.
    """
    graph = scope.work.graph
    if array is None:
        return graph.add("array", [], {"of": Fixed(shape, None, name)}, span=span)
    finite = np.isfinite(array)
    if not finite.all():
        at = np.argwhere(~finite)[0]
        place = f"[{', '.join(str(k + 1) for k in at)}]" if array.ndim else ""
        title = f"{name}{place} has no finite value"
        raise scope.problem(NO_FINITE_VALUE, title, span)
    if array.ndim == 0:
        return constant(graph, float(array))
    of = Fixed.of(array)
    scope.work.fixed[of.digest] = of.elements
    if sum(scope.work.fixed.values()) > GREATEST_FIXED:
        raise _too_many(scope, span)
    return graph.add("array", [], {"of": of}, span=span)


def computed(
    evaluator: Evaluator,
    text: str,
    span: Span,
    shape: tuple[Dim, ...],
    function: Callable[..., Array],
    arguments: Sequence[Value],
) -> Value:
    """A function of constants, computed now.

    Raises:
        Problem: an argument is no constant, or the result has elements that are not finite.
        ArithmeticError: the function has no value, with the reason.
    """
    graph = evaluator.graph
    arrays = [known(graph, value) for value in arguments]
    if elements_of(evaluator.scope, shape, span) is None or any(array is None for array in arrays):
        unknown = f"{function.__name__} {meaning(graph, *arguments)}"
        return fixed_value(evaluator.scope, unknown, shape, None, span)
    with np.errstate(all="ignore"):
        return fixed_value(evaluator.scope, brief(text), shape, np.asarray(function(*arrays)), span)


# ----------------------------------------------------------------------------------------------------------- formulas


def formula(evaluator: Evaluator, expression: syntax.Formula, direct: bool) -> Value:
    """`matrix(i, j: body)`: the body with arrays of indices for its names, computed now.

    In it, `a if i < j else b` chooses for each element.
    """
    shape, rank = evaluator.declared, len(expression.indices)
    _refuse(evaluator, expression)
    assert shape is not None
    graph, scope = evaluator.graph, evaluator.scope
    env, sizes = {**evaluator.env}, elements_of(scope, shape, expression.span)
    for axis, name in enumerate(expression.indices):
        unknown = Fixed(shape, None, f"index {axis + 1} of {rank}")
        of = unknown if sizes is None else Fixed.of(np.indices(sizes)[axis] + 1.0)
        env[name] = graph.add("array", [], {"of": of}, span=expression.span)
    inner = evaluator.inner(env)
    inner.tabulates = True
    value = inner.real(expression.body, inner.value(expression.body)).to_shape(shape)
    if reason := varies(graph, value, computed=True):
        title = f"an element of a formula is a constant, but this {reason}"
        raise evaluator.problem(NOT_STATIC, title, expression.body.span)
    if value.type.shape != shape:
        title = f"the body of a formula is a number for each element, not {shown(value.type)}"
        raise evaluator.problem(WRONG_ARGUMENTS, title, expression.body.span)
    array = known(graph, value)
    name = f"formula {meaning(graph, value)}" if array is None else evaluator.target
    return fixed_value(scope, name, shape, array, expression.span)


def _refuse(evaluator: Evaluator, expression: syntax.Formula) -> None:
    """Refuse a formula with the wrong number of indices, or outside of a constant."""
    kind, count, shape = expression.kind, len(expression.indices), evaluator.declared
    help = "write const A : [H, N] = matrix(i, j: ...), const a : [H] = vector(i: ...)"
    if shape is None:
        title = f"{kind}({', '.join(expression.indices)}: ...) stands only in the value of a const, whose shape it has"
        raise evaluator.problem(WRONG_ARGUMENTS, title, expression.span, help=help)
    if syntax.FORMULAS[kind] not in (0, count) or count != len(shape):
        axes = Type(Kind.STATIC, shape)
        title = f"{kind} with {count} {'index' if count == 1 else 'indices'} does not fit the constant {shown(axes)}"
        raise evaluator.problem(WRONG_ARGUMENTS, title, expression.span, help=help)


# -------------------------------------------------------------------------------------------------- drawn and given


def drawn_once(evaluator: Evaluator, expression: syntax.Initialiser, direct: bool) -> Value:
    """`const W : [H, H] ~ normal(0, 1)`: depends on the seed of constants and the name, like a parameter."""
    scope, shape = evaluator.scope, evaluator.declared
    assert shape is not None
    drawn = initialiser_of(scope, expression, shape, evaluator.env)
    full, sizes = scope.home + evaluator.target, elements_of(scope, shape, expression.span)
    if sizes is None:
        return fixed_value(scope, f"{full} ~ {spelling(*drawn)}", shape, None, expression.span)
    try:
        array = draw(*drawn, sizes, generator(scope.work.handed.seed, full))
    except UsageError as error:
        raise scope.problem(WRONG_INITIALISER, f"{full}: {error}", expression.span) from None
    return fixed_value(scope, full, shape, array, expression.span)


def given(scope: Scope, name: str, shape: tuple[Dim, ...], span: Span) -> Value:
    """`const M : [H, N] = given`: the array that the caller gives under this dotted name.

    Raises:
        UsageError: it has another shape.
    """
    full, handed = scope.home + name, scope.work.handed
    handed.used.add(full)
    found, sizes = handed.arrays.get(full), numbers(shape)
    if found is None or sizes is None:
        handed.missing |= {} if sizes is None else {full: sizes}
        return fixed_value(scope, f"{full} = given", shape, None, span)
    if found.shape != sizes:
        raise UsageError(f"{full} is {shown(Type(Kind.STATIC, shape))} ({span}), but its array is {list(found.shape)}")
    return fixed_value(scope, full, shape, found.array, span)
