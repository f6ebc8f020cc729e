"""A graph as text, one line for each node, in an order that depends on the graph alone."""

from __future__ import annotations

from typing import Any

from recurrency.graph.graph import PENDING, Graph, Node

HIDDEN = frozenset({"type", "delay", "name"})
"""Attributes that are printed in other ways."""


def graph_text(graph: Graph) -> str:
    """The nodes that the roots need, then the roots: `%4 h : [3] over t = tanh(%3)   # lstm.rnn:12`."""
    lines = [node_text(graph, id) for id in graph.order()]
    lines += [f"root {name} = %{id}" for name, id in sorted(graph.roots.items())]
    return "\n".join(lines) + "\n"


def node_text(graph: Graph, id: int) -> str:
    """The line of one node."""
    node = graph[id]
    name = f" {node.name}" if node.name else ""
    place = f"   # {node.span.source.name}:{node.span.line}" if node.span else ""
    return f"%{id}{name} : {node.type} = {expression(node)}{place}"


def expression(node: Node) -> str:
    """The right side of a node's line."""
    source = [str(node.attrs["name"])] if "name" in node.attrs else []
    args = [use(node, position) for position in range(len(node.args))]
    attrs = [f"{name}={_plain(value)}" for name, value in sorted(node.attrs.items()) if name not in HIDDEN]
    return f"{node.op.name}({', '.join(source + args + attrs)})"


def use(node: Node, position: int) -> str:
    """One argument: `%5`, `%5[t-1]`, or `?` where a delayed use is not bound yet."""
    text = "?" if node.args[position] == PENDING else f"%{node.args[position]}"
    return f"{text}[{node.type.clock}{-node.delay:+d}]" if position == 0 and node.delay else text


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_plain, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)
