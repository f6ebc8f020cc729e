"""The strongly connected components of a graph of numbers, which reads map to what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush


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


def components_in_order(
    found: Iterable[Sequence[int]], reads: Mapping[int, Sequence[int]], place: Mapping[int, int]
) -> Iterator[list[int]]:
    """Components sorted by `place`, each after those that it reads; of several that are ready, the first by `place`."""
    parts = [sorted(ids, key=place.__getitem__) for ids in found]
    component = {id: number for number, ids in enumerate(parts) for id in ids}
    needs = [{component[arg] for id in ids for arg in reads[id]} - {number} for number, ids in enumerate(parts)]
    users: list[list[int]] = [[] for _ in parts]
    for number, needed in enumerate(needs):
        for other in needed:
            users[other].append(number)
    waits = [len(needed) for needed in needs]
    ready = [(place[ids[0]], number) for number, ids in enumerate(parts) if not waits[number]]
    heapify(ready)
    while ready:
        _, number = heappop(ready)
        yield parts[number]
        for user in users[number]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, (place[parts[user][0]], user))
