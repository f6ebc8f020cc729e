"""The starts of statements in a list of words, found without the grammar: for error messages and recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lark import Token

from recurrency.language.foreign_names import KEYWORDS
from recurrency.language.words import STARTERS, ends_value, is_name, lex, opens_line

LOOK_AHEAD = 64
HEADERS = {"CELL": "cell C(x: []) -> (y: []) {", "FOR": "for j in 1..1 {"}


PARTS = frozenset({"NAME", "COMMA", "LPAR", "RPAR", "LBRACE", "RBRACE", "MINUS", "PLUS", "NUMBER", "DOT"})
"""What precedes the `=` of an equation in other languages."""


@dataclass(frozen=True)
class Start:
    """A word that begins a line and a statement."""

    at: int
    kind: str


def is_target(words: Sequence[Token], at: int) -> bool:
    """Whether `name =` or `name[...] =` begins at `at`, or was meant: a reserved word, `==`, `:`."""
    if not is_name(words[at]):
        return False
    after, depth = at + 1, 0
    for word in words[at + 1 : at + LOOK_AHEAD]:
        depth += {"LSQB": 1, "RSQB": -1}.get(word.type, 0)
        if depth == 0 and word.type != "RSQB":
            break
        after += 1
    return after < len(words) and (words[after].type in {"EQUAL", "COLON"} or words[after] == "==")


def doubled(words: Sequence[Token], at: int) -> bool:
    """Whether `++` or `--` directly follows the word at `at`."""
    three = words[at : at + 3]
    return (
        len(three) == 3
        and three[1] == three[2]
        and three[0].end_pos == three[1].start_pos
        and (three[1].end_pos == three[2].start_pos)
    )


def is_slip(words: Sequence[Token], at: int) -> bool:
    """Whether a statement was meant at `at`, in the notation of another language: `a, b =`, `h +=`, `let z =`."""
    before = words[at - 1] if at else None
    begun = before is not None and not ends_value(before) and before.type not in {"LBRACE", "RBRACE", "DOC", "STRING"}
    if begun or at + 1 >= len(words) or not (is_name(words[at]) or words[at].type == "LPAR"):
        return False
    line, second = words[at].line, words[at + 1]
    if str(words[at]) in KEYWORDS and second.line == line and second.type in {"NAME", "LPAR"}:
        return True
    if second.line == line and (
        second == "<" or second.type in {"TILDE", "DOT"} or (second.type in {"PLUS", "MINUS"} and doubled(words, at))
    ):
        return True
    for after, word in enumerate(words[at + 1 : at + LOOK_AHEAD], at + 1):
        if word.line != line or word.type in {"LSQB", "FOR", "IN"}:
            return False
        if word.type == "EQUAL":
            return after - at < 3 or all(w.type in PARTS for w in words[at + 1 : after])
    return False


def outline(words: Sequence[Token]) -> list[Start]:
    """The starts of all statements; inside round or square brackets only a word that is not indented further counts."""
    starts: list[Start] = []
    depth, column = 0, 0
    for at, word in enumerate(words):
        if opens_line(words, at) and (word.type in STARTERS or is_target(words, at) or is_slip(words, at)):
            inside = depth > 0 and (word.column or 1) > column and word.type not in {"CELL", "USE"}
            if not inside:
                starts.append(Start(at, word.type))
                depth, column = 0, word.column or 1
        depth += {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}.get(word.type, 0)
    return starts


def without(words: Sequence[Token], start: Start, end: int, fault: int, nested: bool) -> list[Token]:
    """The words without the statement `start .. end`; braces that others need are kept.

    A header whose body begins here becomes a plain one, so that the body can be parsed; `nested` is a cell in
    a cell.
    """
    opened: list[Token] = []
    kept: list[Token] = []
    for at in range(start.at, end):
        word = words[at]
        if word.type == "LBRACE":
            opened.append(word)
        elif word.type == "RBRACE" and opened:
            opened.pop()
        elif word.type == "RBRACE" and at != fault:
            kept.append(word)
    if start.kind in HEADERS and kept and not opened:
        kept.pop()
    elif start.kind in HEADERS and (opened or not any(w.type == "RBRACE" for w in words[start.at : end])):
        plain = lex(HEADERS["FOR" if nested else start.kind])
        kept = [Token.new_borrow_pos(w.type, str(w), words[start.at]) for w in plain] + kept
    return [*words[: start.at], *kept, *words[max(end, start.at + 1) :]]
