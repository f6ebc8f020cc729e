"""Files of cells and what they `use`: each is found in its folder and loaded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from recurrency.errors import Diagnostic, Source, Span, SpecError, UsageError, nearest, nearest_help
from recurrency.language import syntax
from recurrency.language.diagnostics import CIRCULAR_FILES, DEFINED_TWICE, NOT_FOUND, PATH_OUTSIDE, TOO_LARGE, Code, say
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import library_index, read_source

GREATEST_CHAIN = 30
"""How many files may use one another in a row."""
MOST_KEPT = 20_000
"""The number of characters up to which the syntax of a text is kept."""

D = TypeVar("D", "CellDef", syntax.Fn)


@dataclass(frozen=True, eq=False)
class CellDef:
    """A cell and the module whose names it sees."""

    cell: syntax.Cell
    module: Module = field(repr=False)


@dataclass(eq=False)
class Module:
    """The names of a `.rnn` text: its cells and functions, and the cells that it uses."""

    file: syntax.File
    path: Path | None = None
    cells: dict[str, CellDef] = field(default_factory=dict)
    functions: dict[str, syntax.Fn] = field(default_factory=dict)
    missing: Missing = field(default_factory=lambda: Missing())

    @property
    def own(self) -> dict[str, CellDef]:
        """The cells that are defined here; only these can be used by other files."""
        return {n: c for n, c in self.cells.items() if c.module is self}

    def where_is(self, name: str) -> str | None:
        """How to use a cell that this text does not use yet."""
        return f"add a line: use {name} from library" if name in library_index() else None


class Missing(set[str]):
    """Names that a `use` line asks for and that do not exist; `everything`: the whole file is missing."""

    everything = False

    def __contains__(self, name: object) -> bool:
        return self.everything or super().__contains__(name)


class Loader:
    """Loads a text and everything that it uses, each file once. Mistakes are collected in `mistakes`."""

    def __init__(self) -> None:
        self.loaded: dict[Path, Module] = {}
        self.busy: list[Path] = []
        self.mistakes: list[Diagnostic] = []

    def module(self, file: syntax.File, path: Path | None = None) -> Module:
        """The module of a parsed text; `path` is its file, whose folder holds the files that it names."""
        module = Module(file, path)
        if path is not None:
            self.loaded[path] = module
            self.busy.append(path)
        for use in file.uses:
            self._use(module, use)
        for fn in file.functions:
            self._define(module.functions, fn.name, fn, fn.span)
        own: dict[str, CellDef] = {}
        for cell in file.cells:
            self._define(own, cell.name, CellDef(cell, module), cell.span)
        for name in own.keys() & module.cells.keys() | own.keys() & module.functions.keys():
            first = module.cells[name].cell.span if name in module.cells else module.functions[name].span
            self._twice(name, own[name].cell.span, first)
        module.cells.update(own)
        if path is not None:
            self.busy.pop()
        return module

    def _define(self, table: dict[str, D], name: str, value: D, span: Span) -> None:
        if name in table:
            self._twice(name, span, _place(table[name]))
        else:
            table[name] = value

    def _twice(self, name: str, span: Span, first: Span) -> None:
        note = f"the first definition is at {first}"
        self.mistakes.append(
            say(DEFINED_TWICE, f"{name} is defined twice", _head(span), "the second definition", (note,))
        )

    # ------------------------------------------------------------------------------------------------------ use lines

    def _use(self, module: Module, use: syntax.Use) -> None:
        try:
            source = self._library(use) if use.path is None else self._file(module, use)
        except SpecError as error:
            self.mistakes.extend(error.diagnostics)
            module.missing.update(n.name for n in use.names)
            module.missing.everything = module.missing.everything or not use.names
            return
        for name in use.names:
            if name.name not in source:
                known = library_index() if use.path is None else source
                text = f"there is no cell {name.name} in {use.path or 'the library'}"
                help = nearest_help(name.name, known, f"there are {', '.join(list(known)[:12])}")
                self.mistakes.append(say(NOT_FOUND, text, name.span, help=help))
                module.missing.add(name.name)
        for name_, cell in source.items():
            if not use.names or name_ in {n.name for n in use.names}:
                self._import(module, name_, cell, use.span)

    def _import(self, module: Module, name: str, cell: CellDef, span: Span) -> None:
        known = module.cells.setdefault(name, cell)
        if known.cell is not cell.cell:
            note = f"the first comes from {known.cell.span.source.name}"
            title = f"{name} comes from two files"
            self.mistakes.append(
                say(DEFINED_TWICE, title, span, "the second one", (note,), "name the cells that you need: use ... from")
            )

    def _library(self, use: syntax.Use) -> dict[str, CellDef]:
        names = [n.name for n in use.names] or list(library_index())
        return {name: self.library_cell(name) for name in names if name in library_index()}

    def library_cell(self, name: str) -> CellDef:
        """A shipped cell by name."""
        return self._load(library_index()[name], None).cells[name]

    def _file(self, module: Module, use: syntax.Use) -> dict[str, CellDef]:
        path = _found(module, use)
        if path in self.busy:
            names = " -> ".join(p.name for p in [*self.busy[self.busy.index(path) :], path])
            help = "move what both need to a third file"
            raise _problem(CIRCULAR_FILES, f"files use one another in a circle: {names}", use.span, help)
        if len(self.busy) >= GREATEST_CHAIN:
            title = f"more than {GREATEST_CHAIN} files use one another in a row"
            raise _problem(TOO_LARGE, title, use.span, "put cells that belong together in one file")
        return self._load(path, use.span).own

    def _load(self, path: Path, span: Span | None) -> Module:
        if path not in self.loaded:
            try:
                source = read_source(path)
            except UsageError as error:
                raise _problem(NOT_FOUND, str(error), span, None) from error
            self.module(file_of(Source(path.name, source.text)), path)
        return self.loaded[path]


def file_of(source: Source) -> syntax.File:
    """The syntax of a text; that of the texts read last is kept, because many specs use the same cells.

    Raises:
        SpecError: the text is malformed.
    """
    return _kept(source) if len(source.text) <= MOST_KEPT else parse_file(source)


@lru_cache(maxsize=128)
def _kept(source: Source) -> syntax.File:
    return parse_file(source)


def _found(module: Module, use: syntax.Use) -> Path:
    """The file that a `use` line names, inside the folder of the text."""
    assert use.path is not None
    if module.path is None:
        title = f"a text without a file cannot use {use.path!r}"
        raise _problem(NOT_FOUND, title, use.span, "load the spec from a file")
    folder = module.path.parent.resolve()
    try:
        path = (folder / use.path).resolve()
        outside, found = not path.is_relative_to(folder), path.is_file()
    except (OSError, ValueError, RuntimeError):  # an impossible file name, or a circle of links
        outside, found, path = False, False, folder
    if outside:
        help = "copy it to this folder, or to one below it"
        raise _problem(PATH_OUTSIDE, f"{use.path!r} is outside of the folder of this file", use.span, help)
    if not found:
        near = nearest(use.path, [p.name for p in folder.glob("*.rnn")])
        title = f"there is no file {use.path!r}"
        raise _problem(NOT_FOUND, title, use.span, f"did you mean {near!r}?" if near else None)
    return path


def _place(definition: CellDef | syntax.Fn) -> Span:
    return definition.cell.span if isinstance(definition, CellDef) else definition.span


def _head(span: Span) -> Span:
    """The first line of a definition."""
    first = span.text.split("\n", 1)[0].rstrip()
    return Span(
        span.source, span.start, span.start + len(first), span.line, span.column, span.line, span.column + len(first)
    )


def _problem(code: Code, title: str, span: Span | None, help: str | None) -> SpecError:
    return SpecError((say(code, title, span, help=help),))
