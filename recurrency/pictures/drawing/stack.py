"""From layers to coordinates: the y of each layer, the points where edges meet a node, and the paths between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recurrency.pictures.drawing.arrange import Item, Layers, Stretch, spread
from recurrency.pictures.drawing.drawing import Path, Point
from recurrency.pictures.sketching.sketch import Line

GAP = 22.0
PORTS = 9.0
"""The gap above a layer that has only ports."""
ENTRIES = 11.0
"""The least distance between two arrow heads at a node."""


@dataclass
class Stack:
    """The y coordinates of a layered drawing: the middle of each layer and its height; y points down from 0."""

    layers: Layers
    size: Mapping[str, Point]
    middle: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    total: float = 0.0

    def bottom(self, row: int) -> float:
        return self.middle[row] + self.height[row] / 2

    def top(self, row: int) -> float:
        return self.middle[row] - self.height[row] / 2

    def left(self, item: Item) -> float:
        return self.layers.x[item] - (self.size[item][0] / 2 if isinstance(item, str) else 0.0)

    def right(self, item: Item) -> float:
        return self.layers.x[item] + (self.size[item][0] / 2 if isinstance(item, str) else 0.0)

    def y(self, item: Item) -> float:
        return self.middle[self.layers.row_of[item]]


def stack(layers: Layers, size: Mapping[str, Point], extra: Callable[[int], float] = lambda row: 0.0) -> Stack:
    """Stack the layers; the gap below a layer grows with the horizontal reach of its edges, and by `extra`."""
    out = Stack(layers, size)
    heights = [max((size[i][1] for i in items if isinstance(i, str)), default=0.0) for items in layers.rows]
    y = 0.0
    for row, height in enumerate(heights):
        out.middle.append(y + height / 2)
        out.height.append(height)
        out.total = y + height
        ends = [
            (_leave(out, s), layers.x[s.lower] + s.enter) for s in layers.stretches if layers.row_of[s.upper] == row
        ]
        reach = max((abs(a - b) for a, b in ends), default=0.0)
        ports = row + 1 < len(heights) and not heights[row + 1]
        y += height + (PORTS if ports else GAP) + min(14.0, 0.07 * reach) + extra(row)
    return out


def entries(placed: Stack) -> dict[Stretch, float]:
    """The x at which each stretch meets the top of its lower end, as near to its source as the others allow."""
    into: dict[Item, list[Stretch]] = defaultdict(list)
    for stretch in placed.layers.stretches:
        into[stretch.lower].append(stretch)
    found: dict[Stretch, float] = {}
    for node, stretches in into.items():
        free = [s for s in stretches if isinstance(node, str) and s.wire.enter is None]
        found.update((s, placed.layers.x[node] + s.enter) for s in stretches if s not in free)
        free.sort(key=lambda s: _leave(placed, s))
        if isinstance(node, str):
            found.update(zip(free, _share(placed, node, [_leave(placed, s) for s in free]), strict=True))
    return found


def _leave(placed: Stack, stretch: Stretch) -> float:
    return placed.layers.x[stretch.upper] + stretch.leave


def _share(placed: Stack, node: str, wanted: list[float]) -> list[float]:
    """Points on the top of a node near the wanted ones, with a least distance between them."""
    if not wanted:
        return []
    width = placed.size[node][0]
    half = max(0.0, width / 2 - max(9.0, 0.14 * width))
    middle = placed.layers.x[node]
    between = min(ENTRIES, 2 * half / max(len(wanted) - 1, 1))
    inside = [min(max(w, middle - half), middle + half) for w in wanted]
    places = spread(inside, [1.0] * len(inside), [between] * (len(inside) - 1))
    over = min(0.0, middle + half - places[-1]) + max(0.0, middle - half - places[0])
    return [p + over for p in places]


def paths(placed: Stack, line_of: Mapping[str, Line]) -> list[Path]:
    """A path for each stretch between two layers; one that passes through a layer is straight there."""
    meets = entries(placed)
    return [_path(placed, s, meets[s], line_of[s.wire.bundle]) for s in placed.layers.stretches]


def _path(placed: Stack, stretch: Stretch, enter: float, line: Line) -> Path:
    a, b = stretch.upper, stretch.lower
    row_a, row_b = placed.layers.row_of[a], placed.layers.row_of[b]
    x0 = _leave(placed, stretch)
    start = placed.y(a) + placed.size[a][1] / 2 if isinstance(a, str) else placed.top(row_a)
    end = placed.y(b) - placed.size[b][1] / 2 if isinstance(b, str) else placed.top(row_b)
    points: list[Point] = [(x0, start), (x0, placed.bottom(row_a)), (enter, placed.top(row_b)), (enter, end)]
    arrow = isinstance(b, str) and placed.size[b][1] > 0 and stretch.wire.enter is None
    return Path(tuple(points), line, arrow)
