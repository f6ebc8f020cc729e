"""The invariants of a stream graph. The tests check them after every pass; `verify` checks them on demand."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.errors import RecurrencyError
from recurrency.graph.components import is_cycle, strong
from recurrency.graph.dimensions import Poly
from recurrency.graph.graph import PENDING, CycleError, Graph, Node
from recurrency.graph.op import Op, Trait
from recurrency.graph.text import node_text
from recurrency.graph.types import Type


class InvalidGraph(RecurrencyError):  # noqa: N818  (a state of affairs, named as such)
    """A graph violates an invariant: a bug of the compiler, not of the user."""


def verify(graph: Graph) -> None:
    """Check every invariant.

    Raises:
        InvalidGraph: one is broken; the text names the node.
    """
    for name, id in graph.roots.items():
        if id not in graph:
            raise InvalidGraph(f"root {name} is not in the graph: %{id}")
    for check in CHECKS:
        check(graph)


def _arguments(graph: Graph) -> None:
    """Arguments exist and are bound, and the operation takes this number of arguments."""
    for id in graph:
        node = graph[id]
        if PENDING in node.args:
            raise _wrong(graph, id, "a delayed use is not bound")
        if any(arg not in graph for arg in node.args):
            raise _wrong(graph, id, "an argument is not in the graph")
        if node.op.arity is not None and node.op.arity != len(node.args):
            raise _wrong(graph, id, f"{node.op.name} takes {node.op.arity} values")


def _types(graph: Graph) -> None:
    """The type of a node is the one that the type rule gives for its arguments."""
    for id in graph:
        node = graph[id]
        if "type" in node.attrs or _symbolic(node.type):
            continue
        try:
            type_ = node.op.typing(tuple(graph[a].type for a in node.args), node.attrs)
        except TypeError as error:
            raise _wrong(graph, id, str(error)) from None
        if type_ != node.type:
            raise _wrong(graph, id, f"its type should be {type_}")


def _sources(graph: Graph) -> None:
    """Each input, parameter and first value is one node: gradients are taken with respect to it."""
    found: set[tuple[Op, str]] = set()
    for id in graph:
        node = graph[id]
        if Trait.NAMED in node.op.traits:
            if (node.op, node.attrs["name"]) in found:
                raise _wrong(graph, id, f"this {node.op.name} is there twice")
            found.add((node.op, node.attrs["name"]))


def _firsts(graph: Graph) -> None:
    """A delayed use has a first value for each step of its delay, or one value with a row for each, or none."""
    for id in graph:
        node = graph[id]
        if Trait.DELAYS not in node.op.traits or _is_line(graph, node):
            continue
        if len(node.args) not in (1, 1 + max(node.delay, 0)):
            raise _wrong(graph, id, f"{len(node.args) - 1} first values for a delay of {node.delay}")


def _is_line(graph: Graph, node: Node) -> bool:
    """Whether the only first value of a delayed use has a row for each step."""
    return len(node.args) == 2 and graph[node.args[1]].type.shape == (node.delay, *node.type.shape)


def _order(graph: Graph) -> None:
    """No value needs itself at the same step."""
    try:
        graph.order(graph)
    except CycleError as error:
        raise _wrong(graph, error.cycle[0], str(error)) from None


def _loops(graph: Graph) -> None:
    """A recurrence has one direction, and no other operation in it crosses time."""
    reads = {id: graph[id].args for id in graph}
    for component in strong(reads):
        if not is_cycle(component, reads):
            continue
        delays = {graph[id].delay > 0 for id in component if graph[id].delay}
        if len(delays) > 1:
            raise _wrong(graph, min(component), "its recurrence has delays of both signs")
        for id in sorted(component):
            op = graph[id].op
            if op.group == "time" and Trait.LOOPS not in op.traits:
                raise _wrong(graph, id, f"{op.name} inside a recurrence")


CHECKS: tuple[Callable[[Graph], None], ...] = (_arguments, _types, _sources, _firsts, _order, _loops)


def _symbolic(type_: Type) -> bool:
    return any(isinstance(d, Poly) for d in (*type_.shape, type_.index))


def _wrong(graph: Graph, id: int, text: str) -> InvalidGraph:
    return InvalidGraph(f"{node_text(graph, id)}\n  {text}")
