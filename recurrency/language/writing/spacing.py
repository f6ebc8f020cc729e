"""The space between two neighbouring words in the canonical layout."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from recurrency.language.words import OPENERS, ends_value

ADDITIVE = {"PLUS", "MINUS"}
ARITHMETIC = ADDITIVE | {"STAR", "AT", "SLASH", "POWER"}
ATTACHED = {"RPAR", "RSQB", "COMMA", "DOT", "DOTS"}
"""Words without a space in front."""
OPEN = {"LPAR", "LSQB", "DOT", "DOTS"}
"""Words without a space behind."""
CALLED = {"NAME", "NUMBER", "RPAR", "RSQB", "INDEX"}
"""Words behind which a bracket belongs to them: a call, a subscript, `index[V]`."""
RANGE_ENDS = {"LBRACE", "RPAR", "IF", "FOR", "COMMA", "RSQB"}


def is_binary(words: Sequence[Token], at: int) -> bool:
    """Whether an arithmetic sign stands between two values."""
    return words[at].type in ARITHMETIC and at > 0 and ends_value(words[at - 1])


def tight(words: Sequence[Token]) -> set[int]:
    """The arithmetic signs that are written without spaces: those of time and member indices, and of ranges.

    `h[t-1]` and `1..L-1`, but `Linear[2 * H]` and the shape `[2 * H]`.
    """
    found: set[int] = set()
    stack: list[tuple[bool, list[int]]] = []
    for at, word in enumerate(words):
        if word.type in OPENERS:
            stack.append((word.type == "LSQB" and at > 0 and words[at - 1].type in CALLED, []))
        elif word.type in OPENERS.values() and stack:
            subscript, signs = stack.pop()
            if subscript and any(words[sign].type in ADDITIVE for sign in signs):
                found.update(signs)
        elif is_binary(words, at) and stack:
            stack[-1][1].append(at)
        elif word.type == "DOTS":
            found.update(around_range(words, at))
    return found


def around_range(words: Sequence[Token], dots: int) -> list[int]:
    """The signs of both ends of the range at `dots`."""
    first = dots
    while first > 0 and words[first].type not in {"IN", "LSQB", "COMMA"}:
        first -= 1
    last, depth = dots, 0
    while last < len(words) and (depth > 0 or words[last].type not in RANGE_ENDS):
        depth += {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}.get(words[last].type, 0)
        last += 1
    return [at for at in range(first, last) if is_binary(words, at)]


def spaces(words: Sequence[Token], at: int, close: set[int], header: bool) -> int:
    """The number of spaces in front of the word at `at`; `close` are tight signs, `header`: `x: [N]`, not `x : [N]`."""
    before, word = words[at - 1], words[at]
    if word.type == "COMMENT":
        return 2
    if before.type == "NUMBER" and before.endswith(".") and word.type in {"DOT", "DOTS"}:
        return 1
    if word.type in ATTACHED or before.type in OPEN or at in close or at - 1 in close:
        return 0
    if word.type in {"LPAR", "LSQB"} and before.type in CALLED:
        return 0
    if word.type == "COLON" and header:
        return 0
    if before.type == "LBRACE" and word.type == "RBRACE":
        return 0
    return 0 if before.type == "MINUS" and not is_binary(words, at - 1) else 1
