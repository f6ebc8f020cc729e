"""Routes the edges that close a loop: around its layout, back to the delays at its top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from recurrency.pictures.drawing.drawing import Path, Point
from recurrency.pictures.drawing.stack import Stack
from recurrency.pictures.sketching.sketch import Edge, Line

LANE = 8.0
MARGIN = 10.0
EXIT = 7.0
MOST = 6
"""So many delays are tried on both sides; any further one goes to the nearer side."""


@dataclass(frozen=True)
class Lane:
    """The route of all edges into one delay: its side (-1 left, 1 right), and its lane, counted outwards."""

    delay: str
    members: tuple[str, ...]
    side: int
    number: int = 0
    above: int = 0
    """The track above the top layer, from 1; 0 if the route enters the delay from the side."""


def plan(placed: Stack, feedback: Sequence[Edge]) -> list[Lane]:
    """The lanes of all delays, on the sides with short routes and few crossings."""
    into: dict[str, list[str]] = {}
    for edge in feedback:
        into.setdefault(edge.target, []).append(edge.source)
    choices = [_sides(placed, d, n) for n, d in enumerate(into)]
    plans = (
        [Lane(d, tuple(m), side) for (d, m), side in zip(into.items(), sides, strict=True)]
        for sides in product(*choices)
    )
    best = min(plans, key=lambda lanes: _cost(placed, lanes))
    return [numbered for side in (-1, 1) for numbered in _number(placed, [lane for lane in best if lane.side == side])]


def _sides(placed: Stack, delay: str, number: int) -> tuple[int, ...]:
    return (1, -1) if number < MOST else ((1,) if placed.layers.x[delay] > 0 else (-1,))


def _depth(placed: Stack, lane: Lane) -> float:
    return max(placed.y(m) for m in lane.members)


def outermost(placed: Stack, item: str, side: int) -> bool:
    """Whether an item is the last one of its layer on a side."""
    row = placed.layers.rows[placed.layers.row_of[item]]
    return row[0 if side < 0 else -1] == item


def _cost(placed: Stack, lanes: Sequence[Lane]) -> float:
    x = placed.layers.x
    cost = 0.0
    for lane in lanes:
        for item in (lane.delay, *lane.members):
            cost -= lane.side * x[item] / 2
            cost += 0.0 if outermost(placed, item, lane.side) else 60.0
    for a in lanes:
        for b in lanes:
            inner = _depth(placed, a) < _depth(placed, b) and a.side == b.side
            cost += 80.0 if inner and a.side * (x[a.delay] - x[b.delay]) < 0 else 0.0
    return cost


def _number(placed: Stack, lanes: list[Lane]) -> list[Lane]:
    out: list[Lane] = []
    tracks = 0
    for number, lane in enumerate(sorted(lanes, key=lambda e: (_depth(placed, e), -e.side * placed.layers.x[e.delay]))):
        beside = outermost(placed, lane.delay, lane.side)
        tracks += not beside
        out.append(Lane(lane.delay, lane.members, lane.side, number, 0 if beside else tracks))
    return out


def room(lanes: Sequence[Lane], side: int) -> float:
    """The space that the lanes of a side need beside the layout."""
    used = sum(1 for lane in lanes if lane.side == side)
    return MARGIN + used * LANE


def headroom(lanes: Sequence[Lane]) -> float:
    """The space that the lanes need above the layout."""
    return MARGIN + LANE * max((lane.above for lane in lanes), default=0)


def exits(placed: Stack, lanes: Sequence[Lane], row: int) -> float:
    """The extra space below a layer for routes that leave its items downwards."""
    leaving = [m for lane in lanes for m in lane.members if not outermost(placed, m, lane.side)]
    return EXIT * sum(1 for m in leaving if placed.layers.row_of[m] == row)


def ways(placed: Stack, lanes: Sequence[Lane], left: float, right: float) -> list[Path]:
    """The paths of all lanes; `left` and `right` are the sides of the layout.

    The lowest member of a lane has a whole path; the others only lead to it.
    """
    out: list[Path] = []
    for lane in lanes:
        beside = (lane.number + 0.5) * LANE + 2.0
        track = right + beside if lane.side > 0 else left - beside
        lowest, *others = sorted(lane.members, key=lambda m: -placed.y(m))
        whole = (*_way_out(placed, lane, lowest, track), *_way_in(placed, lane, track))
        out.append(Path(whole, Line.DASHED, arrow=True, square=True))
        out += [Path(_way_out(placed, lane, m, track), Line.DASHED, arrow=False, square=True) for m in others]
    return out


def _way_out(placed: Stack, lane: Lane, member: str, track: float) -> tuple[Point, ...]:
    """From a member to its lane: sideways if it is outermost, else down first."""
    middle = placed.y(member)
    if outermost(placed, member, lane.side):
        edge = placed.right(member) if lane.side > 0 else placed.left(member)
        return (edge, middle), (track, middle)
    x = placed.layers.x[member] + lane.side * 0.3 * placed.size[member][0]
    low = placed.bottom(placed.layers.row_of[member]) + EXIT * (lane.number + 1)
    return (x, middle + placed.size[member][1] / 2), (x, low), (track, low)


def _way_in(placed: Stack, lane: Lane, track: float) -> tuple[Point, ...]:
    """From a lane to its delay: from the side if the delay is outermost, else from above."""
    middle = placed.y(lane.delay)
    if not lane.above:
        edge = placed.right(lane.delay) if lane.side > 0 else placed.left(lane.delay)
        return (track, middle), (edge, middle)
    x, high = placed.layers.x[lane.delay], placed.top(0) - LANE * lane.above - 3.0
    return (track, high), (x, high), (x, middle - placed.size[lane.delay][1] / 2)
