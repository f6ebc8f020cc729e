"""The picture of the architecture: the packages in their layers, and which imports which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import networkx as nx

from recurrency.pictures.drawing.arrange import Wire, arrange
from recurrency.pictures.drawing.drawing import Box, Drawing
from recurrency.pictures.drawing.labels import make_label
from recurrency.pictures.drawing.stack import paths, stack
from recurrency.pictures.drawing.svg import render_svg
from recurrency.pictures.sketching.sketch import Kind, Line, Node

DATA = ("recurrency.grammars", "recurrency.specs")
"""Packages that hold no code."""
BORDER = 10.0


def picture(level: Mapping[str, int], imports: Iterable[tuple[str, str]]) -> str:
    """The SVG of all packages, the highest layer on top.

    Arguments:
        level: the layer of each package, the lowest first.
        imports: pairs of packages; the first imports the second. One is drawn unless a longer way implies it.
    """
    graph = nx.transitive_reduction(nx.DiGraph((a, b) for a, b in imports if a != b))
    packages = [package for package in level if package not in DATA]
    labels = {package: make_label(_latex(package), 11.0, 200.0) for package in packages}
    size = {package: (label.width + 16.0, label.height + 10.0) for package, label in labels.items()}
    wires = [Wire(a, b, a) for a, b in sorted(graph.edges) if b not in DATA]
    highest = max(level.values())
    ranks = {package: highest - level[package] for package in packages}
    placed = stack(arrange({package: width for package, (width, _) in size.items()}, wires, ranks=ranks), size)
    out = Drawing("Layers", "Packages in layers: each imports from layers below it only.")
    out.paths = paths(placed, dict.fromkeys(packages, Line.SOLID))
    for package, label in labels.items():
        node = Node(package, Kind.CELL, _latex(package), package, None)
        out.boxes.append(Box(node, label, placed.layers.x[package], placed.y(package), *size[package]))
    return render_svg(_framed(out, placed.total))


def _latex(package: str) -> str:
    name = package.removeprefix("recurrency.").replace("_", r"\_")
    return rf"\mathrm{{{name}}}"


def _framed(drawing: Drawing, height: float) -> Drawing:
    left = min(box.x - box.width / 2 for box in drawing.boxes) - BORDER
    right = max(box.x + box.width / 2 for box in drawing.boxes) + BORDER
    out = drawing.moved(-left, BORDER)
    out.width, out.height = right - left, height + 2 * BORDER
    return out
