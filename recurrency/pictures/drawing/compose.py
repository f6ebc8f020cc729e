"""The whole drawing: each recurrence is laid out in a frame; the frames are nodes of the outer layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recurrency.pictures.drawing.arrange import Item, Wire, arrange
from recurrency.pictures.drawing.drawing import Box, Drawing, Frame, Path, Point
from recurrency.pictures.drawing.feedback import Lane, exits, headroom, plan, room, ways
from recurrency.pictures.drawing.labels import Label, make_label
from recurrency.pictures.drawing.stack import Stack, paths, stack
from recurrency.pictures.sketching.sketch import Edge, Kind, Loop, Node, Sketch

SIZES = {Kind.DELAY: 10.0, Kind.FIRST: 9.0}
PADDING = {Kind.DELAY: (7.0, 3.0), Kind.FIRST: (6.0, 3.5), Kind.INPUT: (10.0, 4.0), Kind.OUTPUT: (10.0, 4.0)}
COLUMN = 420.0
"""The width of a picture that is readable in one column of a paper."""
WIDTHS = (220.0, 160.0, 130.0, 110.0, 98.0, 86.0)
"""Greatest widths of labels; they are tried in turn until the picture fits a column."""
BORDER = 5.0
CAPTION = 8.0
SIGN = 13.0
"""Space for the symbol of a called cell with a recurrence."""


def compose(sketch: Sketch) -> Drawing:
    """The drawing of a sketch, with the widest labels that let it fit into a column."""
    composer = _Composer(sketch)
    for widest in WIDTHS:
        drawing = composer.drawing(widest)
        if drawing.width <= COLUMN:
            break
    return drawing


@dataclass
class _Inside:
    """The layout of a loop: its drawing from the upper left corner of the frame, its ports from the middle."""

    drawing: Drawing
    size: Point
    enter: dict[str, float] = field(default_factory=dict)
    leave: dict[str, float] = field(default_factory=dict)


class _Composer:
    def __init__(self, sketch: Sketch) -> None:
        self.sketch = sketch
        self.labels: dict[str, Label] = {}
        self.size: dict[str, Point] = {}
        self.rows: dict[str, list[list[Item]]] = {}
        self.home = {id: f"loop:{n}" for n, loop in enumerate(sketch.loops) for id in loop.members}
        self.bundles = {bundle(e): e.line for e in (*sketch.edges, *sketch.feedback)}

    def _measure(self, node: Node, widest: float) -> None:
        label = make_label(node.label, SIZES.get(node.kind, 11.0), widest)
        across, down = PADDING.get(node.kind, (8.0, 5.0))
        least = 26.0 if node.kind is not Kind.DELAY else 22.0
        sign = SIGN if node.recurrent else 0.0
        self.labels[node.id] = label
        self.size[node.id] = (max(label.width + 2 * across + sign, least), label.height + 2 * down)

    def drawing(self, widest: float) -> Drawing:
        """The drawing with labels broken at `widest`, where they have breaks."""
        for node in self.sketch.nodes.values():
            self._measure(node, widest)
        loops = {f"loop:{n}": self._loop(f"loop:{n}", loop) for n, loop in enumerate(self.sketch.loops)}
        outside = [id for id in self.sketch.nodes if id not in self.home]
        size = {**{id: self.size[id] for id in outside}, **{id: inside.size for id, inside in loops.items()}}
        wires = list(dict.fromkeys(self._outer(loops)))
        layers = arrange({id: s[0] for id, s in size.items()}, wires, rows=self.rows.get(""))
        self.rows[""] = layers.rows
        placed = stack(layers, size)
        out = Drawing(self.sketch.name, self.sketch.doc)
        out.paths = paths(placed, self.bundles)
        out.boxes = self._boxes(placed, outside)
        for id, inside in loops.items():
            out.add(inside.drawing.moved(layers.x[id] - inside.size[0] / 2, placed.y(id) - inside.size[1] / 2))
        return _fit(out)

    def _outer(self, loops: dict[str, _Inside]) -> Iterable[Wire]:
        for edge in self.sketch.edges:
            a, b = self.home.get(edge.source, edge.source), self.home.get(edge.target, edge.target)
            if a == b and a in loops:
                continue
            name = bundle(edge)
            leave = loops[a].leave[name] if a in loops else 0.0
            yield Wire(a, b, name, leave, loops[b].enter[name] if b in loops else None)

    def _boxes(self, placed: Stack, ids: Iterable[str]) -> list[Box]:
        nodes = self.sketch.nodes
        return [Box(nodes[i], self.labels[i], placed.layers.x[i], placed.y(i), *self.size[i]) for i in ids]

    # ------------------------------------------------------------------------------------------------- inside a frame

    def _loop(self, name: str, loop: Loop) -> _Inside:
        members = set(loop.members)
        size = {id: self.size[id] for id in loop.members}
        wires: dict[Wire, None] = {}
        delays = {e.target for e in self.sketch.feedback if e.target in members}
        top, bottom = set(delays), set[str]()
        for edge in self.sketch.edges:
            way, source, target = bundle(edge), edge.source, edge.target
            if source not in members and target in members:
                source = f"in:{way}"
                top.add(source)
                size[source] = (4.0, 0.0)
            elif source in members and target not in members:
                target = f"out:{way}"
                bottom.add(target)
                size[target] = (4.0, 0.0)
            if source in size and target in size:
                wires[Wire(source, target, way)] = None
        layers = arrange({id: s[0] for id, s in size.items()}, list(wires), top, bottom, delays, self.rows.get(name))
        self.rows[name] = layers.rows
        first = stack(layers, size)
        lanes = plan(first, [e for e in self.sketch.feedback if e.target in members])
        return self._frame(loop, stack(layers, size, lambda row: exits(first, lanes, row)), lanes)

    def _frame(self, loop: Loop, placed: Stack, lanes: list[Lane]) -> _Inside:
        x = placed.layers.x
        items = [item for row in placed.layers.rows for item in row]
        left, right = min(map(placed.left, items)), max(map(placed.right, items))
        label = make_label(rf"\mathrm{{{loop.kind}\ recurrence}}", 8.5, COLUMN)
        corner = left - room(lanes, -1), -headroom(lanes)
        width = right + room(lanes, 1) - corner[0]
        leaving = [x[item] - corner[0] for item in items if isinstance(item, str) and item.startswith("out:")]
        width, label_x = _caption(label, width, leaving)
        height = placed.total - corner[1] + label.height + 9
        out = Drawing("", "")
        out.paths = [*paths(placed, self.bundles), *ways(placed, lanes, left, right)]
        out.boxes = self._boxes(placed, loop.members)
        inside = _Inside(out, (width, height))
        for item in items:
            if isinstance(item, str) and item not in self.size:
                kind, _, name = item.partition(":")
                ends = (corner[1], placed.y(item)) if kind == "in" else (placed.y(item), corner[1] + height)
                out.paths.append(Path(((x[item], ends[0]), (x[item], ends[1])), self.bundles[name], False))
                (inside.enter if kind == "in" else inside.leave)[name] = x[item] - corner[0] - width / 2
        inside.drawing = out.moved(-corner[0], -corner[1])
        at = label_x, height - label.height - 5
        inside.drawing.frames.append(Frame(label, at, 0.0, 0.0, width, height))
        return inside


def bundle(edge: Edge) -> str:
    """The bundle of an edge: edges with the same source and line style share a path."""
    return f"{edge.source}|{edge.line}"


def _caption(label: Label, width: float, ports: list[float]) -> tuple[float, float]:
    """The width of a frame and the x of its caption, such that no outgoing edge crosses the caption."""
    need = label.width + 2 * CAPTION
    first, last = min(ports, default=width), max(ports, default=0.0)
    if first >= need:
        return width, CAPTION
    width = max(width, last + need)
    return width, width - label.width - CAPTION


def _fit(drawing: Drawing) -> Drawing:
    """The drawing shifted to positive coordinates, with a border."""
    xs = [x for b in drawing.boxes for x in (b.x - b.width / 2, b.x + b.width / 2)]
    ys = [y for b in drawing.boxes for y in (b.y - b.height / 2, b.y + b.height / 2)]
    xs += [x for f in drawing.frames for x in (f.x, f.x + f.width)] + [x for p in drawing.paths for x, _ in p.points]
    ys += [y for f in drawing.frames for y in (f.y, f.y + f.height)] + [y for p in drawing.paths for _, y in p.points]
    left, top = min(xs, default=0.0) - BORDER, min(ys, default=0.0) - BORDER
    out = drawing.moved(-left, -top)
    out.width, out.height = max(xs, default=0.0) + BORDER - left, max(ys, default=0.0) + BORDER - top
    return out
