"""Typeset labels: mathematics as outlines, broken into lines that are not wider than they may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ziamath.zmath import Latex, Math

from recurrency.pictures.formula import BREAK

INDENT = 12.0
LEADING = 2.5


@dataclass(frozen=True)
class TextLine:
    """One typeset line: its mathematics, how far right of the label's left edge it begins, how far down its base is."""

    latex: str
    size: float
    x: float
    base: float


@dataclass(frozen=True)
class Label:
    """A block of lines with the width and height that they take."""

    lines: tuple[TextLine, ...]
    width: float
    height: float


@lru_cache(maxsize=4096)
def typeset(latex: str, size: float) -> Math:
    """The outlines of one line of mathematics."""
    return Latex(latex, size=size, inline=True)


def _extent(latex: str, size: float) -> tuple[float, float, float]:
    """Width, height above the base, depth below it."""
    width, height = typeset(latex, size).getsize()
    depth = -typeset(latex, size).getyofst()
    return width, height - depth, depth


def make_label(text: str, size: float, widest: float) -> Label:
    """The label of a text in which each `BREAK` may, and each new line must, end a line."""
    rows: list[tuple[str, float]] = []
    for paragraph in text.split("\n"):
        rows += _fill(paragraph.split(BREAK), size, widest)
    lines: list[TextLine] = []
    width = top = 0.0
    for latex, indent in rows:
        wide, above, below = _extent(latex, size)
        above, below = max(above, 0.68 * size), max(below, 0.2 * size)
        lines.append(TextLine(latex, size, indent, top + above))
        top += above + below + LEADING
        width = max(width, indent + wide)
    return Label(tuple(lines), width, top - LEADING)


def _fill(pieces: list[str], size: float, widest: float) -> list[tuple[str, float]]:
    """As many pieces in each line as it holds; all lines but the first are indented."""
    rows: list[tuple[str, float]] = []
    line = pieces[0]
    for piece in pieces[1:]:
        indent = INDENT if rows else 0.0
        if _extent(line + piece, size)[0] + indent > widest:
            rows.append((line, indent))
            line = piece
        else:
            line += piece
    rows.append((line, INDENT if rows else 0.0))
    return rows
