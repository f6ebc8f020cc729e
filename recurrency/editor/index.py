"""Which name means what: every occurrence of a name in a text, with the symbol that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lark import Token

from recurrency.editor.places import Range
from recurrency.editor.readings import Reading
from recurrency.language import syntax
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.linting.scalars import flatten
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS
from recurrency.language.words import where

USES = syntax.Call | syntax.From | syntax.Changed | syntax.With | syntax.Subscript
"""Expressions around the name of a cell that is used."""


@dataclass(frozen=True)
class Symbol:
    """What a name stands for.

    `kind` is cell, function, name (a stream, parameter, constant or entry of a header), clock, local (a parameter of
    a function, an index) or language. `path` is the file that defines it (None: a text without a file), `home` the
    cell, and for a local name also where it begins.
    """

    kind: str
    name: str
    path: Path | None = None
    home: str = ""


@dataclass(frozen=True)
class Occurrence:
    """A place at which a symbol is named; `range` counts from the first line of its piece."""

    symbol: Symbol
    range: Range
    defines: bool = False


def occurrences(reading: Reading, module: Module) -> list[Occurrence]:
    """All names of a piece that is a part of `module`, in order."""
    walk = _Walk(reading, module)
    for use in reading.file.uses:
        walk.use(use)
    for fn in reading.file.functions:
        walk.fn(fn, Symbol("function", fn.name, module.path), {}, None)
    for cell in reading.file.cells:
        walk.cell(cell)
    return sorted(walk.found, key=lambda o: o.range)


class _Walk:
    """A walk through the syntax of one piece. `env` holds the local names at a place."""

    def __init__(self, reading: Reading, module: Module) -> None:
        self.reading, self.module = reading, module
        self.words = [word for word in reading.words if word.type != "COMMENT"]
        self.at = {word.start_pos: number for number, word in enumerate(self.words)}
        self.found: list[Occurrence] = []

    def mark(self, symbol: Symbol | None, word: Token | None, defines: bool = False) -> None:
        """Note that a word names a symbol."""
        if symbol is not None and word is not None:
            self.found.append(Occurrence(symbol, self.place(word), defines))

    def place(self, word: Token) -> Range:
        """Where a word is, from the first line of the piece on."""
        return self.reading.range(where(self.reading.source, word))

    def word(self, start: int, ahead: int = 0) -> Token | None:
        """The word that begins at a place of the source, or one `ahead` words behind it."""
        at = self.at.get(start)
        return self.words[at + ahead] if at is not None and at + ahead < len(self.words) else None

    # ---------------------------------------------------------------------------------------------------- top level

    def use(self, use: syntax.Use) -> None:
        for name in use.names:
            self.mark(self.top(name.name), self.word(name.span.start))

    def top(self, name: str) -> Symbol | None:
        """A cell or function of the file."""
        if name in self.module.functions:
            return Symbol("function", name, self.module.path)
        if name in self.module.cells:
            return Symbol("cell", name, self.module.cells[name].module.path)
        return None

    def cell(self, cell: syntax.Cell) -> None:
        self.mark(Symbol("cell", cell.name, self.module.path), self.word(cell.span.start, 1), True)
        scope = Inside(cell, self.module)
        for entry in cell.dimensions:
            self.mark(scope.symbol(entry.name), self.word(entry.span.start), True)
            self.visit(entry.default, {}, scope)
        for port in (*cell.inputs, *cell.outputs):
            self.mark(scope.symbol(port.name), self.word(port.span.start), True)
            self.visit(port.type, {}, scope)
            if port.clock and port.clock != "t" and port in cell.inputs:
                self._clock(port, scope)
        self.body(cell.body, {}, scope)

    def _clock(self, port: syntax.Port, scope: Inside) -> None:
        at = self.at.get(port.span.start, 0)
        last = max(n for n in range(at, len(self.words)) if (self.words[n].start_pos or 0) < port.span.end)
        self.mark(Symbol("clock", port.clock or "", self.module.path, scope.cell.name), self.words[last], True)

    def body(self, body: tuple[syntax.Statement, ...], env: Mapping[str, Symbol], scope: Inside) -> None:
        for statement in body:
            match statement:
                case syntax.Fn():
                    self.fn(statement, scope.symbol(statement.name), env, scope)
                case syntax.For(index=index, range=limits, body=inner):
                    self.visit(limits, env, scope)
                    local = self.local(index, statement.span.start, 1, scope)
                    self.body(inner, {**env, index: local}, scope)
                case syntax.Equation(target=target, value=value):
                    self.target(target, env, scope)
                    self.visit(value, env, scope)
                case _:
                    for target in getattr(statement, "targets", ()):
                        self.target(target, env, scope)
                    for part in syntax.below(statement):
                        if not isinstance(part, syntax.Target):
                            self.visit(part, env, scope)

    def target(self, target: syntax.Target, env: Mapping[str, Symbol], scope: Inside) -> None:
        self.mark(scope.symbol(target.name), self.word(target.span.start), True)
        for index in target.indices:
            self.visit(index, env, scope)

    def fn(self, fn: syntax.Fn, symbol: Symbol | None, env: Mapping[str, Symbol], scope: Inside | None) -> None:
        self.mark(symbol, self.word(fn.span.start, 1), True)
        names = {n: self.local(n, fn.span.start, 3 + 2 * k, scope) for k, n in enumerate(fn.parameters)}
        for part in (fn.body, *fn.slopes):
            self.visit(part, {**env, **names}, scope)

    def local(self, name: str, start: int, ahead: int, scope: Inside | None) -> Symbol:
        """A local name, defined `ahead` words behind a place."""
        word = self.word(start, ahead)
        home = f"{scope.cell.name if scope else ''} {self.reading.key}:{self.place(word) if word else ''}"
        symbol = Symbol("local", name, self.module.path, home)
        self.mark(symbol, word, True)
        return symbol

    # -------------------------------------------------------------------------------------------------- expressions

    def visit(self, part: Any, env: Mapping[str, Symbol], scope: Inside | None) -> None:
        """Note all names in a piece of syntax."""
        match part:
            case syntax.Name(span=span, name=name):
                self.mark(self.meaning(name, env, scope), self.word(span.start))
            case syntax.Initialiser(span=span, name=name):
                self.mark(Symbol("language", name) if name in INITIALISERS else None, self.word(span.start))
                self.below(part, env, scope)
            case syntax.Comprehension(body=body, clauses=clauses):
                for clause in clauses:
                    self.visit(clause.range, env, scope)
                    env = {**env, clause.index: self.local(clause.index, clause.span.start, 1, scope)}
                    self.visit(clause.condition, env, scope)
                self.visit(body, env, scope)
            case syntax.Formula(span=span, indices=indices, body=body):
                local = {n: self.local(n, span.start, 2 + 2 * k, scope) for k, n in enumerate(indices)}
                self.visit(body, {**env, **local}, scope)
            case syntax.Call(callee=callee, keywords=keywords):
                self.keywords(keywords, scope.called(callee) if scope else None)
                self.below(part, env, scope)
            case syntax.Subscript(value=value, keywords=keywords):
                self.keywords(keywords, scope.called(value) if scope else None)
                self.below(part, env, scope)
            case syntax.From(call=use, first=first) | syntax.With(use=use, past=first):
                self.keywords(first, scope.called(use) if scope else None)
                self.below(part, env, scope)
            case syntax.Attribute(span=span, value=value, name=name):
                self.visit(value, env, scope)
                self.mark(scope.member(value, name) if scope else None, self._last(span.start, span.end))
            case None:
                pass
            case _:
                self.below(part, env, scope)

    def below(self, part: Any, env: Mapping[str, Symbol], scope: Inside | None) -> None:
        for inner in syntax.below(part):
            self.visit(inner, env, scope)

    def _last(self, start: int, end: int) -> Token | None:
        """The last word of a range."""
        at = self.at.get(start)
        while at is not None and at + 1 < len(self.words) and (self.words[at + 1].start_pos or 0) < end:
            at += 1
        return None if at is None else self.words[at]

    def keywords(self, keywords: tuple[syntax.Keyword, ...], cell: CellDef | None) -> None:
        """Names of inputs, states and entries of the cell that is used."""
        if cell is not None:
            inner = Inside(cell.cell, cell.module)
            for keyword in keywords:
                self.mark(inner.symbol(keyword.name), self.word(keyword.span.start))

    def meaning(self, name: str, env: Mapping[str, Symbol], scope: Inside | None) -> Symbol | None:
        """What a name means, from the inside to the outside."""
        if name in env:
            return env[name]
        found = (scope.symbol(name) if scope else None) or self.top(name)
        return found or (Symbol("language", name) if name in FUNCTIONS or name in NUMBERS else None)


class Inside:
    """The names of a cell, from its text alone."""

    def __init__(self, cell: syntax.Cell, module: Module) -> None:
        self.cell, self.module = cell, module
        statements = flatten(cell.body)
        self.names = {d.name for d in cell.dimensions} | {p.name for p in (*cell.inputs, *cell.outputs)}
        self.names |= {t.name for s in statements for t in targets_of(s)}
        self.names |= {s.name for s in statements if isinstance(s, syntax.Fn)}
        self.equations = {s.target.name: s.value for s in statements if isinstance(s, syntax.Equation)}

    def symbol(self, name: str) -> Symbol | None:
        """The symbol of a name that the cell defines."""
        known = name in self.names
        return Symbol("name", name, self.module.path, self.cell.name) if known else None

    def called(self, use: Any, depth: int = 8) -> CellDef | None:
        """The cell that an expression uses, or that it is an instance of."""
        while isinstance(use, USES):
            match use:
                case syntax.Call(callee=inner) | syntax.From(call=inner) | syntax.Subscript(value=inner):
                    use = inner
                case syntax.Changed(use=inner) | syntax.With(use=inner):
                    use = inner
        if not isinstance(use, syntax.Name) or not depth:
            return None
        if use.name in self.equations:
            return self.called(self.equations[use.name], depth - 1)
        entry = next((d for d in self.cell.dimensions if d.name == use.name), None)
        if entry is not None:
            default = entry.default
            return None if default is None else self.called(default, depth - 1)
        return self.module.cells.get(use.name)

    def member(self, value: Any, name: str) -> Symbol | None:
        """A stream inside of a use, as in `enc.c`."""
        if isinstance(value, syntax.Attribute):
            outer = self._used(value.value)
            cell = None if outer is None else outer.called(syntax.Name(value.span, value.name))
        else:
            cell = self.called(value)
        return None if cell is None else Inside(cell.cell, cell.module).symbol(name)

    def _used(self, value: Any) -> Inside | None:
        cell = self.called(value)
        return None if cell is None else Inside(cell.cell, cell.module)


def targets_of(statement: syntax.Statement) -> Iterator[syntax.Target]:
    """What a statement declares or defines."""
    if isinstance(statement, syntax.Equation):
        yield statement.target
    else:
        yield from getattr(statement, "targets", ())
