"""Draws pen strokes as an SVG file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from recurrency.generating.steps import Array

CELL, MARGIN, PEN = 200.0, 0.08, 2.0
"""The height of a drawing, its margin as a fraction of that, and the width of a line."""


def lines(steps: Array) -> list[Array]:
    """Strokes as points [n, 2], from pen steps [T, 3]: two offsets, and whether the pen is lifted after the step.

    The first stroke begins at the first point, not at the origin.
    """
    points = np.cumsum(steps[:, :2], 0, dtype=np.float64)
    ends = np.flatnonzero(steps[:, 2] > 0.5) + 1
    return [piece for piece in np.split(points, ends) if len(piece)]


def svg(drawings: Sequence[Array], wide: float = 1.0) -> str:
    """Drawings [T, 3] in a grid, each scaled to its cell, which is `wide` times as wide as high.

    y points down, as in the data.
    """
    columns = math.ceil(math.sqrt(len(drawings) / wide))
    side = CELL * wide
    width, height = columns * side, math.ceil(len(drawings) / columns) * CELL
    parts = []
    for number, drawing in enumerate(drawings):
        row, column = divmod(number, columns)
        paths = "".join(f'<path d="{_path(line)}"/>' for line in _fitted(lines(drawing), wide))
        parts.append(f'<g transform="translate({column * side:g} {row * CELL:g})">{paths}</g>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
    head += f'viewBox="0 0 {width:g} {height:g}">\n<rect width="100%" height="100%" fill="white"/>\n'
    style = f'<g fill="none" stroke="black" stroke-width="{PEN:g}" stroke-linecap="round" stroke-linejoin="round">'
    return f"{head}{style}\n" + "\n".join(parts) + "\n</g>\n</svg>\n"


def _fitted(strokes: Sequence[Array], wide: float) -> list[Array]:
    """Strokes scaled and centred in a cell."""
    points, cell = np.concatenate(strokes), np.array([CELL * wide, CELL])
    low, high = points.min(0), points.max(0)
    scale = ((cell - 2 * MARGIN * CELL) / np.maximum(high - low, 1e-9)).min()
    return [(stroke - (low + high) / 2) * scale + cell / 2 for stroke in strokes]


def _path(line: Array) -> str:
    """The path of a line; a single point is drawn as a dot."""
    points = [f"{x:.2f} {y:.2f}" for x, y in (line if len(line) > 1 else np.repeat(line, 2, 0))]
    return f"M{' L'.join(points)}"
