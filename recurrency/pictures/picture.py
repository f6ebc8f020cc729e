"""The picture of a cell, and the files it can become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.language.elaboration.modules import CellDef
from recurrency.pictures.drawing.compose import compose
from recurrency.pictures.drawing.dot import render_dot
from recurrency.pictures.drawing.drawing import Drawing
from recurrency.pictures.drawing.pdf import render_pdf
from recurrency.pictures.drawing.svg import render_svg
from recurrency.pictures.sketching.reading import read
from recurrency.pictures.sketching.sketch import Sketch

ZOOM = 3.0
"""Pixels of a PNG for each unit of the SVG: sharp in print at the width of a column."""


@dataclass(frozen=True)
class Picture:
    """What `draw` returns: the picture as text, as pixels or as a file."""

    sketch: Sketch

    @cached_property
    def drawing(self) -> Drawing:
        """All boxes and paths with their places."""
        return compose(self.sketch)

    def svg(self) -> str:
        """Scalable, for a paper or a browser; text is outlines and needs no font."""
        return render_svg(self.drawing)

    def png(self, zoom: float = ZOOM) -> bytes:
        """Pixels on white, `zoom` of them for each unit of the SVG."""
        from resvg_py import svg_to_bytes

        return bytes(svg_to_bytes(self.svg(), zoom=zoom, background="#ffffff", skip_system_fonts=True))

    def pdf(self) -> bytes:
        """One page of the size of the picture, for a paper; text is outlines, as in the SVG."""
        return render_pdf(self.svg())

    def dot(self) -> str:
        """For Graphviz."""
        return render_dot(self.sketch)

    def save(self, path: str | Path) -> None:
        """Write the file that the suffix asks for: .svg, .png, .pdf or .dot; it is there whole or not at all.

        Raises:
            UsageError: another suffix, or the file can't be written.
        """
        path = Path(path)
        makers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg().encode(),
            ".png": self.png,
            ".pdf": self.pdf,
            ".dot": lambda: self.dot().encode(),
        }
        make = makers.get(path.suffix.lower())
        if make is None:
            raise UsageError(f"{path}: a picture ends in .svg, .png, .pdf or .dot, not in {path.suffix or 'nothing'!r}")
        write_whole(path, make())


def draw(definition: CellDef, sizes: Mapping[str, Any] | None = None) -> Picture:
    """The picture of a cell at the level of its equations.

    `sizes` are numbers for dimensions, and names for functions and cells of the header; others have their defaults. The
    bound of a static loop that has neither gets a number, the same as in `check`.

    Raises:
        SpecError: the cell has mistakes.
        UsageError: a size does not fit, or the cell unrolls to more nodes than a picture holds.
    """
    return Picture(read(definition, sizes or {}))
