"""The equations of a cell in LaTeX, as a paper prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from recurrency.language import syntax
from recurrency.language.linting.scalars import flatten
from recurrency.language.writing.printer import SUM, Printer
from recurrency.language.writing.symbols import Symbols, symbols_of


def latex_of_cell(
    cell: syntax.Cell, functions: Mapping[str, syntax.Fn] | None = None, cells: Mapping[str, syntax.Cell] | None = None
) -> str:
    """The equations of a cell as an `align*` environment, in the order of the text, then initial values and losses.

    `functions` and `cells` are those that its file defines or uses; the functions that the cell reads come first. Where
    names would look alike, comments say which one wears a prime.
    """
    scope = symbols_of(cell, functions, cells)
    above = [row for fn in functions_read(cell, functions or {}, scope) for row in statement_rows(fn, scope, ())]
    rows = " \\\\\n".join(f"    {row}" for row in [*above, *equations_of_cell(cell, scope)])
    legend = "".join(f"% {line}\n" for line in scope.naming.legend())
    return f"{legend}\\begin{{align*}}\n{rows}\n\\end{{align*}}"


def functions_read(cell: syntax.Cell, functions: Mapping[str, syntax.Fn], scope: Symbols) -> list[syntax.Fn]:
    """The functions of its file that a cell reads, also through one another, in the order of the file."""
    own = scope.known | {s.name for s in cell.body if isinstance(s, syntax.Fn)} | {d.name for d in cell.dimensions}
    ahead: list[tuple[object, Set[str]]] = [(part, own) for part in (*cell.dimensions, *cell.body)]
    found: set[str] = set()
    while ahead:
        part, hidden = ahead.pop()
        read = {e.name for e in syntax.walk(part) if isinstance(e, syntax.Name)} & functions.keys()
        ahead += [(functions[name], {*functions[name].parameters}) for name in read - hidden - found]
        found |= read - hidden
    return [fn for name, fn in functions.items() if name in found]


def equations_of_cell(cell: syntax.Cell, scope: Symbols | None = None) -> list[str]:
    """The rows of `latex_of_cell`, each with one `&` before its equals sign."""
    scope = scope or symbols_of(cell)
    rows = [row for statement in cell.body for row in statement_rows(statement, scope, ())]
    first = merged([row for statement in cell.body for row in first_values(statement, scope)])
    losses = [_loss(s, scope) for s in flatten(cell.body) if isinstance(s, syntax.Loss)]
    return rows + first + (["\\mathcal{L} &= " + " + ".join(losses)] if losses else [])


def _loss(loss: syntax.Loss, scope: Symbols) -> str:
    """A line of the loss, with the steps that count in it."""
    text = Printer(scope).text(loss.value, SUM)
    return text if loss.weight is None else f"{text} \\;\\text{{where}}\\; {Printer(scope).text(loss.weight, SUM)}"


def latex_of_expression(expression: syntax.Expression, cell: syntax.Cell) -> str:
    """One expression of a cell."""
    return Printer(symbols_of(cell)).text(expression)


# -------------------------------------------------------------------------------------------------------- statements


def statement_rows(statement: syntax.Statement, scope: Symbols, loops: tuple[str, ...]) -> list[str]:
    """The rows of a statement inside `loops`, which are printed behind it."""
    behind = ", \\quad " + ",\\; ".join(loops) if loops else ""
    match statement:
        case syntax.For(index=index, range=limits, body=body):
            inner = scope.inside(index)
            around = (*loops, f"{scope.naming.symbol(index)} = {Printer(inner).limits(limits)}")
            return [row for s in body for row in statement_rows(s, inner, around)]
        case syntax.Equation(target=target, value=value):
            printer = Printer(scope)
            return [f"{printer.target(target)} &= {printer.text(value)}{behind}"]
        case syntax.Const(targets=targets, value=value):
            return [f"{constant(target, value, scope)}{behind}" for target in targets]
        case syntax.Fn(name=name, parameters=parameters, body=body):
            others = replace(scope.scalars, shadowed=frozenset(parameters))
            inner = replace(scope, bare=scope.bare | set(parameters), scalars=others)
            given = ", ".join(map(scope.naming.symbol, parameters))
            called = f"{scope.naming.operator(name)}({given})"
            above, symbol = f"\\partial\\, {called}", scope.naming.symbol
            slopes = [
                f"\\frac{{{above}}}{{\\partial {symbol(parameter)}}} &:= {Printer(inner).text(slope)}"
                for parameter, slope in zip(parameters, statement.slopes, strict=False)
            ]
            return [f"{called} &= {Printer(inner).text(body)}", *slopes]
    return []


def constant(target: syntax.Target, value: syntax.Expression, scope: Symbols) -> str:
    """The row of a constant: its value, its elements by a formula, how it is drawn, or that the caller gives it."""
    printer = Printer(scope)
    match value:
        case syntax.Formula(indices=indices, body=body):
            inner = Printer(scope.inside(*indices))
            element = scope.naming.symbol(target.name, inner.together(indices), printer.members(target.indices))
            return f"{element} &= {inner.text(body)}"
        case syntax.Initialiser():
            return f"{printer.target(target)} &\\sim {printer.text(value)}"
        case syntax.Name(name="given") if "given" not in scope.known:
            return f"{printer.target(target)} &\\;\\text{{given}}"
    return f"{printer.target(target)} &= {printer.text(value)}"


def merged(rows: Sequence[tuple[str, str]]) -> list[str]:
    """One row for all names that have the same value."""
    names: dict[str, list[str]] = {}
    for name, value in rows:
        names.setdefault(value, []).append(name)
    return [f"{' = '.join(same)} &= {value}" for value, same in names.items()]


def first_values(statement: syntax.Statement, scope: Symbols) -> list[tuple[str, str]]:
    """`h_0` and its value for a state whose initial value is an expression."""
    if isinstance(statement, syntax.For):
        return [row for s in statement.body for row in first_values(s, scope.inside(statement.index))]
    if not isinstance(statement, syntax.State) or statement.first is None:
        return []
    printer = Printer(scope, time="0")
    value = printer.text(statement.first)
    return [(printer.target(target), value) for target in statement.targets]
