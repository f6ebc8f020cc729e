"""Places in a text as editors count them: lines and columns from 0, columns in units of an encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recurrency.errors import Span

UNITS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}
"""How many units of an encoding a text takes; the names are those of the protocol."""


@dataclass(frozen=True, order=True)
class Range:
    """A range of a text: lines and columns from 0, in characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def down(self, lines: int) -> Range:
        """The range of the same text where it begins some lines further down."""
        return replace(self, line=self.line + lines, end_line=self.end_line + lines)

    def holds(self, line: int, column: int) -> bool:
        """Whether a cursor is in the range, or directly behind it."""
        return (self.line, self.column) <= (line, column) <= (self.end_line, self.end_column)


def range_of(span: Span) -> Range:
    """The range of a span in its own source."""
    return Range(span.line - 1, span.column - 1, span.end_line - 1, span.end_column - 1)


def normal(text: str) -> str:
    """The text with `\\n` as its only line end, as the parser reads it; lines keep their numbers."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def units_before(line: str, column: int, encoding: str) -> int:
    """The units of an encoding in the first characters of a line."""
    head = line[:column]
    return len(head) if head.isascii() else UNITS[encoding](head)


def column_at(line: str, units: int, encoding: str) -> int:
    """The characters of a line in its first `units`; a place within a character is before it."""
    if line.isascii():
        return min(units, len(line))
    count = 0
    for column, letter in enumerate(line):
        count += UNITS[encoding](letter)
        if count > units:
            return column
    return len(line)
