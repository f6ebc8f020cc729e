"""The place where parsing failed, with the words around it and what the grammar accepts there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lark import Token

from recurrency.errors import Diagnostic, Source, Span
from recurrency.language.diagnostics import Code, say
from recurrency.language.reading.outline import Start
from recurrency.language.words import CLAUSES, STARTERS, ends_value, open_brackets, spellings, where


@dataclass(frozen=True)
class Fault:
    """The place where parsing failed: the word at `at` (past the last word: the text ends) is not in `accepted`."""

    source: Source
    words: Sequence[Token]
    at: int
    accepted: frozenset[str]
    starts: Sequence[Start]

    @property
    def word(self) -> Token:
        """The word that does not fit, or the last one where the text is over."""
        return self.words[min(self.at, len(self.words) - 1)]

    @property
    def over(self) -> bool:
        """Whether the text ends here."""
        return self.at >= len(self.words)

    @property
    def before(self) -> Token | None:
        """The word in front of the one that does not fit."""
        return self.words[self.at - 1] if self.at > 0 else None

    @property
    def kind(self) -> str:
        """The terminal that does not fit."""
        return "$END" if self.over else str(self.word.type)

    @cached_property
    def open(self) -> list[Token]:
        """The brackets that are open here."""
        return open_brackets(self.words[: self.at])

    @cached_property
    def guilty(self) -> Start:
        """The faulty statement: the one that fails, or the one before it if that is incomplete."""
        known = [s for s in self.starts if s.at <= self.at]
        if not known:
            return Start(0, "")
        last = known[-1]
        if len(known) == 1 or (last.at == self.at and self.accepted & {"RBRACE", "$END"}):
            return last
        return known[-2] if last.at == self.at or self.cut_short else last

    @cached_property
    def cut_short(self) -> bool:
        """Whether the line before the statement that fails ends in the middle, as in `a = b +`."""
        last = [s for s in self.starts if s.at <= self.at][-1:]
        if not last or last[0].kind != "NAME" or last[0].at == 0:
            return False
        before = self.words[last[0].at - 1]
        return not ends_value(before) and before.type not in {"LBRACE", "RBRACE", "DOC", "STRING", "LIBRARY"}

    @property
    def in_header(self) -> bool:
        """Whether the faulty statement is a cell or a loop whose body has not begun."""
        passed = self.words[self.guilty.at : self.at]
        return self.guilty.kind in {"CELL", "FOR"} and all(w.type != "LBRACE" for w in passed)

    def says(
        self,
        code: Code,
        title: str,
        at: Token | tuple[Token, Token] | Span,
        label: str = "",
        notes: tuple[str, ...] = (),
        help: str | None = None,
    ) -> Diagnostic:
        """A diagnostic at a word, at the words from one to another, or at a place."""
        span = at if isinstance(at, Span) else where(self.source, *(at if isinstance(at, tuple) else (at,)))
        return say(code, title, span, label, notes, help)


# ------------------------------------------------------------------------------------------------------------- words


def shown(fault: Fault) -> str:
    """The word as a message mentions it."""
    text = str(fault.word).split("\n")[0]
    return text if len(text) <= 30 else text[:27] + "..."


GROUPS = (
    (STARTERS - {"CELL", "USE"}, "a statement"),
    (frozenset({"NAME", "NUMBER", "LPAR", "MINUS"}), "an expression"),
    (frozenset({"PLUS", "MINUS", "STAR", "AT", "SLASH", "POWER"}), "an operator"),
)
HIDDEN = {
    "a statement": {"NAME"},
    "an expression": {"NOT", "LSQB", "STRING"},
    "an operator": {"LPAR", "LSQB", "DOT", "COMPARE", "IF", "OR", "AND", "FROM", *CLAUSES.values()},
}
PLAIN = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a path in "..."',
    "COMPARE": "a comparison",
    "DOC": "a docstring",
    "$END": "the end of the text",
}


def expected(fault: Fault) -> str:
    """What the grammar accepts here, as a phrase."""
    left, parts = set(fault.accepted), []
    for group, phrase in GROUPS:
        if group <= left:
            parts.append(phrase)
            left -= group | HIDDEN[phrase]
    parts += sorted(PLAIN.get(name) or f"`{spellings().get(name, name)}`" for name in left)
    if not parts:
        return ""
    return "expected " + (parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " or " + parts[-1])
