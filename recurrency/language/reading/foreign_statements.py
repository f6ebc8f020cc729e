"""Notation of other languages where the grammar cannot continue: rules that `mistakes` tries before its own."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

from recurrency.errors import Diagnostic
from recurrency.language.diagnostics import (
    INCOMPLETE_DECLARATION,
    MALFORMED_HEADER,
    UNEXPECTED_WORD,
    WRONG_INITIALISER,
)
from recurrency.language.foreign_names import KEYWORDS, drawn_elsewhere, known_as
from recurrency.language.reading.fault import Fault, expected, shown
from recurrency.language.reading.fault_words import SIGNS, closing, line_start, text_of
from recurrency.language.reading.foreign_values import braces, listed, pointed, sliced, tupled, unequal
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
            return fault.says(UNEXPECTED_WORD, "-- does not start a comment", (words[at], words[at + 1]), help=COMMENT)
    return None


def keyword(fault: Fault) -> Diagnostic | None:
    """`def f(a):`, `return h`, `let z = ...`, `import torch`: a word that begins a line in other languages."""
    at = line_start(fault)
    words = fault.words
    if fault.over or not is_name(words[at]) or str(words[at]) not in KEYWORDS:
        return None
    follows = words[at + 1] if at + 1 < len(words) else None
    if follows is None or (follows.type in {"EQUAL", "COLON", "LSQB", "DOT"} and fault.at > at + 1):
        return None  # it is a name here, and the fault is another
    if words[at].type in {"FROM", "USE"} and "RBRACE" in fault.accepted:
        return None
    help = KEYWORDS[str(words[at])]
    return fault.says(UNEXPECTED_WORD, f"{words[at]} is not a word of a spec", words[at], help=help)


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
            return fault.says(UNEXPECTED_WORD, f"{word} is not a word of a spec", word, help=help)
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
    return fault.says(UNEXPECTED_WORD, "an equation has one name on its left", place, help=help)


def _first_argument(words: Sequence[Token], at: int, text: str) -> str:
    """The first argument of a call that begins at `at`; `x` if it is long."""
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
    touches, written = touching(words, at + 2), f"{sign}{then}"
    help = ""
    if touches and sign.type in SIGNS and then.type == "EQUAL":
        help = f"nothing is changed in place: write {name} = {name}[t-1] {sign} ..., or give it a new name"
    elif touches and touching(words, at + 1) and written in {"++", "--"}:
        help = f"nothing is changed in place: write {name} = {name}[t-1] {sign} 1"
    elif touches and written in {":=", "<-"}:
        help = f"an equation is written with =: {name} = ..."
    if help:
        return fault.says(UNEXPECTED_WORD, f"{written} is not an operator of a spec", (sign, then), help=help)
    if sign.type == "TILDE" and fault.at == at + 1:
        place = where(fault.source, sign)
        help = (
            f"declare what is drawn once as a parameter, param {name} : [...] ~ ...; noise(x, std) draws at each step"
        )
        return fault.says(INCOMPLETE_DECLARATION, f"{name} is drawn, but not declared", place, help=help)
    return None


def attribute_target(fault: Fault) -> Diagnostic | None:
    """`self.h = ...`, `outputs.append(h)`."""
    at, words = line_start(fault), fault.words
    if fault.over or at + 3 >= len(words) or words[at + 1].type != "DOT" or not is_name(words[at]):
        return None
    place = where(fault.source, words[at], words[at + 2])
    name = f"{words[at]}.{words[at + 2]}"
    if words[at + 3].type == "EQUAL":
        title = f"{name} cannot be defined here"
        return fault.says(UNEXPECTED_WORD, title, place, help=f"names have no prefix: write {words[at + 2]} = ...")
    help = "leave it out: a stream has a value at every step, and needs no collecting"
    return fault.says(UNEXPECTED_WORD, f"{name} is not a statement", place, help=help)


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
        return fault.says(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)
    if "t" in (str(w) for w in words[at + 2 : end]):
        help = f"an equation holds at every step: write {words[at]} = ..., and {words[at]}[t-1] for the previous step"
        return fault.says(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)
    help = f"a function is written: fn {words[at]}({inside}) = ..."
    return fault.says(UNEXPECTED_WORD, f"{words[at]}({inside}) cannot be defined", place, help=help)


DECLARATIONS = frozenset({"PARAM", "STATE", "CONST"})


def unshaped(fault: Fault) -> Diagnostic | None:
    """`param V : (H, N)`, `param V : [H][N]`, `param V [H, N] ~ ...`, `param V ~ ...`."""
    kind, before = fault.guilty.kind, fault.before
    if kind not in DECLARATIONS or fault.over or before is None:
        return None
    if before.type == "COLON" and "LSQB" in fault.accepted:
        help = "a shape goes in square brackets: [H, N], or [] for a number"
        return fault.says(INCOMPLETE_DECLARATION, "this is not a shape", fault.word, help=help)
    if fault.kind == "LSQB" and before.type == "RSQB" and "TILDE" in fault.accepted:
        help = "all dimensions go in one pair of brackets: [H, N]"
        return fault.says(INCOMPLETE_DECLARATION, "this is not a shape", fault.word, help=help)
    if fault.kind not in {"TILDE", "EQUAL"} or "COLON" not in fault.accepted or before.type not in {"RSQB", "NAME"}:
        return None
    title, word = f"this {kind.lower()} has no shape", kind.lower()
    if before.type == "RSQB":
        help = f"write a colon before the shape: {word} A : [H, N] {fault.word} ..."
    else:
        sign = "~ glorot_uniform" if kind == "PARAM" else f"{fault.word} ..."
        help = f"write {word} {before} : [H] {sign}, or {before} : [] {sign} for one number"
    return fault.says(INCOMPLETE_DECLARATION, title, fault.word, expected(fault), help=help)


def undrawn(fault: Fault) -> Diagnostic | None:
    """`~ 0`, `~ init.zeros`, `param b : [H] = 0`."""
    kind, before, words = fault.guilty.kind, fault.before, fault.words
    if kind not in DECLARATIONS or fault.over or before is None:
        return None
    if before.type == "TILDE" and fault.kind in {"NUMBER", "MINUS"}:
        value = text_of(words[fault.at : fault.at + 1 + (fault.kind == "MINUS")], fault.source.text)
        help = f"write ~ {_constant(value)}"
        help += f"; an initial value that is not trained is written = {value}" * (kind == "STATE")
        return fault.says(INCOMPLETE_DECLARATION, f"{value} is not an initialiser", fault.word, help=help)
    if fault.kind == "DOT" and before.type == "NAME":
        nearby = words[fault.at - 1 : fault.at + 10]
        last = [w for w in nearby if w.line == before.line and w.type in {"NAME", "DOT"}][-1]
        known = drawn_elsewhere(str(last)) or known_as(str(last), INITIALISERS) or str(last).rstrip("_")
        return fault.says(WRONG_INITIALISER, "an initialiser has no prefix", (before, last), help=f"write ~ {known}")
    if kind == "PARAM" and fault.kind == "EQUAL" and "TILDE" in fault.accepted:
        after = words[fault.at + 1] if fault.at + 1 < len(words) else None
        drawn = str(after) if after is not None and after.type == "NAME" else _constant(str(after or "0.1"))
        help = f"a parameter needs an initialiser, ~ {drawn}; declare what is not trained as const"
        return fault.says(INCOMPLETE_DECLARATION, "this param is incomplete", fault.word, "expected `~`", help=help)
    return None


def _constant(value: str) -> str:
    """The initialiser that gives all elements one value."""
    return {"0": "zeros", "1": "ones"}.get(value, f"constant({value})")


def loss_line(fault: Fault) -> Diagnostic | None:
    """`loss = ...`, `loss: ...`."""
    before = fault.before
    if before is None or before.type != "LOSS" or fault.kind not in {"EQUAL", "COLON"} or fault.over:
        return None
    help = "leave it out: loss squared_error(y, target)"
    return fault.says(UNEXPECTED_WORD, f"loss takes no {fault.word}", fault.word, help=help)


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
    return fault.says(MALFORMED_HEADER, title, fault.word, expected(fault), help=help)


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
    unshaped,
    undrawn,
    header_sign,
    keyword,
    inner_word,
)
"""The rules, in the order in which they are tried."""
