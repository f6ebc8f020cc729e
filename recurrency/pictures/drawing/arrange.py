"""Layered layout of small acyclic graphs: a layer, an order within the layer and a coordinate for each node.

The method is by Sugiyama, Tagawa and Toda (1981): longest-path layers, dummy nodes where an edge passes through a
layer, barycentre sweeps against crossings, and least-squares coordinates that keep the order. No maintained Python
library has what pictures of equations also need: nodes pinned to the first or last layer, ports at fixed positions of a
node (a loop with its own drawing inside), and one bundle of edges for all uses of a value.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from recurrency.errors import UsageError

Bend = tuple[str, int]
"""The dummy node of a bundle in a layer."""
Item = str | Bend

SWEEPS = 24
RESTARTS = 6
ROUNDS = 60
SMALL = 150
"""Up to so many edges between layers, restarts and exchanges improve the order; beyond, they would take seconds."""
MOST_LINES = 700
LONGEST_LINES = 1_500
"""Greatest number of edges, and of layers that all edges pass together; a larger picture would be unreadable."""
STRAIGHT = 4.0
AIR = 14.0


@dataclass(frozen=True)
class Wire:
    """An edge. Edges of one `bundle` may share a path; `leave` and `enter` are ports: offsets from a node's middle."""

    source: str
    target: str
    bundle: str
    leave: float = 0.0
    enter: float | None = None


@dataclass(frozen=True)
class Stretch:
    """The part of a wire between two layers; ports only apply at the ends of the wire."""

    upper: Item
    lower: Item
    wire: Wire

    @property
    def leave(self) -> float:
        return self.wire.leave if isinstance(self.upper, str) else 0.0

    @property
    def enter(self) -> float:
        return (self.wire.enter or 0.0) if isinstance(self.lower, str) else 0.0

    @property
    def pull(self) -> float:
        """The weight in the least squares: larger between dummy nodes, so that long edges are straight."""
        stand_ins = isinstance(self.upper, tuple) + isinstance(self.lower, tuple)
        return STRAIGHT**stand_ins


@dataclass
class Layers:
    """A layout: the items of each layer from left to right, the x of each item, and the stretches between layers."""

    rows: list[list[Item]]
    x: dict[Item, float] = field(default_factory=dict)
    row_of: dict[Item, int] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)
    outer: frozenset[str] = frozenset()

    def below(self, row: int) -> list[Stretch]:
        """The stretches between a layer and the next."""
        return self._by_row.get(row, [])

    @cached_property
    def _by_row(self) -> dict[int, list[Stretch]]:
        found: dict[int, list[Stretch]] = defaultdict(list)
        for stretch in self.stretches:
            found[self.row_of[stretch.upper]].append(stretch)
        return found


def arrange(
    widths: Mapping[str, float],
    wires: Sequence[Wire],
    top: Iterable[str] = (),
    bottom: Iterable[str] = (),
    outer: Iterable[str] = (),
    rows: list[list[Item]] | None = None,
    ranks: Mapping[str, int] | None = None,
) -> Layers:
    """The layers, order and x coordinates of nodes with these widths.

    `top` are pinned to the first layer, `bottom` to the last; `outer` go to the ends of their layer if possible. Given
    `rows`, the layers of an earlier layout of the same graph, only the coordinates are computed. `ranks` gives the
    layer of each node, from 0 at the top, in place of the longest path.

    Raises:
        UsageError: there are too many edges, or they are too long.
    """
    ranks = _ranks(list(widths), wires, frozenset(top), frozenset(bottom)) if ranks is None else ranks
    _require_short(ranks, wires)
    layers = _bundle(ranks, wires)
    layers.outer = frozenset(outer)
    neighbours = _neighbours(layers)
    layers.rows = _order(layers, neighbours) if rows is None else rows
    _place(layers, neighbours, widths)
    return layers


# -------------------------------------------------------------------------------------------------------------- layers


