"""Typeset labels: mathematics as outlines, broken into lines of a greatest width."""

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
    """A typeset line: its LaTeX, its indent `x` from the left edge, and its baseline from the top of the label."""

    latex: str
    size: float
    x: float
    base: float


@dataclass(frozen=True)
class Label:
    """Lines, with the width and height of the whole block."""

    lines: tuple[TextLine, ...]
    width: float
    height: float


@lru_cache(maxsize=4096)
def typeset(latex: str, size: float) -> Math:
    """The outlines of one line of mathematics."""
    return Latex(latex, size=size, inline=True)


def _extent(latex: str, size: float) -> tuple[float, float, float]:
    """The width, the height above the baseline and the depth below it."""
    width, height = typeset(latex, size).getsize()
    depth = -typeset(latex, size).getyofst()
    return width, height - depth, depth


def make_label(text: str, size: float, widest: float) -> Label:
    """The label of a text; a line may end at each `BREAK` and ends at each newline."""
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
    """The text after a break, and the level of that break: higher inside brackets, where breaks are avoided."""

    latex: str
    depth: int


def _pieces(paragraph: str) -> list[Piece]:
    first, *others = paragraph.split(BREAK)
    return [Piece(first, 0), *(Piece(text[1:], int(text[0])) for text in others)]


def _fill(pieces: list[Piece], size: float, widest: float) -> list[tuple[str, float]]:
    """The lines, each with its indent; all but the first are indented.

    A line ends inside brackets only if the expression around the brackets is wider than a line.
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
