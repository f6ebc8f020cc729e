"""A text in pieces: one for each cell, function and `use` line, so that a keystroke changes one of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

MARK = re.compile(r'"""[\s\S]*?(?:"""|\Z)|"[^"\n]*"?|#[^\n]*|[{}]|^(?:cell|use|fn)\b', re.MULTILINE)
"""What decides where a piece begins; brackets in comments and quotation marks do not count."""


@dataclass(frozen=True)
class Piece:
    """A part of a text; `line` is the number of its first line, from 0."""

    text: str
    line: int
    copy: int = 0
    """How many pieces before it have the same text."""

    @property
    def key(self) -> tuple[str, int]:
        """What stays the same where lines are added above it."""
        return self.text, self.copy


def pieces(text: str) -> list[Piece]:
    """The pieces of a text, in order; together they are the text.

    A piece begins at a line that starts with `cell` or `use`, or outside of braces with `fn`, and at the comments
    directly above it. A text of one piece has no such line but its first.
    """
    starts, depth = [0], 0
    for mark in MARK.finditer(text):
        word = mark.group()
        depth += {"{": 1, "}": -1}.get(word, 0)
        if word in ("cell", "use") or (word == "fn" and depth <= 0):
            starts.append(_with_comments(text, starts[-1], mark.start()))
            depth = 0
    out: list[Piece] = []
    seen: Counter[str] = Counter()
    line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if start < end:
            part = text[start:end]
            out.append(Piece(part, line, seen[part]))
            seen[part] += 1
            line += part.count("\n")
    return out


def _with_comments(text: str, before: int, at: int) -> int:
    """Where the empty lines and comments above the line at `at` begin, at `before` at the earliest."""
    start = at
    while start > before:
        above = text.rfind("\n", 0, start - 1) + 1
        line = text[above : start - 1].strip()
        if above < before or (line and not line.startswith("#")):
            break
        start = above
    return start
