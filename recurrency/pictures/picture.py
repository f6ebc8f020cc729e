"""The picture of a cell and its file formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.language.elaboration.binding import refuse_unknown
from recurrency.language.elaboration.handed import apart
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
    """A picture as text, as pixels or as a file."""

    sketch: Sketch

    @cached_property
    def drawing(self) -> Drawing:
        """All boxes and paths with their coordinates."""
        return compose(self.sketch)

    def svg(self) -> str:
        """An SVG document, whose text is outlines and needs no font."""
        return render_svg(self.drawing)

    def png(self, zoom: float = ZOOM) -> bytes:
        """A PNG file on a white background, with `zoom` pixels for each unit of the SVG."""
        from resvg_py import svg_to_bytes

        return bytes(svg_to_bytes(self.svg(), zoom=zoom, background="#ffffff", skip_system_fonts=True))

    def pdf(self) -> bytes:
        """A PDF file of one page, as large as the picture; its text is outlines, as in the SVG."""
        return render_pdf(self.svg())

    def dot(self) -> str:
        """The graph in the language of Graphviz, without a layout."""
        return render_dot(self.sketch)

    def save(self, path: str | Path) -> None:
        """Write a file of the format that its suffix names: .svg, .png, .pdf or .dot. The write is atomic.

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
    """The picture of a cell, with a node for each equation.

    `sizes` has numbers for dimensions, and names for functions and cells of the header; the rest have their defaults. A
    dimension that bounds a loop and has neither gets the number that `check` uses.

    Raises:
        SpecError: the cell has mistakes.
        UsageError: a size does not fit, or is none of the cell's; or the cell unrolls to more nodes than a picture
            holds.
    """
    given, _ = apart(definition.cell, sizes or {})
    refuse_unknown(definition.cell, given)
    return Picture(read(definition, given))
