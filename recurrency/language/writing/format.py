"""The canonical layout of a spec. Words and comments stay as they are; only the white space between them changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from lark import Token

from recurrency.errors import Source
from recurrency.language.reading.outline import is_target
from recurrency.language.reading.parser import parse_file
from recurrency.language.reading.tree import clean_doc
from recurrency.language.words import STARTERS, lex
from recurrency.language.writing.spacing import spaces, tight

INDENT = 4
WIDEST_GAP = 12
"""Equations of one block are aligned unless the widths of their left sides differ by more than this."""
DECLARATIONS = {"PARAM", "STATE", "CONST"}
ROUND = {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}


@dataclass
class Line:
    """A statement, a comment, a docstring or a brace, with all its words; before `breaks` a row ends."""

    words: list[Token]
    depth: int
    blank: bool
    breaks: set[int] = field(default_factory=set)
    pads: dict[int, int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.words[0].type)

    @cached_property
    def close(self) -> set[int]:
        return tight(self.words)

    def find(self, *kinds: str) -> int | None:
        """The first word of one of these kinds outside of brackets, if it is in the first row."""
        depth = 0
        for at, word in enumerate(self.words):
            depth += ROUND.get(word.type, 0)
            if at in self.breaks:
                return None
            if depth == 0 and word.type in kinds:
                return at
        return None


def format_file(text: str, name: str) -> str:
    """The text in its canonical layout. The meaning stays the same, and a second call changes nothing.

    Raises `SpecError` where the text cannot be parsed; `name` is what messages call it.
    """
    parse_file(Source(name, text))
    lines = split(list(lex(text)))
    for _, block in groupby(lines, key=Blocks()):
        align(list(block))
    for _, block in groupby(lines, key=CommentBlocks()):
        align_comments(list(block))
    rows = [row for line in lines for row in ([""] if line.blank else []) + layout(line)]
    return "\n".join(rows) + "\n" if rows else ""


# ------------------------------------------------------------------------------------------------------------- lines


def inline_braces(words: list[Token]) -> set[int]:
    """Both braces of each block that begins and ends on one line without a comment or a docstring in it."""
    found: set[int] = set()
    stack: list[int] = []
    for at, word in enumerate(words):
        if word.type == "LBRACE":
            stack.append(at)
        elif word.type == "RBRACE":
            start = stack.pop()
            inside = words[start:at]
            if words[start].line == word.line and all(w.type not in {"DOC", "COMMENT"} for w in inside):
                found |= {start, at}
    return found


def split(words: list[Token]) -> list[Line]:
    """The lines of a text, with the rows into which the author broke them."""
    inline, starts = inline_braces(words), statements(words)
    lines: list[Line] = []
    depth = brackets = 0
    for at, word in enumerate(words):
        before = words[at - 1] if at else None
        fresh = before is None or before.end_line != word.line
        closes = word.type == "RBRACE" and at not in inline
        depth -= closes
        if before is None or closes or begins_line(before, word, fresh and brackets == 0, starts, at - 1 in inline):
            blank = before is not None and word.line is not None and word.line - (before.end_line or 0) > 1
            lines.append(Line([word], depth, blank and before is not None and before.type != "LBRACE" and not closes))
            if before is not None and before.type == "RBRACE" and word.type == "CELL":
                lines[-1].blank = True
        else:
            row_ends = before.type == "COMMENT" or (fresh and word.type != "LBRACE")
            lines[-1].breaks |= {len(lines[-1].words)} if row_ends else set()
            lines[-1].words.append(word)
        depth += word.type == "LBRACE" and at not in inline
        brackets += ROUND.get(word.type, 0)
    return lines


def begins_line(before: Token, word: Token, fresh: bool, starts: set[int | None], after_inline: bool) -> bool:
    """Whether a line of its own begins with `word`, which is `fresh` if it does in the text, outside of brackets."""
    if word.type == "COMMENT":
        return fresh
    if word.type == "DOC" or (before.type in {"RBRACE", "LBRACE", "DOC"} and not after_inline):
        return True
    return fresh and (word.type in STARTERS or word.start_pos in starts)


def statements(words: list[Token]) -> set[int | None]:
    """The positions of names before `=`, perhaps with subscripts and comments; outside of brackets: equations."""
    bare = [word for word in words if word.type != "COMMENT"]
    return {word.start_pos for at, word in enumerate(bare) if is_target(bare, at) and not declares(bare, at)}


def declares(words: list[Token], at: int) -> bool:
    """Whether no `=` follows the name at `at`, but `:`, as in a list of names over several rows, or a comparison."""
    while words[at].type not in {"EQUAL", "COLON", "COMPARE"}:
        at += 1
    return words[at].type != "EQUAL"


# --------------------------------------------------------------------------------------------------------- alignment


class Blocks:
    """The key of `groupby`: lines of one kind and depth that follow one another without a gap have the same number."""

    def __init__(self) -> None:
        self.number = 0
        self.last: tuple[str, int] | None = None

    def __call__(self, line: Line) -> int:
        kind = "declaration" if line.kind in DECLARATIONS else line.kind
        if line.blank or (kind, line.depth) != self.last or kind not in {"declaration", "NAME"}:
            self.number += 1
        self.last = (kind, line.depth)
        return self.number


def align(block: list[Line]) -> None:
    """Aligns `:` and then `~` or `=` of neighbouring declarations, or `=` of neighbouring equations."""
    if len(block) < 2:
        return
    if block[0].kind in DECLARATIONS:
        pad_to(block, "COLON")
        pad_to(block, "TILDE", "EQUAL")
    elif block[0].kind == "NAME":
        pad_to(block, "EQUAL", most=WIDEST_GAP)


class CommentBlocks:
    """The key of `groupby`: neighbouring lines of one row that end with a comment have the same number."""

    def __init__(self) -> None:
        self.number = 0
        self.last = False

    def __call__(self, line: Line) -> int:
        ends = len(line.words) > 1 and line.words[-1].type == "COMMENT" and not line.breaks
        if line.blank or not (ends and self.last):
            self.number += 1
        self.last = ends
        return self.number


def align_comments(block: list[Line]) -> None:
    """Aligns the comments at the ends of neighbouring rows."""
    if len(block) > 1:
        pad_to(block, "COMMENT")


def pad_to(block: list[Line], *kinds: str, most: int | None = None) -> None:
    """Widens the space before the first word of `kinds`, unless the widths before it differ by more than `most`."""
    places = [(line, at) for line in block if (at := line.find(*kinds)) is not None]
    widths = [width(line, at) for line, at in places]
    if not widths or (most is not None and max(widths) - min(widths) > most):
        return
    for (line, at), own in zip(places, widths, strict=True):
        line.pads[at] = max(widths) - own


def width(line: Line, end: int) -> int:
    """How many columns the words of a line take before the one at `end`, which is in the first row."""
    rows = Rows(line)
    for at in range(end):
        rows.write(at)
    return len(rows.rows[-1])


# ------------------------------------------------------------------------------------------------------------ layout


class Rows:
    """Writes the words of one line, row by row."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.indent = INDENT * line.depth
        self.rows = [" " * self.indent]
        self.anchor = self.indent + INDENT
        self.open: list[tuple[int, int]] = []
        """For each open bracket: where the rows inside it begin, and where its closing bracket begins a row."""

    def write(self, at: int) -> None:
        line, word = self.line, self.line.words[at]
        if at in line.breaks:
            self.rows.append(" " * self.start_of_row(word))
        elif at:
            gap = spaces(line.words, at, line.close, bool(self.open)) + line.pads.get(at, 0)
            self.rows[-1] += " " * gap
        begin = len(self.rows[-1])
        self.rows[-1] += word
        self.note(at, word, begin)

    def start_of_row(self, word: Token) -> int:
        """The column at which a row begins with this word."""
        if not self.open:
            return self.anchor
        inside, outside = self.open[-1]
        return outside if word.type in {"RPAR", "RSQB"} else inside

    def note(self, at: int, word: Token, begin: int) -> None:
        """Remember what the next rows are aligned with."""
        line, row = self.line, self.rows[-1]
        if word.type in {"LPAR", "LSQB"}:
            hanging = at + 1 in line.breaks or (at + 1 < len(line.words) and line.words[at + 1].type == "COMMENT")
            margin = len(row) - len(row.lstrip())
            self.open.append((margin + INDENT, margin) if hanging else (begin + 1, begin))
        elif word.type in {"RPAR", "RSQB"}:
            self.open.pop()
        elif not self.open and word.type in {"EQUAL", "TILDE", "LOSS"}:
            self.anchor = len(row) + 1


def layout(line: Line) -> list[str]:
    """The rows of a line."""
    if line.kind == "DOC":
        return docstring(line)
    rows = Rows(line)
    for at in range(len(line.words)):
        rows.write(at)
    return [row.rstrip() for row in rows.rows]


def docstring(line: Line) -> list[str]:
    """A docstring with its rows indented like the statements of the cell."""
    margin = " " * (INDENT * line.depth)
    text = str(line.words[0])[3:-3]
    apart = "\n" in text and not text.rsplit("\n", 1)[1].strip()
    first, *others = clean_doc(line.words[0]).split("\n")
    rows = [f'{margin}"""{first}', *((margin + row).rstrip() for row in others)]
    if apart:
        rows.append(margin)
    rows[-1] += ' """' if (others or first) and rows[-1].endswith('"') else '"""'
    comments = [str(word).rstrip() for word in line.words[1:]]
    return [*rows[:-1], "  ".join([rows[-1], *comments])]
