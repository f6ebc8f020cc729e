"""Views that can't be placed before what they are views of."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush


class Waiting:
    """Nodes that wait until another one has its place, in the order in which they came."""

    def __init__(self) -> None:
        self.turns: dict[int, int] = {}
        """Those that wait, with their turns."""
        self.until: dict[int, list[int]] = {}
        """For each node that has no place yet, those that wait for it."""
        self.ready: list[tuple[int, int]] = []
        """Turns and nodes that need wait no longer: a heap."""
        self.count = 0

    def __len__(self) -> int:
        return len(self.turns)

    def __contains__(self, id: object) -> bool:
        return id in self.turns

    def add(self, id: int, until: int, ready: bool) -> None:
        """Have a node wait for another one; `ready`: that has its place already."""
        self.turns[id] = self.count
        self.count += 1
        if ready:
            heappush(self.ready, (self.turns[id], id))
        else:
            self.until.setdefault(until, []).append(id)

    def placed(self, id: int) -> None:
        """A node has its place now."""
        for one in self.until.pop(id, ()):
            if one in self.turns:
                heappush(self.ready, (self.turns[one], one))

    def first(self) -> int:
        """The node that waits longest, which waits no more."""
        id = next(iter(self.turns))
        del self.turns[id]
        return id

    def woken(self) -> Iterator[int]:
        """Once through the turns: the nodes that need wait no longer, each placed before the next is looked for."""
        last, passed = -1, list[tuple[int, int]]()
        while self.ready:
            turn, id = heappop(self.ready)
            if id not in self.turns:
                continue
            if turn < last:
                passed.append((turn, id))
                continue
            last = turn
            del self.turns[id]
            yield id
        self.ready = passed
        heapify(self.ready)
