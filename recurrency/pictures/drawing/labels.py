"""Typeset labels: mathematics as outlines, broken into lines that are not wider than they may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ziamath.zmath import Latex, Math

from recurrency.pictures.sketching.formula import BREAK

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
        rows += _fill(_pieces(paragraph), size, widest)
    lines: list[TextLine] = []
    width = top = 0.0
    for latex, indent in rows:
        wide, above, below = _extent(latex, size)
        above, below = max(above, 0.68 * size), max(below, 0.2 * size)
        lines.append(TextLine(latex, size, indent, top + above))
        top += above + below + LEADING
        width = max(width, indent + wide)
    return Label(tuple(lines), width, top - LEADING)


@dataclass(frozen=True)
class Piece:
    """What stands behind a break, and how unwillingly a line ends there: deeper inside of brackets."""

    latex: str
    depth: int


def _pieces(paragraph: str) -> list[Piece]:
    first, *others = paragraph.split(BREAK)
    return [Piece(first, 0), *(Piece(text[1:], int(text[0])) for text in others)]


def _fill(pieces: list[Piece], size: float, widest: float) -> list[tuple[str, float]]:
    """As many pieces in each line as it holds, all lines but the first indented.

    A line ends inside brackets only where what they belong to is wider than a line.
    """
    rows: list[str] = [""]

    def fits(latex: str, first: bool) -> bool:
        return _extent(latex, size)[0] + (0.0 if first else INDENT) <= widest

    def place(part: list[Piece]) -> None:
        whole = "".join(piece.latex for piece in part)
        if not rows[-1] or fits(rows[-1] + whole, len(rows) == 1):
            if rows[-1] or len(part) == 1 or fits(whole, len(rows) == 1):
                rows[-1] += whole
                return
        elif len(part) == 1 or fits(whole, first=False):
            rows.append(whole)
            return
        level = min(piece.depth for piece in part[1:])
        starts = [0, *(n for n, piece in enumerate(part) if n and piece.depth == level), len(part)]
        for start, end in pairwise(starts):
            place(part[start:end])

    place(pieces)
    return [(latex, INDENT if n else 0.0) for n, latex in enumerate(rows)]
