"""Vector fonts in James Hurt's format, in which the Hershey fonts are passed on: glyphs as pen strokes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.places import read_bytes
from recurrency.training.data.sequences import Array

FIRST, GLYPHS = 32, 96
"""The code of the first character of a font, and how many there are."""

ORIGIN, LIFT = ord("R"), " R"
"""The letter for the coordinate 0, and the pair of letters for a lifted pen."""


@dataclass(frozen=True)
class Glyph:
    """A character: its strokes as points [n, 2], x to the right and y downwards, between `left` and `right`."""

    left: int
    right: int
    strokes: tuple[Array, ...]


def read_font(path: str | Path) -> dict[str, Glyph]:
    """The glyphs of a font by character, from the space on.

    Raises:
        UsageError: the file cannot be read, or is not such a font; the message names the line.
    """
    lines = read_bytes(path).decode("latin-1").replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) != GLYPHS:
        raise UsageError(f"{path} has {len(lines)} glyphs; a font in JHF has {GLYPHS}, one a line")
    return {chr(FIRST + n): _glyph(line, f"{path}, line {n + 1}") for n, line in enumerate(lines)}


def _glyph(line: str, where: str) -> Glyph:
    """A line: a number in 5 characters, how many pairs follow in 3, and pairs: the margins, then points."""
    count = int(line[5:8]) if line[5:8].strip().isdigit() else 0
    pairs = [line[at : at + 2] for at in range(8, len(line), 2)]
    if count < 1 or len(line) != 8 + 2 * count:
        raise UsageError(
            f"{where}: {len(line) - 8} characters after the 8th; its count of pairs is {line[5:8].strip()!r}"
        )
    left, right = (ord(letter) - ORIGIN for letter in pairs[0])
    strokes: list[list[list[int]]] = [[]]
    for pair in pairs[1:]:
        if pair == LIFT:
            strokes.append([])
        else:
            strokes[-1].append([ord(letter) - ORIGIN for letter in pair])
    return Glyph(left, right, tuple(np.array(stroke, np.float64) for stroke in strokes if stroke))
