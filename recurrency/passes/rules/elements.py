"""Rules of simplification for element-wise operations."""

from __future__ import annotations

from collections.abc import Callable
from math import frexp, isfinite

import numpy as np

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.value import Value, constant
from recurrency.passes.rewriting import Rule, filled, made_by, number


def fold(graph: Graph, node: Node) -> Value | None:
    """An operation on numbers is a number."""
    numbers = [number(graph, a) for a in node.args]
    if not node.op.elementwise or not numbers or None in numbers:
        return None
    assert node.op.meaning is not None
    with np.errstate(all="ignore"):
        value = float(node.op.meaning(*map(np.float64, numbers), **node.attrs))
    return filled(graph, value, node.type) if isfinite(value) else None


def before_spread(graph: Graph, node: Node) -> Value | None:
    """f(spread x) = spread f(x), and spread x + y = x + y: what is the same at all steps is computed once.

    Not if f clips its adjoint: the sum of clipped adjoints is not their sum, clipped.
    """
    if node.op.meaning is None or Trait.CLIPS in node.op.traits:
        return None
    args = tuple(n.args[0] if (n := made_by(graph, a, "spread")) else a for a in node.args)
    return graph.add(node.op, args, node.attrs) if args != node.args else None


def before_expand(graph: Graph, node: Node) -> Value | None:
    """f(expand x, expand y) = expand f(x, y), with the same exception."""
    if not node.op.elementwise or Trait.CLIPS in node.op.traits:
        return None
    numbers = [number(graph, a) for a in node.args]
    others = [graph[a] for a, known in zip(node.args, numbers, strict=True) if known is None]
    if not others or any(Trait.REPEATS not in n.op.traits or n.attrs != others[0].attrs for n in others):
        return None
    inner = graph[others[0].args[0]].type
    args = [
        graph[a].args[0] if known is None else filled(graph, known, inner).id
        for a, known in zip(node.args, numbers, strict=True)
    ]
    return graph.add(node.op, args, node.attrs).expand(**others[0].attrs)


def pair(graph: Graph, node: Node) -> tuple[Value, Value]:
    """Both arguments."""
    return graph.value(node.args[0]), graph.value(node.args[1])


def neutral(element: float, left: bool = True) -> Rule:
    """x + 0 = x, and 0 + x = x."""

    def rule(graph: Graph, node: Node) -> Value | None:
        a, b = pair(graph, node)
        if number(graph, b.id) == element:
            return a
        return b if left and number(graph, a.id) == element else None

    return rule


def absorbing(graph: Graph, node: Node) -> Value | None:
    """x * 0 = 0 for a literal zero, of the compiler or of the user."""
    return filled(graph, 0.0, node.type) if 0 in [number(graph, a) for a in node.args] else None


def zero_over(graph: Graph, node: Node) -> Value | None:
    """0 / x = 0."""
    return filled(graph, 0.0, node.type) if number(graph, node.args[0]) == 0 else None


def minus_one(graph: Graph, node: Node) -> Value | None:
    """x * -1 = -x."""
    a, b = pair(graph, node)
    if number(graph, b.id) == -1:
        return -a
    return -b if number(graph, a.id) == -1 else None


def constants(combine: Callable[[float, float], float]) -> Rule:
    """(x * 2) * 3 = x * 6."""

    def rule(graph: Graph, node: Node) -> Value | None:
        outer, other = _split(graph, node)
        if outer is None or (inside := graph[other]).op is not node.op:
            return None
        inner, rest = _split(graph, inside)
        if inner is None:
            return None
        return graph.value(rest).apply(node.op.name, combine(outer, inner))

    return rule


def _split(graph: Graph, node: Node) -> tuple[float | None, int]:
    """The number among two arguments, and the other argument."""
    a, b = node.args
    value = number(graph, b)
    return (value, a) if value is not None else (number(graph, a), b)


