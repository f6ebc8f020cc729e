"""User errors: source texts, spans, diagnostics, and the exceptions that carry them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property


class RecurrencyError(Exception):
    """Base of all errors that a user can fix; the command line prints them without a traceback."""


UNSEEN = {
    **{code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"},
    127: "\u2421",
    **dict.fromkeys([*range(128, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
"""Control characters of terminals, changes of text direction, and lone surrogates, with their visible replacements.

Each replacement is one character, so that carets stay in their column."""


def visible(text: str) -> str:
    """A text that is safe to print on a terminal: of control characters, only tabs and line ends are left."""
    return text if text.isprintable() else text.translate(UNSEEN)


@dataclass(frozen=True)
class Source:
    """A specification text, and its name in messages."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """The text of line `number`, counted from 1, without its line end ("" past the end)."""
        return self._lines[number - 1].rstrip("\r") if 1 <= number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a source text: offsets `[start, end)`, and 1-based line and column of both ends (end exclusive)."""

    source: Source = field(repr=False)
    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, other.end, self.line, self.column, other.end_line, other.end_column)

    @property
    def text(self) -> str:
        """The text in this span."""
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One mistake in a specification, or a warning.

    `number` never changes its meaning (see `recurrency.language.diagnostics`). `title` is the first line, `label`
    appears beside the carets, `notes` point to other lines involved, `help` says how to fix the mistake.
    """

    number: int
    title: str
    span: Span | None = None
    label: str = ""
    notes: tuple[str, ...] = ()
    help: str | None = None
    warning: bool = False
    """Whether it is a warning: the specification is valid."""

    @property
    def code(self) -> str:
        """The printed form of the number, such as `RNN021`."""
        return f"RNN{self.number:03d}"


class SpecError(RecurrencyError):
    """A specification is malformed; `diagnostics` holds every independent mistake, in the order of the text."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n\n".join(render(d) for d in diagnostics))


def render(diagnostic: Diagnostic) -> str:
    """The printed form of a diagnostic: place, source line, carets under the span, notes and help."""
    out = [f"{'warning' if diagnostic.warning else 'error'}[{diagnostic.code}]: {diagnostic.title}"]
    span = diagnostic.span
    if span is not None:
        number = str(span.line)
        gutter = " " * len(number)
        text = span.source.line(span.line).replace("\t", " ")
        end = span.end_column if span.end_line == span.line else len(text) + 1
        carets = "^" * max(1, min(end, len(text) + 1) - span.column)
        label = f" {diagnostic.label}" if diagnostic.label else ""
        out.append(f"{gutter} --> {span}")
        out.append(f"{gutter}  |")
        out.append(f"{number}  | {text}")
        out.append(f"{gutter}  | {' ' * (span.column - 1)}{carets}{label}")
    elif diagnostic.label:
        out.append(f"  = {diagnostic.label}")
    pad = " " * (len(str(span.line)) + 2) if span is not None else "  "
    out += [f"{pad}= {note}" for note in diagnostic.notes]
    if diagnostic.help:
        out.append(f"{pad}= help: {diagnostic.help}")
    return "\n".join(visible(line).rstrip() for line in out)


class ShapeError(RecurrencyError):
    """An array that is passed to a compiled model has the wrong shape, type or content."""


class UsageError(RecurrencyError):
    """A call or command can't be carried out: unknown name, unusable option, unwritable file."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name with the spelling nearest to `name`, for a suggestion; case matters least. None: none is near."""
    letters = {known.lower(): known for known in reversed([k for k in dict.fromkeys(known) if k != name])}
    if name.lower() in letters:
        return letters[name.lower()]
    found = difflib.get_close_matches(name[:100].lower(), letters, 1, 0.6)
    return letters[found[0]] if found else None


def nearest_help(name: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """`did you mean NAME?` with the nearest known name; `otherwise` if none is near."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else otherwise


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` for the end of a message; nothing if no known name is near."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""
