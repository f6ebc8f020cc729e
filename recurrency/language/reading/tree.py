"""From the parse tree to the syntax tree: one method for each rule of the grammar, and the checks of syntax."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from lark import Token

from recurrency.errors import Diagnostic, Source, Span
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    GIVEN_TWICE,
    NUMBER_OUT_OF_RANGE,
    POSITION_AFTER_KEYWORD,
    RESERVED_WORD,
    TEXT_TOO_LONG,
    TWO_STATEMENTS,
    UNEXPECTED_CHARACTER,
    WRONG_DERIVATIVE,
    Code,
    say,
)
from recurrency.language.reading import constants
from recurrency.language.reading.lists import lists_in
from recurrency.language.words import read_name, where

Branch: TypeAlias = Any
"""A `lark.Tree`; the rule of its name determines its children, which are trees and tokens."""

MAX_DEPTH = 100
MAX_DIGITS = 15
MAX_NAME = 200
RESERVED = {
    "t": "t is the time, used only in steps such as h[t-1]",
    "init": "init(c) is the initial value of a state",
    "sigmoid": "σ is read as sigmoid",
}


class TooDeepError(Exception):
    """An expression or a loop is nested beyond `MAX_DEPTH`; carries the branch that is one too many."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch


def clean_doc(token: Token) -> str:
    """The text of a docstring without quotation marks, common indentation and space at the ends of its lines."""
    lines = inspect.cleandoc(str(token)[3:-3]).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


