"""The words around a fault: helpers for the rules about notation of other languages."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from recurrency.language.reading.fault import Fault
from recurrency.language.words import opens_line

SIGNS = {"PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/", "AT": "@", "POWER": "**"}


def line_start(fault: Fault, at: int | None = None) -> int:
    """The first word of the line of the fault, or of another word."""
    at = max(0, min(fault.at if at is None else at, len(fault.words) - 1))
    while at > 0 and not opens_line(fault.words, at):
        at -= 1
    return at


def text_of(words: Sequence[Token], source: str) -> str:
    """Words as they are written."""
    return source[words[0].start_pos : words[-1].end_pos] if words else ""


def closing(words: Sequence[Token], at: int) -> int:
    """The bracket that closes the one at `at`, or the last word of its line."""
    pairs, depth = {"LBRACE": 1, "RBRACE": -1, "LSQB": 1, "RSQB": -1, "LPAR": 1, "RPAR": -1}, 0
    for end in range(at, len(words)):
        depth += pairs.get(words[end].type, 0)
        if depth == 0 or (end > at and opens_line(words, end)):
            return end if depth == 0 else end - 1
    return len(words) - 1
