"""The shipped cells by family, each with its source, number of parameters and kind of recurrence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path

from recurrency.errors import UsageError, nearest
from recurrency.inspection import summary
from recurrency.language import syntax
from recurrency.language.elaboration.elaborate import check
from recurrency.language.elaboration.modules import CellDef, Loader
from recurrency.language.sources import library_index
from recurrency.passes.recurrence import Recurrence, recurrences

PLACES = "in its name, family, source or kind of recurrence"
"""Where words are searched."""


@dataclass(frozen=True)
class Entry:
    """A cell of the catalogue.

    `dimensions` are the dimensions of the header with the text of their defaults; `parameters` is the number of all
    parameters as a formula in the symbolic dimensions, with default functions and cells. `numbers` are dimensions
    without a default that must be numbers, such as a number of layers, with the value that the formula is for.
    """

    name: str
    doc: str
    dimensions: dict[str, str | None]
    parameters: str
    recurrences: tuple[Recurrence, ...]
    numbers: dict[str, int]

    @property
    def kind(self) -> str:
        """The kinds of its recurrences, in one line."""
        return summary.kinds_text(self.recurrences)


@dataclass(frozen=True)
class Family:
    """A file of cells; `prose` is the comment at its head."""

    file: str
    prose: str
    cells: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The file's name without its extension."""
        return Path(self.file).stem

    def is_called(self, word: str) -> bool:
        """Whether a word, in lower case, is its name, with or without the file extension."""
        return word in (self.name.lower(), self.file.lower())


def families(words: Iterable[str] = ()) -> list[Family]:
    """All families, or only cells that have each word in their name, family, docstring or kind of recurrence.

    A word that ends in `.rnn` is the name of a family.

    Raises:
        UsageError: no cell has all words.
    """
    every = _all()
    found, wanted = list(every), [word.lower() for word in words]
    for word in wanted:
        if not _only(every, word):
            raise UsageError(f"no cell has {word!r} {PLACES}; {_hint(word, every)}")
        found = _only(found, word)
    if not found:
        raise UsageError(f"no cell has all of {', '.join(map(repr, wanted))} {PLACES}")
    return found


@cache
def _all() -> tuple[Family, ...]:
    loader = Loader()
    return tuple(_family(loader, path) for path in dict.fromkeys(library_index().values()))


def _family(loader: Loader, path: Path) -> Family:
    names = [name for name, place in library_index().items() if place == path]
    cells = [loader.library_cell(name) for name in names]
    return Family(path.name, prose(cells[0].module.file), tuple(map(entry, cells)))


def prose(file: syntax.File) -> str:
    """The comment at the beginning of a file, as one paragraph."""
    lines = takewhile(lambda line: line.startswith("#"), file.source.text.splitlines())
    return " ".join(line.lstrip("# ").rstrip() for line in lines)


def entry(definition: CellDef) -> Entry:
    """The entry of a cell."""
    cell, found = definition.cell, check(definition)
    names = [dimension.name for dimension in cell.dimensions]
    numbers = {d.name: found.dimensions[d.name] for d in cell.dimensions if d.default is None}
    return Entry(
        name=cell.name,
        doc=(cell.doc or "").split("\n")[0],
        dimensions={d.name: d.default.span.text if d.default else None for d in cell.dimensions},
        parameters=summary.formula(summary.parameters(found), names),
        recurrences=tuple(recurrences(found.graph)),
        numbers={name: value for name, value in numbers.items() if isinstance(value, int)},
    )


def _only(found: Iterable[Family], word: str) -> list[Family]:
    """The families that a word names, and the cells of other families that have it."""
    chosen = []
    for family in found:
        cells = [cell for cell in family.cells if family.is_called(word) or word in _text(cell)]
        if cells:
            chosen.append(replace(family, cells=tuple(cells)))
    return chosen


def _text(cell: Entry) -> str:
    return f"{cell.name} {cell.doc} {cell.kind}".lower()


def _hint(word: str, found: Iterable[Family]) -> str:
    known = [name for family in found for name in (family.name, *(cell.name.lower() for cell in family.cells))]
    known += [part for family in found for cell in family.cells for part in re.findall(r"\w{4,}", _text(cell))]
    near = nearest(word, known)
    return f"did you mean {near}?" if near else "`recurrency list` shows all"
