"""The files that a text uses: as they are in the editor, else as they are on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recurrency.editor.places import normal
from recurrency.errors import Diagnostic, Source, Span, UsageError
from recurrency.language import syntax
from recurrency.language.diagnostics import NOT_FOUND, say
from recurrency.language.elaboration.modules import Loader, Module
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import library_index, read_source

MOST_KEPT = 100
"""Files whose syntax is kept."""


class Files:
    """Parsed files, by path; `open` gives the text of a file that is being edited."""

    def __init__(self, open: Callable[[Path], str | None]) -> None:
        self.open = open
        self._parsed: dict[Path, syntax.File] = {}

    def module(self, file: syntax.File, path: Path | None) -> tuple[Module, list[Diagnostic], object]:
        """The module of a text, the mistakes in its `use` lines, and a digest of all that these bring in."""
        loader = _Loader(self)
        module = loader.module(file, path)
        names = [(u.path, tuple(n.name for n in u.names)) for u in file.uses]
        return module, loader.mistakes, (tuple(names), tuple(loader.texts), bool(loader.mistakes))

    def parsed(self, path: Path, source: Source) -> syntax.File:
        """The syntax of a file, whose text is known."""
        kept = self._parsed.get(path)
        if kept is None or kept.source.text != source.text:
            if len(self._parsed) >= MOST_KEPT:
                self._parsed.clear()
            kept = self._parsed[path] = parse_file(source)
        return kept


class _Loader(Loader):
    """A loader that takes files from the editor, and remembers their syntax."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self.files = files
        self.texts: list[str] = []

    def _load(self, path: Path, span: Span | None) -> Module:
        if path not in self.loaded:
            shipped = path in library_index().values()
            text = None if shipped else self.files.open(path)
            try:
                source = read_source(path) if text is None else Source(path.name, normal(text))
            except UsageError as error:
                self.mistakes.append(say(NOT_FOUND, str(error), span))
                return Module(syntax.File(Source(path.name, ""), (), (), ()), path)
            if not shipped:
                self.texts.append(source.text)
            self.module(self.files.parsed(path, Source(path.name, source.text)), path)
        return self.loaded[path]
