"""Using a cell in a cell: dimensions found from the arguments, equations inlined under a name of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.instance import Instance
from recurrency.language.modules import CellDef, nearest
from recurrency.language.streams import CellValue, Shared, Used
from recurrency.language.vocabulary import shown

if TYPE_CHECKING:
    from recurrency.language.evaluate import Evaluator


def use_cell(
    evaluator: Evaluator, call: syntax.Call, callee: CellValue | Shared, direct: bool, first: tuple[syntax.Keyword, ...]
) -> Used:
    """Inline a cell; `first` are the states that `from` hands over."""
    cell = callee.cell if isinstance(callee, Shared) else callee
    _refuse_circles(evaluator, cell.definition, call)
    name = evaluator.use_name(_written(call.callee), direct)
    instance = evaluator.instance
    home = f"{callee.name}." if isinstance(callee, Shared) else f"{instance.home}{name}."
    inner = Instance(evaluator.work, cell.definition, f"{instance.prefix}{name}.", home, instance.clock, {}, instance)
    arguments = _arguments(evaluator, call, inner)
    _dimensions(evaluator, call, cell, callee, inner, arguments)
    _inputs(evaluator, call, inner, arguments)
    inner.first = {k.name: _handed(evaluator, inner, k) for k in first}
    inner._from_span = first[0].span.to(first[-1].span) if first else None
    inner.collect()
    for key in list(inner.statics):
        evaluator.work.guarded(lambda k=key: inner.static_value(k))  # type: ignore[misc]
    used = Used(inner, name)
    instance.uses[name] = used
    evaluator.work.instances[inner.prefix] = inner
    return used


def _written(callee: syntax.Expression) -> str:
    while isinstance(callee, syntax.Subscript):
        callee = callee.value
    return callee.name if isinstance(callee, (syntax.Name, syntax.Attribute)) else "cell"


def _refuse_circles(evaluator: Evaluator, definition: CellDef, call: syntax.Call) -> None:
    outer: Instance | None = evaluator.instance
    while outer is not None:
        if outer.definition.cell is definition.cell:
            evaluator.fail(40, f"{definition.cell.name} contains itself", call.span, label="used inside itself here")
        outer = outer.parent


def _arguments(evaluator: Evaluator, call: syntax.Call, inner: Instance) -> dict[str, tuple[syntax.Expression, Value]]:
    """Each input with the expression and the value that it gets."""
    ports = inner.cell.inputs
    names = [p.name for p in ports]
    given: dict[str, syntax.Expression] = dict(zip(names, call.arguments, strict=False))
    for keyword in call.keywords:
        if keyword.name not in names:
            near = nearest(keyword.name, names)
            evaluator.fail(27, f"{inner.cell.name} has no input {keyword.name}", keyword.span, help=f"did you mean {near}?" if near else None)
        given[keyword.name] = keyword.value
    if len(call.arguments) + len(call.keywords) != len(ports) or len(given) != len(ports):
        count = len(call.arguments) + len(call.keywords)
        evaluator.fail(27, f"{inner.cell.name} takes {len(ports)} inputs ({', '.join(names)}), not {count}", call.span)
    return {name: (e, evaluator.value(e)) for name, e in given.items()}


def _dimensions(
    evaluator: Evaluator, call: syntax.Call, cell: CellValue, callee: CellValue | Shared, inner: Instance,
    arguments: dict[str, tuple[syntax.Expression, Value]],
) -> None:  # fmt: skip
    """Bind the square brackets: what is written, what follows from the arguments, what has a default."""
    header = inner.cell.dimensions
    names = [d.name for d in header]
    following = _following(inner.cell, names)
    bound = _written_dimensions(evaluator, call, cell, names, following)
    for port in inner.cell.inputs:
        type_ = arguments[port.name][1].type
        sizes = [port.type.size] if isinstance(port.type, syntax.IndexType) else port.type.dimensions
        found = (type_.index,) if isinstance(port.type, syntax.IndexType) else type_.shape
        for expression, size in zip(sizes, found, strict=False):
            if isinstance(expression, syntax.Name) and expression.name in names and size is not None:
                bound.setdefault(expression.name, size)
    for dimension in header:
        value = bound.get(dimension.name, dimension.default)
        if value is None:
            evaluator.fail(41, f"{inner.cell.name} needs its dimension {dimension.name}", call.callee.span, help=f"write {inner.cell.name}[{dimension.name} = ...]")
        inner.bind_dimensions({dimension.name: value})
    if isinstance(callee, Shared):
        if callee.dimensions is not None and callee.dimensions != inner.dimensions:
            evaluator.fail(41, f"{callee.name} is shared, but its uses have different dimensions", call.span)
        callee.dimensions = inner.dimensions


def _following(cell: syntax.Cell, names: list[str]) -> set[str]:
    """The dimensions that stand alone in the shape of an input."""
    found: set[str] = set()
    for port in cell.inputs:
        sizes = (port.type.size,) if isinstance(port.type, syntax.IndexType) else port.type.dimensions
        found |= {s.name for s in sizes if isinstance(s, syntax.Name) and s.name in names}
    return found


def _written_dimensions(
    evaluator: Evaluator, call: syntax.Call, cell: CellValue, names: list[str], following: set[str]
) -> dict[str, Any]:
    for name in cell.keywords:
        if name not in names:
            near = nearest(name, names)
            title = f"{cell.definition.cell.name} has no dimension {name} (it has {', '.join(names) or 'none'})"
            evaluator.fail(41, title, call.callee.span, help=f"did you mean {near}?" if near else None)
    free = [n for n in names if n not in following and n not in cell.keywords]
    order = free if len(cell.positional) <= len(free) else [n for n in names if n not in cell.keywords]
    if len(cell.positional) > len(order):
        title = f"{cell.definition.cell.name} has the dimensions {', '.join(names)}; {len(cell.positional)} are too many"
        evaluator.fail(41, title, call.callee.span)
    return {**dict(zip(order, cell.positional, strict=False)), **cell.keywords}


def _inputs(evaluator: Evaluator, call: syntax.Call, inner: Instance, arguments: dict[str, tuple[syntax.Expression, Value]]) -> None:
    """Check the arguments against the header, find the clocks, and let them in."""
    clocks: dict[str, str] = {}
    for port in inner.cell.inputs:
        expression, value = arguments[port.name]
        if value.type.kind is Kind.STREAM:
            own, actual = port.clock or "t", str(value.type.clock)
            if clocks.setdefault(own, actual) != actual:
                evaluator.fail(28, f"the inputs of {inner.cell.name} run over the clocks {clocks[own]} and {actual}", call.span)
    inner.clock = clocks.get("t", evaluator.instance.clock)
    inner.clocks = clocks
    for port in inner.cell.inputs:
        expression, value = arguments[port.name]
        wanted = inner.port_type(port)
        if (value.type.shape, value.type.index) != (wanted.shape, wanted.index):
            value = _reshaped(evaluator, inner, port, expression, value, wanted)
        inner.add_input(port, value, clocks.get(port.clock or "t", inner.clock))


def _reshaped(
    evaluator: Evaluator, inner: Instance, port: syntax.Port, expression: syntax.Expression, value: Value, wanted: Type
) -> Value:
    """A number for any shape; anything else that does not fit is a mistake."""
    if not value.type.shape and value.type.index is None and wanted.index is None and value.type.kind is Kind.STATIC:
        return value.to_shape(wanted.shape)
    title = f"the input {port.name} of {inner.cell.name} is {shown(wanted)}, but {' '.join(expression.span.text.split())[:40]} is {shown(value.type)}"
    evaluator.fail(42, title, expression.span, notes=(f"{port.name} is declared in {port.span.source.name} at line {port.span.line}",))


def _handed(evaluator: Evaluator, inner: Instance, keyword: syntax.Keyword) -> Callable[[], Value]:
    def first() -> Value:
        key = (keyword.name, ())
        stream = inner.streams.get(key)
        value = evaluator.value(keyword.value)
        type_ = stream.type if stream is not None else None
        return inner._fitting(value, type_ or value.type, keyword.span, keyword.name)

    return first
