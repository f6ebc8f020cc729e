"""Using a cell in a cell: dimensions found from the arguments, equations inlined under the name of the use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from recurrency.errors import nearest_help
from recurrency.graph.dimensions import Poly
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    CLOCK_MISMATCH,
    INPUT_MISMATCH,
    MALFORMED_DIMENSION,
    RECURSION,
    WRONG_ARGUMENTS,
    WRONG_DIMENSIONS,
    brief,
)
from recurrency.language.elaboration.binding import is_choice, is_real
from recurrency.language.elaboration.clauses import add_clauses
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.initial_values import fitting
from recurrency.language.elaboration.instance import Instance, own_clock
from recurrency.language.elaboration.meanings import CellValue, Shared
from recurrency.language.elaboration.modules import CellDef
from recurrency.language.elaboration.numbers import is_number, spelt, whole
from recurrency.language.elaboration.pasts import add_pasts
from recurrency.language.elaboration.scope import Scope, Used
from recurrency.language.elaboration.signals import Problem
from recurrency.language.vocabulary.table import shown

WEIGHT = 5
"""A use counts as this many definitions, besides its own: it takes about as long."""
Arguments: TypeAlias = dict[str, tuple[syntax.Expression, Value]]
"""Each input of a cell with the expression and the value that it gets."""


def use_cell(
    evaluator: Evaluator,
    call: syntax.Call,
    callee: CellValue | Shared,
    direct: bool,
    first: tuple[syntax.Keyword, ...],
    changes: tuple[syntax.Changed | syntax.With, ...] = (),
) -> Used:
    """Inline a cell; `first` are the initial states that `from` gives, `changes` the clauses behind the call."""
    cell = callee.cell if isinstance(callee, Shared) else callee
    _refuse_circles(evaluator, cell.definition, call)
    outer, name = evaluator.scope, evaluator.use_name(_written(call.callee), direct)
    while (known := outer.uses.get(name)) is not None:
        if direct or known.call is call:  # the definition is evaluated once more: see `Postponed`
            evaluator.counts.update(known.counts)
            return known
        name = evaluator.use_name(_written(call.callee), direct)
    outer.work.count_definition(call.span, WEIGHT)
    home = f"{callee.name}." if isinstance(callee, Shared) else f"{outer.home}{name}."
    inner = Instance(outer.work, cell.definition, f"{outer.prefix}{name}.", home, outer.clock, {}, outer, call.span)
    arguments = _arguments(evaluator, call, inner)
    _dimensions(evaluator, call, cell, inner, arguments)
    if isinstance(callee, Shared):
        _same_dimensions(evaluator, call, callee, inner)
    _inputs(evaluator, call, inner, arguments)
    add_clauses(evaluator, inner, changes)
    inner.first = {k.name: (k, _handed(evaluator, inner, k)) for k in first}
    inner.collect()
    outer.uses[name] = Used(inner, name, call, dict(evaluator.counts))
    add_pasts(evaluator, inner, name, changes)
    inner.inner[inner.prefix] = inner
    return outer.uses[name]


def _same_dimensions(evaluator: Evaluator, call: syntax.Call, callee: Shared, inner: Instance) -> None:
    """All calls of an instance have the same parameters, and so the same dimensions."""
    first = callee.dimensions = callee.dimensions or inner.dimensions
    for name, value in inner.dimensions.items():
        if is_number(value) and first[name] != value:
            title = f"{callee.name} has {name} = {first[name]} in one use and {name} = {value} in another"
            help = "calls of an instance share its parameters: declare a second instance"
            raise evaluator.problem(WRONG_DIMENSIONS, title, call.span, help=help)


def _written(callee: syntax.Expression) -> str:
    while isinstance(callee, syntax.Subscript):
        callee = callee.value
    return callee.name if isinstance(callee, (syntax.Name, syntax.Attribute)) else "cell"


def _refuse_circles(evaluator: Evaluator, definition: CellDef, call: syntax.Call) -> None:
    names = [definition.cell.name]
    outer: Scope | None = evaluator.scope
    while outer is not None:
        names.append(outer.cell.name)
        if outer.definition.cell is definition.cell:
            title = " uses ".join(reversed(names))
            label = "a cell can't contain itself"
            raise evaluator.problem(RECURSION, title, call.span, label=label)
        outer = outer.parent


# -------------------------------------------------------------------------------------------------------- arguments


def _arguments(evaluator: Evaluator, call: syntax.Call, inner: Instance) -> Arguments:
    names = [p.name for p in inner.cell.inputs]
    given: dict[str, syntax.Expression] = dict(zip(names, call.arguments, strict=False))
    usage = f"it is used as {inner.cell.name}({', '.join(names)})"
    for keyword in call.keywords:
        if keyword.name not in names:
            help = nearest_help(keyword.name, names, usage)
            title = f"{inner.cell.name} has no input {keyword.name}"
            raise evaluator.problem(WRONG_ARGUMENTS, title, keyword.span, help=help)
        given[keyword.name] = keyword.value
    count = len(call.arguments) + len(call.keywords)
    if count != len(names) or len(given) != len(names):
        title = f"{inner.cell.name} takes {len(names)} input{'s' * (len(names) != 1)}, not {count}"
        raise evaluator.problem(WRONG_ARGUMENTS, title, call.span, help=usage)
    values = evaluator.all(evaluator.value, given.values())
    return {name: (e, value) for (name, e), value in zip(given.items(), values, strict=True)}


def _inputs(evaluator: Evaluator, call: syntax.Call, inner: Instance, arguments: Arguments) -> None:
    """Check the arguments against the header, find the clocks, and set the inputs."""
    clocks: dict[str, str] = {}
    for port in inner.cell.inputs:
        value = arguments[port.name][1]
        if value.type.kind is Kind.STREAM:
            own, actual = port.clock or "t", str(value.type.clock)
            if clocks.setdefault(own, actual) != actual:
                title = f"the inputs of {inner.cell.name} run over the clocks {clocks[own]} and {actual}"
                help = f"in its header all of them run over {own}"
                raise evaluator.problem(CLOCK_MISMATCH, title, call.span, help=help)
    inner.clock, inner.clocks = clocks.get(own_clock(inner.cell), evaluator.scope.clock), clocks
    for port in inner.cell.inputs:
        expression, value = arguments[port.name]
        wanted = inner.port_type(port)
        if (value.type.shape, value.type.index) != (wanted.shape, wanted.index):
            value = _reshaped(evaluator, inner, port, expression, value, wanted)
        inner.add_input(port, value, clocks.get(port.clock or "t", inner.clock))


def _reshaped(
    evaluator: Evaluator, inner: Instance, port: syntax.Port, expression: syntax.Expression, value: Value, wanted: Type
) -> Value:
    """A number in the wanted shape; any other value that does not fit is a mistake."""
    number = not value.type.shape and value.type.index is None and value.type.kind is Kind.STATIC
    if number and wanted.index is None:
        return value.to_shape(wanted.shape)
    raise _unfit(evaluator, inner, port, expression, value, shown(wanted))


def _formed(
    evaluator: Evaluator, inner: Instance, port: syntax.Port, expression: syntax.Expression, value: Value
) -> Type:
    """The type of an argument, which must have as many dimensions as its input or be a number."""
    symbols = isinstance(port.type, syntax.IndexType)
    number = not value.type.shape and value.type.kind is Kind.STATIC
    same = symbols == (value.type.index is not None) and (symbols or len(value.type.shape) == len(_sizes(port)))
    if not same and not (number and not symbols):
        raise _unfit(evaluator, inner, port, expression, value, port.type.span.text)
    return value.type


def _unfit(
    evaluator: Evaluator, inner: Instance, port: syntax.Port, expression: syntax.Expression, value: Value, wanted: str
) -> Problem:
    given = f"{brief(expression.span.text)} is {shown(value.type)}"
    title = f"the input {port.name} of {inner.cell.name} is {wanted}, but {given}"
    header = f"{port.name} is an input of {inner.cell.name} at {port.span}"
    return evaluator.problem(INPUT_MISMATCH, title, expression.span, notes=(*evaluator.origins(expression), header))


def _handed(evaluator: Evaluator, inner: Instance, keyword: syntax.Keyword) -> Callable[[Type], Value]:
    def first(type_: Type) -> Value:
        state = inner.defined.states[keyword.name, ()]
        notes = (f"{keyword.name} is declared at {state.span}",)
        return fitting(evaluator.scope, evaluator.value(keyword.value), type_, keyword.span, keyword.name, notes)

    return first


# ------------------------------------------------------------------------------------------------------- dimensions


def _dimensions(
    evaluator: Evaluator, call: syntax.Call, cell: CellValue, inner: Instance, arguments: Arguments
) -> None:
    """Bind the square brackets: what is written, what follows from the arguments, what has a default."""
    header = inner.cell.dimensions
    bound = _written_dimensions(evaluator, call, cell, _following(inner.cell))
    for port in inner.cell.inputs:
        type_ = _formed(evaluator, inner, port, *arguments[port.name])
        found = (type_.index,) if isinstance(port.type, syntax.IndexType) else type_.shape
        for expression, size in zip(_sizes(port), found, strict=False):
            if isinstance(expression, syntax.Name) and size is not None and expression.name not in bound:
                bound[expression.name] = size
    for dimension in header:
        name = dimension.name
        value = bound.get(name, dimension.default)
        if value is None:
            help = f"write {inner.cell.name}[{name} = ...]"
            title = f"{inner.cell.name} needs its dimension {name}"
            raise evaluator.problem(WRONG_DIMENSIONS, title, call.callee.span, help=help)
        if name in bound:
            _check_entry(evaluator, call, inner, dimension, value)
        inner.bind_dimensions({name: value})


def _check_entry(evaluator: Evaluator, call: syntax.Call, inner: Instance, entry: syntax.Dimension, value: Any) -> None:
    """Check an entry: a dimension or number, or a function or cell if its default is one."""
    where, names = f"{entry.name} of {inner.cell.name}", [d.name for d in inner.cell.dimensions]
    following = _following(inner.cell)
    help = f"without names, the square brackets give {', '.join(n for n in names if n not in following)}"
    choice = is_choice(entry.default, names)
    if is_number(value) == choice:
        kinds = ("a number", "a function or a cell")
        title = f"{where} is {kinds[choice]}, not {kinds[not choice]}"
        raise evaluator.problem(WRONG_DIMENSIONS, title, call.callee.span, help=help)
    if is_number(value) and not is_real(entry.default) and not isinstance(value, Poly):
        size = whole(value)
        if size is None or size < 1:
            title = f"{where} can't be {spelt(value)}: a dimension is a whole number from 1"
            raise evaluator.problem(MALFORMED_DIMENSION, title, call.callee.span)


def _sizes(port: syntax.Port) -> tuple[syntax.Expression, ...]:
    return (port.type.size,) if isinstance(port.type, syntax.IndexType) else port.type.dimensions


def _following(cell: syntax.Cell) -> set[str]:
    """The dimensions that are an entry of the shape of an input, so that they follow from its argument."""
    names = {d.name for d in cell.dimensions}
    return {s.name for port in cell.inputs for s in _sizes(port) if isinstance(s, syntax.Name) and s.name in names}


def _written_dimensions(
    evaluator: Evaluator, call: syntax.Call, cell: CellValue, following: set[str]
) -> dict[str, Any]:
    names = [d.name for d in cell.definition.cell.dimensions]
    title = f"{cell.definition.cell.name} has the dimensions {', '.join(names) or 'none'}"
    for name in cell.keywords:
        if name not in names:
            help = nearest_help(name, names)
            raise evaluator.problem(WRONG_DIMENSIONS, f"{title}, and no {name}", call.callee.span, help=help)
    free = [n for n in names if n not in following and n not in cell.keywords]
    order = free if len(cell.positional) <= len(free) else [n for n in names if n not in cell.keywords]
    if len(cell.positional) > len(order):
        raise evaluator.problem(WRONG_DIMENSIONS, f"{title}: {len(cell.positional)} are too many", call.callee.span)
    return {**dict(zip(order, cell.positional, strict=False)), **cell.keywords}
