"""Common subexpressions: nodes that compute the same value become one, also through recurrences."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from itertools import count
from typing import TypeVar

from recurrency.graph.graph import Graph, Node, rebuild
from recurrency.graph.op import Trait
from recurrency.graph.value import Value

V = TypeVar("V", bound=Hashable)


def cse(graph: Graph) -> Graph:
    """Merge all nodes that are equal.

    Delayed uses are first assumed to be equal if they have the same delay and type, and are separated as long as they
    read streams that differ. This finds two copies of one recurrence, which would differ for ever if compared by their
    arguments. (Partition refinement: Hopcroft 1971)
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
    coarse = _ranked({id: (graph[id].delay, graph[id].type, len(graph[id].args)) for id in shifts})
    numbers = _numbers(graph, order, coarse)
    _part(graph, coarse, numbers)
    return {id: numbers[id] for id in shifts}


def _part(graph: Graph, coarse: dict[int, int], numbers: dict[int, int]) -> None:
    """Give different numbers to values that differ, until equal numbers mean equal arguments.

    The largest part of a class keeps its number, and only the readers of the others are examined again. A value
    therefore changes its number a few times at most, however long a chain of delays is.
    """
    members, users = _inverse(numbers), _users(graph, numbers)
    fresh = count(max(numbers.values(), default=0) + 1)
    dirty = dict.fromkeys(coarse)
    while dirty:
        touched, dirty = _inverse({id: numbers[id] for id in dirty}), {}
        for number, ids in touched.items():
            parts = _inverse({id: _reading(graph, id, coarse, numbers) for id in ids})
            largest = max(parts.values(), key=len)
            if len(largest) < len(members[number]) - len(ids):
                smaller = list(parts.values())
            else:
                smaller = [part for part in parts.values() if part is not largest]
                smaller += [rest] if (rest := members[number] - ids) else []
            for part in smaller:
                new = next(fresh)
                members[number] -= part
                members[new] = part
                numbers.update(dict.fromkeys(part, new))
                dirty.update(dict.fromkeys(user for id in part for user in users.get(id, ())))


def _reading(graph: Graph, id: int, coarse: dict[int, int], numbers: dict[int, int]) -> Hashable:
    """A key that values of one class share if they read equal values."""
    if id in coarse:
        return tuple(numbers[a] for a in graph[id].args)
    return _key(id, graph[id], numbers)


def _inverse(values: Mapping[int, V]) -> dict[V, set[int]]:
    """Each value -> the nodes that have it."""
    found: dict[V, set[int]] = {}
    for id, value in values.items():
        found.setdefault(value, set()).add(id)
    return found


def _users(graph: Graph, ids: Iterable[int]) -> dict[int, set[int]]:
    """The nodes that read each node."""
    found: dict[int, set[int]] = {}
    for id in ids:
        for arg in graph[id].args:
            found.setdefault(arg, set()).add(id)
    return found


def _ranked(keys: dict[int, Hashable]) -> dict[int, int]:
    """Equal keys get equal numbers."""
    ranks: dict[Hashable, int] = {}
    return {id: ranks.setdefault(key, len(ranks)) for id, key in keys.items()}


def _numbers(graph: Graph, order: list[int], classes: dict[int, int]) -> dict[int, int]:
    """A number for each node. Equal nodes have equal numbers, provided that the classes of delayed uses are right."""
    numbers: dict[int, int] = {}
    ranks: dict[Hashable, int] = {}
    for id in order:
        node = graph[id]
        key: Hashable = ("delayed", classes[id]) if id in classes else _key(id, node, numbers)
        numbers[id] = ranks.setdefault(key, len(ranks))
    return numbers


def _key(id: int, node: Node, numbers: dict[int, int]) -> Hashable:
    if Trait.CLIPS in node.op.traits:  # two clipped gradients are not their sum, clipped
        return node.op.name, id
    args = [numbers[a] for a in node.args]
    if Trait.COMMUTATIVE in node.op.traits:
        args.sort()
    return (node.op.name, tuple(args), tuple(sorted(node.attrs.items())), node.type)
