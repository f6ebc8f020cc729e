"""What is wrong where the grammar cannot continue: rules, tried in this order; the last one always answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from lark import Token

from recurrency.errors import Diagnostic
from recurrency.language.diagnostics import (
    CHAINED_COMPARISON,
    CONFUSED_EQUALS,
    INCOMPLETE_DECLARATION,
    MALFORMED_HEADER,
    MALFORMED_LOOP,
    MISSING_OPERATOR,
    RESERVED_WORD,
    STRAY_BRACKET,
    UNCLOSED_BRACKET,
    UNEXPECTED_WORD,
)
from recurrency.language.reading.fault import Fault, expected, shown
from recurrency.language.reading.foreign_statements import HABITS
from recurrency.language.words import (
    CLOSERS,
    OPENERS,
    STARTERS,
    TOP_LEVEL,
    ends_value,
    opens_line,
    reserved,
    spellings,
    where,
)

HEADER = "cell Name[N, H](x: [N]) -> (h: [H]) {"
DECLARATIONS = {
    "PARAM": "param W : [H, N] ~ glorot_uniform",
    "STATE": "state h : [H] = 0",
    "CONST": "const A : [H, H] = identity(H)",
}

Rule: TypeAlias = Callable[[Fault], Diagnostic | None]


# ---------------------------------------------------------------------------------------------------------- brackets


def wrong_bracket(fault: Fault) -> Diagnostic | None:
    """`)` without `(`, or `]` where `)` is expected."""
    if fault.kind not in CLOSERS:
        return None
    top = fault.open[-1] if fault.open else None
    if top is not None and top.type == CLOSERS[fault.kind]:
        return None
    if fault.kind == "RBRACE" and top is not None:
        return unclosed(fault, top)
    place = where(fault.source, fault.word)
    if top is None or top.type == "LBRACE":
        title = f"{fault.word} closes nothing"
        return fault.says(STRAY_BRACKET, title, place, f"no {spellings()[CLOSERS[fault.kind]]} is open here")
    due = spellings()[OPENERS[top.type]]
    note = f"{top} was opened at line {top.line}, column {top.column}"
    return fault.says(STRAY_BRACKET, f"{fault.word} cannot close {top}", place, f"expected {due}", notes=(note,))


def never_closed(fault: Fault) -> Diagnostic | None:
    """A statement, a cell or the end of the text comes while a bracket is open."""
    if not fault.open:
        return None
    top = fault.open[-1]
    if top.type == "LBRACE" and fault.kind in {"CELL", "USE"}:
        cells = [fault.words[s.at] for s in fault.starts if s.kind == "CELL" and s.at < fault.at]
        nested = bool(cells) and (fault.word.column or 1) > (cells[-1].column or 1)
        return None if nested else unclosed(fault, top)
    if fault.over:
        return unclosed(fault, top)
    inner = [s for s in fault.starts if s.at <= fault.at]
    if top.type == "LBRACE" or not inner or fault.at - inner[-1].at > 1 or inner[-1].at == 0:
        return None
    return unclosed(fault, top) if (top.start_pos or 0) < (fault.words[inner[-1].at].start_pos or 0) else None


def unclosed(fault: Fault, opener: Token) -> Diagnostic:
    end = "the end of the text" if fault.over else f"line {fault.word.line}"
    place = where(fault.source, opener)
    title = f"{opener} is never closed"
    return fault.says(UNCLOSED_BRACKET, title, place, f"{spellings()[OPENERS[opener.type]]} is missing before {end}")


# ------------------------------------------------------------------------------------------------------------- names


def reserved_word(fault: Fault) -> Diagnostic | None:
    """`state = x`, `x + in`: a reserved word instead of a name."""
    before = fault.before
    assigned = fault.kind in {"EQUAL", "LSQB", "COMMA", "COLON"} and before is not None and before.type in reserved()
    if assigned and before is not None and "NAME" in fault.accepted:
        return refuse_reserved(fault, before)
    taken = not fault.over and fault.kind in reserved() and "NAME" in fault.accepted
    apart = fault.kind in {"IF", "ELSE", "FROM", "AND", "OR"}
    if taken and not apart and (fault.kind not in STARTERS or not opens_line(fault.words, fault.at)):
        return refuse_reserved(fault, fault.word)
    return None


def refuse_reserved(fault: Fault, word: Token) -> Diagnostic:
    title = f"{word} is a reserved word, not a name"
    return fault.says(RESERVED_WORD, title, word, "a name is expected here", help="choose another name")


def confused_equals(fault: Fault) -> Diagnostic | None:
    """`x if j = 1 else y`, `a == b` as an equation, `a = b = c`."""
    if fault.cut_short:
        return None
    place = where(fault.source, fault.word)
    if fault.kind == "EQUAL" and "COMPARE" in fault.accepted:
        help = "two numbers are compared with =="
        title = "= defines, it does not compare"
        return fault.says(CONFUSED_EQUALS, title, place, "an equation has only one =", help=help)
    if fault.kind == "COMPARE" and fault.word == "==" and "EQUAL" in fault.accepted:
        title = "== compares, it does not define"
        return fault.says(CONFUSED_EQUALS, title, place, help="an equation is written with =")
    return None


# -------------------------------------------------------------------------------------------------------- statements


def chained(fault: Fault) -> Diagnostic | None:
    """`a < b < c`."""
    if fault.kind != "COMPARE" or "AND" not in fault.accepted or "COMPARE" in fault.accepted:
        return None
    title = "comparisons do not chain"
    return fault.says(CHAINED_COMPARISON, title, fault.word, "a second comparison", help="write a < b and b < c")


def loop_header(fault: Fault) -> Diagnostic | None:
    """`for j in L {`, `for j = 1..L {`, a range where none is allowed."""
    place = where(fault.source, fault.word)
    help = "a loop is written: for j in 1..L { ... }"
    if fault.kind == "DOTS":
        help = "ranges belong in loops, as in for j in 1..L, and on the left of = and :"
        return fault.says(MALFORMED_LOOP, "a range is not allowed here", place, help=help)
    if fault.before is not None and fault.before.type == "DOTS":
        return fault.says(MALFORMED_LOOP, "the end of this range is missing", fault.before, help=help)
    clause = [at for at in range(fault.guilty.at, fault.at) if fault.words[at].type in {"FOR", "IN"}]
    if clause and fault.accepted & {"DOTS", "IN"}:
        return no_range(fault, clause[-1], help)
    if fault.in_header and fault.guilty.kind == "FOR" and not fault.over:
        return fault.says(MALFORMED_LOOP, "malformed loop", place, expected(fault), help=help)
    return None


def no_range(fault: Fault, at: int, help: str) -> Diagnostic:
    """`for j in L {`: the carets are under `L`."""
    if fault.words[at].type == "FOR":
        return fault.says(MALFORMED_LOOP, "malformed loop", fault.word, "expected `in` and a range", help=help)
    place = where(fault.source, fault.words[min(at + 1, fault.at - 1)], fault.before)
    return fault.says(MALFORMED_LOOP, "this is not a range", place, "`..` and its end are missing", help=help)


def header(fault: Fault) -> Diagnostic | None:
    """A fault between `cell` and `{`."""
    if fault.guilty.kind != "CELL" or not fault.in_header or fault.over:
        return None
    title, help = f"{shown(fault)} does not fit into the header of a cell", f"for example: {HEADER}"
    return fault.says(MALFORMED_HEADER, title, fault.word, expected(fault), help=help)


def declaration(fault: Fault) -> Diagnostic | None:
    """`param W : [H, N]` without `~`, `param W [H, N]`, `h : [H] = 0` without a keyword."""
    if fault.kind == "COLON" and "EQUAL" in fault.accepted and fault.guilty.kind not in DECLARATIONS:
        label, help = "a shape is declared, but not of what", "start it with param, state or const"
        return fault.says(INCOMPLETE_DECLARATION, "this declaration has no keyword", fault.word, label, help=help)
    if fault.guilty.kind not in DECLARATIONS or not fault.accepted & {"COLON", "TILDE", "EQUAL"}:
        return None
    if "PLUS" in fault.accepted:
        return None
    example = DECLARATIONS[fault.guilty.kind]
    start = fault.words[fault.guilty.at]
    last = fault.before or start
    beside = opens_line(fault.words, fault.at) or fault.over
    place = where(fault.source, start, last) if beside else where(fault.source, fault.word)
    title = f"this {start} is incomplete"
    return fault.says(INCOMPLETE_DECLARATION, title, place, expected(fault), help=f"for example: {example}")


def juxtaposed(fault: Fault) -> Diagnostic | None:
    """`W x`, which the grammar notices at `x`, or after it has read `x` as the next equation."""
    if fault.before is None:
        return None
    at = fault.at
    inside = not fault.over and fault.kind in {"NAME", "NUMBER"} and "PLUS" in fault.accepted
    if not (inside and ends_value(fault.before) and fault.before.end_line == fault.word.line):
        at = second_value(fault)
    if at < 1:
        return None
    left, right = fault.words[at - 1], fault.words[at]
    after = fault.words[at + 1].type if at + 1 < len(fault.words) else ""
    factor = f"{right}{ {'LPAR': '(...)', 'LSQB': '[...]'}.get(after, '') }"
    help = f"write the product with its operator: {left} @ {factor} or {left} * {factor}"
    help = _applied(str(left), str(right)) or _number(left, right) or _shape(fault, at) or help
    if right.line != left.end_line:
        help = "an equation continues on the next line only after an operator, or before one"
        return fault.says(MISSING_OPERATOR, f"no operator before {right}", right, help=help)
    if left.type in CLOSERS and right != "with":
        help = "write the product with its operator, @ or *"
    return fault.says(MISSING_OPERATOR, f"no operator between {left} and {right}", (left, right), help=help)


def _applied(left: str, right: str) -> str | None:
    """`tanh y`, `Wᵀ y`, `GRU(x) with h = y`: a function before its value, a transposed matrix, a clause."""
    from recurrency.language.vocabulary.table import FUNCTIONS  # needed only for messages

    if right == "with":
        return "what stands for states a step before goes in round brackets: with (h = below)"
    if left in FUNCTIONS:
        return f"the arguments of a function go in round brackets: {left}({right})"
    return f"write transpose({left[:-1]}) @ {right}" if left.endswith("ᵀ") and len(left) > 1 else None


NUMBERS = re.compile(r"0[xob][0-9a-f]+|[\d_]+", re.IGNORECASE)
"""Numbers in Python that are none here."""


def _number(left: Token, right: Token) -> str | None:
    """The help for `1_000` and `0x1F`; `2x` is a product."""
    if left.type != "NUMBER" or left.end_pos != right.start_pos or not NUMBERS.fullmatch(f"{left}{right}"):
        return None
    return "numbers are written like 1000, 0.5 or 1e-3"


def _shape(fault: Fault, at: int) -> str | None:
    """The help for `[H N]` and `[H x N]`."""
    opener = fault.open[-1] if fault.open else None
    if opener is None or opener.type != "LSQB":
        return None
    start = next(k for k in range(at, -1, -1) if fault.words[k] is opener)
    if start == 0 or fault.words[start - 1].type != "COLON":
        return None
    return "separate the dimensions of a shape by commas: [H, N]"


def second_value(fault: Fault) -> int:
    """The start of a name (with its subscripts) that ends before the fault and follows a value; else 0."""
    at = fault.at - 1
    if "EQUAL" not in fault.accepted or fault.words[at].type not in {"NAME", "RSQB"}:
        return 0
    depth = 0
    while at > 0 and (depth or fault.words[at].type != "NAME"):
        depth += {"RSQB": 1, "LSQB": -1}.get(fault.words[at].type, 0)
        at -= 1
    if at < 1 or not ends_value(fault.words[at - 1]):
        return 0
    same_line = fault.words[at - 1].end_line == fault.words[at].line
    statement = fault.words[fault.guilty.at].column or 1
    return at if same_line or (fault.words[at].column or 1) > statement else 0


def misplaced(fault: Fault) -> Diagnostic | None:
    """`param` outside a cell, `use` inside one, a second argument beside a comprehension."""
    place = where(fault.source, fault.word)
    if fault.kind == "FOR" and fault.open and fault.open[-1].type == "LPAR":
        help = "put it in its own brackets: f(a, sum(x[i] for i in 1..L))"
        return fault.says(UNEXPECTED_WORD, "a comprehension must be the only argument", place, help=help)
    if fault.kind == "IF" or "ELSE" in fault.accepted:
        word = next(w for w in reversed(fault.words[: fault.at + 1]) if w.type == "IF")
        title = "unexpected if" if word is fault.word else "this if has no else"
        help = "a condition is written a if j == 1 else b; for a condition on streams write where(c, a, b)"
        return fault.says(UNEXPECTED_WORD, title, word, help=help)
    top = "CELL" in fault.accepted
    if top and not fault.over and fault.kind not in TOP_LEVEL and fault.kind not in CLOSERS:
        label = "only cell, fn and use may stand here"
        small = str(fault.word).lower()
        meant = f"write {small}" if small in {"cell", "fn", "use"} else None
        return fault.says(UNEXPECTED_WORD, f"{shown(fault)} is outside of every cell", place, label, help=meant)
    if fault.kind in {"USE", "CELL"} and "RBRACE" in fault.accepted:
        return fault.says(UNEXPECTED_WORD, f"{fault.word} is inside a cell", place, help="move it out of the cell")
    if "RBRACE" in fault.accepted and fault.kind == "DOC":
        title = "a docstring belongs at the beginning of a cell"
        return fault.says(UNEXPECTED_WORD, title, place, help="use # for other comments")
    return None


HALFWAY = frozenset(
    "PLUS MINUS STAR AT SLASH POWER EQUAL COMPARE COMMA TILDE AND OR NOT IF ELSE LOSS DOT COLON".split()
)
"""Words that need a value, a shape or a name after them."""


def missing_value(fault: Fault) -> Diagnostic | None:
    """Nothing follows an operator, a comma or a `=`."""
    at = [s for s in fault.starts if s.at <= fault.at][-1].at if fault.cut_short else fault.at
    if at < 1:
        return None
    before = fault.words[at - 1]
    halfway = before.type in HALFWAY
    ends = fault.cut_short or fault.over or opens_line(fault.words, at) or fault.kind in CLOSERS
    if not (halfway and ends):
        return None
    what = "a name" if before.type == "DOT" else "a shape" if before.type == "COLON" else "a value"
    return fault.says(UNEXPECTED_WORD, f"{what} is missing after {before}", before, "nothing follows here")


def anything(fault: Fault) -> Diagnostic:
    """Any other fault: what was found, and what the grammar accepts."""
    if fault.over:
        return fault.says(UNEXPECTED_WORD, "the text ends too early", fault.word, expected(fault))
    return fault.says(UNEXPECTED_WORD, f"unexpected {shown(fault)}", fault.word, expected(fault))


RULES: tuple[Rule, ...] = (
    *HABITS,
    wrong_bracket,
    never_closed,
    missing_value,
    reserved_word,
    chained,
    juxtaposed,
    confused_equals,
    header,
    declaration,
    loop_header,
    misplaced,
    anything,
)


def explain(fault: Fault) -> Diagnostic:
    """The diagnostic of the first rule that knows the fault."""
    return next(said for rule in RULES if (said := rule(fault)) is not None)
