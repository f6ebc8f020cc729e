"""Takes element-wise work around a loop over time into the loop, so that each stream is read and written once.

`z = sigmoid(W @ x + b)` needs no state, so it is computed for all steps before the loop `h = (1 - z) * h[t-1] + z * c`,
which then reads it again; likewise what is made of `h` after the loop. Within the loop, `z` stays in registers where
nothing else needs it. That pays where the loop itself is element-wise, as in minGRU, QRNN or LRU; beside the matrix
products of an LSTM it would change little. A loop takes what reads and writes the same step alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping, Sequence
from math import prod

from recurrency.graph.graph import Graph
from recurrency.graph.op import Op, Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.program import Region

CALLER = -1
"""The user of the results of a graph."""

FIXED = frozenset({Trait.DELAYS, Trait.DISPLACES, Trait.NAMED, Trait.DRAWS, Trait.ALL_STEPS})
"""Traits of nodes that stay where they are."""

COUNT = 4
"""What a loop takes has at most so many times as many elements as a state of it."""


def gathered(graph: Graph, regions: Sequence[Region], users: Mapping[int, set[int]]) -> list[tuple[Region, list[int]]]:
    """The regions, each with the nodes that it has then, in an order in which they can be computed; none is empty.

    `users` are the users of each node, `CALLER` for results.
    """
    owner = {id: k for k, region in enumerate(regions) for id in region.ids}
    results = {id for id in owner if users.get(id) == {CALLER}}
    for k, region in enumerate(regions):
        if region.scans and all(_is_simple(graph[id].op) for id in region.ids):
            _Loop(graph, regions, users, owner, results, k).take()
    ids: list[list[int]] = [[] for _ in regions]
    for id, k in owner.items():
        ids[k].append(id)
    return [(region, found) for region, found in zip(regions, ids, strict=True) if found]


def _is_simple(op: Op) -> bool:
    """Whether an element depends on one element of each argument."""
    within = Trait.LOOPS in op.traits or not op.traits & {Trait.DISPLACES, Trait.WHOLE}
    return op.elementwise or (within and bool(op.traits & {Trait.VIEW, Trait.JOINS}))


class _Loop:
    """What the loop `k` takes from others. `owner` is the region of each node, and is changed."""

    def __init__(
        self,
        graph: Graph,
        regions: Sequence[Region],
        users: Mapping[int, set[int]],
        owner: dict[int, int],
        results: set[int],
        k: int,
    ) -> None:
        self.graph, self.users, self.owner, self.k = graph, users, owner, k
        self.own = set(regions[k].ids)
        self.most = COUNT * max(map(self._size, self.own))
        self.regions, self.results = regions, results
        self.inside = set(self.own)

    def take(self) -> None:
        """Move what the loop takes."""
        self._grow()
        while self._shrinks():
            pass
        self.owner |= dict.fromkeys(self.inside, self.k)

    def _grow(self) -> None:
        """Take all that can be taken. What one node stands in the way of is tried again when this is taken."""
        read = {arg for id in self.own for arg in self._streams(id)}
        waiting = deque(id for own in sorted(self.own) for id in self._near(own))
        while waiting:
            id = waiting.popleft()
            if id in self.inside or not self._is_around(id):
                continue
            if self._is_made(id) if self.owner[id] > self.k else self._is_fed(id, read):
                self.inside.add(id)
                read.update(self._streams(id))
                waiting += self._near(id)

    def _near(self, id: int) -> list[int]:
        """What a loop with this node might take then: its arguments and users, and results of the same arguments."""
        streams = self._streams(id)
        beside = set[int]().union(*(self.users.get(arg, set()) & self.results for arg in streams))
        return sorted((beside | self.users.get(id, set()) | set(streams)) - {CALLER})

    def _streams(self, id: int) -> list[int]:
        return list(filter(self._is_stream, self.graph[id].args))

    def _is_around(self, id: int) -> bool:
        """Whether a node is computed over time on the clock of the loop, and may be part of a step."""
        region = self.regions[self.owner[id]] if id in self.owner else None
        there = region is not None and region.kind == "over time" and region.clock == self.regions[self.k].clock
        return there and self._may_move(id)

    def _shrinks(self) -> bool:
        """Give back what need not be in memory after the loop, such as a term of a sum; returns whether it did."""
        gone = {id for id in self.inside - self.own if not self._is_kept(id)}
        self.inside -= gone
        return bool(gone)

    def _is_kept(self, id: int) -> bool:
        """Whether a node after the loop is read within it, by the caller, or as the rows of a matrix by a product.

        A node before it must still be read by nobody else.
        """
        users = self.users.get(id, set())
        if self.owner[id] < self.k:
            return users <= self.inside | {CALLER}
        products = any(u != CALLER and Trait.CONTRACTS in self.graph[u].op.traits for u in users)
        rows = products and len(self.graph[id].type.shape) < 2
        return CALLER in users or rows or bool(users & self.inside)

    def _size(self, id: int) -> int:
        return prod(size if isinstance(size, int) else 1 << 60 for size in self.graph[id].type.shape)

    def _may_move(self, id: int) -> bool:
        """Whether a node may be part of a step; states and products are cleaned in place, where there is padding."""
        node = self.graph[id]
        cleans = Trait.CLEANS in node.op.traits and not self._is_passing(node.args[0])
        return _is_simple(node.op) and not node.op.traits & FIXED and not cleans and self._size(id) <= self.most

    def _is_passing(self, id: int) -> bool:
        """Whether a value is element-wise and outside of the loop, so that it may not be stored."""
        while Trait.VIEW in self.graph[id].op.traits and id not in self.own:
            id = self.graph[id].args[0]
        return self.graph[id].op.elementwise and id not in self.own

    def _is_fed(self, id: int, read: Container[int]) -> bool:
        """Whether only the loop or the caller reads a node before the loop, and the loop reads it or its arguments."""
        users = self.users.get(id, set())
        useful = bool(users & self.inside) or any(arg in read for arg in self.graph[id].args)
        return useful and users <= self.inside | {CALLER}

    def _is_made(self, id: int) -> bool:
        """Whether a node after the loop reads what the loop computes at the same step, and nothing that comes later."""
        args = [arg for arg in self.graph[id].args if number(self.graph, arg) is None]
        there = (arg in self.inside or self.owner.get(arg, self.k) < self.k for arg in args)
        return any(arg in self.inside for arg in args) and all(there)

    def _is_stream(self, id: int) -> bool:
        return self.graph[id].type.kind is Kind.STREAM
