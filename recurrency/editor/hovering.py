"""What an editor shows about the name under the cursor, in Markdown."""

from __future__ import annotations

from recurrency.editor.analysis import Analysis
from recurrency.editor.facts import Facts
from recurrency.editor.index import Occurrence, Symbol, targets_of
from recurrency.inspection.summary import formula, kinds_text, parameters
from recurrency.language import syntax
from recurrency.language.linting.scalars import flatten
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS

MOST_LINES = 12
"""Lines of a definition that are shown."""


def hover(analysis: Analysis, at: Occurrence) -> str | None:
    """What is known about a name: what it is, its shape and units, its equation, its recurrence."""
    symbol = at.symbol
    match symbol.kind:
        case "language":
            return about_word(symbol.name)
        case "function":
            fn = analysis.module.functions.get(symbol.name)
            return None if fn is None else f"{_code(fn.span.text)}\n\na function of this file"
        case "cell":
            return _about_cell(analysis, symbol)
        case "name":
            return _about_name(analysis, symbol)
        case "clock":
            return f"{_code(symbol.name)}\n\na clock: streams over {symbol.name} have their own number of steps"
        case _:
            return f"{_code(symbol.name)}\n\na local name: a parameter of a function, or an index"


def _code(text: str) -> str:
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], "..."]
    return "```rnn\n" + "\n".join(lines) + "\n```"


def about_word(name: str) -> str | None:
    """What a function, an initialiser or a number of the language means."""
    if name in FUNCTIONS:
        row = FUNCTIONS[name]
        return f"{_code(row.signature)}\n\n{row.meaning}\n\n*{row.group}*"
    if name in INITIALISERS:
        return f"{_code('~ ' + INITIALISERS[name].signature)}\n\nan initialiser: {INITIALISERS[name].meaning}"
    return f"{_code(f'{name} = {NUMBERS[name]!r}')}" if name in NUMBERS else None


def header(cell: syntax.Cell) -> str:
    """The header of a cell, as it is written."""
    text = cell.span.text
    return text[: text.index("{")].rstrip() if "{" in text else text.split("\n", 1)[0]


def _about_cell(analysis: Analysis, symbol: Symbol) -> str | None:
    definition = analysis.module.cells.get(symbol.name)
    if definition is None:
        return None
    parts = [_code(header(definition.cell)), definition.cell.doc or ""]
    if definition.module is not analysis.module:
        parts.append(f"*from {definition.cell.span.source.name}*")
    facts = analysis.facts(symbol.name)
    if facts.whole is not None and definition.module is analysis.module:
        count = formula(parameters(facts.whole), [d.name for d in definition.cell.dimensions])
        parts.append(f"parameters: {count}  \nrecurrence: {kinds_text(facts.loops)}")
    return "\n\n".join(part for part in parts if part)


def _about_name(analysis: Analysis, symbol: Symbol) -> str | None:
    definition = analysis.module.cells.get(symbol.home)
    if definition is None or definition.module.path != symbol.path:
        return None
    own = definition.module is analysis.module
    cell, facts = definition.cell, analysis.facts(symbol.home) if own else Facts()
    name, lines = symbol.name, [role(cell, symbol.name)]
    if name in facts.types:
        lines.append(f"`{name} : {facts.shape(name)}`, {facts.varies(name)}")
        lines += _units(cell, facts, name)
    elif name in facts.entries and facts.entries[name] != name:
        lines.append(f"`{name} = {facts.entries[name]}` in this check")
    loop = facts.loop_of(name)
    if loop is not None:
        states = ", ".join(s for s in loop.states if not s.startswith("%"))
        way = "" if loop.direction > 0 else ", backward in time"
        lines.append(f"recurrence: {loop.kind}{way}, through {states}")
    written = [text for text in definitions(cell, name) if text]
    return "\n\n".join([*([_code("\n".join(written))] if written else []), "  \n".join(lines)])


def _units(cell: syntax.Cell, facts: Facts, name: str) -> list[str]:
    """The dimensions in a shape: the units in which its axes count."""
    type_ = facts.types[name]
    known = {d.name: d for d in cell.dimensions}
    sizes = [type_.index] if type_.index is not None else list(type_.shape)
    used = [n for n in known if any(n in _names(size) for size in sizes)]
    what = "symbols of" if type_.index is not None else "units"
    return [f"{what}: {', '.join(_entry(known[n]) for n in used)}"] if used else []


def _names(size: object) -> set[str]:
    terms = getattr(size, "terms", ())
    return {n for names, _ in terms for n in names}


def _entry(entry: syntax.Dimension) -> str:
    return entry.span.text


def role(cell: syntax.Cell, name: str) -> str:
    """What a name is in its cell, in a few words."""
    for found, words in (
        (any(p.name == name for p in cell.inputs), "an input"),
        (any(d.name == name for d in cell.dimensions), "an entry of the header"),
    ):
        if found:
            return f"{words} of {cell.name}"
    kinds = {type(s) for s in flatten(cell.body) for t in targets_of(s) if t.name == name}
    functions = {s.name for s in flatten(cell.body) if isinstance(s, syntax.Fn)}
    output = any(p.name == name for p in cell.outputs)
    what = next(
        (words for kind, words in _ROLES.items() if kind in kinds), "a function" if name in functions else "a stream"
    )
    return f"{what}{' and an output' if output else ''} of {cell.name}"


_ROLES = {syntax.Param: "a parameter", syntax.Const: "a constant", syntax.State: "a state"}


def definitions(cell: syntax.Cell, name: str) -> list[str]:
    """The lines that declare and define a name, as they are written."""
    found = [p.span.text for p in cell.inputs if p.name == name]
    found += [d.span.text for d in cell.dimensions if d.name == name]
    for statement in flatten(cell.body):
        named = isinstance(statement, syntax.Fn) and statement.name == name
        if named or any(t.name == name for t in targets_of(statement)):
            found.append(statement.span.text)
    return found or [p.span.text for p in cell.outputs if p.name == name]
