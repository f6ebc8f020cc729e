"""The recurrences of a graph: its strongly connected components, and how they depend on their own past."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx

from recurrency.graph.graph import Graph, Node

LINEAR = {"add", "subtract", "negative", "transpose", "reshape", "expand", "sum", "concat", "slice", "pad", "shift"}
LINEAR |= {"valid", "stop_grad", "clip_grad"}
"""Operations that are linear in all their arguments together."""

LINEAR_IN = {"multiply": (0, 1), "product": (0, 1), "divide": (0,), "take": (0,), "put": (0,), "where": (1, 2)}
"""Operations that are linear in each of these arguments, if the other ones come from elsewhere."""


@dataclass(frozen=True)
class Recurrence:
    """One loop over time.

    `ids` are in the order of computation at one step; `direction` is 1 forwards and -1 backwards in time; `states`
    names the streams that are read with a delay (`%7` where the user gave no name). `kind` says how the next state
    depends on the last: `diagonal`, if each element depends on the same element alone; `affine`, if it is linear in it
    plus something from elsewhere; `diagonal, affine`; or `full`.
    """

    ids: tuple[int, ...]
    clock: str
    direction: int
    states: tuple[str, ...]
    kind: str


def recurrences(graph: Graph) -> list[Recurrence]:
    """All recurrences, each after those that it reads."""
    order = graph.order()
    if not any(graph[id].delay for id in order):
        return []
    place = {id: number for number, id in enumerate(order)}
    live: nx.DiGraph[int] = nx.DiGraph()  # a new graph: views of one are slow to walk
    live.add_nodes_from(order)
    live.add_edges_from((arg, id) for id in order for arg in graph[id].args)
    condensed = nx.condensation(live)
    first = {c: min(place[id] for id in members(condensed, c)) for c in condensed}
    found = []
    for number in nx.lexicographical_topological_sort(condensed, key=first.__getitem__):
        ids = sorted(members(condensed, number), key=place.__getitem__)
        if len(ids) > 1 or live.has_edge(ids[0], ids[0]):
            found.append(_recurrence(graph, ids))
    return found


def members(condensed: nx.DiGraph[int], component: int) -> set[int]:
    """The nodes of one component."""
    ids: set[int] = condensed.nodes[component]["members"]
    return ids


def components(graph: Graph) -> dict[int, int]:
    """The number of the recurrence that each node is in, for those that are in one."""
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
    return node.op.elementwise or node.op.name in ("shift", "valid")


def _is_affine(node: Node, inside: set[int]) -> bool:
    positions = [k for k, arg in enumerate(node.args) if arg in inside]
    if node.op.name in LINEAR:
        return True
    allowed = LINEAR_IN.get(node.op.name, ())
    together = node.op.name == "where"
    return all(k in allowed for k in positions) and (together or len(positions) == 1)