class TreeBuilder:
    """Builds the syntax of one source. Mistakes that leave a tree behind are collected in `mistakes`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mistakes: list[Diagnostic] = []
        self.depth = 0

    # ------------------------------------------------------------------------------------------------------ machinery

    def build(self, branch: Any) -> Any:
        """The syntax of a branch; `None` of `None`. Raises `TooDeepError`."""
        if branch is None:
            return None
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeepError(branch)
        try:
            return getattr(self, branch.data)(branch)
        finally:
            self.depth -= 1

    def all(self, branches: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(self.build(b) for b in branches)

    def span(self, branch: Branch) -> Span:
        meta = branch.meta
        if meta.empty:
            return Span(self.source, 0, 0, 1, 1, 1, 1)
        return Span(self.source, meta.start_pos, meta.end_pos, meta.line, meta.column, meta.end_line, meta.end_column)

    def defined(self, token: Token) -> str:
        """The name under a token that defines something; reserved words and over-long names are refused."""
        name = read_name(token)
        place = where(self.source, token)
        if not name.isidentifier():
            self.refuse_letters(token, name)
        if name in RESERVED and (name != "sigmoid" or token != "sigmoid"):
            title = f"{token} cannot be used as a name"
            self.refuse(RESERVED_WORD, title, place, RESERVED[name], help="choose another name")
        if len(name) > MAX_NAME:
            label = f"{len(name)} characters, at most {MAX_NAME} are allowed"
            self.refuse(TEXT_TOO_LONG, "this name is too long", place, label)
        return name

    def refuse(self, code: Code, title: str, place: Span, label: str = "", help: str | None = None) -> None:
        """Keep a mistake."""
        self.mistakes.append(say(code, title, place, label, help=help))

    def refuse_letters(self, token: Token, name: str) -> None:
        """Refuse a sign that counts as a letter, but that Unicode writes as several characters, such as ½."""
        title, label = f"{token} cannot be a name", f"to Unicode (NFKC) it is {name}"
        self.refuse(UNEXPECTED_CHARACTER, title, where(self.source, token), label, help="use letters, digits and _")

    def refuse_twice(self, tokens: Sequence[Token], what: str) -> None:
        """Refuse a name that is among `tokens` twice."""
        seen: set[str] = set()
        for token in tokens:
            name = read_name(token)
            if name in seen:
                place = where(self.source, token)
                self.refuse(GIVEN_TWICE, f"{what} {name} is given twice", place, "the second time")
            seen.add(name)

    # --------------------------------------------------------------------------------------------------- whole files

    def file(self, branch: Branch) -> syntax.File:
        parts = self.all(branch.children)
        self.refuse_one_line(parts)
        return syntax.File(
            self.source,
            tuple(p for p in parts if isinstance(p, syntax.Use)),
            tuple(p for p in parts if isinstance(p, syntax.Fn)),
            tuple(p for p in parts if isinstance(p, syntax.Cell)),
        )

    def refuse_one_line(self, parts: Sequence[Any]) -> None:
        """Each of `parts` must start below the line on which the one before it ends."""
        for before, after in pairwise(parts):
            if after.span.line == before.span.end_line:
                title = "two statements on one line"
                help = "start it on its own line, or write the operator that is missing before it"
                self.refuse(TWO_STATEMENTS, title, after.span, "this is the second", help=help)

    def use(self, branch: Branch) -> syntax.Use:
        names = branch.children[0] if len(branch.children) == 2 else None
        path = branch.children[-1].children[0]
        words = [] if names is None else names.children
        self.refuse_twice(words, "the cell")
        return syntax.Use(
            self.span(branch),
            tuple(syntax.Name(where(self.source, w), read_name(w)) for w in words),
            None if path.type == "LIBRARY" else str(path)[1:-1],
        )

    def cell(self, branch: Branch) -> syntax.Cell:
        children = list(branch.children)
        name = children.pop(0)
        dimensions = children.pop(0) if children[0].data == "dimensions" else None
        inputs, _, outputs = children.pop(0), children.pop(0), children.pop(0)
        doc = children.pop(0) if children and isinstance(children[0], Token) else None
        body = self.all(children)
        self.refuse_one_line(body)
        return syntax.Cell(
            self.span(branch),
            self.defined(name),
            self.dimensions(dimensions),
            self.ports_of(inputs),
            self.ports_of(outputs),
            None if doc is None else clean_doc(doc),
            body,
        )

    def dimensions(self, branch: Branch | None) -> tuple[syntax.Dimension, ...]:
        rows = [] if branch is None else branch.children
        self.refuse_twice([row.children[0] for row in rows], "the dimension")
        return tuple(
            syntax.Dimension(self.span(row), self.defined(row.children[0]), *self.all(row.children[1:])) for row in rows
        )

    def ports_of(self, branch: Branch) -> tuple[syntax.Port, ...]:
        self.refuse_twice([name for group in branch.children for name in group.children[0].children], "the stream")
        return tuple(port for group in branch.children for port in self.build(group))

    def ports(self, branch: Branch) -> tuple[syntax.Port, ...]:
        names, kind, clock = branch.children
        shape, over = self.build(kind), None if clock is None else read_name(clock)
        places = [where(self.source, name) for name in names.children]
        ends = [*places[:-1], self.span(branch)]
        return tuple(
            syntax.Port(start.to(end), self.defined(name), shape, over)
            for start, end, name in zip(places, ends, names.children, strict=True)
        )

    # ---------------------------------------------------------------------------------------------------- statements

    def shape(self, branch: Branch) -> syntax.Shape:
        return syntax.Shape(self.span(branch), self.all(branch.children))

    def index_type(self, branch: Branch) -> syntax.IndexType:
        return syntax.IndexType(self.span(branch), self.build(branch.children[0]))

    def targets_of(self, branch: Branch) -> tuple[syntax.Target, ...]:
        self.refuse_twice([t.children[0] for t in branch.children if len(t.children) == 1], "the name")
        return self.all(branch.children)

    def target(self, branch: Branch) -> syntax.Target:
        name, *members = branch.children
        return syntax.Target(self.span(branch), self.defined(name), self.all(members))

    def range(self, branch: Branch) -> syntax.Range:
        first, _, last = branch.children
        return syntax.Range(self.span(branch), self.build(first), self.build(last))

    def initialiser(self, branch: Branch) -> syntax.Initialiser:
        return constants.initialiser(self, branch)

    def param(self, branch: Branch) -> syntax.Param:
        targets, shape, draw = branch.children
        return syntax.Param(self.span(branch), self.targets_of(targets), self.build(shape), self.build(draw))

    def state(self, branch: Branch) -> syntax.State:
        targets, shape, first = branch.children
        value = self.build(first)
        drawn = isinstance(value, syntax.Initialiser)
        return syntax.State(
            self.span(branch),
            self.targets_of(targets),
            self.build(shape),
            None if drawn else value,
            value if drawn else None,
        )

    def const(self, branch: Branch) -> syntax.Const:
        targets, shape, value = branch.children
        return syntax.Const(self.span(branch), self.targets_of(targets), self.build(shape), self.build(value))

    def fn(self, branch: Branch) -> syntax.Fn:
        name, parameters, body, given = branch.children
        self.refuse_twice(parameters.children, "the parameter")
        names = tuple(self.defined(p) for p in parameters.children)
        slopes = () if given is None else self.all(given.children[1:])
        if len(slopes) > len(names):
            title = f"{name} has {len(slopes)} derivatives, but {len(names)} parameter{'s' * (len(names) != 1)}"
            help = "write one derivative for each parameter, in the same order"
            self.refuse(WRONG_DERIVATIVE, title, slopes[len(names)].span, "this one has no parameter", help=help)
        return syntax.Fn(self.span(branch), self.defined(name), names, self.build(body), slopes)

    def equation(self, branch: Branch) -> syntax.Equation:
        target, value = branch.children
        return syntax.Equation(self.span(branch), self.build(target), self.build(value))

    def loop(self, branch: Branch) -> syntax.For:
        index, limits, *statements = branch.children
        body = self.all(statements)
        self.refuse_one_line(body)
        return syntax.For(self.span(branch), self.defined(index), self.build(limits), body)

    def loss(self, branch: Branch) -> syntax.Loss:
        value, *weight = self.all(branch.children)
        return syntax.Loss(self.span(branch), value, *weight)

    # --------------------------------------------------------------------------------------------------- expressions

    def number(self, branch: Branch) -> syntax.Number:
        token = branch.children[0]
        place = where(self.source, token)
        whole = str(token).isdecimal()
        if whole and len(token) > MAX_DIGITS:
            self.refuse(NUMBER_OUT_OF_RANGE, f"this number has more than {MAX_DIGITS} digits", place)
            return syntax.Number(place, 0)
        value = int(token) if whole else float(token)
        if math.isinf(value):
            self.refuse(NUMBER_OUT_OF_RANGE, f"{token} is too large for a number in double precision", place)
        return syntax.Number(place, value)

    def name(self, branch: Branch) -> syntax.Name:
        name = read_name(branch.children[0])
        if not name.isidentifier():
            self.refuse_letters(branch.children[0], name)
        return syntax.Name(self.span(branch), name)

    def unary(self, branch: Branch) -> syntax.Unary:
        sign, operand = branch.children
        return syntax.Unary(self.span(branch), str(sign), self.build(operand))

    def binary(self, branch: Branch) -> syntax.Binary:
        left, sign, right = branch.children
        op = "*" if sign.type == "STAR" else str(sign)
        return syntax.Binary(self.span(branch), op, self.build(left), self.build(right))

    def conditional(self, branch: Branch) -> syntax.Conditional:
        return syntax.Conditional(self.span(branch), *self.all(branch.children))

    def arguments_of(self, branch: Branch | None) -> tuple[tuple[Any, ...], tuple[syntax.Keyword, ...]]:
        """The positional and keyword arguments in a pair of brackets."""
        given = [] if branch is None else branch.children
        named = [g for g in given if g.data == "keyword"]
        first = named[0].meta.start_pos if named else math.inf
        late = [g for g in given if g.data != "keyword" and g.meta.start_pos > first]
        for argument in late[:1]:
            title = "a positional argument cannot follow a keyword argument"
            help = f"put it before {self.source.text[named[0].meta.start_pos : named[0].meta.end_pos]}"
            self.refuse(POSITION_AFTER_KEYWORD, title, self.span(argument), help=help)
        return self.all(g for g in given if g.data != "keyword"), self.keywords_of(named)

    def keywords_of(self, branches: Sequence[Branch]) -> tuple[syntax.Keyword, ...]:
        self.refuse_twice([b.children[0] for b in branches], "the keyword")
        return self.all(branches)

    def keyword(self, branch: Branch) -> syntax.Keyword:
        name, value = branch.children
        return syntax.Keyword(self.span(branch), read_name(name), self.build(value))

    def subscript(self, branch: Branch) -> syntax.Subscript:
        value, given = branch.children
        indices, keywords = self.arguments_of(given)
        return syntax.Subscript(self.span(branch), self.build(value), indices, keywords)

    def attribute(self, branch: Branch) -> syntax.Attribute:
        value, name = branch.children
        return syntax.Attribute(self.span(branch), self.build(value), read_name(name))

    def call(self, branch: Branch) -> syntax.Call | syntax.Formula:
        callee, given = branch.children
        if given is not None and given.data == "formula":
            return constants.formula(self, branch)
        if given is not None and given.data == "comprehension":
            return syntax.Call(self.span(branch), self.build(callee), (self.build(given),))
        found = syntax.Call(self.span(branch), self.build(callee), *self.arguments_of(given))
        self.mistakes += lists_in(found)
        return found

    def text(self, branch: Branch) -> syntax.Text:
        return syntax.Text(self.span(branch), str(branch.children[0])[1:-1])

    def comprehension(self, branch: Branch) -> syntax.Comprehension:
        body, *clauses = branch.children
        return syntax.Comprehension(self.span(branch), self.build(body), self.all(clauses))

    def clause(self, branch: Branch) -> syntax.Clause:
        index, limits, condition = branch.children
        return syntax.Clause(self.span(branch), self.defined(index), self.build(limits), self.build(condition))

    def handover(self, branch: Branch) -> syntax.From:
        return syntax.From(self.span(branch), self.build(branch.children[0]), self.keywords_of(branch.children[1:]))

    def changed(self, branch: Branch) -> syntax.Changed:
        use, word, by = branch.children
        return syntax.Changed(self.span(branch), self.build(use), str(word), self.build(by))

    def replaced(self, branch: Branch) -> syntax.With:
        return syntax.With(self.span(branch), self.build(branch.children[0]), self.keywords_of(branch.children[1:]))
