"""The pieces of a text as syntax. What has been read before is not read again, wherever it has moved."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from lark import Token

from recurrency.editor.pieces import Piece
from recurrency.editor.places import Range, range_of
from recurrency.errors import Diagnostic, Source, Span, SpecError
from recurrency.language import syntax
from recurrency.language.diagnostics import UNCLOSED_BRACKET
from recurrency.language.linting.lints import Silencer, silencers
from recurrency.language.reading.parser import parse_partly
from recurrency.language.words import read_name, words_of

DEFINED = re.compile(r"\b(?:cell|fn)\s+(\w+)")
WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, eq=False)
class Reading:
    """A piece that was read: the syntax of what is whole in it, and the mistakes.

    `line` is the line at which the piece began then, from 0: lines of spans and in messages count from there.
    """

    source: Source
    line: int
    key: tuple[str, int]
    """That of the piece."""
    file: syntax.File
    mistakes: tuple[Diagnostic, ...]

    @cached_property
    def words(self) -> list[Token]:
        """The words of the piece, comments included."""
        return words_of(self.source.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in its code."""
        return frozenset(read_name(word) for word in self.words if word.type == "NAME")

    @cached_property
    def silencers(self) -> list[Silencer]:
        """The comments in it that silence warnings."""
        return silencers(self.source) if "RNN" in self.source.text.upper() else []

    @cached_property
    def mentions(self) -> frozenset[str]:
        """All names in it."""
        return frozenset(WORD.findall(unicodedata.normalize("NFKC", self.source.text)))

    @cached_property
    def defines(self) -> frozenset[str]:
        """The cells and functions that it defines, or was to define."""
        whole = {c.name for c in self.file.cells} | {f.name for f in self.file.functions}
        return frozenset(whole | set(DEFINED.findall(self.source.text)) if self.mistakes else whole)

    def range(self, span: Span) -> Range:
        """The range of a span in the piece, from its first line on."""
        return range_of(span).down(-self.line)


V = TypeVar("V")


class Kept(Generic[V]):
    """Values by keys, of which those are forgotten that the last two states of a text did not need."""

    def __init__(self) -> None:
        self._before: dict[object, V] = {}
        self._now: dict[object, V] = {}

    def turn(self) -> None:
        """Another state of the text follows."""
        self._before, self._now = self._now, {}

    def get(self, key: object) -> V | None:
        """The value of a key, which is needed again."""
        if key not in self._now and key in self._before:
            self._now[key] = self._before[key]
        return self._now.get(key)

    def put(self, key: object, value: V) -> V:
        """Keep a value."""
        self._now[key] = value
        return value


class Readings:
    """The readings of the states of one text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept = Kept[Reading]()
        self.counts = Kept[int]()

    def count(self, piece: Piece) -> int:
        """The words and comments of a piece."""
        known = self.counts.get(piece.text)
        return self.counts.put(piece.text, len(words_of(piece.text))) if known is None else known

    def turn(self) -> None:
        """Another state of the text follows."""
        self.kept.turn()
        self.counts.turn()

    def read(self, piece: Piece, exact: bool = False) -> Reading:
        """The reading of a piece; if `exact`, messages in it name the lines at which it is now."""
        found = self.kept.get(piece.key)
        if found is None or ((exact or found.mistakes) and found.line != piece.line):
            found = self.kept.put(piece.key, self._read(piece))
        return found

    def _read(self, piece: Piece) -> Reading:
        source = Source(self.name, "\n" * piece.line + piece.text)
        file, mistakes = syntax_of(source)
        if not file.cells and any(m.number == UNCLOSED_BRACKET.number for m in mistakes):
            file, _ = syntax_of(Source(self.name, source.text + "\n}"))  # a cell whose end is not yet written
        if mistakes:  # a cell whose header can't be read gets a name that nobody has written
            written = set(DEFINED.findall(unicodedata.normalize("NFKC", source.text)))
            file = replace(file, cells=tuple(cell for cell in file.cells if cell.name in written))
        return Reading(source, piece.line, piece.key, file, mistakes)


def syntax_of(source: Source) -> tuple[syntax.File, tuple[Diagnostic, ...]]:
    """What can be read of a source, and the mistakes in it."""
    try:
        file, mistakes = parse_partly(source)
    except SpecError as error:
        file, mistakes = None, error.diagnostics
    return file or syntax.File(source, (), (), ()), mistakes
