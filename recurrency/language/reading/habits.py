"""Notation of other languages where the grammar cannot go on: rules that `mistakes` asks before its own."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from recurrency.errors import Diagnostic
from recurrency.language.diagnostics import (
    INCOMPLETE_DECLARATION,
    MALFORMED_HEADER,
    UNEXPECTED_WORD,
    WRONG_INITIALISER,
    say,
)
from recurrency.language.elsewhere import KEYWORDS, drawn_elsewhere, known_as
from recurrency.language.reading.fault import Fault, expected, shown
from recurrency.language.reading.fault_line import SIGNS, closing, line_start, text_of
from recurrency.language.reading.habits_of_values import braces, listed, pointed, sliced, tupled, unequal
from recurrency.language.reading.strays import COMMENT, touching
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.words import is_name, where

# ---------------------------------------------------------------------------------------------------------- statements


def dashes(fault: Fault) -> Diagnostic | None:
    """`-- a comment`."""
    words = fault.words
    own = line_start(fault)
    for at in (own, line_start(fault, own - 1)):
        if at + 1 < len(words) and words[at].type == "MINUS" and words[at + 1].type == "MINUS":
            return say(
                UNEXPECTED_WORD,
                "-- does not start a comment",
                where(fault.source, words[at], words[at + 1]),
                help=COMMENT,
            )
    return None


def keyword(fault: Fault) -> Diagnostic | None:
    """`def f(a):`, `return h`, `let z = ...`, `import torch`: a word that begins a line elsewhere."""
    at = line_start(fault)
    words = fault.words
    if fault.over or not is_name(words[at]) or str(words[at]) not in KEYWORDS:
        return None
    follows = words[at + 1] if at + 1 < len(words) else None
    if follows is None or (follows.type in {"EQUAL", "COLON", "LSQB", "DOT"} and fault.at > at + 1):
        return None  # it is a name, and something else is wrong
    if words[at].type in {"FROM", "USE"} and "RBRACE" in fault.accepted:
        return None
    help = KEYWORDS[str(words[at])]
    return say(UNEXPECTED_WORD, f"{words[at]} is not a word of a spec", where(fault.source, words[at]), help=help)


def inner_word(fault: Fault) -> Diagnostic | None:
    """`a if c elif d else e`, `if b is None`, `lambda a: ...`."""
    for at in (fault.at, fault.at - 1):
        word = fault.words[at] if 0 <= at < len(fault.words) else None
        if word is not None and str(word) in {
            "elif",
            "elseif",
            "then",
            "is",
            "None",
            "lambda",
            "function",
            "when",
            "unless",
        }:
            help = KEYWORDS[str(word)]
            return say(UNEXPECTED_WORD, f"{word} is not a word of a spec", where(fault.source, word), help=help)
    return None


def several_names(fault: Fault) -> Diagnostic | None:
    """`a, b = split(x, 2)`, `(h, c) = LSTM[H](x)`."""
    at, words = line_start(fault), fault.words
    first = at + (words[at].type == "LPAR")
    names, end = [], first
    while end < len(words) and words[end].type == "NAME":
        names.append(str(words[end]))
        end += 1
        if end >= len(words) or words[end].type != "COMMA":
            break
        end += 1
    end += first > at and end < len(words) and words[end].type == "RPAR"
    if fault.over or len(names) < 2 or end >= len(words) or words[end].type != "EQUAL":
        return None
    place = where(fault.source, words[at], words[end - 1])
    value = words[end + 1] if end + 1 < len(words) else None
    help = f"write an equation for each of {', '.join(names)}"
    if value is not None and str(value) in {"split", "chunk", "tensor_split", "torch", "np", "jnp", "tf"}:
        parted = _first_argument(words, end + 1, fault.source.text)
        help = f"{names[0]} = split({parted}, {len(names)}, 1), {names[1]} = split({parted}, {len(names)}, 2)"
        help = f"write an equation for each: {help}{' and so on' * (len(names) > 2)}"
    elif value is not None and str(value)[:1].isupper():
        help = f"name the use, and read its streams: u = {value}[H](x), then u.{names[0]} and u.{names[1]}"
    return say(UNEXPECTED_WORD, "an equation has one name on its left", place, help=help)


def _first_argument(words: Sequence[Token], at: int, text: str) -> str:
    """The first value in the round brackets of a call that begins at `at`; `x` where it is long."""
    start = next((k for k in range(at, min(at + 8, len(words))) if words[k].type == "LPAR"), None)
    if start is None:
        return "x"
    end, depth = start + 1, 0
    while end < len(words) and (depth or words[end].type not in {"COMMA", "RPAR"}):
        depth += {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}.get(words[end].type, 0)
        end += 1
    found = " ".join(text_of(words[start + 1 : end], text).split())
    return found if 0 < len(found) <= 30 else "x"


def assignment(fault: Fault) -> Diagnostic | None:
    """`h += x`, `h := x`, `h <- x`, `h ~ normal(0, 1)`."""
    at, words = line_start(fault), fault.words
    if fault.over or not is_name(words[at]) or at + 2 >= len(words) or fault.at > at + 3:
        return None
    name, sign, then = words[at], words[at + 1], words[at + 2]
    place = where(fault.source, sign, then)
    if sign.type in SIGNS and then.type == "EQUAL" and touching(words, at + 2):
        help = f"nothing is changed in place: write {name} = {name}[t-1] {SIGNS[sign.type]} ..., or give it a new name"
        return say(UNEXPECTED_WORD, f"{sign}= is not an operator of a spec", place, help=help)
    if (
        sign.type == then.type
        and sign.type in {"PLUS", "MINUS"}
        and touching(words, at + 2)
        and touching(words, at + 1)
    ):
        help = f"nothing is changed in place: write {name} = {name}[t-1] {sign} 1"
        return say(UNEXPECTED_WORD, f"{sign}{then} is not an operator of a spec", place, help=help)
    if sign.type == "COLON" and then.type == "EQUAL" and touching(words, at + 2):
        return say(
            UNEXPECTED_WORD,
            ":= is not an operator of a spec",
            place,
            help=f"an equation is written with =: {name} = ...",
        )
    if sign == "<" and then.type == "MINUS" and touching(words, at + 2):
        return say(
            UNEXPECTED_WORD,
            "<- is not an operator of a spec",
            place,
            help=f"an equation is written with =: {name} = ...",
        )
    if sign.type == "TILDE" and fault.at == at + 1:
        place = where(fault.source, sign)
        help = (
            f"declare what is drawn once as a parameter, param {name} : [...] ~ ...; noise(x, std) draws at each step"
        )
        return say(INCOMPLETE_DECLARATION, f"{name} is drawn, but not declared", place, help=help)
    return None


def attribute_target(fault: Fault) -> Diagnostic | None:
    """`self.h = ...`, `outputs.append(h)`."""
    at, words = line_start(fault), fault.words
    if fault.over or at + 3 >= len(words) or words[at + 1].type != "DOT" or not is_name(words[at]):
        return None
    place = where(fault.source, words[at], words[at + 2])
    name = f"{words[at]}.{words[at + 2]}"
    if words[at + 3].type == "EQUAL":
        return say(
            UNEXPECTED_WORD,
            f"{name} cannot be defined here",
            place,
            help=f"names have no prefix: write {words[at + 2]} = ...",
        )
    help = "leave it out: a stream has a value at every step, and needs no collecting"
    return say(UNEXPECTED_WORD, f"{name} is not a statement", place, help=help)


def called_target(fault: Fault) -> Diagnostic | None:
    """`h(t) = ...`."""
    at, words = line_start(fault), fault.words
    if fault.over or not is_name(words[at]) or at + 1 >= len(words) or words[at + 1].type != "LPAR":
        return None
    end = closing(words, at + 1)
    if end + 1 >= len(words) or words[end + 1].type != "EQUAL" or words[end].type != "RPAR":
        return None
    place = where(fault.source, words[at], words[end])
    inside = text_of(words[at + 2 : end], fault.source.text)
    if inside.strip() in {"0", "1"}:
        help = f"the initial value of a state is set in its declaration: state {words[at]} : [...] = 0"
        return say(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)
    if "t" in (str(w) for w in words[at + 2 : end]):
        help = f"an equation holds at every step: write {words[at]} = ..., and {words[at]}[t-1] for the previous step"
        return say(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)
    help = f"a function is written: fn {words[at]}({inside}) = ..."
    return say(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)


def shaped(fault: Fault) -> Diagnostic | None:
    """`param V : (H, N)`, `param V : [H][N]`, `~ 0`, `param b : [H] = 0`."""
    kind, before = fault.guilty.kind, fault.before
    if kind not in {"PARAM", "STATE", "CONST"} or fault.over or before is None:
        return None
    place = where(fault.source, fault.word)
    if before.type == "COLON" and "LSQB" in fault.accepted:
        return say(
            INCOMPLETE_DECLARATION,
            "this is not a shape",
            place,
            help="a shape goes in square brackets: [H, N], or [] for a number",
        )
    if fault.kind == "LSQB" and before.type == "RSQB" and "TILDE" in fault.accepted:
        return say(
            INCOMPLETE_DECLARATION,
            "this is not a shape",
            place,
            help="all dimensions go in one pair of brackets: [H, N]",
        )
    if before.type == "TILDE" and fault.kind in {"NUMBER", "MINUS"}:
        number = text_of(fault.words[fault.at : fault.at + 1 + (fault.kind == "MINUS")], fault.source.text)
        words = {"0": "zeros", "1": "ones"}
        help = f"write ~ {words.get(number, f'constant({number})')}"
        help += f"; an initial value that is not trained is written = {number}" * (kind == "STATE")
        return say(INCOMPLETE_DECLARATION, f"{number} is not an initialiser", place, help=help)
    if fault.kind == "LSQB" and before.type == "NAME" and "COLON" in fault.accepted and "LSQB" not in fault.accepted:
        return None
    if fault.kind == "DOT" and before.type == "NAME":
        path = [
            w for w in fault.words[fault.at - 1 : fault.at + 10] if w.line == before.line and w.type in {"NAME", "DOT"}
        ]
        known = drawn_elsewhere(str(path[-1])) or known_as(str(path[-1]), INITIALISERS) or str(path[-1]).rstrip("_")
        return say(
            WRONG_INITIALISER,
            "an initialiser has no prefix",
            where(fault.source, before, path[-1]),
            help=f"write ~ {known}",
        )
    if fault.kind in {"TILDE", "EQUAL"} and before.type == "RSQB" and "COLON" in fault.accepted:
        help = f"write a colon before the shape: {kind.lower()} A : [H, N] {fault.word} ..."
        return say(INCOMPLETE_DECLARATION, f"this {kind.lower()} has no shape", place, expected(fault), help=help)
    if fault.kind in {"EQUAL", "TILDE"} and "COLON" in fault.accepted and before.type == "NAME":
        title = f"this {kind.lower()} has no shape"
        sign = "~ glorot_uniform" if kind == "PARAM" else f"{fault.word} ..."
        help = f"write {kind.lower()} {before} : [H] {sign}, or {before} : [] {sign} for one number"
        return say(INCOMPLETE_DECLARATION, title, place, expected(fault), help=help)
    if kind == "PARAM" and fault.kind == "EQUAL" and "TILDE" in fault.accepted:
        after = fault.words[fault.at + 1] if fault.at + 1 < len(fault.words) else None
        words = {"0": "zeros", "1": "ones"}
        value = "" if after is None else str(after)
        drawn = value if after is not None and after.type == "NAME" else words.get(value, f"constant({value or '0.1'})")
        help = f"a parameter needs an initialiser, ~ {drawn}; declare what is not trained as const"
        return say(INCOMPLETE_DECLARATION, "this param is incomplete", place, "expected `~`", help=help)
    return None


def loss_line(fault: Fault) -> Diagnostic | None:
    """`loss = ...`, `loss: ...`."""
    before = fault.before
    if before is None or before.type != "LOSS" or fault.kind not in {"EQUAL", "COLON"} or fault.over:
        return None
    help = "leave it out: loss squared_error(y, target)"
    return say(UNEXPECTED_WORD, f"loss takes no {fault.word}", where(fault.source, fault.word), help=help)


def header_sign(fault: Fault) -> Diagnostic | None:
    """`=>` and `:` in a header, dimensions in other brackets, a shape without brackets, an input without a shape."""
    if fault.guilty.kind != "CELL" or not fault.in_header or fault.over or fault.before is None:
        return None
    help = None
    if fault.kind == "EQUAL" and "ARROW" in fault.accepted:
        help = "inputs and outputs are separated by ->"
    elif fault.kind == "COLON" and "LBRACE" in fault.accepted:
        help = "the body of a cell goes in braces: { ... }"
    elif str(fault.word) == "<" and "LSQB" in fault.accepted:
        help = "dimensions go in square brackets: cell Name[N, H](x: [N]) -> (h: [H]) {"
    elif fault.before.type == "COLON" and "LSQB" in fault.accepted:
        numbers = {"int", "float", "real", "scalar", "double"}
        shape = (
            "[] for one number" if str(fault.word) in numbers else f"[{fault.word}]" if fault.kind == "NAME" else "[N]"
        )
        help = f"a shape goes in square brackets: {fault.words[fault.at - 2]}: {shape}; symbols are index[V]"
    elif fault.kind in {"COMMA", "RPAR"} and fault.before.type == "NAME" and "COLON" in fault.accepted:
        after = fault.words[fault.at + 1] if fault.at + 1 < len(fault.words) else None
        help = f"every input and output has a shape: {fault.before}: [N]"
        if after is not None and after.type == "LPAR":
            help = f"dimensions go in square brackets: [{fault.before}]"
    if help is None:
        return None
    title = f"{shown(fault)} does not fit into the header of a cell"
    return say(MALFORMED_HEADER, title, where(fault.source, fault.word), expected(fault), help=help)


HABITS = (
    dashes,
    loss_line,
    several_names,
    assignment,
    attribute_target,
    called_target,
    braces,
    listed,
    sliced,
    pointed,
    unequal,
    tupled,
    shaped,
    header_sign,
    keyword,
    inner_word,
)
"""In the order in which they are asked."""
