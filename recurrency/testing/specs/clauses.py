"""The clauses of a cell of a random spec; each declares something or writes equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recurrency.testing.specs.expressions import GREATEST_DEGREE, expr
from recurrency.testing.specs.forms import families
from recurrency.testing.specs.matrices import (
    first_read,
    fixed_vector,
    matrix_constant,
    matrix_input,
    square_state,
    static_equation,
)
from recurrency.testing.specs.recurrences import backward_recurrence, feedback, first, memory, recurrence, wanted
from recurrency.testing.specs.scope import Writer, Written
from recurrency.testing.specs.streams import clocks
from recurrency.testing.specs.tensors import heads, tensor_input
from recurrency.testing.specs.terms import Entry, Expr, Family, Fn, Level, Size, Want, shown
from recurrency.testing.specs.uses import usable, use

# --------------------------------------------------------------------------------------------------- simple equations


def equation(w: Writer) -> None:
    """`a = ...`, over any clock of the cell"""
    clock = w.pick(clocks(w))
    want = wanted(w, clock=clock, must=clock != w.cell.clock)
    w.define(w.name("a"), want.shape, expr(w, want), clock)


def constant(w: Writer) -> None:
    """`const k : [H] = ...`"""
    shape = w.shape()
    w.const(shape, expr(w, Want(shape, Level.CONST, w.cell.clock)).text)


def sequence(w: Writer) -> None:
    """An equation with one value for each sequence, or for all."""
    want = wanted(w, level=w.pick((Level.SEQUENCE, Level.STATIC)))
    states = [e for e in w.cell.entries if e.first]
    if states and w.sometimes(2):
        state = w.pick(states)
        value = Expr(f"init({state.text})", Level.SEQUENCE)
        w.define(w.name("b"), state.shape, value, w.cell.clock)
    else:
        w.define(w.name("b"), want.shape, expr(w, want), w.cell.clock)


def folded(w: Writer) -> None:
    """An equation over all members of a family."""
    found = w.pick(w.cell.families)
    want = wanted(w, found.member.shape, clock=found.member.clock)
    template, name, count, level, degree = w.pick(families(w, want))
    w.define(w.name("a"), want.shape, Expr(template.format(f=name, n=count), level, degree), want.clock)


def port(w: Writer) -> None:
    """One more input."""
    w.input(w.shape())


def symbols(w: Writer) -> None:
    """An input of symbols, and perhaps a name for what it was a step ago."""
    clock = w.pick(clocks(w))
    found = w.input((), Size.of(w.pick(w.cell.units)), clock)
    read = w.read(wanted(w, (), clock=clock), found)
    if w.sometimes():
        name = w.name("v")
        w.cell.lines.append(f"{name} = {read.text}")
        w.cell.entries.append(replace(found, text=name))
    elif w.sometimes():
        assert found.index is not None
        w.define(w.name("a"), (found.index,), Expr(f"onehot({read.text})", Level.STREAM), clock)


def another_clock(w: Writer) -> None:
    """An input over another clock, and something that runs over it."""
    w.cell.ahead = True
    w.cell.causal = False
    w.input(w.shape(), clock="s")
    want = wanted(w, clock="s", must=True)
    w.define(w.name("a"), want.shape, expr(w, want), "s")


def function(w: Writer) -> None:
    """`fn g(z) = ...` in the cell"""
    want = wanted(w, w.vector())
    body = expr(w, want)
    name = w.name("g")
    template = w.pick(("{0:p} * z", "z + {0:p}", "max(z, {0})", "where(z < 0.1234, z, {0})"))
    w.cell.lines.append(f"fn {name}(z) = {template.format(body)}")
    w.cell.functions.append(Fn(name, 1, want.shape, body.level, want.clock))


# --------------------------------------------------------------------------------------------------- families, loops

LAYERS = (
    "tanh({g}[j] + {U}[j] @ {h}[j][t-1])",
    "tanh({g}[j] + sum({U}[i] @ {h}[i][t-1] for i in 1..{n}))",
    "tanh({g}[j] + mean({U}[i] @ {h}[i][t-1] for i in 1..{n} if i >= j))",
    "tanh({g}[j] / j) + 0.5 * {h}[j][t-2]",
)
"""The layers of a family of states; `g` is what a layer reads from below."""


def layers(w: Writer) -> None:
    """A stack of layers that are written as a loop."""
    shape, count = w.vector(), w.pick((2, 3))
    below = expr(w, wanted(w, shape, must=True))
    start = first(w, shape)
    names = {key: w.name(key) for key in ("U", "h", "g")}
    last = w.name("L") if w.sometimes() else str(count)
    if last != str(count):
        w.cell.dimensions.append(f"{last} = {count}")
    w.cell.declared.append(f"param {names['U']}[1..{last}] : {shown((*shape, *shape))} ~ orthogonal(0.8)")
    w.cell.declared.append(f"state {names['h']}[1..{last}] : {shown(shape)} {start}")
    body = w.pick(LAYERS).format(n=last, **names)
    w.cell.lines.append(
        f"for j in 1..{last} {{\n        {names['g']}[j] = {below} if j == 1 else {names['h']}[j-1]\n"
        f"        {names['h']}[j] = {body}\n    }}"
    )
    family(w, names["h"], count, Entry("", shape, Level.STREAM, w.cell.clock, first=True))


def family(w: Writer, name: str, count: int, member: Entry) -> None:
    """Members that have been written, as names and together."""
    w.cell.families.append(Family(name, count, member))
    w.cell.entries += [replace(member, text=f"{name}[{i}]") for i in range(1, count + 1)]


def members(w: Writer) -> None:
    """A family without recurrence, by a loop or one by one."""
    want, name = wanted(w), w.name("m")
    body = expr(w, replace(want, must=True))
    if w.sometimes(2):
        w.cell.lines.append(f"for j in 1..2 {{ {name}[j] = {body:p} * j }}")
    else:
        other = expr(w, replace(want, must=True))
        w.cell.lines.append(f"{name}[1] = {body}\n    {name}[2] = {other}")
        body = replace(body, degree=max(body.degree, other.degree))
    family(w, name, 2, Entry("", want.shape, Level.STREAM, want.clock, degree=body.degree))


# -------------------------------------------------------------------------------------------------------------- uses


def use_of_cell(w: Writer) -> None:
    """`u = Inner[H](x)`, over any clock of the cell, perhaps in a recurrence of its own"""
    want = wanted(w, (), clock=w.pick([c for c in clocks(w) if usable(w, wanted(w, (), clock=c))]))
    name = w.name("u")
    text, streams = use(w, want, name)
    w.cell.lines.append(f"{name} = {text}")
    w.cell.entries += streams


def shared(w: Writer) -> None:
    """An instance of a cell that is called twice, with the same parameters."""
    want = wanted(w, ())
    cell = w.pick(usable(w, want))
    names = [w.name("r"), w.name("u"), w.name("u")]
    text, streams = use(w, want, names[1], cell)
    head, arguments = text[: text.index("(")], text[text.index("(") :]
    w.cell.lines += [
        f"{names[0]} = {head}",
        f"{names[1]} = {names[0]}{arguments}",
        f"{names[2]} = {names[0]}{arguments}",
    ]
    w.cell.entries += [*streams, replace(streams[0], text=names[2])]


def both_ways(w: Writer) -> None:
    """A cell that reads a stream forwards, and again from its end."""
    want = wanted(w, (), whole=True)
    w.cell.causal = False
    name = w.name("u")
    text, streams = use(w, want, name, w.pick(one_clock(w)))
    w.cell.lines.append(f"{name} = reverse({text})")
    w.cell.entries.append(replace(streams[0], degree=GREATEST_DEGREE))


def one_clock(w: Writer) -> list[Written]:
    """The cells that run over one clock and can be used over the cell's own."""
    return [c for c in usable(w, wanted(w, ())) if len({p.clock for p in c.inputs}) == 1]


