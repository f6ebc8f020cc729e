"""Rules of simplification for operations across time and sequences."""

from __future__ import annotations

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.passes.rewriting import Rule, made_by, number
from recurrency.passes.rules.shapes import of_number, of_zero


def twice(op: str) -> Rule:
    """f(g(x)) = x, where g is the inverse of f: `reverse` of `reverse`."""

    def rule(graph: Graph, node: Node) -> Value | None:
        inner = made_by(graph, node.args[0], op)
        value = graph.value(inner.args[0]) if inner else None
        return value if value is not None and value.type == node.type else None

    return rule


def once(graph: Graph, node: Node) -> Value | None:
    """f(f(x)) = f(x)."""
    inner = graph[node.args[0]]
    return graph.value(node.args[0]) if inner.op is node.op and inner.attrs == node.attrs else None


def spread(graph: Graph, node: Node) -> Value | None:
    """Spread over sequences and then over time is spread over both."""
    inner = made_by(graph, node.args[0], "spread")
    return graph.value(inner.args[0]).spread_like(node.type) if inner else None


def of_constant_stream(graph: Graph, node: Node) -> Value | None:
    """reverse(x) = x, if x is the same at each step."""
    return graph.value(node.args[0]) if made_by(graph, node.args[0], "spread") else None


def no_delay(graph: Graph, node: Node) -> Value | None:
    """A delay of zero steps changes nothing."""
    return graph.value(node.args[0]) if node.attrs["delay"] == 0 else None


def default_zero(graph: Graph, node: Node) -> Value | None:
    """A declared first value of zero is left out: zero is the default."""
    if node.args and number(graph, node.args[0]) == 0:
        return graph.add(node.op, (), node.attrs)
    return None


def sum_of_constant(graph: Graph, node: Node) -> Value | None:
    """The sum of n equal terms x is n x."""
    inner = made_by(graph, node.args[0], "spread")
    if inner is None:
        return None
    value = graph.value(inner.args[0])
    if node.type.kind is Kind.STATIC:
        return value * graph.add("batch")
    return value.as_sequence() * graph.add("length", attrs={"clock": inner.type.clock})


def sum_of_linear(graph: Graph, node: Node) -> Value | None:
    """sum f(x) = f(sum x), for f such as -x."""
    inner = graph[node.args[0]]
    if Trait.AFTER_SUMS not in inner.op.traits:
        return None
    total = graph.add(node.op, inner.args)
    return graph.add(inner.op, [total.id], inner.attrs)


def common_factor(graph: Graph, node: Node) -> Value | None:
    """sum (c x) = c sum x, if c is the same in all terms."""
    inner = graph[node.args[0]]
    if Trait.FACTORS not in inner.op.traits:
        return None
    linear = inner.op.linear_in
    low = [1 - k in linear and graph[a].type.kind < inner.type.kind for k, a in enumerate(inner.args)]
    if not any(low):
        return None
    args = [a if same else graph.add(node.op, [a]).id for a, same in zip(inner.args, low, strict=True)]
    return graph.add(inner.op, args, inner.attrs)


RULES: dict[str, tuple[Rule, ...]] = {
    "start": (default_zero,),
    "unless_given": (of_zero, once),
    "shift": (no_delay,),
    "pick": (of_zero,),
    "place": (of_zero,),
    "if_length": (of_zero,),
    "reverse": (of_number, of_constant_stream, twice("reverse")),
    "sum_time": (of_zero, sum_of_constant, sum_of_linear, common_factor),
    "sum_batch": (of_zero, sum_of_constant, sum_of_linear, common_factor),
    "spread": (spread,),
    "frames": (of_zero, twice("unframes")),
    "unframes": (of_zero, twice("frames")),
    "valid": (of_zero, once),
}
