"""Where a symbol is defined and named, in this text and in the files beside it; and giving it another name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recurrency.editor.analysis import Analysis
from recurrency.editor.index import Symbol
from recurrency.editor.places import Range
from recurrency.errors import UsageError
from recurrency.language.reading.tree import RESERVED
from recurrency.language.sources import library_index
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS
from recurrency.language.words import lex, reserved


@dataclass(frozen=True)
class Place:
    """A range in a file."""

    path: Path | None
    range: Range


def places(analyses: Iterable[Analysis], symbol: Symbol, definitions: bool = False) -> list[Place]:
    """Where a symbol is named, or only where it is defined."""
    return [
        Place(analysis.module.path, o.range)
        for analysis in analyses
        for o in analysis.names
        if o.symbol == symbol and (o.defines or not definitions)
    ]


def refuse_fixed(symbol: Symbol) -> None:
    """Refuse to rename what belongs to the language or to the library.

    Raises:
        UsageError: the symbol is one of these.
    """
    if symbol.kind == "language":
        raise UsageError(f"{symbol.name} is a word of the language")
    if symbol.path is not None and symbol.path in library_index().values():
        raise UsageError(f"{symbol.name} belongs to a shipped cell: copy the cell with `recurrency new` to change it")


def renamed(analyses: Iterable[Analysis], symbol: Symbol, name: str) -> list[Place]:
    """The places to be changed so that a symbol gets another name.

    Raises:
        UsageError: the name is none, or has a meaning already where the symbol is named.
    """
    refuse_fixed(symbol)
    name = unicodedata.normalize("NFKC", name)
    words = list(lex(name))
    if len(words) != 1 or words[0].type != "NAME" or not name.isidentifier():
        why = f"{name} is a reserved word" if words and words[0].type in reserved() else f"{name!r} is not a name"
        raise UsageError(f"{why}; a name has letters, digits and _, and begins with a letter")
    if name in RESERVED:
        raise UsageError(f"{name} is a reserved word: {RESERVED[name]}")
    analyses = list(analyses)
    for analysis in analyses:
        _refuse_taken(analysis, symbol, name)
    return places(analyses, symbol)


def _refuse_taken(analysis: Analysis, symbol: Symbol, name: str) -> None:
    """Refuse a name that is used, with any meaning, in a piece that also names the symbol."""
    named = {id(part[1]) for o in analysis.names if o.symbol == symbol and (part := analysis.part_at(o.range.line))}
    taken = any(id(reading) in named and name in reading.names for _, reading in analysis.parts)
    top = symbol.kind in ("cell", "function") and (name in analysis.module.cells or name in analysis.module.functions)
    if taken or (top and named) or (symbol.kind != "name" and (name in FUNCTIONS or name in NUMBERS)):
        raise UsageError(f"{name} already has a meaning where {symbol.name} is used")
