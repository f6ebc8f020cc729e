"""The square brackets of the outermost cell: numbers from the caller, or symbols if the spec is only checked."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, get_args

from recurrency.errors import UsageError, nearest, nearest_hint
from recurrency.graph.dimensions import symbol
from recurrency.language import syntax
from recurrency.language.diagnostics import MALFORMED_DIMENSION
from recurrency.language.elaboration.meanings import CellValue
from recurrency.language.elaboration.modules import CellDef, Loader
from recurrency.language.elaboration.scope import Scope
from recurrency.language.own_cells import OwnCell
from recurrency.language.sources import library_index
from recurrency.language.vocabulary.table import FUNCTIONS

GREATEST_DIMENSION = 1 << 24
"""Bound on a single dimension."""
SAMPLE = 3
"""The least number for the check of a dimension that has no default and must be known, such as the end of a loop."""
EXPRESSIONS: tuple[type, ...] = get_args(syntax.Expression)


def units(definition: CellDef, numbers: Mapping[str, int], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Each dimension as a symbol, except those with numbers or `given`; functions and cells by their defaults.

    Raises:
        UsageError: what is given does not fit.
    """
    out: dict[str, Any] = {}
    for dimension in definition.cell.dimensions:
        default = dimension.default
        if given and dimension.name in given:
            out[dimension.name] = _bound(definition, dimension, given[dimension.name])
        elif dimension.name in numbers:
            out[dimension.name] = numbers[dimension.name]
        elif is_choice(default, out) or is_real(default):
            out[dimension.name] = default
        else:
            out[dimension.name] = symbol(dimension.name)
    return out


def is_choice(default: syntax.Expression | None, dimensions: Container[str]) -> bool:
    """Whether a default names a function or a cell."""
    return isinstance(default, syntax.Subscript) or (
        isinstance(default, syntax.Name) and default.name not in dimensions
    )


def is_real(default: syntax.Expression | None) -> bool:
    """Whether a default such as `p = 0.5` makes its entry a number instead of a dimension."""
    inner = default.operand if isinstance(default, syntax.Unary) else default
    return isinstance(inner, syntax.Number) and (isinstance(inner.value, float) or inner is not default)


def fault_of_size(size: float) -> str | None:
    """What is wrong with the size of a dimension; None if nothing is."""
    if size < 1:
        return "dimensions start at 1"
    return f"a dimension is at most {GREATEST_DIMENSION}" if size > GREATEST_DIMENSION else None


def refuse_defaults(scope: Scope) -> None:
    """Check that the defaults of dimensions are in range.

    Raises:
        Problem: one is not.
    """
    for dimension in scope.cell.dimensions:
        default = dimension.default
        if isinstance(default, syntax.Number) and not is_real(default) and (fault := fault_of_size(default.value)):
            title = f"the default of {dimension.name} is {default.value}, but {fault}"
            help = "write 0.0 for a number that is not a dimension" if default.value == 0 else None
            raise scope.problem(MALFORMED_DIMENSION, title, default.span, help=help)


def sample(cell: syntax.Cell, name: str, others: Mapping[str, int]) -> int:
    """A number for a dimension, different from the numbers of the others: different symbols stay different."""
    for dimension in cell.dimensions:
        if dimension.name == name and isinstance(dimension.default, syntax.Number):
            return int(dimension.default.value)
    return max([SAMPLE, *(n + 1 for n in others.values() if n < 2 * SAMPLE)])


def refuse_unknown(cell: syntax.Cell, given: Iterable[str]) -> None:
    """Refuse a name that is not in the square brackets of the cell.

    Raises:
        UsageError: there is one.
    """
    names = [d.name for d in cell.dimensions]
    for name in given:
        if name not in names:
            title = f"{cell.name} has no dimension {name} (it has {', '.join(names) or 'none'})"
            raise UsageError(title + nearest_hint(name, names))


def bind(definition: CellDef, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all entries of the square brackets: numbers, functions and cells.

    Raises:
        UsageError: a dimension is missing, unknown or no positive whole number.
    """
    cell = definition.cell
    refuse_unknown(cell, given)
    missing = [d.name for d in cell.dimensions if d.default is None and d.name not in given]
    if missing:
        each = ", ".join(f"{n}=..." for n in missing)
        first = f"on the command line: -D {missing[0]}=64"
        raise UsageError(f"{cell.name} needs {' and '.join(missing)}: give {each} ({first})")
    return {d.name: _bound(definition, d, given[d.name]) if d.name in given else d.default for d in cell.dimensions}


def _bound(definition: CellDef, dimension: syntax.Dimension, value: Any) -> Any:
    where = f"{definition.cell.name}: {dimension.name}"
    choice = is_choice(dimension.default, [d.name for d in definition.cell.dimensions])
    if isinstance(value, OwnCell) and choice:
        return CellValue(value.definition)
    if isinstance(value, str) and choice:
        return _named(definition, dimension, value)
    real = is_real(dimension.default)
    try:
        value = float(value) if real else value.__index__()
    except (AttributeError, TypeError, ValueError, OverflowError):
        what = "a number" if real else "a whole number"
        raise UsageError(f"{where} must be {what}, not {value!r}") from None
    if not real and (fault := fault_of_size(value)):
        raise UsageError(f"{where} is {value}, but {fault}")
    return value


def _named(definition: CellDef, dimension: syntax.Dimension, name: str) -> Any:
    """A function or cell that a caller names for a dimension."""
    module = definition.module
    if name in module.cells:
        return CellValue(module.cells[name])
    if name in library_index():
        return CellValue(Loader().library_cell(name))
    if name in module.functions or name in FUNCTIONS:
        return syntax.Name(definition.cell.span, name)
    known = [*module.cells, *library_index(), *module.functions, *FUNCTIONS]
    cells = {*module.cells, *library_index()}
    hint = nearest_hint(name, known)
    if nearest(name, known) not in cells and getattr(dimension.default, "name", "") in cells:
        hint += f"{' A' if hint else '; a'} cell of your own is named with its file: {dimension.name}=FILE.rnn:{name}"
    raise UsageError(f"{definition.cell.name}: {dimension.name}: there is no function or cell {name}{hint}")
