"""Which name of a cell reads which, from the text alone: loops, families and functions are not expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from recurrency.language import syntax
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.linting.scalars import flatten

LOSS = "loss "
"""Stands for the loss lines of a cell; no name has a space."""


@dataclass(frozen=True)
class Reads:
    """For each name that a cell defines, the names that its definition mentions; families count as one."""

    mentioned: dict[str, frozenset[str]]
    past: frozenset[str]
    """Names of which another step or the initial value is read."""
    with_losses: frozenset[str]
    """Equations that use a cell with loss lines."""
    readers: dict[str, set[str]]
    """The definitions that mention a name."""

    def of(self, name: str) -> frozenset[str]:
        return self.mentioned.get(name, frozenset())

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
    """The names that a piece of syntax mentions, without the indices of its comprehensions."""
    inner = bound | syntax.indices((tree,))
    yield from (part.name for part in syntax.walk(tree) if isinstance(part, syntax.Name) and part.name not in inner)


def reads_of(cell: syntax.Cell, module: Module, losing: Set[int]) -> Reads:
    """What the definitions of a cell read; `losing` are the ids of the cells that count losses."""
    mentioned: dict[str, set[str]] = {}
    past: set[str] = set()
    effective: set[str] = set()
    counting = {name for name, used in used_cells(cell, module).items() if id(used.cell) in losing}
    for statement, around in _with_loops(cell.body, frozenset(), ()):
        for name, parts in _definitions(statement):
            read = {n for part in (*parts, *around) for n in names_in(part)}
            bound = set(statement.parameters) if isinstance(statement, syntax.Fn) else set()
            mentioned.setdefault(name, set()).update(read - bound)
            if not counting.isdisjoint(read):
                effective.add(name)
    functions = {*module.functions, *(s.name for s in flatten(cell.body) if isinstance(s, syntax.Fn)), "init"}
    for part in syntax.walk(cell):
        past.update(_steps(part, functions))
    found: dict[str, set[str]] = {}
    for reader, names in mentioned.items():
        for name in names if reader != LOSS else ():
            found.setdefault(name, set()).add(reader)
    return Reads({n: frozenset(read) for n, read in mentioned.items()}, frozenset(past), frozenset(effective), found)


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
        case syntax.Fn(name=name, body=body, slopes=slopes):
            yield name, (body, *slopes)
        case syntax.Loss(value=value, weight=weight):
            yield LOSS, (value,) if weight is None else (value, weight)


def with_loss(module: Module) -> set[int]:
    """The ids of the cells (of the text, and of all that it uses) that count losses, themselves or in what they use."""
    reached: dict[int, CellDef] = {}
    users: dict[int, list[int]] = {}
    waiting, losing = list(module.own.values()), []
    while waiting:
        one = waiting.pop()
        if id(one.cell) in reached:
            continue
        reached[id(one.cell)] = one
        if any(isinstance(s, syntax.Loss) for s in flatten(one.cell.body)):
            losing.append(id(one.cell))
        for used in used_cells(one.cell, one.module).values():
            users.setdefault(id(used.cell), []).append(id(one.cell))
            waiting.append(used)
    found: set[int] = set()
    while losing:
        cell = losing.pop()
        if cell not in found:
            found.add(cell)
            losing += users.get(cell, [])
    return found


def used_cells(cell: syntax.Cell, module: Module) -> dict[str, CellDef]:
    """The cells that a cell names, be it by the default of an entry of its header."""
    entries = {d.name: d.default for d in cell.dimensions}
    found = {}
    for name in set(names_in(cell)):
        default = entries.get(name)
        base = default.value if isinstance(default, syntax.Subscript) else default
        wanted = base.name if isinstance(base, syntax.Name) else name
        if wanted in module.cells:
            found[name] = module.cells[wanted]
    return found


def _steps(part: Any, functions: Set[str]) -> Iterator[str]:
    """The names of which a piece of syntax reads another step or the initial value; a function may read any step."""
    if isinstance(part, syntax.Subscript) and any(_other_step(i) for i in part.indices):
        yield from _named(part.value)
    if isinstance(part, syntax.Call) and isinstance(part.callee, syntax.Name) and part.callee.name in functions:
        for argument in part.arguments:
            yield from _named(argument)


def _named(value: syntax.Expression) -> Iterator[str]:
    """The name of a stream, or of the family that it belongs to."""
    while isinstance(value, syntax.Subscript):
        value = value.value
    if isinstance(value, syntax.Name):
        yield value.name


def _other_step(index: syntax.Expression) -> bool:
    return syntax.mentions_time(index) and not isinstance(index, syntax.Name)
