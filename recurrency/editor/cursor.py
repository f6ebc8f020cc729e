"""Where the cursor is, from the words before it alone: works in a text that is half written."""

from __future__ import annotations

from dataclasses import dataclass

from lark import Token

from recurrency.language.words import OPENERS, lex, read_name

DECLARING = {"PARAM", "STATE", "CONST"}


@dataclass(frozen=True)
class Call:
    """An open call around the cursor: what is called, and the number of arguments before the cursor."""

    name: str
    argument: int
    keyword: str = ""
    """The name of the argument at the cursor, where it is given by name."""


@dataclass(frozen=True)
class Cursor:
    """The words of a cell up to the cursor; `prefix` is the part of a name directly before it."""

    words: tuple[Token, ...]
    prefix: str

    @property
    def before(self) -> str:
        """The type of the last whole word ("" at the start, or for a comment)."""
        return str(self.words[-1].type) if self.words else ""

    @property
    def opens_line(self) -> bool:
        """Whether a line of a cell begins here."""
        return self.before in ("LBRACE", "RBRACE", "DOC", "") or self._fresh

    @property
    def _fresh(self) -> bool:
        return self.line > (self.words[-1].end_line or 1) if self.words else True

    line: int = 1
    """The line of the cursor, from 1, as words count."""

    def starts(self) -> list[int]:
        """The places of the brackets that are open, the innermost last."""
        stack: list[int] = []
        for at, word in enumerate(self.words):
            if word.type in OPENERS:
                stack.append(at)
            elif stack and word.type == OPENERS[self.words[stack[-1]].type]:
                stack.pop()
        return stack

    def call(self) -> Call | None:
        """The innermost open call."""
        for at in reversed(self.starts()):
            if self.words[at].type != "LPAR":
                continue
            name = self._called(at - 1)
            if name is not None:
                return self._argument(name, at)
        return None

    def _called(self, at: int) -> str | None:
        """The name before an open bracket, perhaps with square brackets: `LSTM[H](`."""
        depth = 0
        while at >= 0 and (depth or self.words[at].type == "RSQB"):
            depth += {"RSQB": 1, "LSQB": -1}.get(self.words[at].type, 0)
            at -= 1
        if at < 0 or self.words[at].type != "NAME" or (at and self.words[at - 1].type in ("CELL", "FN")):
            return None
        return read_name(self.words[at])

    def _argument(self, name: str, at: int) -> Call:
        depth, count, last = 0, 0, at
        for number, word in enumerate(self.words[at + 1 :], at + 1):
            depth += (word.type in OPENERS) - (word.type in OPENERS.values())
            if word.type == "COMMA" and depth == 0:
                count, last = count + 1, number
        head = self.words[last + 1 : last + 3]
        named = len(head) == 2 and head[0].type == "NAME" and head[1].type == "EQUAL"
        return Call(name, count, str(head[0]) if named else "")

    def draws(self) -> bool:
        """Whether an initialiser is expected: directly after `~`, or after a product of draws."""
        if self.before == "TILDE":
            return True
        tilde = max((n for n, w in enumerate(self.words) if w.type == "TILDE"), default=-1)
        after = self.words[tilde + 1 :] if tilde >= 0 else ()
        return bool(after) and self.before == "STAR" and all(w.line == after[0].line for w in after)

    def member_of(self) -> str | None:
        """The name before a point: `enc` in `enc.`."""
        if self.before == "DOT" and len(self.words) > 1 and self.words[-2].type == "NAME":
            return read_name(self.words[-2])
        return None

    def in_use(self) -> str:
        """In a `use` line: "names" before `from`, "source" after it ("" elsewhere)."""
        kinds = [w.type for w in self.words if w.line == self.line]
        if not kinds or kinds[0] != "USE":
            return ""
        if "FROM" in kinds:
            return "source" if kinds[-1] == "FROM" else "done"
        return "first" if len(kinds) == 1 else "names"

    def silent(self) -> bool:
        """Whether the cursor is where new names are given: after `cell`, `fn` and `for`, or in a declaration."""
        if self.before in ("CELL", "FN", "FOR"):
            return True
        line = [w.type for w in self.words if w.line == self.line]
        return bool(line) and line[0] in DECLARING and all(t in ("NAME", "COMMA") for t in line[1:])


def cursor(lines: list[str], first: int, line: int, column: int) -> Cursor | None:
    """The cursor at a place of a text whose piece begins at the line `first`; None in a comment or a docstring."""
    text = "\n".join([*lines[first:line], lines[line][:column]]) if line < len(lines) else ""
    words = list(lex(text))
    if words and words[-1].type == "COMMENT" and words[-1].end_pos == len(text):
        return None
    if text.count('"""') % 2:
        return None
    words = [word for word in words if word.type != "COMMENT"]
    prefix = ""
    if words and words[-1].end_pos == len(text) and (words[-1].type == "NAME" or str(words[-1]).isalpha()):
        prefix = str(words.pop())
    return Cursor(tuple(words), prefix, line - first + 1)
