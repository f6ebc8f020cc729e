"""The outline of a text, and the shapes that an editor shows behind names that declare none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurrency.editor.analysis import Analysis
from recurrency.editor.hovering import header
from recurrency.editor.places import Range
from recurrency.editor.readings import Reading
from recurrency.errors import Span
from recurrency.language import syntax
from recurrency.language.linting.scalars import flatten


@dataclass(frozen=True)
class Entry:
    """A line of the outline; `kind` is that of the protocol, in lower case."""

    name: str
    kind: str
    detail: str
    range: Range
    inside: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Hint:
    """A shape that is shown behind the name that ends at a place."""

    line: int
    column: int
    text: str


def outline(analysis: Analysis) -> list[Entry]:
    """The cells and functions of a text, and what each cell declares and defines."""
    out = []
    for piece, reading in analysis.parts:
        for fn in reading.file.functions:
            place = reading.range(fn.span).down(piece.line)
            out.append(Entry(fn.name, "function", f"({', '.join(fn.parameters)})", place))
        for cell in reading.file.cells:
            inside = tuple(_inside(cell, analysis, reading, piece.line))
            place = reading.range(cell.span).down(piece.line)
            out.append(Entry(cell.name, "class", header(cell).removeprefix("cell ").strip(), place, inside))
    return out


def _inside(cell: syntax.Cell, analysis: Analysis, reading: Reading, down: int) -> Iterator[Entry]:
    facts = analysis.facts(cell.name)
    done: set[str] = set()

    def entry(name: str, kind: str, span: Span) -> Iterator[Entry]:
        if name not in done:
            done.add(name)
            yield Entry(name, kind, facts.shape(name) or "", reading.range(span).down(down))

    for port in cell.inputs:
        yield from entry(port.name, "field", port.span)
    for statement in flatten(cell.body):
        match statement:
            case syntax.Fn(name=name, span=span):
                yield Entry(name, "function", "", reading.range(span).down(down))
            case syntax.Param(targets=targets) | syntax.Const(targets=targets):
                for target in targets:
                    yield from entry(target.name, "constant", target.span)
            case syntax.State(targets=targets):
                for target in targets:
                    yield from entry(target.name, "property", target.span)
            case syntax.Equation(target=target):
                yield from entry(target.name, "variable", target.span)


def hints(analysis: Analysis, first: int, last: int) -> list[Hint]:
    """The shapes of the streams that nothing declares, for the lines from `first` to `last`."""
    out = []
    for piece, reading in analysis.parts:
        if piece.line > last or piece.line + piece.text.count("\n") < first:
            continue
        for cell in reading.file.cells:
            facts, declared = analysis.facts(cell.name), _declared(cell)
            for statement in flatten(cell.body):
                if isinstance(statement, syntax.Equation) and statement.target.name not in declared:
                    place = reading.range(statement.target.span).down(piece.line)
                    shape = facts.shape(statement.target.name)
                    if shape is not None and first <= place.line <= last:
                        out.append(Hint(place.end_line, place.end_column, f" : {shape}"))
    return out


def _declared(cell: syntax.Cell) -> set[str]:
    states = {t.name for s in flatten(cell.body) if isinstance(s, syntax.State) for t in s.targets}
    return states | {p.name for p in (*cell.inputs, *cell.outputs)}
