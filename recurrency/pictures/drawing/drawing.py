"""A picture with all coordinates: boxes with labels, frames around loops, and paths."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurrency.pictures.drawing.labels import Label
from recurrency.pictures.sketching.sketch import Line, Node

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A node; `x` and `y` are its middle."""

    node: Node
    label: Label
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Frame:
    """The rounded frame of a recurrence; `x` and `y` are its upper left corner, `label_at` that of its caption."""

    label: Label
    label_at: Point
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Path:
    """A line through points: smooth with vertical ends or, if `square`, along the axes with rounded corners."""

    points: tuple[Point, ...]
    line: Line
    arrow: bool
    square: bool = False


@dataclass
class Drawing:
    """All parts of a picture; y points down."""

    title: str
    doc: str
    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)

    def moved(self, dx: float, dy: float) -> Drawing:
        """The same drawing, shifted."""
        out = Drawing(self.title, self.doc, self.width, self.height)
        out.boxes = [Box(b.node, b.label, b.x + dx, b.y + dy, b.width, b.height) for b in self.boxes]
        out.paths = [Path(tuple((x + dx, y + dy) for x, y in p.points), p.line, p.arrow, p.square) for p in self.paths]
        for f in self.frames:
            at = (f.label_at[0] + dx, f.label_at[1] + dy)
            out.frames.append(Frame(f.label, at, f.x + dx, f.y + dy, f.width, f.height))
        return out

    def add(self, other: Drawing) -> None:
        """Add all parts of another drawing."""
        self.boxes += other.boxes
        self.frames += other.frames
        self.paths += other.paths
