"""The readers of the memory of each value, through all views of it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from recurrency.graph.graph import Graph
from recurrency.graph.op import Op, Trait

EVERYTHING = (0, 1 << 60)


def keeps_rows(op: Op) -> bool:
    """Whether a row of a view along its first axis is the same row of its argument."""
    return Trait.SAME in op.traits or Trait.DELAYS in op.traits


@dataclass(frozen=True)
class Read:
    """A node that reads the rows `low` to `high` (exclusive) of a value's first axis; `displaced`: of another step."""

    reader: int
    low: int = EVERYTHING[0]
    high: int = EVERYTHING[1]
    displaced: bool = False


class Readers:
    """The readers of each value of a graph."""

    def __init__(self, graph: Graph, position: dict[int, int]) -> None:
        self.graph, self.position = graph, position
        self.users: dict[int, list[tuple[int, int]]] = {}
        for id in graph.order():
            for k, arg in enumerate(graph[id].args):
                self.users.setdefault(arg, []).append((id, k))
        self.roots = set(graph.roots.values())
        self._known: dict[int, tuple[Read, ...]] = {}
        self._escaping = self._results()

    def of(self, id: int) -> tuple[Read, ...]:
        """All reads of a value, including those of its views."""
        path: list[tuple[int, Iterator[int]]] = []
        fresh: int | None = id if id not in self._known else None
        while fresh is not None or path:
            if fresh is not None:
                self._known[fresh] = ()
                path.append((fresh, self._outer(fresh)))
            fresh = next((user for user in path[-1][1] if user not in self._known), None)
            if fresh is None:
                value, _ = path.pop()
                reads = (r for user, k in self.users.get(value, ()) for r in self._through(value, user, k))
                self._known[value] = tuple(dict.fromkeys(reads))
        return self._known[id]

    def _outer(self, id: int) -> Iterator[int]:
        """The users of a value that are views of it or contain it: their reads are needed first."""
        for user, k in self.users.get(id, ()):
            if user not in self.position:
                yield from self._outer(user)
            elif self._is_view(self.graph[user].op, k):
                yield user

    def _through(self, id: int, user: int, k: int) -> list[Read]:
        """The reads of a value through one user. A view counts as a reader itself, because it may have to be copied."""
        node = self.graph[user]
        if user not in self.position:
            return [r for outer, j in self.users.get(user, ()) for r in self._through(user, outer, j)]
        if Trait.JOINS in node.op.traits:
            return [Read(user), *self._part(user, k)]
        if Trait.VIEW not in node.op.traits or k > 0:
            return [Read(user)]
        if Trait.ROWS in node.op.traits:
            start, stop = node.attrs["start"], node.attrs["stop"]
            inner = [replace(r, low=start + r.low, high=min(stop, start + r.high)) for r in self.of(user)]
            return [Read(user, start, stop), *inner]
        inner = [Read(user), *self.of(user)]
        if not keeps_rows(node.op):
            inner = [replace(r, low=EVERYTHING[0], high=EVERYTHING[1]) for r in inner]
        return [replace(r, displaced=r.displaced or Trait.DISPLACES in node.op.traits) for r in inner]

    def _part(self, user: int, k: int) -> list[Read]:
        """The reads of a concatenation, as reads of its part `k`."""
        node = self.graph[user]
        extents = [self.graph[a].type.shape[0] for a in node.args]
        sizes = [extent for extent in extents if isinstance(extent, int)]
        if len(sizes) < len(extents):
            return list(self.of(user))
        start, size = node.attrs.get("start", 0) + sum(sizes[:k]), sizes[k]
        moved = [replace(r, low=max(0, r.low - start), high=min(size, r.high - start)) for r in self.of(user)]
        return [r for r in moved if r.low < r.high]

    def escapes(self, id: int) -> bool:
        """Whether the value, or a view of it, is a result of the graph."""
        return id in self._escaping

    def _results(self) -> set[int]:
        """The results of the graph, and all values of which they are views."""
        found = set(self.roots)
        later = list(found)
        while later:
            node = self.graph[later.pop()]
            viewed = {arg for k, arg in enumerate(node.args) if self._is_view(node.op, k)} - found
            found |= viewed
            later += viewed
        return found

    @staticmethod
    def _is_view(op: Op, k: int) -> bool:
        return Trait.JOINS in op.traits or (Trait.VIEW in op.traits and k == 0)

    def last(
        self, arg: int, id: int, copies: Container[int], claims: Mapping[int, Sequence[tuple[int, int, int]]]
    ) -> bool:
        """Whether node `id` is the last that reads the memory of its argument, so that it may write there.

        `claims` lists, for a value, the parts that are computed in its memory: node, first row, last row (exclusive).
        """
        owner, low, high = arg, *EVERYTHING
        while Trait.VIEW in self.graph[owner].op.traits and owner not in copies:
            node = self.graph[owner]
            if Trait.ROWS in node.op.traits:
                low, high = node.attrs["start"] + low, min(node.attrs["stop"], node.attrs["start"] + high)
            elif not keeps_rows(node.op):
                low, high = EVERYTHING
            owner = node.args[0]
        return self._dead(owner, low, high, id, claims)

    def _dead(
        self, owner: int, low: int, high: int, id: int, claims: Mapping[int, Sequence[tuple[int, int, int]]]
    ) -> bool:
        if self.escapes(owner):
            return False
        if not all(self._before(r, id) for r in self.of(owner) if r.low < high and low < r.high):
            return False
        parts = [p for p in claims.get(owner, ()) if p[1] < high and low < p[2]]
        return all(self._dead(part, max(0, low - a), min(b, high) - a, id, claims) for part, a, b in parts)

    def _before(self, read: Read, id: int) -> bool:
        if read.displaced:
            return False
        return self.position[read.reader] <= self.position[id]