def anywhere(w: Writer) -> bool:
    """A clause that can always be written."""
    return True


def looks_ahead(w: Writer) -> bool:
    """One that needs later steps."""
    return w.cell.ahead


def has_cells(w: Writer) -> bool:
    """One that uses a cell."""
    return any(usable(w, wanted(w, (), clock=c)) for c in clocks(w))


CLAUSES: tuple[tuple[Callable[[Writer], bool], Callable[[Writer], None]], ...] = (
    (anywhere, equation),
    (anywhere, recurrence),
    *[(anywhere, square_state)] * 3,
    (has_cells, use_of_cell),
    (anywhere, layers),
    (anywhere, feedback),
    (anywhere, memory),
    (anywhere, port),
    (anywhere, matrix_input),
    (anywhere, tensor_input),
    *[(anywhere, heads)] * 2,
    *[(anywhere, first_read)] * 2,
    (anywhere, static_equation),
    (anywhere, symbols),
    (looks_ahead, backward_recurrence),
    (lambda w: w.cell.clock == "t" and len(clocks(w)) == 1, another_clock),
    (anywhere, members),
    (anywhere, sequence),
    (anywhere, constant),
    *[(anywhere, matrix_constant)] * 2,
    (anywhere, fixed_vector),
    (anywhere, function),
    *[(lambda w: bool(w.cell.families), folded)] * 3,
    (lambda w: bool(usable(w, wanted(w, ()))), shared),
    (lambda w: w.cell.ahead and bool(one_clock(w)), both_ways),
)
"""When a clause can be written, and how; the simplest first."""
