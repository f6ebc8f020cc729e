"""Writes a drawing as SVG; text is outlines, so the picture looks the same on a machine without fonts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from itertools import pairwise

from recurrency.pictures.drawing.drawing import Box, Drawing, Frame, Path, Point
from recurrency.pictures.drawing.labels import Label, typeset
from recurrency.pictures.sketching.sketch import Kind, Line

INK = "#1c2430"
EDGE = "#46515e"
CLOCKS = (("#2f6690", "#e6f0f8"), ("#b0591b", "#fdeedd"), ("#5d7a2c", "#eef5df"), ("#7a4a8c", "#f4eaf7"))
"""Stroke and fill of each clock, `t` first."""
STILL = ("#6a737d", "#f1f2f4")
"""Stroke and fill of values that are the same at all steps."""
DASHES = {Line.SOLID: None, Line.DASHED: "4 2.6", Line.DOTTED: "0.1 3"}
CORNER = 6.0
HEAD = 5.2

Attributes = dict[str, str | float]


def render_svg(drawing: Drawing) -> str:
    """The text of the SVG; each node has its equation as a tooltip."""
    width, height = _n(drawing.width), _n(drawing.height)
    root = _element(None, "svg", xmlns="http://www.w3.org/2000/svg", width=width, height=height)
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    _element(root, "title").text = drawing.title
    _element(root, "desc").text = drawing.doc
    glyphs = _element(root, "defs")
    colours = _colours(drawing)
    for frame in drawing.frames:
        _frame(root, frame)
    for path in drawing.paths:
        _path(root, path)
    for frame in drawing.frames:
        _label(root, frame.label, *frame.label_at)
    for box in drawing.boxes:
        _box(root, box, colours[box.node.clock])
    _share_glyphs(root, glyphs)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _colours(drawing: Drawing) -> Mapping[str | None, tuple[str, str]]:
    clocks = sorted({b.node.clock for b in drawing.boxes if b.node.clock is not None}, key=lambda c: (c != "t", c))
    return {**{c: CLOCKS[n % len(CLOCKS)] for n, c in enumerate(clocks)}, None: STILL}


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _element(parent: ET.Element | None, tag: str, **attributes: str | float) -> ET.Element:
    words = {k.replace("_", "-"): v if isinstance(v, str) else _n(v) for k, v in attributes.items()}
    return ET.Element(tag, words) if parent is None else ET.SubElement(parent, tag, words)


def _frame(root: ET.Element, frame: Frame) -> None:
    style: Attributes = {"fill": "#f7f8fa", "stroke": "#a3adb8", "stroke_width": 0.9}
    _element(root, "rect", x=frame.x, y=frame.y, width=frame.width, height=frame.height, rx=9, **style)


def _box(root: ET.Element, box: Box, colour: tuple[str, str]) -> None:
    group = _element(root, "g")
    _element(group, "title").text = box.node.text
    stroke, fill = colour
    kind = box.node.kind
    style: Attributes = {"stroke": stroke, "stroke_width": 1.0, "fill": "#ffffff", "rx": 4.0}
    if kind in (Kind.INPUT, Kind.OUTPUT):
        style |= {"fill": fill if kind is Kind.INPUT else stroke, "rx": box.height / 2}
    elif kind is Kind.CELL:
        style |= {"fill": fill, "stroke_width": 1.4}
    elif kind in (Kind.DELAY, Kind.FIRST):
        style |= {
            "stroke_dasharray": "2.6 1.8",
            "stroke_width": 0.8,
            "rx": box.height / 2 if kind is Kind.DELAY else 6.0,
        }
    left, top = box.x - box.width / 2, box.y - box.height / 2
    _element(group, "rect", x=left, y=top, width=box.width, height=box.height, **style)
    ink = "#ffffff" if kind is Kind.OUTPUT else INK
    indent = (box.width - box.label.width) / 2
    if box.node.recurrent:
        _turn(group, left + box.width - 11.0, box.y, stroke)
        indent -= 6.5
    _label(group, box.label, left + indent, box.y - box.label.height / 2, ink)


def _turn(group: ET.Element, x: float, y: float, colour: str) -> None:
    """The symbol of a cell with a recurrence: a circular arrow."""
    r = 3.8
    d = f"M{_n(x - 0.6 * r)} {_n(y - 0.8 * r)} A{_n(r)} {_n(r)} 0 1 0 {_n(x + 0.6 * r)} {_n(y - 0.8 * r)}"
    _element(group, "path", d=d, fill="none", stroke=colour, stroke_width=1.1, stroke_linecap="round")
    tip = (x + 0.15 * r, y - 1.15 * r)
    corners = f"M{_n(tip[0])} {_n(tip[1])} l{_n(3.6)} {_n(-0.3)} l{_n(-1.2)} {_n(3.4)} Z"
    _element(group, "path", d=corners, fill=colour)


def _label(parent: ET.Element, label: Label, x: float, y: float, ink: str = INK) -> None:
    for line in label.lines:
        drawn = typeset(line.latex, line.size).drawon(parent, x + line.x, y + line.base)
        drawn.set("fill", ink)
        for part in drawn.iter():
            if part is not drawn and part.get("fill") == "black":
                del part.attrib["fill"]


def _path(root: ET.Element, path: Path) -> None:
    points = list(path.points)
    if path.arrow:
        points[-1] = _before(points[-1], points[-2], HEAD - 1.0)
    words = _square(points) if path.square else _smooth(points)
    style: Attributes = {"fill": "none", "stroke": EDGE, "stroke_width": 1.0, "stroke_linecap": "round"}
    dashes = DASHES[path.line]
    if dashes:
        style["stroke_dasharray"] = dashes
    if path.line is Line.DOTTED:
        style["stroke_width"] = 1.4
    _element(root, "path", d=words, **style)
    if path.arrow:
        _arrow(root, path.points[-1], path.points[-2])


def _arrow(root: ET.Element, tip: Point, back: Point) -> None:
    """An arrow head at `tip` of a line that is parallel to an axis."""
    dx, dy = _direction(back, tip)
    (x, y), half = tip, 0.42 * HEAD
    x, y = x - HEAD * dx, y - HEAD * dy
    corners = [tip, (x - half * dy, y - half * dx), (x + half * dy, y + half * dx)]
    _element(root, "path", d="M" + " L".join(f"{_n(a)} {_n(b)}" for a, b in corners) + " Z", fill=EDGE)


def _direction(a: Point, b: Point) -> Point:
    dx, dy = b[0] - a[0], b[1] - a[1]
    if abs(dx) > abs(dy):
        return (1.0 if dx > 0 else -1.0), 0.0
    return 0.0, (1.0 if dy >= 0 else -1.0)


def _before(tip: Point, back: Point, distance: float) -> Point:
    dx, dy = _direction(back, tip)
    return tip[0] - dx * distance, tip[1] - dy * distance


def _smooth(points: list[Point]) -> str:
    """Vertical lines, and curves with vertical ends between points at different x."""
    words = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x0 - x1) < 0.01:
            words.append(f"L{_n(x1)} {_n(y1)}")
        else:
            bend = 0.5 * (y1 - y0)
            words.append(f"C{_n(x0)} {_n(y0 + bend)} {_n(x1)} {_n(y1 - bend)} {_n(x1)} {_n(y1)}")
    return " ".join(words)


def _square(points: list[Point]) -> str:
    """Lines along the axes with rounded corners."""
    words = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        r = min(CORNER, _length(before, here) / 2, _length(here, after) / 2)
        a, b = _before(here, before, r), _before(here, after, r)
        words.append(f"L{_n(a[0])} {_n(a[1])} Q{_n(here[0])} {_n(here[1])} {_n(b[0])} {_n(b[1])}")
    words.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return " ".join(words)


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _share_glyphs(root: ET.Element, glyphs: ET.Element) -> None:
    """Move the outlines of letters to `glyphs`, each once."""
    seen: set[str | None] = set()
    for parent in list(root.iter()):
        for symbol in _symbols(parent, glyphs):
            parent.remove(symbol)
            if symbol.get("id") not in seen:
                seen.add(symbol.get("id"))
                glyphs.append(symbol)


def _symbols(parent: ET.Element, glyphs: ET.Element) -> Iterable[ET.Element]:
    return [] if parent is glyphs else parent.findall("symbol")
