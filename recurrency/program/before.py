"""The rows before the first step of a stream: which values delayed uses need there, and which rows are written."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait


@dataclass(frozen=True)
class Rows:
    """The rows `low` to `high` of a buffer, counted backwards from the first step: row 1 is the one just before it.

    They hold the rows of the value `first` from its row `start` on, the oldest in row `high`. With `start` None,
    `first` is one row and stands in it as a whole. Rows without a value hold zeros.
    """

    low: int
    high: int
    first: int | None
    start: int | None = None

    def part(self, low: int, high: int) -> Rows:
        """Part of these rows."""
        return Rows(low, high, self.first, None if self.start is None else self.start + self.high - high)

    def apart(self, other: Rows) -> bool:
        """Whether the two have no row in common."""
        return self.low > other.high or other.low > self.high

    def agrees(self, other: Rows) -> bool:
        """Whether both have the same contents in the rows that they share."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return self.apart(other) or self.part(low, high) == other.part(low, high)

    def covers(self, other: Rows) -> bool:
        """Whether the other rows are part of these, with the same contents."""
        return self.low <= other.low and other.high <= self.high and self.agrees(other)


def wanted(node: Node, delay: int, line: bool) -> Iterator[Rows]:
    """The rows that a delayed use reads, each with the argument that fills it; the steps begin `delay` rows later.

    `line`: the only argument has a row for each of them.
    """
    if len(node.args) == 1 or line:
        first, start = (node.args[1], 0) if line else (None, None)
        yield Rows(delay - node.delay + 1, delay, first, start)
        return
    for step, arg in enumerate(node.args[1:]):
        yield Rows(delay - step, delay - step, arg)


def is_line(graph: Graph, node: Node) -> bool:
    """Whether the first values of a delayed use are the rows of one value."""
    return len(node.args) == 2 and len(graph[node.args[1]].type.shape) > len(node.type.shape)


def rows_before(graph: Graph, node: Node, delay: int) -> list[Rows]:
    """The rows before the first step that a delayed use reads."""
    return list(wanted(node, delay, is_line(graph, node))) if node.delay > 0 else []


def origins(graph: Graph, rows: Rows) -> Iterator[Rows]:
    """The same rows, each with the value that was computed first, seen through `slice`, `concat` and `reshape`."""
    if rows.first is None or rows.start is None:
        yield rows
        return
    node, count = graph[rows.first], rows.high - rows.low + 1
    if Trait.ROWS in node.op.traits:
        yield from origins(graph, Rows(rows.low, rows.high, node.args[0], rows.start + node.attrs["start"]))
    elif Trait.TILES in node.op.traits:
        end = 0
        for arg in node.args:
            size = graph[arg].type.shape[0]
            assert isinstance(size, int)
            low, high = max(rows.start, end), min(rows.start + count, end + size)
            if low < high:
                top = rows.high - (low - rows.start)
                yield from origins(graph, Rows(top - (high - low) + 1, top, arg, low - end))
            end += size
    elif Trait.CONTIGUOUS in node.op.traits and node.type.shape == (1, *graph[node.args[0]].type.shape):
        yield Rows(rows.low, rows.high, node.args[0])
    else:
        yield rows


def delayed(graph: Graph, ids: Iterable[int]) -> list[int]:
    """The delayed uses in a loop, those that reach back the farthest first: nearer ones find their rows written."""
    late = [(graph[id].delay, id) for id in ids if graph[id].delay]
    return [id for delay, id in sorted(late, key=lambda use: -abs(use[0]))]


def declared(graph: Graph, node: Node) -> tuple[int, ...]:
    """The nodes of the first values of a delayed use; of first values that are rows of one value, the last one."""
    if not is_line(graph, node):
        return node.args[1:]
    (last,) = [rows for line in rows_before(graph, node, node.delay) for rows in origins(graph, line) if rows.low == 1]
    return () if last.first is None else (last.first,)


Where: TypeAlias = tuple[tuple[int, int], tuple[Hashable, ...]]
"""A place within the rows of a buffer: its columns, and its views."""


@dataclass
class Said:
    """The contents of the rows before the first step of a buffer; in one place no entry lies within another."""

    rows: dict[Where, list[Rows]] = field(default_factory=dict)

    def agrees(self, where: Where, wanted: Sequence[Rows]) -> bool:
        """Whether these rows contradict no entry, in this place or in one that shares columns with it."""
        low, high = where[0]
        shared = [other for other in self.rows if other[0][0] < high and low < other[0][1]]
        met = ((other, rows, new) for other in shared for new in wanted for rows in self._overlapping(other, new))
        return all(other == where and rows.agrees(new) for other, rows, new in met)

    def say(self, where: Where, wanted: Sequence[Rows]) -> None:
        """Add rows that agree with the entries."""
        for new in wanted:
            known = self._overlapping(where, new)
            if not any(rows.covers(new) for rows in known):
                for rows in known:
                    if new.covers(rows):
                        self.rows[where].remove(rows)
                insort(self.rows.setdefault(where, []), new, key=_low)

    def _overlapping(self, where: Where, new: Rows) -> list[Rows]:
        known = self.rows.get(where, [])
        start = bisect_left(known, new.low, key=_high)
        return known[start : bisect_right(known, new.high, key=_low)]


def _low(rows: Rows) -> int:
    return rows.low


def _high(rows: Rows) -> int:
    return rows.high


@dataclass
class Filled:
    """The rows before the first step that are written already, by their place in memory."""

    rows: dict[object, list[tuple[int, int]]] = field(default_factory=dict)

    def missing(self, place: object, rows: Rows) -> list[Rows]:
        """The rows among these that are not written yet. They count as written from now on."""
        known = self.rows.setdefault(place, [])
        free = [(rows.low, rows.high)]
        for low, high in known:
            cut = (piece for a, b in free for piece in ((a, min(b, low - 1)), (max(a, high + 1), b)))
            free = [(a, b) for a, b in cut if a <= b]
        self.rows[place] = _joined([*known, *free])
        return [rows.part(low, high) for low, high in free]


def _joined(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same pieces, neighbours joined."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(pieces):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out
