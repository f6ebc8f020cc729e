"""Pictures of cells, drawn once for all tests."""

from __future__ import annotations

from functools import cache

from recurrency import library
from recurrency.model.spec import parse
from recurrency.pictures import Picture, draw

CELLS = library.names()
"""All shipped cells."""


@cache
def shipped(name: str, **sizes: int | str) -> Picture:
    """The picture of a shipped cell."""
    return draw(library.spec(name).definition, sizes)


@cache
def picture(text: str, **sizes: int | str) -> Picture:
    """The picture of the last cell of a text."""
    return draw(parse(text).definition, sizes)
