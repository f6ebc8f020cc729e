"""Random `.rnn` texts: a Hypothesis strategy of valid specs, which shrink to short ones.

    @given(programs())
    def test_my_compiler(program: Program) -> None:
        spec = program.spec()
        model = spec.compile(backend="mine", **program.dimensions)

Each text is written in a way that makes it valid: an expression is asked for with its shape and kind, names are read
where that leads into no circle, and what could overflow is bounded. Nothing is drawn and thrown away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurrency.testing.specs.clauses import CLAUSES
from recurrency.testing.specs.expressions import DRAWING, ELEMENTWISE, expr, most, none
from recurrency.testing.specs.losses import loss
from recurrency.testing.specs.recurrences import wanted
from recurrency.testing.specs.scope import Cell, File, Writer, Written, used
from recurrency.testing.specs.sources import Choices, Drawn
from recurrency.testing.specs.streams import clocks
from recurrency.testing.specs.terms import Entry, Expr, Fn, Level, Port, Size, shown

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from recurrency.model.spec import Spec

UNITS = ("N", "H", "K")
H, N = (Size.of("H"),), (Size.of("N"),)
LIBRARY = {
    "Elman": (["N", "H"], H, [("h", H)]),
    "GRU": (["N", "H"], H, [("h", H)]),
    "LSTM": (["N", "H"], H, [("c", H), ("h", H)]),
    "Linear": (["N", "K"], (Size.of("K"),), []),
}
"""Shipped cells that random specs use: units, shape of the output, states."""


@dataclass(frozen=True)
class Program:
    """A text, whose last cell is run, and numbers for its dimensions."""

    text: str
    dimensions: dict[str, Any]
    """Numbers, and lists of numbers for the constants that the caller gives."""

    def spec(self) -> Spec:
        """The spec of the last cell."""
        from recurrency.model.spec import parse

        return parse(self.text, "random.rnn")


def programs(cells: int = 3, clauses: int = 7) -> SearchStrategy[Program]:
    """Valid specs with numbers for their dimensions, from 2 to 5 and mostly different from one another.

    `cells` bounds the cells of a text, `clauses` what each of them consists of. What is drawn shrinks to a short text.
    """
    from hypothesis import strategies as st

    found: SearchStrategy[Program] = st.composite(lambda draw: written(Drawn(draw), cells, clauses))()
    return found


def written(choices: Choices, cells: int = 3, clauses: int = 7) -> Program:
    """The program of some choices; `written(Dice(7))` needs no Hypothesis."""
    file = File()
    head = Writer(choices, file, Cell("", list(UNITS)))
    prologue(head)
    choices.several(lambda: part(head, clauses), cells - 1)
    main = cell(Writer(choices, file, Cell("Main", list(UNITS))), clauses)
    first = head.pick((2, 3, 4, 5))
    order = {unit: 2 + (first - 2 + place) % 4 for place, unit in enumerate(UNITS)}
    if head.sometimes(8):
        order = dict.fromkeys(UNITS, first)
    needed = [c.text for c in file.cells if c.text]
    arrays = {name: elements([size.number(order) for size in shape]) for name, shape in main.given.items()}
    return Program("\n".join([*file.lines, *needed, main.text]), {u: order[u] for u in main.units} | arrays)


def elements(shape: Sequence[int]) -> list[Any]:
    """Lists of numbers from -1 to 1, for an array of this shape."""
    rows, columns = shape
    return [[round(math.sin(2 * i + 3 * j + 1), 2) for j in range(columns)] for i in range(rows)]


def part(head: Writer, clauses: int) -> None:
    """One more cell, for the last one to use."""
    inside = Cell(head.name("Part"), list(UNITS[:2]), budget=20)
    head.file.cells.append(cell(Writer(head.choices, head.file, inside), clauses))


# --------------------------------------------------------------------------------------------------- the file's lines


def prologue(w: Writer) -> None:
    """Functions of the file, and cells of the library."""
    w.choices.several(lambda: w.pick((plain_function, timed_function, higher_function))(w), 2)
    if w.sometimes():
        name = w.pick(tuple(LIBRARY))
        units, output, states = LIBRARY[name]
        inner = [Entry("h" if states else "y", output, Level.STREAM)]
        w.file.lines.append(f"use {name} from library\n")
        w.file.cells.append(Written(name, units, [Port("x", N)], inner, list(states), True, ""))


SLOPES = ("1", "tanh({0})", "1 / (1 + square({0}))", "0", "-0.5")
"""Derivatives that a function may state; each depends on its argument alone, so that the Hessian is symmetric."""


def plain_function(w: Writer) -> None:
    """A function of one or two values, element by element."""
    name = w.name("act")
    arguments = ["a", "b"][: w.pick((1, 2))]
    rows = [row for row in ELEMENTWISE if set(row.takes) <= {"s", "e"} and row.grows in (most, none)]
    rows = [row for row in rows if not any(word in row.template for word in ("THRESHOLD", "grad"))]
    text = "a"
    for _ in range(w.pick((1, 2))):
        row = w.pick(rows)
        text = row.template.format(*[Expr(text, Level.CONST, 0, False), *[Expr(arguments[-1], Level.CONST)] * 2])
    arguments = arguments if re.search(r"\bb\b", text) else ["a"]  # a stream that is not read makes no stream
    static = any(word in text for word in (*DRAWING, "heaviside", "straight"))
    if w.sometimes():
        text = f"{text} derivative {', '.join(w.pick(SLOPES).format(a) for a in arguments)}"
        static = True
    w.file.lines.append(f"fn {name}({', '.join(arguments)}) = {text}\n")
    w.file.functions.append(Fn(name, len(arguments), None, Level.STATIC if static else Level.CONST))


def timed_function(w: Writer) -> None:
    """A function that reads other steps of what it gets."""
    name = w.name("change")
    w.file.lines.append(f"fn {name}(a) = {w.pick(('a - 0.5 * a[t-1]', 'tanh(a[t-2]) + a', 'a[t-1] * a'))}\n")
    w.file.functions.append(Fn(name, 1, None, Level.STREAM, timed=True))


def higher_function(w: Writer) -> None:
    """A function that takes a function."""
    name = w.name("twice")
    w.file.lines.append(f"fn {name}(f, a) = f(f(a))\n")
    w.file.functions.append(Fn(name, 1, None, Level.CONST, takes="tanh sin sigmoid relu"))


# ------------------------------------------------------------------------------------------------------------- a cell


def cell(w: Writer, clauses: int) -> Written:
    """A whole cell."""
    c = w.cell
    c.ahead, c.depth = w.sometimes(2), w.pick((1, 2, 3))
    c.clock = "s" if w.sometimes(10) else "t"
    w.input(N if not w.sometimes(4) else w.shape())
    options = entries(w)
    w.choices.several(lambda: w.pick([write for fits, write in CLAUSES if fits(w)])(w), clauses)
    outputs = results(w)
    w.choices.several(lambda: loss(w), 3 if c.name == "Main" else int(w.sometimes()))
    return finished(w, outputs, options)


def entries(w: Writer) -> list[str]:
    """Entries of the square brackets that are no dimensions, and what a use may give in their place."""
    options = []
    if w.sometimes(5):
        w.cell.dimensions.append("squash = tanh")
        w.cell.functions.append(Fn("squash", 1))
        options.append("squash = relu|squash = sigmoid")
    if w.sometimes(5):
        w.cell.dimensions.append("rate = 0.5")
        w.cell.entries.append(Entry("rate", (), Level.CONST, timed=False, degree=0))
        options.append("rate = 0.125|rate = -0.5")
    return options


def results(w: Writer) -> list[Entry]:
    """The outputs: one that is a stream for certain, and perhaps names that are there already."""
    want = wanted(w, must=True)
    outputs = [w.define(w.name("y"), want.shape, expr(w, want), want.clock)]
    plain = [e for e in w.cell.entries if e.timed and e.text.isalnum() and not is_input(w, e) and e not in outputs]
    plain = [e for e in plain if e.level is Level.STREAM or e.clock == w.cell.clock]
    plain.sort(key=lambda e: e.index is None)
    if plain and w.sometimes(2):
        outputs.append(w.pick(plain))
    static = [e for e in plain if e.level <= Level.STATIC and e not in outputs]
    return [*outputs, *([w.pick(static)] if static and w.sometimes(2) else [])]


def is_input(w: Writer, entry: Entry) -> bool:
    """Whether a name is that of an input."""
    return any(port.name == entry.text for port in w.cell.inputs)


def finished(w: Writer, outputs: list[Entry], options: list[str]) -> Written:
    """The text of a cell, with what uses need to know."""
    c = w.cell
    ports = ", ".join(f"{p}{over(p.clock, c.clock == 's' or p.clock != c.clock)}" for p in c.inputs)
    shapes = [shown(e.shape) if e.index is None else f"index[{e.index}]" for e in outputs]
    results = ", ".join(
        f"{e.text}: {s}{over(e.clock, e.clock != c.clock)}" for e, s in zip(outputs, shapes, strict=True)
    )
    body = "".join(f"    {line}\n" for line in (*c.declared, *c.lines))
    units = used(c.units, ports + results + body)
    brackets = ", ".join([*units, *c.dimensions])
    text = f"cell {c.name}{f'[{brackets}]' if brackets else ''}({ports}) -> ({results}) {{\n{body}}}\n"
    inner = [e for e in c.entries if e.timed and e not in outputs]
    alone = len(clocks(w)) == 1
    held = c.held and not any(line.startswith("loss") for line in c.lines)
    return Written(
        c.name,
        units,
        c.inputs,
        [*outputs, *inner],
        c.states,
        c.causal and alone,
        text,
        c.clock,
        tuple(options),
        given=c.given,
        held=held,
    )


def over(clock: str, said: bool) -> str:
    """The clock of a port, where it is written."""
    return f" over {clock}" if said else ""
