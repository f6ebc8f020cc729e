"""Which name of a cell reads which, by its text alone: with loops, families and functions as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from recurrency.language import syntax
from recurrency.language.modules import CellDef, Module
from recurrency.language.scalars import flatten

LOSS = "loss "
"""Stands for the loss lines of a cell; no name has a space."""


@dataclass(frozen=True)
class Reads:
    """For each name that a cell defines, the names that its definition mentions; families count as one."""

    mentioned: dict[str, frozenset[str]]
    past: frozenset[str]
    """Names of which another step or the first value is read."""
    with_losses: frozenset[str]
    """Equations that use a cell with loss lines."""

    def of(self, name: str) -> frozenset[str]:
        return self.mentioned.get(name, frozenset())

    def readers(self, name: str) -> set[str]:
        """The definitions that mention a name."""
        return {reader for reader, names in self.mentioned.items() if name in names and reader != LOSS}

    def closure(self, start: Iterable[str]) -> set[str]:
        """These names, and all that their values are computed from."""
        found: set[str] = set()
        waiting = list(start)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.of(name) - found
        return found

    def leading_to(self, outputs: set[str]) -> set[str]:
        """All names that lead to an output or a loss."""
        return self.closure({*outputs, LOSS, *self.with_losses})


def names_in(tree: Any, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names that a piece of syntax mentions, less indices of comprehensions that stand inside it."""
    inner = bound | {part.index for part in syntax.walk(tree) if isinstance(part, syntax.Clause)}
    yield from (part.name for part in syntax.walk(tree) if isinstance(part, syntax.Name) and part.name not in inner)


def reads_of(cell: syntax.Cell, module: Module) -> Reads:
    """What the definitions of a cell read."""
    mentioned: dict[str, set[str]] = {}
    past: set[str] = set()
    losing: set[str] = set()
    for statement, around in _with_loops(cell.body, frozenset(), ()):
        for name, parts in _definitions(statement):
            read = {n for part in (*parts, *around) for n in names_in(part)}
            bound = set(statement.parameters) if isinstance(statement, syntax.Fn) else set()
            mentioned.setdefault(name, set()).update(read - bound)
            if any(_loses(part, cell, module) for part in parts):
                losing.add(name)
    for part in syntax.walk(cell):
        past.update(_steps(part, cell, module))
    return Reads({n: frozenset(read) for n, read in mentioned.items()}, frozenset(past), frozenset(losing))


def _with_loops(
    body: tuple[syntax.Statement, ...], indices: frozenset[str], around: tuple[syntax.Range, ...]
) -> Iterator[tuple[syntax.Statement, tuple[syntax.Range, ...]]]:
    """All statements, each with the ranges of the loops around it."""
    for statement in body:
        if isinstance(statement, syntax.For):
            yield from _with_loops(statement.body, indices | {statement.index}, (*around, statement.range))
        else:
            yield statement, around


def _definitions(statement: syntax.Statement) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The names that a statement defines, with the pieces of syntax that their values follow from."""
    match statement:
        case syntax.Param(targets=targets, initialiser=draw):
            yield from ((t.name, (draw,)) for t in targets)
        case syntax.Const(targets=targets, value=value):
            yield from ((t.name, (value,)) for t in targets)
        case syntax.State(targets=targets, first=first, initialiser=draw):
            yield from ((t.name, tuple(p for p in (first, draw) if p is not None)) for t in targets)
        case syntax.Equation(target=target, value=value):
            yield target.name, (value,)
        case syntax.Fn(name=name, body=body):
            yield name, (body,)
        case syntax.Loss(value=value):
            yield LOSS, (value,)


def _loses(tree: Any, cell: syntax.Cell, module: Module) -> bool:
    """Whether a piece of syntax uses a cell that has loss lines, itself or in the cells that it uses."""
    return any(has_loss(found) for name in names_in(tree) if (found := used_cell(name, cell, module)) is not None)


def used_cell(name: str, cell: syntax.Cell, module: Module) -> CellDef | None:
    """The cell that a name stands for, by the default of an entry of the header or in the text."""
    entry = next((d for d in cell.dimensions if d.name == name), None)
    while entry is not None and isinstance(entry.default, syntax.Subscript | syntax.Name):
        base = entry.default.value if isinstance(entry.default, syntax.Subscript) else entry.default
        return module.cells.get(base.name) if isinstance(base, syntax.Name) else None
    return module.cells.get(name)


def has_loss(definition: CellDef, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a cell counts losses."""
    cell, module = definition.cell, definition.module
    if cell.name in seen:
        return False
    if any(isinstance(s, syntax.Loss) for s in flatten(cell.body)):
        return True
    found = (used_cell(name, cell, module) for name in set(names_in(cell)))
    return any(has_loss(one, seen | {cell.name}) for one in found if one is not None)


def _steps(part: Any, cell: syntax.Cell, module: Module) -> Iterator[str]:
    """The name of which a piece of syntax reads another step or the first value."""
    if isinstance(part, syntax.Subscript) and any(_other_step(i) for i in part.indices):
        value = part.value
        while isinstance(value, syntax.Subscript):
            value = value.value
        if isinstance(value, syntax.Name):
            yield value.name
    if isinstance(part, syntax.Call) and isinstance(part.callee, syntax.Name):
        own = {s.name: s for s in flatten(cell.body) if isinstance(s, syntax.Fn)}
        fn = own.get(part.callee.name) or module.functions.get(part.callee.name)
        if part.callee.name == "init" or fn is not None:  # a function may read another step of what it gets
            for argument in part.arguments:
                value = argument
                while isinstance(value, syntax.Subscript):
                    value = value.value
                if isinstance(value, syntax.Name):
                    yield value.name


def _other_step(index: syntax.Expression) -> bool:
    return syntax.mentions_time(index) and not isinstance(index, syntax.Name)
