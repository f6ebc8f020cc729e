"""Mistakes on purpose: backends that compute an operation wrongly, and passes that break what they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recurrency.backend import find
from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.value import Value

Edit = Callable[[Value], Value]


class Wrong:
    """A backend that puts something else in the place of the results of one operation."""

    name = "wrong"

    def __init__(self, op: str, edit: Edit, inner: str = "numpy", dtypes: tuple[str, ...] = ()) -> None:
        self.op, self.edit, self.inner, self.dtypes = op, edit, find(inner), dtypes

    def available(self) -> str | None:
        return None

    def build(self, graph: Graph, layout: Any, dtype: str, *rest: Any, **settings: Any) -> Any:
        spoilt = dtype in self.dtypes or not self.dtypes
        return self.inner.build(
            edited(graph, self.op, self.edit) if spoilt else graph, layout, dtype, *rest, **settings
        )


def edited(graph: Graph, op: str, edit: Edit) -> Graph:
    """The graph with something else in the place of the results of one operation."""

    def visit(out: Graph, node: Node, old: int) -> Value:
        value = out.insert(node)
        return edit(value) if node.op.name == op else value

    return rebuild(graph, visit=visit)


def scaled(by: float) -> Edit:
    """A relative error."""
    return lambda value: value * by
