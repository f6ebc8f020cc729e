"""From text to a syntax tree, or to every independent mistake of syntax."""

from __future__ import annotations

import re
from typing import NoReturn

from lark import Token, Tree, UnexpectedToken

from recurrency.errors import UNSEEN, Diagnostic, Source, Span, SpecError
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    NESTED_TOO_DEEPLY,
    NOT_UTF8,
    STRAY_BRACKET,
    TEXT_TOO_LONG,
    UNCLOSED_BRACKET,
    UNEXPECTED_CHARACTER,
    say,
)
from recurrency.language.reading.strays import explain_stray, unclosed_quotes, without_comments
from recurrency.language.reading.tree import MAX_DEPTH, TooDeepError, TreeBuilder
from recurrency.language.words import MAX_WORDS, grammar, where, words_of

MAX_TEXT = 1_000_000
MAX_MISTAKES = 20
PATIENCE = 40_000
"""Words that are read in all attempts together: of a text full of mistakes only the first few are reported."""


def refuse_encoding(name: str, data: bytes, error: UnicodeDecodeError) -> NoReturn:
    """Raise the diagnostic of a text that is not UTF-8, at the first invalid byte."""
    before = data[: error.start].decode("utf-8", errors="replace")
    source = Source(name, data.decode("utf-8", errors="replace"))
    at, line, column = len(before), before.count("\n") + 1, len(before) - before.rfind("\n")
    word = Token("STRAY", "?", at, line, column, line, column + 1, at + 1)
    label = f"the byte 0x{data[error.start]:02x} cannot stand here"
    raise SpecError((say(NOT_UTF8, f"{name} is not UTF-8", where(source, word), label, help="save it as UTF-8"),))


def refuse_length(name: str) -> NoReturn:
    """Raise the diagnostic of a text that is too long."""
    raise SpecError((say(TEXT_TOO_LONG, f"{name} has more than {MAX_TEXT} characters", None),))


CONTROLS = re.compile(f"[{''.join(map(chr, UNSEEN))}]".replace("\r", ""))


def refuse_control(source: Source, at: int) -> NoReturn:
    """Refuse a control character in a docstring or a comment, which a terminal would obey.

    Raises:
        SpecError: always.
    """
    line, column = source.text.count("\n", 0, at) + 1, at - source.text.rfind("\n", 0, at)
    span = Span(source, at, at + 1, line, column, line, column + 1)
    title = f"unexpected character U+{ord(source.text[at]):04X}"
    label = "it controls the terminal, or turns the direction of the text"
    raise SpecError((say(UNEXPECTED_CHARACTER, title, span, label, help="delete it"),))


def parse_file(source: Source) -> syntax.File:
    """The syntax of a text. Raises `SpecError`, and nothing else, with all independent mistakes of syntax."""
    file, mistakes = parse_partly(source)
    if file is None or mistakes:
        raise SpecError(mistakes)
    return file


def parse_partly(source: Source) -> tuple[syntax.File | None, tuple[Diagnostic, ...]]:
    """What can be read of a text, and all independent mistakes of syntax; statements with mistakes are left out.

    Raises:
        SpecError: the text is too long, or has a control character: nothing of it is read.
    """
    if len(source.text) > MAX_TEXT:
        refuse_length("the text")
    every = words_of(source.text)
    words = [word for word in every if word.type != "COMMENT"]
    if len(every) >= MAX_WORDS:
        label = f"from here on: at most {MAX_WORDS} words and comments are read"
        raise SpecError((say(TEXT_TOO_LONG, "the text is too long", where(source, every[-1]), label),))
    for word in every:
        if word.type in ("COMMENT", "DOC") and (control := CONTROLS.search(word)):
            refuse_control(source, (word.start_pos or 0) + control.start())
    return Reading(source, words).read()


