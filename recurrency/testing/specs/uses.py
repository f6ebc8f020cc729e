"""Uses of cells in random specs: dimensions in every way in which they may be given, arguments, first states."""

from __future__ import annotations

import re
from dataclasses import replace

from recurrency.testing.specs.expressions import expr
from recurrency.testing.specs.scope import Writer, Written, moved
from recurrency.testing.specs.terms import Entry, Expr, Level, Port, Shape, Size, Want


def use(w: Writer, want: Want, name: str = "", cell: Written | None = None) -> tuple[str, list[Entry]]:
    """The text of a use over the wanted clock, and the streams that it has under a name."""
    cell = w.pick(usable(w, want)) if cell is None else cell
    units = sizes(w, cell, want)
    arguments = inputs(w, cell, want, units)
    text = f"{called(w, cell)}{brackets(w, cell, units)}({', '.join(arguments)})"
    text += replaced(w, cell, want, units, name, handed(w, cell, want, units))
    own = bool(name) and f"{name}." in text
    changed = clause(w, cell, want)
    if own and changed.startswith(" when"):  # its other steps can't be read, not even by its own past
        changed = ""
    w.cell.causal, w.cell.held = w.cell.causal and cell.causal, w.cell.held and cell.held
    found = streams(w, cell, want, units, name)
    if changed.startswith(" when"):  # from outside, its other steps can't be read
        found = [replace(entry, timed=False, first=False) for entry in found]
    return text + changed, found


def called(w: Writer, cell: Written) -> str:
    """The name of a cell, or an entry of the square brackets that stands for it."""
    if not w.sometimes(6) or w.cell.layer not in ("", cell.name):
        return cell.name
    if not w.cell.layer:
        w.cell.layer = cell.name
        w.cell.dimensions.append(f"Layer = {cell.name}")
    return "Layer"


def usable(w: Writer, want: Want) -> list[Written]:
    """The cells that can be used here: those whose clocks are there, and symbols for them."""
    return [c for c in w.file.cells if all(fits(w, c, port, want) for port in c.inputs)]


def fits(w: Writer, cell: Written, port: Port, want: Want) -> bool:
    """Whether there can be an argument for an input."""
    clock = clock_of(w, cell, port.clock, want)
    return bool(clock) and (port.index is None or bool(symbols(w, replace(want, clock=clock))))


def clock_of(w: Writer, cell: Written, clock: str, want: Want) -> str:
    """What stands for a clock of the used cell ("" where there is none)."""
    if clock == cell.clock:
        return want.clock
    return next((p.clock for p in w.cell.inputs if p.clock != want.clock), "")


def symbols(w: Writer, want: Want) -> list[Entry]:
    """The streams of symbols that can be handed over."""
    found = w.symbols(replace(want, must=True, whole=True))
    return [e for e in found if e.index is not None and e.index.pieces() is None]


def sizes(w: Writer, cell: Written, want: Want) -> dict[str, Size]:
    """What stands for the units of the used cell; where there are symbols, it is their number."""
    units = {unit: w.pick([Size.of(u) for u in w.cell.units]) for unit in cell.units}
    for port in cell.inputs:
        if port.index is not None:
            found = symbols(w, replace(want, clock=clock_of(w, cell, port.clock, want)))[0]
            assert found.index is not None
            units[str(port.index)] = found.index
    return units


def brackets(w: Writer, cell: Written, units: dict[str, Size]) -> str:
    """The square brackets: all dimensions by name, or those that do not follow from the arguments by position."""
    following = {str(size) for port in cell.inputs for size in (*port.shape, port.index) if size is not None}
    free = [unit for unit in cell.units if unit not in following]
    by_name = w.sometimes()
    found = [f"{unit} = {units[unit]}" for unit in cell.units] if by_name else [str(units[unit]) for unit in free]
    found += [w.pick(option.split("|")) for option in cell.options if w.sometimes(2)]
    return f"[{', '.join(found)}]" if found else ""


def inputs(w: Writer, cell: Written, want: Want, units: dict[str, Size]) -> list[str]:
    """The arguments, by position or by name; what the used cell may not feed back into is not read."""
    whole = want.whole or not (cell.causal and w.cell.direction > 0)
    found = []
    for port in cell.inputs:
        part = want.part(clock=clock_of(w, cell, port.clock, want), level=Level.STREAM, must=True, whole=whole)
        found.append(argument(w, port, part, units))
    by_name = w.sometimes(4)
    return [f"{port.name} = {a.text}" if by_name else a.text for port, a in zip(cell.inputs, found, strict=True)]


def argument(w: Writer, port: Port, part: Want, units: dict[str, Size]) -> Expr:
    """What flows into one input."""
    if port.index is None:
        return expr(w, replace(part, shape=moved_shape(port.shape, units)))
    return w.read(part, symbols(w, part)[0])


def moved_shape(shape: Shape, units: dict[str, Size]) -> Shape:
    """A shape of the used cell, outside of it."""
    return tuple(size.at(units) for size in shape)


def handed(w: Writer, cell: Written, want: Want, units: dict[str, Size]) -> str:
    """First states that are handed over."""
    if not cell.states or not w.sometimes():
        return ""
    name, shape = w.pick(cell.states)
    first = expr(w, Want(moved_shape(shape, units), Level.SEQUENCE, want.clock, depth=want.depth - 1))
    return f" from ({name} = {first.text})"


def replaced(w: Writer, cell: Written, want: Want, units: dict[str, Size], name: str, first: str) -> str:
    """First states, and what stands for a state a step before; `name` is that of the use, if it has one."""
    states = [(state, shape) for state, shape in cell.states if f"({state} =" not in first and lasting(w, cell, state)]
    if not states or not w.sometimes():
        return first
    state, shape = w.pick(states)
    whole = want.whole or not (cell.causal and w.cell.direction > 0)
    part = want.part(clock=clock_of(w, cell, cell.clock, want), level=Level.STREAM, whole=whole)
    value = f"tanh({expr(w, replace(part, shape=moved_shape(shape, units), depth=1)).text})"
    if name and not whole and w.sometimes(2):
        value = f"0.9 * {name}.{state}[t-1] + 0.1 * {value}"
    return f"{first} with ({state} = {value})"


def lasting(w: Writer, cell: Written, state: str) -> bool:
    """Whether a cell reads a state at this step and one step before, and at no others, which a function may hide."""
    steps = set(re.findall(rf"(?<![\w.]){re.escape(state)}\[t([^\]]*)\]", cell.text))
    hidden = any(f"{function.name}(" in cell.text for function in w.file.functions if function.timed)
    return not cell.text or (steps == {"-1"} and not hidden)


def clause(w: Writer, cell: Written, want: Want) -> str:
    """Where a cell that reads no later steps begins again, or stands still."""
    if not cell.causal or not w.sometimes(2):
        return ""
    whole = want.whole or w.cell.direction < 0
    part = want.part(shape=(), clock=clock_of(w, cell, cell.clock, want), level=Level.STREAM, must=True, whole=whole)
    gate = expr(w, replace(part, depth=1)).text
    if cell.held and not w.sometimes():
        return f" when {w.pick(('({} < 0.1234)', 'sigmoid({})')).format(gate)}"
    return f" reset ({gate} < 0.1234)"


def streams(w: Writer, cell: Written, want: Want, units: dict[str, Size], name: str) -> list[Entry]:
    """The output under the name of the use, then its other streams."""
    found = [moved(e, f"{name}.", units, clock_of(w, cell, e.clock, want)) for e in cell.inner]
    return [replace(found[0], text=name, first=False), *found]
