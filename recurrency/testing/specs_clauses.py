"""What a cell of a random spec consists of: clauses, each of which declares something or writes equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recurrency.testing.specs_expressions import GREATEST_DEGREE, expr, leaf
from recurrency.testing.specs_forms import clocks, families
from recurrency.testing.specs_scope import Writer, Written, at
from recurrency.testing.specs_terms import Entry, Expr, Family, Fn, Level, Shape, Size, Want, shown
from recurrency.testing.specs_uses import usable, use


def wanted(w: Writer, shape: Shape | None = None, **changes: object) -> Want:
    """A stream over the cell's clock."""
    base = Want(w.shape() if shape is None else shape, Level.STREAM, w.cell.clock, depth=w.cell.depth)
    return replace(base, **changes)  # type: ignore[arg-type]


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
    w.cell.functions.append(Fn(name, 1, want.shape, body.level))


# ------------------------------------------------------------------------------------------------------- recurrences

FIRSTS = ("= 0", "~ uniform(0.5)", "= 0.5", "~ zeros", "= ")
UPDATES = (
    "tanh({u})",
    "tanh({e:p} + {u})",
    "0.6 * {s} + tanh({e})",
    "clip({s} + {e:p}, -1, 1)",
    "zoneout(tanh({u}), {s}, 0.2)",
    "max(0.8 * {s}, tanh({e}))",
    "where({e} < 0.1234, {s}, tanh({u}))",
    "{g} * {s} + (1 - {g}) * tanh({e})",
    "sin({s} + clip_grad({u}, 2))",
    "hard_sigmoid({e}) * {s} - sigmoid({u})",
    "{s} / (1 + square({s})) + {e:p} / (1 + square({s}))",
)


def recurrence(w: Writer) -> None:
    """States that read themselves and one another at earlier steps."""
    _recurrence(w, 1)


def backward_recurrence(w: Writer) -> None:
    """The same, at later steps."""
    _recurrence(w, -1)


def _recurrence(w: Writer, direction: int) -> None:
    shapes = [w.shape() for _ in range(w.pick((1, 1, 2)))]
    firsts = [first(w, shape) for shape in shapes]
    w.begin(direction)
    for state in [w.state(shape, text) for shape, text in zip(shapes, firsts, strict=True)]:
        if w.sometimes(4):
            want = wanted(w)
            w.define(w.name("a"), want.shape, expr(w, want), w.cell.clock)
        w.settle(state.text, update(w, state))
    w.end()


def first(w: Writer, shape: Shape) -> str:
    """What a state is before its first step."""
    text = w.pick(FIRSTS)
    return text if text != "= " else text + expr(w, Want(shape, Level.SEQUENCE, w.cell.clock)).text


def update(w: Writer, state: Entry) -> Expr:
    """The equation of a state; what it reads of itself is bounded."""
    delay = w.cell.direction * w.pick((1, 1, 1, 2, 3))
    old = Expr(state.text + at(delay), Level.STREAM, 0)
    want = wanted(w, state.shape)
    template = w.pick(UPDATES)
    parts = {"s": old, "u": mixed(w, want, old)} if "{u}" in template else {"s": old}
    if "{e" in template:
        parts["e"] = expr(w, want)
    if "{g}" in template:
        inner = expr(w, want.part())
        gate = w.define(w.name("g"), want.shape, Expr(f"sigmoid({inner})", inner.level), want.clock)
        parts["g"] = Expr(gate.text, gate.level)
    return Expr(template.format(**parts), Level.STREAM, 1, False)


def mixed(w: Writer, want: Want, old: Expr) -> Expr:
    """What a state was, times parameters, plus something else."""
    template = w.pick(("{p} @ {s} + {e:p}", "{p} * {s} + {e:p}", "{s} + {e:p}")[len(want.shape) == 0 :])
    shape = (want.shape[0], want.shape[0]) if "@" in template else w.pick((want.shape, ()))
    parameter = w.param(shape) if "{p}" in template else old
    return Expr(template.format(p=parameter, s=old, e=expr(w, want.part())), Level.STREAM, 1, False)


def memory(w: Writer) -> None:
    """A matrix state that is written by outer products and read by a query."""
    rows, columns = w.vector(), w.vector()
    start = first(w, rows + columns)
    w.begin(1)
    state = w.state(rows + columns, start)
    value, key = (expr(w, wanted(w, shape, depth=1)) for shape in (rows, columns))
    forget = leaf(w, wanted(w, ()))
    text = f"sigmoid({forget}) * {state.text}[t-1] + outer(tanh({value}), tanh({key}))"
    w.settle(state.text, Expr(text, Level.STREAM, 1, False))
    w.end()
    query = expr(w, wanted(w, columns, depth=1))
    w.define(w.name("a"), rows, Expr(f"{state.text} @ {query:p}", Level.STREAM, 2), w.cell.clock)


def feedback(w: Writer) -> None:
    """A stream that reads its own past without being declared a state."""
    direction = -1 if w.cell.ahead and w.sometimes() else 1
    shape, name = w.shape(), w.name("f")
    new = expr(w, wanted(w, shape, must=True))
    w.cell.causal = w.cell.causal and direction > 0
    delay = direction * w.pick((1, 2))
    w.define(name, shape, Expr(f"-0.7 * {name}{at(delay)} + {new:p}", Level.STREAM, new.degree, False), w.cell.clock)


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
    (has_cells, use_of_cell),
    (anywhere, layers),
    (anywhere, feedback),
    (anywhere, memory),
    (anywhere, port),
    (anywhere, symbols),
    (looks_ahead, backward_recurrence),
    (lambda w: w.cell.clock == "t" and len(clocks(w)) == 1, another_clock),
    (anywhere, members),
    (anywhere, sequence),
    (anywhere, constant),
    (anywhere, function),
    (lambda w: bool(w.cell.families), folded),
    (lambda w: bool(usable(w, wanted(w, ()))), shared),
    (lambda w: w.cell.ahead and bool(one_clock(w)), both_ways),
)
"""When a clause can be written, and how; the simplest first."""
