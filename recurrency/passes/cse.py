"""Common subexpressions: nodes that compute the same value become one, through recurrences too."""

from __future__ import annotations

from collections.abc import Hashable

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.value import Value

COMMUTATIVE = frozenset({"add", "multiply", "equal"})
"""Not `minimum` and `maximum`: where their arguments are equal, the first of them gets the gradient."""

SINGLE = frozenset({"clip_grad"})
"""What stays as it is: two gradients, each of them cut, are not the same as their sum, cut."""


def cse(graph: Graph) -> Graph:
    """Make one node of all that are equal.

    Delayed uses are first taken to be equal if they look alike; as long as some then read streams that differ, they
    are parted. So two copies of one recurrence are found, which seen from their arguments alone would differ for ever.
    """
    order = graph.order()
    classes = _shift_classes(graph, order)
    numbers = _numbers(graph, order, classes)
    seen: dict[int, int] = {}

    def visit(out: Graph, node: Node, old: int) -> Value:
        if numbers[old] not in seen:
            seen[numbers[old]] = out.insert(node).id
        return out.value(seen[numbers[old]])

    return rebuild(graph, visit=visit)


def _shift_classes(graph: Graph, order: list[int]) -> dict[int, int]:
    """The coarsest partition of the delayed uses in which equal ones read equal streams."""
    shifts = [id for id in order if graph[id].delay]
    classes = _ranked({id: (graph[id].delay, graph[id].type, len(graph[id].args)) for id in shifts})
    while True:
        numbers = _numbers(graph, order, classes)
        finer = _ranked({id: (classes[id], tuple(numbers[a] for a in graph[id].args)) for id in shifts})
        if len(set(finer.values())) == len(set(classes.values())):
            return classes
        classes = finer


def _ranked(keys: dict[int, Hashable]) -> dict[int, int]:
    """Equal keys get equal numbers."""
    ranks: dict[Hashable, int] = {}
    return {id: ranks.setdefault(key, len(ranks)) for id, key in keys.items()}


def _numbers(graph: Graph, order: list[int], classes: dict[int, int]) -> dict[int, int]:
    """A number for each node, the same for all that are equal if the classes of delayed uses are right."""
    numbers: dict[int, int] = {}
    ranks: dict[Hashable, int] = {}
    for id in order:
        node = graph[id]
        key: Hashable = ("delayed", classes[id]) if id in classes else _key(id, node, numbers)
        numbers[id] = ranks.setdefault(key, len(ranks))
    return numbers


def _key(id: int, node: Node, numbers: dict[int, int]) -> Hashable:
    if node.op.name in SINGLE:
        return node.op.name, id
    args = [numbers[a] for a in node.args]
    if node.op.name in COMMUTATIVE:
        args.sort()
    return (node.op.name, tuple(args), tuple(sorted(node.attrs.items())), node.type)