def add_negative(graph: Graph, node: Node) -> Value | None:
    """x + -y = x - y."""
    a, b = pair(graph, node)
    if (n := made_by(graph, b.id, "negative")) is not None:
        return a - graph.value(n.args[0])
    return b - graph.value(n.args[0]) if (n := made_by(graph, a.id, "negative")) is not None else None


def double(graph: Graph, node: Node) -> Value | None:
    """x + x = 2 x."""
    a, b = pair(graph, node)
    return a * 2.0 if a == b else None


def subtract_rules(graph: Graph, node: Node) -> Value | None:
    """0 - x = -x, x - -y = x + y, x - x = 0."""
    a, b = pair(graph, node)
    if number(graph, a.id) == 0:
        return -b
    if (n := made_by(graph, b.id, "negative")) is not None:
        return a + graph.value(n.args[0])
    return filled(graph, 0.0, node.type) if a == b else None


def negative_factors(graph: Graph, node: Node) -> Value | None:
    """-x * y = -(x * y): signs move outwards, where they meet."""
    found = [made_by(graph, a, "negative") for a in node.args]
    if found == [None, None]:
        return None
    a, b = (graph.value(n.args[0] if n else arg) for n, arg in zip(found, node.args, strict=True))
    result = a.apply(node.op.name, b)
    return result if all(found) else -result


def negative_rules(graph: Graph, node: Node) -> Value | None:
    """--x = x, -(x - y) = y - x, -(x * 2) = x * -2."""
    (arg,) = node.args
    if (inner := made_by(graph, arg, "negative")) is not None:
        return graph.value(inner.args[0])
    if (inner := made_by(graph, arg, "subtract")) is not None:
        a, b = pair(graph, inner)
        return b - a
    if (inner := made_by(graph, arg, "multiply")) is not None:
        value, other = _split(graph, inner)
        return graph.value(other) * -value if value is not None else None
    return None


def reciprocal(graph: Graph, node: Node) -> Value | None:
    """x / 4 = x * 0.25, for powers of two, where both are exact."""
    value = number(graph, node.args[1])
    if not value or abs(frexp(value)[0]) != 0.5:
        return None
    return graph.value(node.args[0]) * (1.0 / value)


def _inverse(x: Value) -> Value:
    return constant(x.graph, 1.0).apply("divide", x)


POWERS: dict[float, Callable[[Value], Value]] = {
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    3.0: lambda x: x * x * x,
    -1.0: lambda x: _inverse(x),
    0.5: lambda x: x.apply("sqrt"),
    -0.5: lambda x: _inverse(x.apply("sqrt")),
}


def power(graph: Graph, node: Node) -> Value | None:
    """x^2 = x * x, and the like for other small powers."""
    exponent = number(graph, node.args[1])
    if exponent == 0:
        return filled(graph, 1.0, node.type)
    form = POWERS.get(exponent) if exponent is not None else None
    return form(graph.value(node.args[0])) if form else None


def where(graph: Graph, node: Node) -> Value | None:
    """where(1, x, y) = x, where(0, x, y) = y, where(c, x, x) = x."""
    choice, a, b = (number(graph, arg) for arg in node.args)
    if choice is not None:
        return graph.value(node.args[1 if choice else 2])
    same = node.args[1] == node.args[2] or (a is not None and a == b)
    return graph.value(node.args[1]) if same else None


def idempotent(graph: Graph, node: Node) -> Value | None:
    """max(x, x) = x."""
    return graph.value(node.args[0]) if node.args[0] == node.args[1] else None


RULES: dict[str, tuple[Rule, ...]] = {
    "*": (fold, before_spread, before_expand),
    "add": (neutral(0.0), add_negative, double, constants(lambda a, b: a + b)),
    "subtract": (neutral(0.0, left=False), subtract_rules),
    "multiply": (absorbing, neutral(1.0), minus_one, negative_factors, constants(lambda a, b: a * b)),
    "divide": (neutral(1.0, left=False), zero_over, negative_factors, reciprocal),
    "negative": (negative_rules,),
    "power": (power,),
    "where": (where,),
    "minimum": (idempotent,),
    "maximum": (idempotent,),
}
