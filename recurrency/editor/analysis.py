"""A text while it is written: its syntax, its names and its mistakes. A keystroke costs one cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from recurrency.editor.facts import NOTHING, Checked, Facts, facts_of
from recurrency.editor.files import Files
from recurrency.editor.index import Occurrence, occurrences
from recurrency.editor.pieces import Piece, pieces
from recurrency.editor.places import Range, range_of
from recurrency.editor.readings import Kept, Reading, Readings
from recurrency.errors import Diagnostic, RecurrencyError, Source, SpecError
from recurrency.language import syntax
from recurrency.language.diagnostics import DEFINED_TWICE, NO_SUCH_CELL, TEXT_TOO_LONG, TOO_LARGE, say
from recurrency.language.elaboration.elaborate import survey
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.elaboration.walk import GREATEST_FILE, too_large
from recurrency.language.linting.lints import of_cell, of_text, outside, quieted
from recurrency.language.linting.reads import with_loss
from recurrency.language.reading.parser import MAX_MISTAKES, MAX_TEXT
from recurrency.language.words import MAX_WORDS

LINE = re.compile(r"\bline \d|:\d+:\d")
"""A place in a message."""
TOP = Range(0, 0, 0, 0)
Key: TypeAlias = tuple[str, tuple[tuple[int, tuple[str, int]], ...], object]
"""A cell, the pieces that its check reads (by source, and by text), and what it uses of other files."""


@dataclass(frozen=True)
class Found:
    """A diagnostic and its place in the text; what is wrong in another file is at the line that uses the file."""

    diagnostic: Diagnostic
    range: Range


@dataclass(eq=False)
class Analysis:
    """What is known about one state of a text. All ranges count from its first line."""

    text: str
    parts: tuple[tuple[Piece, Reading], ...]
    module: Module
    cells: Mapping[str, Checked]
    keys: Mapping[str, Key]
    """For each cell, what its check depends on."""
    mistakes: tuple[Found, ...]
    _names: dict[int, list[Occurrence]] = field(default_factory=dict, init=False)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return self.text.split("\n")

    @property
    def names(self) -> list[Occurrence]:
        """All occurrences of names, in order."""
        return [name for number in range(len(self.parts)) for name in self.names_in(number)]

    def names_in(self, number: int) -> list[Occurrence]:
        """The occurrences of names in one part."""
        if number not in self._names:
            piece, reading = self.parts[number]
            found = occurrences(reading, self.module)
            self._names[number] = [replace(o, range=o.range.down(piece.line)) for o in found]
        return self._names[number]

    def named_lines(self) -> set[tuple[str, int]]:
        """The keys of the pieces whose lines messages may name."""
        if not any(LINE.search(note) for f in self.mistakes for note in f.diagnostic.notes):
            return set()
        cells = [name for name, checked in self.cells.items() if checked.mistakes]
        twice = any(f.diagnostic.number == DEFINED_TWICE.number for f in self.mistakes)
        if twice or not cells:
            return {piece.key for piece, _ in self.parts}
        return {key for name in cells for _, key in self.keys[name][1]}

    def facts(self, cell: str) -> Facts:
        """What is known about the names of a cell."""
        return self.cells[cell].facts if cell in self.cells else NOTHING

    def part_at(self, line: int) -> tuple[Piece, Reading] | None:
        """The piece of a line."""
        return next((part for part in reversed(self.parts) if part[0].line <= line), None)

    def cell_at(self, line: int) -> syntax.Cell | None:
        """The cell of a line, if any of it can be read."""
        part = self.part_at(line)
        return part[1].file.cells[-1] if part and part[1].file.cells else None

    def name_at(self, line: int, column: int) -> Occurrence | None:
        """The name at a place."""
        number = sum(piece.line <= line for piece, _ in self.parts) - 1
        return next((o for o in self.names_in(number) if o.range.holds(line, column)), None) if number >= 0 else None


def placed(parts: Iterable[tuple[Piece, Reading]], found: Iterable[Diagnostic]) -> tuple[Found, ...]:
    """Diagnostics with their places in the text, in its order; each place and number once."""
    parts = list(parts)
    lines = {id(reading.source): piece.line - reading.line for piece, reading in parts}
    uses = [(use, piece, reading) for piece, reading in parts for use in reading.file.uses if use.path is not None]
    out: dict[tuple[int, Range, str], Found] = {}
    for diagnostic in found:
        span = diagnostic.span
        if span is None:
            place = TOP
        elif id(span.source) in lines:
            place = range_of(span).down(lines[id(span.source)])
        else:
            named = [u for u in uses if Path(str(u[0].path)).name == span.source.name] or uses
            diagnostic = replace(diagnostic, title=f"{span}: {diagnostic.title}", help=None)
            place = named[0][2].range(named[0][0].span).down(named[0][1].line) if named else TOP
        out.setdefault((diagnostic.number, place, diagnostic.title), Found(diagnostic, place))
    return tuple(sorted(out.values(), key=lambda f: f.range))


class Workshop:
    """Analyses the states of one text, and keeps what does not change between two of them.

    `path` is the file, whose folder holds the files that it uses; `open` gives the text of a file that is being
    edited, None for one that is not.
    """

    def __init__(self, path: Path | None, name: str, open: Callable[[Path], str | None] = lambda path: None) -> None:
        self.path, self.files = path, Files(open)
        self.readings = Readings(name)
        self._checked = Kept[Checked]()
        self._warned = Kept[tuple[Diagnostic, ...]]()

    def analyse(self, text: str) -> Analysis:
        """The analysis of a text, whose line ends are `normal`."""
        if len(text) > MAX_TEXT:
            return self._refused(text, f"the text has more than {MAX_TEXT} characters: it is not checked")
        self.readings.turn()
        self._checked.turn()
        cut = pieces(text)
        if sum(map(self.readings.count, cut)) >= MAX_WORDS:
            return self._refused(text, f"the text is too long: at most {MAX_WORDS} words and comments are read")
        parts = self._read(cut)
        found = self._analysed(text, parts)
        named = found.named_lines()
        if any(reading.line != piece.line and piece.key in named for piece, reading in parts):
            parts = [(piece, self.readings.read(piece, exact=piece.key in named)) for piece, _ in parts]
            found = self._analysed(text, parts)
        return found

    def _read(self, cut: list[Piece]) -> list[tuple[Piece, Reading]]:
        """The pieces and their readings, up to the one with the last mistake of syntax that is reported."""
        parts: list[tuple[Piece, Reading]] = []
        mistakes = 0
        for piece in cut:
            parts.append((piece, self.readings.read(piece)))
            mistakes += len(parts[-1][1].mistakes)
            if mistakes >= MAX_MISTAKES:
                break
        return parts

    def _refused(self, text: str, title: str) -> Analysis:
        module = Module(syntax.File(Source(self.readings.name, ""), (), (), ()), self.path)
        return Analysis(text, (), module, {}, {}, (Found(say(TEXT_TOO_LONG, title, None), TOP),))

    def _analysed(self, text: str, parts: list[tuple[Piece, Reading]]) -> Analysis:
        files = [reading.file for _, reading in parts]
        uses = tuple(u for f in files for u in f.uses)
        functions, cells = tuple(n for f in files for n in f.functions), tuple(c for f in files for c in f.cells)
        source = parts[0][1].source if parts else Source(self.readings.name, "")
        module, mistakes, used = self.files.module(syntax.File(source, uses, functions, cells), self.path)
        keys: dict[str, Key] = {}
        checked = self._check(module, [reading for _, reading in parts], used, keys)
        found = [m for _, reading in parts for m in reading.mistakes][:MAX_MISTAKES]
        unused = any("use" in reading.mentions for _, reading in parts if reading.mistakes)
        if len(found) < MAX_MISTAKES and not unused:
            found += mistakes
            known = {(m.number, m.span) for m in mistakes}
            meant = [m for whole, result in checked.values() if whole for m in result.mistakes]
            found += {(m.number, m.span): m for m in reversed(meant) if (m.number, m.span) not in known}.values()
        if not found and not cells:
            found.append(no_cell(source.name))
        cells_ = {name: result for name, (_, result) in checked.items()}
        return Analysis(text, tuple(parts), module, cells_, keys, placed(parts, found))

    def _check(
        self, module: Module, readings: list[Reading], used: object, keys: dict[str, Key]
    ) -> dict[str, tuple[bool, Checked]]:
        """For each cell of the text, whether all that it uses could be read, and what its check found."""
        defined: dict[str, list[Reading]] = {}
        for reading in readings:
            for name in reading.defines:
                defined.setdefault(name, []).append(reading)
        names = tuple(sorted({*module.functions, *module.cells}))
        home = {id(cell): reading for reading in readings for cell in reading.file.cells}
        out, written = {}, 0
        for name, definition in module.own.items():
            parts = closure(home[id(definition.cell)], defined)
            keys[name] = key = (name, tuple(sorted((id(r.source), r.key) for r in parts)), used)
            found = self._kept(key, names, definition)
            out[name] = (not any(r.mistakes for r in parts), found)
            written += found.facts.written
            if written > GREATEST_FILE and not found.mistakes:
                out[name] = (out[name][0], replace(found, mistakes=too_large(definition.cell.span).diagnostics))
            if written > GREATEST_FILE or any(m.number == TOO_LARGE.number for m in found.mistakes):
                break  # of a text that explodes, only the first such cell is reported
        return out

    def _kept(self, key: object, names: tuple[str, ...], definition: CellDef) -> Checked:
        """The result of a check, perhaps from before; help for mistakes depends on all `names`."""
        for kept in (key, (key, names)):
            found = self._checked.get(kept)
            if found is not None:
                return found
        found = checked(definition)
        return self._checked.put((key, names) if found.mistakes else key, found)

    def warnings(self, analysis: Analysis) -> tuple[Found, ...]:
        """The warnings about a text that was analysed, where there are no mistakes."""
        if analysis.mistakes:
            return ()
        self._warned.turn()
        module, found = analysis.module, list(of_text(analysis.module))
        read_outside, losing = outside(module), with_loss(module)
        for name, definition in module.own.items():
            key = (analysis.keys[name], *(frozenset(names) for names in read_outside))
            known = self._warned.get(key)
            if known is None:
                known = self._warned.put(key, tuple(of_cell(definition, read_outside, losing)))
            found += known
        comments = [s for _, reading in analysis.parts for s in reading.silencers]
        return placed(analysis.parts, quieted(found, comments))


def checked(definition: CellDef) -> Checked:
    """The check of a cell."""
    try:
        found = survey(definition)
    except SpecError as error:
        return Checked(NOTHING, error.diagnostics)
    except (RecurrencyError, RecursionError) as error:
        return Checked(NOTHING, (say(TEXT_TOO_LONG, str(error) or "nested too deeply", definition.cell.span),))
    return Checked(facts_of(found), found.mistakes)


def closure(start: Reading, defined: Mapping[str, list[Reading]]) -> list[Reading]:
    """A piece, and the pieces of all that it mentions, and what these mention."""
    found, waiting = {id(start): start}, [start]
    while waiting:
        for name in waiting.pop().mentions & defined.keys():
            for reading in defined[name]:
                if id(reading) not in found:
                    found[id(reading)] = reading
                    waiting.append(reading)
    return list(found.values())


def no_cell(name: str) -> Diagnostic:
    """The mistake of a text without a cell."""
    help = "a cell starts with: cell Name[H](x: [H]) -> (y: [H]) {"
    return say(NO_SUCH_CELL, f"{name} holds no cell", None, help=help)