def _ranks(nodes: list[str], wires: Sequence[Wire], top: frozenset[str], bottom: frozenset[str]) -> dict[str, int]:
    after: dict[str, set[str]] = {v: set() for v in nodes}
    before: dict[str, set[str]] = {v: set() for v in nodes}
    for wire in wires:
        after[wire.source].add(wire.target)
        before[wire.target].add(wire.source)
    order = _topological(nodes, before, after)
    rank = dict.fromkeys(nodes, 0)
    for v in order:
        rank[v] = max((rank[u] + 1 for u in before[v]), default=0)
    for v in reversed(order):  # a node with more readers than arguments moves down to its readers
        if v not in top and after[v] and len(after[v]) >= len(before[v]):
            rank[v] = max(rank[v], min(rank[w] for w in after[v]) - 1)
    last = max((rank[v] + (v not in bottom and bool(bottom)) for v in nodes), default=0)
    rank.update(dict.fromkeys(bottom, last))
    return rank


def _topological(nodes: list[str], before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[str]:
    waiting = {v: len(before[v]) for v in nodes}
    ready = [v for v in nodes if not waiting[v]]
    out: list[str] = []
    while ready:
        v = ready.pop(0)
        out.append(v)
        for w in sorted(after[v]):
            waiting[w] -= 1
            if not waiting[w]:
                ready.append(w)
    return out


def _require_short(rank: Mapping[str, int], wires: Sequence[Wire]) -> None:
    """Check the number and the total length of the edges.

    Raises:
        UsageError: there are too many edges, or they pass through too many layers.
    """
    bundles = {(wire.bundle, wire.target): rank[wire.target] - rank[wire.source] for wire in wires}
    if len(wires) > MOST_LINES or sum(bundles.values()) > LONGEST_LINES:
        raise UsageError(f"too many lines for a picture: {len(wires)}, through {sum(bundles.values())} layers together")


def _bundle(rank: Mapping[str, int], wires: Sequence[Wire]) -> Layers:
    """Layers with one dummy node for each bundle that passes through a layer."""
    rows: list[list[Item]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for v, r in rank.items():
        rows[r].append(v)
    row_of: dict[Item, int] = dict(rank.items())
    layers = Layers(rows, row_of=row_of)
    found: dict[tuple[Item, Item, str], Stretch] = {}
    for wire in wires:
        here: Item = wire.source
        for r in range(rank[wire.source] + 1, rank[wire.target]):
            bend: Bend = (wire.bundle, r)
            if bend not in layers.row_of:
                layers.row_of[bend] = r
                rows[r].append(bend)
            found.setdefault((here, bend, wire.bundle), Stretch(here, bend, wire))
            here = bend
        found[here, wire.target, wire.bundle] = Stretch(here, wire.target, wire)
    layers.stretches = list(found.values())
    return layers


# --------------------------------------------------------------------------------------------------------------- order


Neighbours = dict[Item, tuple[list[Stretch], list[Stretch]]]
"""For each item, its stretches from the layer above and its stretches to the layer below."""


def _neighbours(layers: Layers) -> Neighbours:
    found: Neighbours = {item: ([], []) for row in layers.rows for item in row}
    for stretch in layers.stretches:
        found[stretch.upper][1].append(stretch)
        found[stretch.lower][0].append(stretch)
    return found


def _order(layers: Layers, neighbours: Neighbours) -> list[list[Item]]:
    best, fewest = layers.rows, crossings(layers.rows, layers)
    chance = random.Random(0)
    small = len(layers.stretches) <= SMALL
    for start in range(RESTARTS if small else 1):
        rows = [list(row) for row in layers.rows]
        if start:
            for row in rows:
                chance.shuffle(row)
        for sweep in range(SWEEPS):
            _sweep(rows, layers, neighbours, down=sweep % 2 == 0)
            if small:
                _swap(rows, layers)
            count = crossings(rows, layers)
            if count < fewest:
                best, fewest = [list(row) for row in rows], count
    return best


def _sweep(rows: list[list[Item]], layers: Layers, neighbours: Neighbours, down: bool) -> None:
    """Sort each layer by the mean position of its items' neighbours in the layer before it."""
    for r in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
        beside = {item: n for n, item in enumerate(rows[r - 1 if down else r + 1])}

        def mean(pair: tuple[int, Item], beside: dict[Item, int] = beside) -> float:
            above, below = neighbours[pair[1]]
            joined = [s.upper for s in above] if down else [s.lower for s in below]
            scale = max(len(beside), 1)
            return sum((beside[j] + 0.5) / scale for j in joined) / len(joined) if joined else (pair[0] + 0.5) / scale

        rows[r] = [item for _, item in sorted(enumerate(rows[r]), key=mean)]


def _swap(rows: list[list[Item]], layers: Layers) -> None:
    """Exchange neighbours where that reduces the crossings."""
    for number, row in enumerate(rows):
        cost = _cost_around(rows, layers, number)
        for left in range(len(row) - 1):
            row[left], row[left + 1] = row[left + 1], row[left]
            new = _cost_around(rows, layers, number)
            if new < cost:
                cost = new
            else:
                row[left], row[left + 1] = row[left + 1], row[left]


def _cost_around(rows: list[list[Item]], layers: Layers, number: int) -> float:
    above = _cost(rows, layers, number - 1) if number else 0.0
    return above + _cost(rows, layers, number) + _inward(rows[number], layers)


def crossings(rows: list[list[Item]], layers: Layers) -> float:
    """The number of crossings, plus small penalties for long stretches and for `outer` items inside a layer."""
    return sum(_cost(rows, layers, n) + _inward(row, layers) for n, row in enumerate(rows))


def _inward(row: list[Item], layers: Layers) -> float:
    return 0.6 * sum(1 for item in row[1:-1] if item in layers.outer)


def _cost(rows: list[list[Item]], layers: Layers, number: int) -> float:
    """Crossings between a layer and the next."""
    if number + 1 >= len(rows):
        return 0.0
    upper, lower = ({item: n for n, item in enumerate(rows[r])} for r in (number, number + 1))
    found = sorted((upper[s.upper], s.leave, lower[s.lower], s.enter) for s in layers.below(number))
    count, length = 0, 0.0
    for i, (a, leave, b, enter) in enumerate(found):
        length += abs(a / len(upper) - b / len(lower))
        for c, leave2, d, enter2 in found[i + 1 :]:
            count += (c, leave2) > (a, leave) and (d, enter2) < (b, enter)
    return count + 1e-3 * length


# -------------------------------------------------------------------------------------------------------------- places


def _place(layers: Layers, neighbours: Neighbours, widths: Mapping[str, float]) -> None:
    """Compute x coordinates that keep the order and the distances and make the edges as vertical as possible."""
    width = {item: widths[item] if isinstance(item, str) else 0.0 for row in layers.rows for item in row}
    for row in layers.rows:
        layers.x.update(zip(row, spread([0.0] * len(row), [1.0] * len(row), _distances(row, width)), strict=True))
    for turn in range(ROUNDS):
        rows = layers.rows if turn % 2 else layers.rows[::-1]
        for row in rows:
            wanted = [_wanted(item, layers, neighbours) for item in row]
            places = spread([w for w, _ in wanted], [s for _, s in wanted], _distances(row, width))
            layers.x.update(zip(row, places, strict=True))


def _distances(row: Sequence[Item], width: Mapping[Item, float]) -> list[float]:
    return [(width[a] + width[b]) / 2 + AIR * _air(a, b) for a, b in pairwise(row)]


def _air(a: Item, b: Item) -> float:
    return 1.0 if isinstance(a, str) or isinstance(b, str) else 0.7


def _wanted(item: Item, layers: Layers, neighbours: Neighbours) -> tuple[float, float]:
    """The best x of an item and the weight of that."""
    total, strength = 0.0, 1e-3
    above, below = neighbours[item]
    for stretch in above:
        total += stretch.pull * (layers.x[stretch.upper] + stretch.leave - stretch.enter)
        strength += stretch.pull
    for stretch in below:
        total += stretch.pull * (layers.x[stretch.lower] + stretch.enter - stretch.leave)
        strength += stretch.pull
    return total / strength, strength


def spread(wanted: Sequence[float], strength: Sequence[float], distances: Sequence[float]) -> list[float]:
    """The weighted least-squares positions with at least these distances, by pooling adjacent violators."""
    offsets = [0.0]
    for d in distances:
        offsets.append(offsets[-1] + d)
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, strength, offsets, strict=False):
        mean, mass, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavy, many = pools.pop()
            mean = (mean * mass + other * heavy) / (mass + heavy)
            mass, count = mass + heavy, count + many
        pools.append((mean, mass, count))
    flat = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=False)]
