"""Files of cells and what they `use`: finding, confining, loading once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from recurrency.errors import Diagnostic, Source, Span, SpecError
from recurrency.language import syntax
from recurrency.language.diagnostics import say
from recurrency.language.parser import parse_file, read_source


def nearest(name: str, known: object) -> str | None:
    """The known name that is spelled most like `name`."""
    found = difflib.get_close_matches(name, [str(k) for k in known], 1, 0.5)  # type: ignore[attr-defined]
    return found[0] if found else None


@dataclass(frozen=True, eq=False)
class CellDef:
    """A cell and the module whose names it sees."""

    cell: syntax.Cell
    module: Module = field(repr=False)


@dataclass(eq=False)
class Module:
    """What a `.rnn` text can name: its own cells and functions, and those that it uses."""

    file: syntax.File
    path: Path | None = None
    cells: dict[str, CellDef] = field(default_factory=dict)
    functions: dict[str, syntax.Fn] = field(default_factory=dict)


class Loader:
    """Loads a text and everything that it uses, each file once."""

    def __init__(self) -> None:
        self.loaded: dict[Path, Module] = {}
        self.busy: list[Path] = []
        self.mistakes: list[Diagnostic] = []

    def module(self, file: syntax.File, path: Path | None = None) -> Module:
        """The module of a parsed text; `path` is where it lies, for the files that it names.

        Mistakes are collected in `mistakes`.
        """
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
        module.cells.update(own)
        if path is not None:
            self.busy.pop()
        return module

    def _define(self, table: dict[str, object], name: str, value: object, span: Span) -> None:  # type: ignore[type-arg]
        if name in table:
            self.mistakes.append(say(25, f"{name} is defined twice", _head(span), "the second definition"))
        table[name] = value

    def _use(self, module: Module, use: syntax.Use) -> None:
        try:
            source = self._library(module, use) if use.path is None else self._file(module, use)
        except SpecError as error:
            self.mistakes.extend(error.diagnostics)
            return
        chosen = [n.name for n in use.names] or list(source)
        for name in use.names:
            if name.name not in source:
                near = nearest(name.name, source)
                text = f"there is no cell {name.name} in {use.path or 'the library'}"
                self.mistakes.append(say(36, text, name.span, help=f"did you mean {near}?" if near else None))
        module.cells.update({n: source[n] for n in chosen if n in source})

    def _library(self, module: Module, use: syntax.Use) -> dict[str, CellDef]:
        if not use.names:
            return {n: self.library_cell(n) for n in library_index()}
        return {n.name: self.library_cell(n.name) for n in use.names if n.name in library_index()}

    def library_cell(self, name: str) -> CellDef:
        """A shipped cell by name."""
        path = library_index()[name]
        return self._load(path, None).cells[name]

    def _file(self, module: Module, use: syntax.Use) -> dict[str, CellDef]:
        assert use.path is not None
        if module.path is None:
            raise _problem(36, f"a text without a file cannot use {use.path!r}", use.span, "load the spec from a file")
        folder = module.path.parent.resolve()
        path = (folder / use.path).resolve()
        if not path.is_relative_to(folder):
            raise _problem(38, f"{use.path!r} leaves the folder of this file", use.span, "copy the file beside this one")
        if not path.is_file():
            near = nearest(use.path, [p.name for p in folder.glob("*.rnn")])
            raise _problem(36, f"there is no file {use.path!r}", use.span, f"did you mean {near!r}?" if near else None)
        if path in self.busy:
            names = " -> ".join(p.name for p in [*self.busy[self.busy.index(path) :], path])
            raise _problem(37, f"files use one another in a circle: {names}", use.span, "move what both need to a third file")
        return self._load(path, use.span).cells

    def _load(self, path: Path, span: Span | None) -> Module:
        if path not in self.loaded:
            try:
                source = read_source(path)
            except OSError as error:
                raise _problem(36, f"{path.name} can't be read: {error.strerror}", span, None) from error
            self.module(parse_file(Source(path.name, source.text)), path)
        return self.loaded[path]


def _head(span: Span) -> Span:
    first = span.text.split("\n", 1)[0].rstrip()
    return Span(span.source, span.start, span.start + len(first), span.line, span.column, span.line, span.column + len(first))


def _problem(number: int, title: str, span: Span | None, help: str | None) -> SpecError:
    return SpecError((say(number, title, span, help=help),))


_INDEX: dict[str, Path] = {}


def library_index() -> dict[str, Path]:
    """The shipped cells, by name, with the file of each."""
    if not _INDEX:
        folder = Path(str(resources.files("recurrency.specs")))
        for path in sorted(folder.glob("*.rnn")):
            for cell in parse_file(Source(path.name, path.read_text(encoding="utf-8"))).cells:
                _INDEX[cell.name] = path
    return _INDEX
