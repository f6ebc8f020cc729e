"""Views that wait until the value that they view has its place."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush


class Waiting:
    """Nodes that wait until another one has its place, in the order of arrival."""

    def __init__(self) -> None:
        self.turns: dict[int, int] = {}
        """Nodes that wait -> their turns."""
        self.until: dict[int, list[int]] = {}
        """Nodes without a place -> the nodes that wait for them."""
        self.ready: list[tuple[int, int]] = []
        """A heap of turns and nodes that need not wait any longer."""
        self.count = 0

    def __len__(self) -> int:
        return len(self.turns)

    def __contains__(self, id: object) -> bool:
        return id in self.turns

    def add(self, id: int, until: int, ready: bool) -> None:
        """Let a node wait for another one; `ready`: the other one has its place already."""
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
        """The node that has waited longest; it stops waiting."""
        id = next(iter(self.turns))
        del self.turns[id]
        return id

    def woken(self) -> Iterator[int]:
        """The nodes that need not wait any longer, in one pass over the turns, each placed before the next."""
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
