"""Functions that state their derivatives: `fn spike(v) = where(v > 0, 1, 0) derivative 1 / (1 + abs(v)) ** 2`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from recurrency.graph.graph import PENDING, Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.graph.value import Value, constant
from recurrency.language import syntax
from recurrency.language.diagnostics import CLOCK_MISMATCH, WRONG_DERIVATIVE, brief
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.numbers import is_number
from recurrency.language.elaboration.streams import Stream
from recurrency.language.vocabulary.table import shown

FROM_OUTSIDE = {Trait.INPUT, Trait.PARAMETER, Trait.FIRST}


def sloped(evaluator: Evaluator, fn: syntax.Fn, call: syntax.Call, inner: Evaluator) -> Any:
    """The value of a call of `fn`, with the derivatives that it states; `inner` knows the arguments by name.

    No other gradient flows: what the value is computed from counts for its value alone.
    """
    body = inner.plain(fn.body)
    moving = [
        (name, k, evaluator.real(argument, evaluator.value_of(inner.env[name], argument)))
        for k, (name, argument) in enumerate(zip(fn.parameters, call.arguments, strict=True))
        if isinstance(inner.env[name], (Value, Stream))
    ]
    if not moving:
        return body
    y = _value(inner, fn, body, [x for _, _, x in moving])
    _refuse_more(inner, fn, y, [x.id for _, _, x in moving], fn.body)
    y = y.apply("stop_grad")
    for name, k, x in moving:
        if k >= len(fn.slopes):
            title = f"{fn.name} states no derivative in {name}, which is not a number here"
            help = "write one derivative for each parameter, separated by commas; 0 lets no gradient through"
            raise inner.problem(WRONG_DERIVATIVE, title, call.arguments[k].span, help=help)
        slope = inner.plain(fn.slopes[k])
        if not is_number(slope):
            slope = inner.real(fn.slopes[k], slope)
            _refuse_more(inner, fn, slope, [x.id for _, _, x in moving], fn.slopes[k])
        elif slope == 0:
            continue
        y = _added(inner, fn, name, y, x, slope, fn.slopes[k])
    return y


def _value(inner: Evaluator, fn: syntax.Fn, body: Any, arguments: Sequence[Value]) -> Value:
    """The value of the body, in the shape of the arguments where it is a number."""
    if not is_number(body):
        return inner.real(fn.body, body)
    shape = max((x.type.shape for x in arguments), key=len)
    return constant(inner.graph, inner.finite(body, fn.body.span)).to_shape(shape)


def _added(
    inner: Evaluator, fn: syntax.Fn, name: str, y: Value, x: Value, slope: Any, expression: syntax.Expression
) -> Value:
    """`y` with its derivative in the argument `x`."""
    s = slope if isinstance(slope, Value) else constant(inner.graph, inner.finite(slope, expression.span))
    shape = y.type.shape
    if x.type.shape not in ((), shape):
        title = f"{fn.name} has the value {shown(y.type)} and the argument {name} {shown(x.type)}"
        help = "a function that states its derivative works element by element: both have one shape"
        raise inner.problem(WRONG_DERIVATIVE, title, fn.body.span, help=help)
    if s.type.shape not in ((), shape):
        title = f"the derivative of {fn.name} in {name} is {shown(s.type)}, and its value {shown(y.type)}"
        raise inner.problem(WRONG_DERIVATIVE, title, expression.span, help="both have one shape, element by element")
    clocks = dict.fromkeys(str(v.type.clock) for v in (y, x, s) if v.type.kind is Kind.STREAM)
    if len(clocks) > 1:
        title = f"{fn.name} mixes streams over the clocks {' and '.join(clocks)}"
        raise inner.problem(CLOCK_MISMATCH, title, expression.span)
    return y.with_slope(x, s)


def _refuse_more(
    inner: Evaluator, fn: syntax.Fn, value: Value, arguments: Collection[int], expression: syntax.Expression
) -> None:
    """Refuse a value that depends on more than the arguments: its derivative there would be lost without a word."""
    graph, later, seen = inner.graph, [value.id], set(arguments)
    while later:
        id = later.pop()
        if id in seen:
            continue
        seen.add(id)
        node = graph[id]
        if node.delay or node.op.traits & FROM_OUTSIDE:
            what = _outside(graph, node, arguments)
            title = f"{fn.name} states its derivative, and {brief(expression.span.text)} depends on {what}"
            parameters = ", ".join((*fn.parameters, "b"))
            help = f"make it an argument with a derivative of its own: fn {fn.name}({parameters}) = ..."
            raise inner.problem(WRONG_DERIVATIVE, title, expression.span, help=help)
        later += [arg for arg in node.args if arg != PENDING]


def _outside(graph: Graph, node: Node, arguments: Collection[int]) -> str:
    """What a node reads, for a message."""
    if not node.delay:
        return str(node.attrs["name"])
    read = node.args[0]
    name = "an argument" if read in arguments or read == PENDING else graph[read].name or "a stream"
    return f"another step of {name}"
