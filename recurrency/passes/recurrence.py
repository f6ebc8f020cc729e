"""The recurrences of a graph: its strongly connected components, and how they depend on their own past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

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
    found = [sorted(ids, key=place.__getitem__) for ids in strong(reads)]
    return tuple(_recurrence(graph, ids) for ids in _sorted(found, reads, place) if is_cycle(ids, reads))


def strong(reads: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """The strongly connected components of a graph, each after those that it reads (Tarjan's algorithm)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    done: set[int] = set()
    path: list[int] = []
    found: list[list[int]] = []
    for start in reads:
        fresh: int | None = start if start not in number else None
        stack: list[tuple[int, Iterator[int]]] = []
        while fresh is not None or stack:
            if fresh is not None:
                number[fresh] = low[fresh] = len(number)
                path.append(fresh)
                stack.append((fresh, iter(reads[fresh])))
            id, later = stack[-1]
            fresh = next((arg for arg in later if arg not in done and not _back(id, arg, number, low)), None)
            if fresh is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[id])
                if low[id] == number[id]:
                    ids = [path.pop()]
                    while ids[-1] != id:
                        ids.append(path.pop())
                    found.append(ids)
                    done.update(ids)
    return found


def _back(id: int, arg: int, number: Mapping[int, int], low: dict[int, int]) -> bool:
    """Whether an argument was visited before and is on the current path; `low` is updated then."""
    if arg in number:
        low[id] = min(low[id], number[arg])
    return arg in number


def is_cycle(ids: Sequence[int], reads: Mapping[int, Sequence[int]]) -> bool:
    """Whether a component is a loop: several values, or one that reads itself."""
    return len(ids) > 1 or ids[0] in reads[ids[0]]


def _sorted(
    found: list[list[int]], reads: Mapping[int, Sequence[int]], place: Mapping[int, int]
) -> Iterator[list[int]]:
    """Components, each after those that it reads; of several that are ready, the first in the graph."""
    component = {id: number for number, ids in enumerate(found) for id in ids}
    needs = [{component[arg] for id in ids for arg in reads[id]} - {number} for number, ids in enumerate(found)]
    users: list[list[int]] = [[] for _ in found]
    for number, needed in enumerate(needs):
        for other in needed:
            users[other].append(number)
    waits = [len(needed) for needed in needs]
    ready = [(place[ids[0]], number) for number, ids in enumerate(found) if not waits[number]]
    heapify(ready)
    while ready:
        _, number = heappop(ready)
        yield found[number]
        for user in users[number]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, (place[found[user][0]], user))


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
