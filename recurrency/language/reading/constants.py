"""The syntax of constants: arrays by a formula, and products of initialisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from lark import Token

from recurrency.errors import Source, Span
from recurrency.language import syntax
from recurrency.language.diagnostics import MALFORMED_LOOP, UNEXPECTED_WORD, Code, brief
from recurrency.language.words import read_name


class Builder(Protocol):
    """What is needed of a `TreeBuilder`."""

    source: Source

    def build(self, branch: Any) -> Any: ...
    def arguments_of(self, branch: Any) -> tuple[tuple[Any, ...], tuple[syntax.Keyword, ...]]: ...
    def span(self, branch: Any) -> Span: ...
    def defined(self, token: Token) -> str: ...
    def refuse_twice(self, tokens: Sequence[Token], what: str) -> None: ...
    def refuse(self, code: Code, title: str, place: Span, label: str = "", help: str | None = None) -> None: ...


def initialiser(builder: Builder, branch: Any) -> syntax.Initialiser:
    """`normal(0, 1) * spectral(0.9)`: the first draw, with the others as its factors."""
    first, *factors = [_draw(builder, part) for part in branch.children if not isinstance(part, Token)]
    return replace(first, span=builder.span(branch), factors=tuple(factors)) if factors else first


def _draw(builder: Builder, branch: Any) -> syntax.Initialiser:
    name, given = branch.children
    return syntax.Initialiser(builder.span(branch), read_name(name), *builder.arguments_of(given))


def formula(builder: Builder, branch: Any) -> syntax.Formula:
    """`matrix(i, j: body)`, from the branch of the whole call."""
    callee, (indices, body) = branch.children[0], branch.children[1].children
    kind = builder.source.text[callee.meta.start_pos : callee.meta.end_pos]
    if kind not in syntax.FORMULAS:
        title = f"{brief(builder.span(branch).text)} is not an index"
        help = f"slice({kind}, a, b) takes the elements a to b, counted from 1, both included"
        builder.refuse(UNEXPECTED_WORD, title, builder.span(branch), help=help)
        return syntax.Formula(builder.span(branch), kind, (), syntax.Number(builder.span(branch), 0))
    names = [index.children[0] for index in indices.children if index.data == "name"]
    for index in (index for index in indices.children if index.data != "name"):
        help = "write matrix(i, j: ...), with a name for each index"
        builder.refuse(MALFORMED_LOOP, "an index is a name", builder.span(index), help=help)
    builder.refuse_twice(names, "the index")
    return syntax.Formula(builder.span(branch), kind, tuple(map(builder.defined, names)), builder.build(body))