class Reading:
    """Attempts to read the words of a source: each mistake is reported and cut out, and the rest is read again."""

    def __init__(self, source: Source, words: list[Token]) -> None:
        self.source = source
        self.mistakes: list[Diagnostic] = []
        self.reported: set[int] = set()
        self.words = self.without_strays(without_comments(source, words, self.tell))
        self.patience = PATIENCE

    def tell(self, mistake: Diagnostic) -> None:
        """Keep a mistake, unless the same line has one already."""
        line = mistake.span.line if mistake.span else 0
        if line not in self.reported:
            self.mistakes.append(mistake)
        self.reported.add(line)

    def without_strays(self, words: list[Token]) -> list[Token]:
        """The words that belong to the language; the rest of the text is not read if a docstring never ends."""
        self.complete = True
        kept = []
        for at, word in enumerate(words):
            if word.type == "STRAY" and len(self.mistakes) < MAX_MISTAKES and word.line not in self.reported:
                self.tell(explain_stray(self.source, words, at))
            if unclosed_quotes(self.source, word):
                self.complete = False
                break
            if word.type != "STRAY":
                kept.append(word)
        return kept

    def read(self) -> tuple[syntax.File | None, tuple[Diagnostic, ...]]:
        """The syntax tree of what can be read, and the mistakes in the order of the text."""
        tree = None
        for _ in range(2 * MAX_MISTAKES):
            tree = self.attempt()
            if tree is not None or not self.words or len(self.mistakes) >= MAX_MISTAKES or self.patience <= 0:
                break
        file = self.build(tree) if tree is not None else None
        place = [(m.span.start if m.span else 0, m) for m in self.mistakes]
        return file, tuple(m for _, m in sorted(place, key=lambda pair: pair[0])[:MAX_MISTAKES])

    def attempt(self) -> Tree[Token] | None:
        """The parse tree of the words, or `None` after the first mistake was reported and cut out."""
        reader = grammar().parse_interactive("", start="file")
        at = 0
        try:
            for at, word in enumerate(self.words):  # noqa: B007
                reader.feed_token(word)
            at = len(self.words)
            tree: Tree[Token] = reader.feed_eof(self.words[-1] if self.words else None)
            return tree
        except UnexpectedToken:
            self.patience -= 2 * at + len(self.words) // 4
            self.blame(at)
            return None

    def blame(self, at: int) -> None:
        """Report the fault at the word `at`, and leave out the faulty statement."""
        from recurrency.language.reading.fault import Fault  # needed only for messages
        from recurrency.language.reading.mistakes import explain
        from recurrency.language.reading.outline import outline, without

        starts = outline(self.words)
        fault = Fault(self.source, self.words, at, self.accepted(at), starts)
        mistake = explain(fault)
        if not fault.over or self.complete:
            self.tell(mistake)
        if fault.over:
            self.words = []
        elif mistake.number == UNCLOSED_BRACKET.number and fault.kind == "CELL":
            closed = [Token.new_borrow_pos("RBRACE", "}", self.words[at - 1]) for b in fault.open if b.type == "LBRACE"]
            self.words = [*self.words[:at], *closed, *self.words[at:]]
        else:
            nested = fault.kind == "CELL" and "RBRACE" in fault.accepted
            end = next((s.at for s in starts if s.at > fault.guilty.at), len(self.words))
            self.words = without(
                self.words, fault.guilty, end, at if mistake.number == STRAY_BRACKET.number else -1, nested
            )

    def accepted(self, at: int) -> frozenset[str]:
        """The terminals that are accepted at `at`; parsed again, because the failed attempt has changed its state."""
        reader = grammar().parse_interactive("", start="file")
        for word in self.words[:at]:
            reader.feed_token(word)
        return frozenset(reader.accepts())

    def build(self, tree: Tree[Token]) -> syntax.File | None:
        """The syntax of a parse tree, or `None` where it is nested too deeply."""
        builder = TreeBuilder(self.source)
        file: syntax.File | None = None
        try:
            file = builder.build(tree)
        except TooDeepError as deep:
            title, label = f"this is nested more than {MAX_DEPTH} deep", "from here on"
            help = "give a name to a part of it"
            builder.mistakes.append(say(NESTED_TOO_DEEPLY, title, builder.span(deep.branch), label, help=help))
        for mistake in builder.mistakes:
            self.tell(mistake) if self.mistakes else None
        self.mistakes = self.mistakes or builder.mistakes
        return file
