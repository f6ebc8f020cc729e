"""Minimum cuts, by a maximum flow (Dinic 1970, "Algorithm for solution of a problem of maximum flow in networks")."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

UNBOUNDED = -1
"""The capacity of an edge that no cut crosses."""


def beyond_cut(edges: Sequence[tuple[Hashable, Hashable, int]], source: Hashable, sink: Hashable) -> set[Hashable]:
    """The vertices behind the minimum cut: those on the sink's side; of several minimum cuts, the one next to it.

    Edges are (from, to, capacity), and each path from source to sink has one that is not `UNBOUNDED`.
    """
    flow = _Flow(edges, source, sink)
    while flow.layered():
        flow.saturate()
    return flow.reaching()


class _Flow:
    """A flow. Edge `e` leads to `heads[e]` and has room for `room[e]` more; `e ^ 1` is the same edge reversed."""

    def __init__(self, edges: Sequence[tuple[Hashable, Hashable, int]], source: Hashable, sink: Hashable) -> None:
        self.number: dict[Hashable, int] = {source: 0, sink: 1}
        enough = 1 + sum(capacity for _, _, capacity in edges if capacity != UNBOUNDED)
        self.heads: list[int] = []
        self.room: list[int] = []
        self.out: list[list[int]] = [[], []]
        for tail, head, capacity in edges:
            ends = self._numbered(tail), self._numbered(head)
            for end, other, room in ((*ends, enough if capacity == UNBOUNDED else capacity), (*ends[::-1], 0)):
                self.out[end].append(len(self.heads))
                self.heads.append(other)
                self.room.append(room)

    def _numbered(self, vertex: Hashable) -> int:
        found = self.number.setdefault(vertex, len(self.out))
        if found == len(self.out):
            self.out.append([])
        return found

    def layered(self) -> bool:
        """Number the vertices by their distance from the source; whether there is a way to the sink."""
        self.layer = {0: 0}
        for vertex in (queue := [0]):
            for edge in self.out[vertex]:
                head = self.heads[edge]
                if self.room[edge] and head not in self.layer:
                    self.layer[head] = self.layer[vertex] + 1
                    queue.append(head)
        return 1 in self.layer

    def saturate(self) -> None:
        """Send as much as possible along shortest ways."""
        later = [0] * len(self.out)  # the edges before these lead nowhere
        way: list[int] = []
        vertex = 0
        while True:
            edge = self._onwards(vertex, later)
            if edge is not None:
                way.append(edge)
                vertex = self.heads[edge]
            elif way:
                vertex = self.heads[way.pop() ^ 1]
                later[vertex] += 1
            else:
                return
            if vertex == 1:
                self._send(way)
                vertex, way = 0, []

    def _onwards(self, vertex: int, later: list[int]) -> int | None:
        """The next edge to a vertex that is farther from the source, with room."""
        wanted = self.layer[vertex] + 1
        for k in range(later[vertex], len(self.out[vertex])):
            edge = self.out[vertex][k]
            if self.room[edge] and self.layer.get(self.heads[edge]) == wanted:
                later[vertex] = k
                return edge
        later[vertex] = len(self.out[vertex])
        return None

    def _send(self, way: list[int]) -> None:
        """Send as much along a way as it has room for."""
        amount = min(self.room[edge] for edge in way)
        for edge in way:
            self.room[edge] -= amount
            self.room[edge ^ 1] += amount

    def reaching(self) -> set[Hashable]:
        """The vertices from which there is a way to the sink."""
        found = {1}
        for vertex in (queue := [1]):
            for edge in self.out[vertex]:
                tail = self.heads[edge]
                if self.room[edge ^ 1] and tail not in found:
                    found.add(tail)
                    queue.append(tail)
        return {vertex for vertex, number in self.number.items() if number in found}
