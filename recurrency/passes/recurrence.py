"""The recurrences of a graph: its strongly connected components, and how they depend on their own past."""

from __future__ import annotations

from dataclasses import dataclass

from recurrency.graph.components import components_in_order, is_cycle, strong
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait


@dataclass(frozen=True)
class Recurrence:
    """One loop over time.

    `ids` are in the order of computation within one step. `direction` is 1 forwards and -1 backwards in time. `states`
    are the names of the streams that are read with a delay (`%7` for a stream without a name). `kind` says how the next
    state depends on the last: `diagonal` if each element depends on the same element alone, `affine` if it is linear
    plus a term from outside, `diagonal, affine`, or `full`.
    """

    ids: tuple[int, ...]
    clock: str
    direction: int
    states: tuple[str, ...]
    kind: str


def recurrences(graph: Graph) -> list[Recurrence]:
    """All recurrences, each after those that it reads."""
    return list(graph.said(_recurrences))


def _recurrences(graph: Graph) -> tuple[Recurrence, ...]:
    order = graph.order()
    if not any(graph[id].delay for id in order):
        return ()
    reads = {id: list(graph[id].args) for id in order}
    place = {id: number for number, id in enumerate(order)}
    found = components_in_order(strong(reads), reads, place)
    return tuple(_recurrence(graph, ids) for ids in found if is_cycle(ids, reads))


def components(graph: Graph) -> dict[int, int]:
    """Each node in a recurrence -> the number of the recurrence."""
    return {id: number for number, loop in enumerate(recurrences(graph)) for id in loop.ids}


def _recurrence(graph: Graph, ids: list[int]) -> Recurrence:
    shifts = [id for id in ids if graph[id].delay]
    streams = dict.fromkeys(graph[id].args[0] for id in shifts)
    states = tuple(graph[s].name or f"%{s}" for s in streams)
    first = graph[shifts[0]]
    return Recurrence(tuple(ids), str(first.type.clock), 1 if first.delay > 0 else -1, states, _kind(graph, ids))


def _kind(graph: Graph, ids: list[int]) -> str:
    inside = set(ids)
    diagonal = all(_is_diagonal(graph[id]) for id in ids)
    affine = all(_is_affine(graph[id], inside) for id in ids)
    return ", ".join(word for word, holds in (("diagonal", diagonal), ("affine", affine)) if holds) or "full"


def _is_diagonal(node: Node) -> bool:
    return node.op.elementwise or Trait.LOOPS in node.op.traits


def _is_affine(node: Node, inside: set[int]) -> bool:
    return node.op.is_linear(k for k, arg in enumerate(node.args) if arg in inside)
