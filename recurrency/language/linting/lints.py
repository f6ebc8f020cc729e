"""Warnings about what is valid but probably not intended; a comment `# ok: RNN103` silences one in its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import TypeAlias

from recurrency.errors import Diagnostic, Source, Span
from recurrency.language import syntax
from recurrency.language.diagnostics import (
    BATCH_IN_SHAPE,
    SINGLE_DRAW,
    UNREACHED_OUTPUT,
    UNREAD_ENTRY,
    UNREAD_EQUATION,
    UNREAD_INPUT,
    UNREAD_PARAMETER,
    UNREAD_PAST,
    UNREAD_STATE,
    UNUSED_CELL,
    USELESS_COMMENT,
    say,
)
from recurrency.language.elaboration.modules import CellDef, Module
from recurrency.language.elaboration.suggestions import unbatched
from recurrency.language.linting.reads import Reads, names_in, reads_of, with_loss
from recurrency.language.linting.scalars import Scalars, flatten, scalars_of
from recurrency.language.words import where, words_of

SILENCED = re.compile(r"#\s*ok:\s*(RNN\d+(?:\s*,\s*RNN\d+)*)\b(.*)", re.IGNORECASE)


def lint(module: Module) -> tuple[Diagnostic, ...]:
    """The warnings about the cells of a text, in its order, without those that are silenced."""
    read_outside, losing = outside(module), with_loss(module)
    found = [w for definition in module.own.values() for w in of_cell(definition, read_outside, losing)]
    return quieted([*found, *of_text(module)], silencers(module.file.source))


def quieted(found: Iterable[Diagnostic], comments: Iterable[Silencer]) -> tuple[Diagnostic, ...]:
    """Each warning once, without those that comments silence, and with a warning for each comment that does nothing."""
    quiet: dict[Place, Silencer] = {}
    for silencer in comments:
        source = id(silencer.span.source)
        quiet.update({(n, line, source): silencer for n in silencer.numbers for line in silencer.lines})
    left, used = [], set[tuple[int, Silencer]]()
    for warning in {(w.number, w.span): w for w in found}.values():  # cells may share a function
        by = next((quiet[at] for at in _places(warning) if at in quiet), None)
        if by is None:
            left.append(warning)
        else:
            used.add((warning.number, by))
    unused = {(number, silencer) for (number, _, _), silencer in quiet.items()} - used
    left += [silencer.unused(number) for number, silencer in sorted(unused, key=lambda pair: pair[0])]
    return tuple(sorted((replace(w, warning=True) for w in left), key=lambda w: w.span.start if w.span else 0))


Place: TypeAlias = tuple[int, int, int]
"""The number of a warning, a line, and the id of the source that has it."""


def _places(warning: Diagnostic) -> list[Place]:
    """The number of a warning with the lines at which a comment silences it."""
    span = warning.span
    lines = dict.fromkeys((span.line, span.end_line)) if span else ()
    return [(warning.number, line, id(span.source)) for line in lines] if span else []


# ----------------------------------------------------------------------------------------------------------- silencers


@dataclass(frozen=True)
class Silencer:
    """A comment `# ok: RNN103`, and the lines that it silences: its own; also the next one if it is alone."""

    numbers: tuple[int, ...]
    lines: frozenset[int]
    span: Span

    def unused(self, number: int) -> Diagnostic:
        """The warning about a comment that silences nothing."""
        help = "leave the comment out"
        return say(USELESS_COMMENT, f"no RNN{number:03d} to silence here", self.span, help=help)


def silencers(source: Source) -> list[Silencer]:
    """All comments that silence something."""
    out, last = [], 0
    for word in words_of(source.text):
        line = word.line or 1
        found = SILENCED.match(word) if word.type == "COMMENT" else None
        if found is not None:
            numbers = tuple(int(n) for n in re.findall(r"\d+", found[1]))
            out.append(Silencer(numbers, frozenset({line} if last == line else {line, line + 1}), where(source, word)))
        last = word.end_line or line
    return out


# ------------------------------------------------------------------------------------------------------------ warnings


@dataclass(frozen=True)
class Cell:
    """The facts about a cell that the rules need."""

    cell: syntax.Cell
    module: Module
    reads: Reads
    scalars: Scalars
    live: frozenset[str]
    """The names that an output or a loss depends on."""
    outside: tuple[set[str], set[str], set[str]]
    """What other cells read of it: see `outside`."""


def of_cell(
    definition: CellDef, read_outside: tuple[set[str], set[str], set[str]], losing: set[int]
) -> Iterator[Diagnostic]:
    """All warnings about a cell."""
    cell, module = definition.cell, definition.module
    reads = reads_of(cell, module, losing)
    cells = {name: d.cell for name, d in module.cells.items()}
    for entry in cell.dimensions:
        if isinstance(entry.default, syntax.Name) and entry.default.name in cells:
            cells[entry.name] = cells[entry.default.name]
    scalars = scalars_of(cell, module.functions, cells)
    live = frozenset(reads.leading_to({p.name for p in cell.outputs} | read_outside[2] & reads.mentioned.keys()))
    facts = Cell(cell, module, reads, scalars, live, read_outside)
    for rule in RULES:
        yield from rule(facts)


def of_text(module: Module) -> Iterator[Diagnostic]:
    """RNN103: a function of the text that nothing calls. RNN110: a cell of the library that nothing uses."""
    file = module.file
    read = {part.name for cell in file.cells for part in syntax.walk(cell) if isinstance(part, syntax.Name)}
    callers: dict[str, set[str]] = {}
    for fn in file.functions:
        for name in names_in(fn):
            callers.setdefault(name, set()).add(fn.name)
    for fn in file.functions:
        if fn.name not in read and not callers.get(fn.name, set()) - {fn.name}:
            yield say(UNREAD_EQUATION, f"nothing calls the function {fn.name}", fn.span)
    for use in file.uses:
        for used in use.names if use.path is None else ():
            if used.name not in read:
                yield say(UNUSED_CELL, f"nothing uses the cell {used.name}", used.span)


def _unread(cell: Cell, name: str, what: str) -> str:
    """The title of a warning about a name that leads nowhere."""
    what = f"{what} {name}".removeprefix("the equation of ")
    readers = sorted(r for r in cell.reads.readers.get(name, ()) if r != name)
    if readers:
        return f"only {', '.join(readers[:3])} reads {what}, which leads to no output and no loss"
    return f"nothing{' but itself' * (name in cell.reads.of(name))} reads {what}"


def parameters(cell: Cell) -> Iterator[Diagnostic]:
    """RNN101: a parameter or constant that leads nowhere."""
    for s in flatten(cell.cell.body):
        if isinstance(s, syntax.Param | syntax.Const):
            what = "the parameter" if isinstance(s, syntax.Param) else "the constant"
            for target in s.targets:
                if target.name not in cell.live:
                    yield say(UNREAD_PARAMETER, _unread(cell, target.name, what), target.span)


def inputs(cell: Cell) -> Iterator[Diagnostic]:
    """RNN102: an input that leads nowhere. RNN108: one with steps or batch."""
    for port in cell.cell.inputs:
        if port.name not in cell.live:
            yield say(UNREAD_INPUT, _unread(cell, port.name, "the input"), port.span)
        rest = unbatched(port)
        if rest is not None:
            help = f"leave out time and batch: declare {port.name}: {rest}"
            yield say(BATCH_IN_SHAPE, f"{port.name} has steps or batch among its dimensions", port.type.span, help=help)


def equations(cell: Cell) -> Iterator[Diagnostic]:
    """RNN103: an equation or a function that leads nowhere. RNN104: a state that does."""
    statements = flatten(cell.cell.body)
    states = {t.name for s in statements if isinstance(s, syntax.State) for t in s.targets}
    values = {s.target.name: s.value.span.text for s in statements if isinstance(s, syntax.Equation)}
    defined = {s.target.name: s.target.span for s in reversed(statements) if isinstance(s, syntax.Equation)}
    functions = {s.name: s.span for s in statements if isinstance(s, syntax.Fn)}
    for name, span in {**defined, **functions}.items():
        if name in cell.live:
            continue
        if name in states:
            yield say(UNREAD_STATE, _unread(cell, name, "the state"), span)
        else:
            title = _unread(cell, name, "the function" if name in functions else "the equation of")
            title = title.replace("reads the function", "calls the function")
            yield say(UNREAD_EQUATION, title, span, help=_first_value(name, states, values))


def _first_value(name: str, states: set[str], values: dict[str, str]) -> str | None:
    """The help for `h_0 = 0` and `h0 = 0`, which do not set an initial value."""
    base = re.fullmatch(r"(.+?)_?(?:0|init|start)", name)
    if base is None or base[1] not in states:
        return None
    return f"the initial value of a state is set in its declaration: state {base[1]} : [...] = {values.get(name, '0')}"


def pasts(cell: Cell) -> Iterator[Diagnostic]:
    """RNN105: a state whose past nothing reads, in its cell or from outside."""
    streams, cells, _ = cell.outside
    for s in flatten(cell.cell.body):
        if not isinstance(s, syntax.State):
            continue
        for target in s.targets:
            name = target.name
            elsewhere = name in streams or (cell.cell.name in cells and name == cell.cell.outputs[0].name)
            if name in cell.live and name not in cell.reads.past and not elsewhere:
                help = f"read {name}[t-1] somewhere, or leave the declaration out: {name} = ... needs none"
                yield say(UNREAD_PAST, f"nothing reads the past of the state {name}", target.span, help=help)


def outside(module: Module) -> tuple[set[str], set[str], set[str]]:
    """What the cells of a text read of others.

    These are streams inside of uses, and cells, of which they read earlier steps or initial values; and all streams
    inside of uses that they read.
    """
    streams: set[str] = set()
    cells: set[str] = set()
    inside: set[str] = set()
    for cell in module.file.cells:
        stepped: set[str] = set()
        for part in syntax.walk(cell):
            if isinstance(part, syntax.Attribute):
                inside.add(part.name)
            if isinstance(part, syntax.From):
                streams.update(k.name for k in part.first)
            if isinstance(part, syntax.Subscript) and any(syntax.mentions_time(i) for i in part.indices):
                if isinstance(part.value, syntax.Attribute):
                    streams.add(part.value.name)
                elif isinstance(part.value, syntax.Name):
                    stepped.add(part.value.name)
        for s in flatten(cell.body):
            if isinstance(s, syntax.Equation) and s.target.name in stepped:
                cells.update(names_in(s.value))
    return streams, cells, inside


def outputs(cell: Cell) -> Iterator[Diagnostic]:
    """RNN106: an output that no input reaches."""
    given = {p.name for p in cell.cell.inputs}
    for port in cell.cell.outputs:
        if not cell.reads.closure({port.name}) & given:
            yield say(UNREACHED_OUTPUT, f"no input reaches the output {port.name}", port.span)


def draws(cell: Cell) -> Iterator[Diagnostic]:
    """RNN107: `noise(0, s)` where the value of the equation is a vector, or a number that a vector reads."""
    statements = flatten(cell.cell.body)
    equations = [s for s in statements if isinstance(s, syntax.Equation)]
    numbers = {id(s) for s in equations if s.target.name in cell.scalars.names or cell.scalars.has(s.value)}
    spread = {name for s in equations if id(s) not in numbers for name in names_in(s.value)}
    values = [s.value for s in equations if id(s) not in numbers or s.target.name in spread]
    functions = {**cell.module.functions, **{s.name: s for s in statements if isinstance(s, syntax.Fn)}}
    dimensions = {d.name for d in cell.cell.dimensions}
    for call, parameters in _calls(values, functions):
        inside = cell.scalars.inside(*parameters)
        if _draws_a_number(call, dimensions - parameters) and inside.all(call.arguments[1:]):
            std = call.arguments[1].span.text if len(call.arguments) > 1 else "s"
            help = f"{call.callee.span.text}(x, {std}) adds an independent draw to each element of x"
            yield say(SINGLE_DRAW, f"{call.span.text} is one draw for all elements", call.span, help=help)


def _calls(
    values: list[syntax.Expression], functions: Mapping[str, syntax.Fn]
) -> Iterator[tuple[syntax.Call, frozenset[str]]]:
    """The calls in expressions, and those in the functions that these apply, with the parameters of the function."""
    waiting, applied = [(value, frozenset[str]()) for value in reversed(values)], set[str]()
    while waiting:
        value, parameters = waiting.pop()
        for part in syntax.walk(value):
            if isinstance(part, syntax.Call):
                yield part, parameters
                name = part.callee.name if isinstance(part.callee, syntax.Name) else ""
                if name in functions and name not in applied:
                    applied.add(name)
                    waiting.append((functions[name].body, frozenset(functions[name].parameters)))


def _draws_a_number(call: syntax.Call, known: Set[str]) -> bool:
    """Whether noise is added to a number that is made of these names, which are known at compilation."""
    named = isinstance(call.callee, syntax.Name) and call.callee.name in ("noise", "sample")
    return named and bool(call.arguments) and set(names_in(call.arguments[0])) <= known


def entries(cell: Cell) -> Iterator[Diagnostic]:
    """RNN109: an entry of the square brackets that nothing reads."""
    read = {part.name for part in syntax.walk(cell.cell) if isinstance(part, syntax.Name)}
    for entry in cell.cell.dimensions:
        if entry.name not in read:
            yield say(UNREAD_ENTRY, f"nothing reads the entry {entry.name} of the header", entry.span)


RULES = (parameters, inputs, equations, pasts, outputs, draws, entries)
