"""Forms of whole streams, of functions, and of cells that are used."""

from __future__ import annotations

from dataclasses import replace

from recurrency.testing.specs.expressions import expr, form
from recurrency.testing.specs.forms import wrapped
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.terms import Entry, Expr, Fn, Level, Want
from recurrency.testing.specs.uses import usable, use

# ------------------------------------------------------------------------------------------------------ whole streams


def clocks(w: Writer) -> list[str]:
    """The clocks of the cell's inputs."""
    return list(dict.fromkeys((w.cell.clock, *(p.clock for p in w.cell.inputs))))


@form(lambda w, want: w.cell.ahead and want.level >= Level.SEQUENCE and not want.must)
def collected(w: Writer, want: Want) -> Expr:
    """`last(x)`"""
    w.cell.causal = False
    clock = w.pick(clocks(w)[::-1])
    inner = expr(w, want.part(clock=clock, level=Level.STREAM, must=True, whole=True))
    name = w.pick(("last", "first", "sum_over_time", "mean_over_time", "max_over_time"))
    return Expr(f"{name}({inner})", Level.SEQUENCE, inner.degree)


@form(lambda w, want: w.cell.ahead and want.level is Level.STREAM)
def reversed_(w: Writer, want: Want) -> Expr:
    """`reverse(x)`"""
    w.cell.causal = False
    return wrapped("reverse({0})", expr(w, want.part(must=True, whole=True)))


def bridged(w: Writer, want: Want) -> bool:
    """Whether a value can come from another clock step by step."""
    return want.level is Level.STREAM and len(want.shape) in (1, 2) and len(clocks(w)) > 1


def beyond(w: Writer, want: Want) -> Want:
    """The value of an operand that runs over another clock."""
    w.cell.causal = False
    return want.part(clock=next(c for c in clocks(w) if c != want.clock), must=True, whole=True)


@form(bridged)
def attended(w: Writer, want: Want) -> Expr:
    """`attend(query, keys, values)`, or with `v`"""
    key, inside = w.vector(), beyond(w, want)
    query = expr(w, want.part(shape=key, must=True))
    keys, values = expr(w, replace(inside, shape=key)), expr(w, inside)
    v = f", {expr(w, want.part(shape=key))}" if w.pick((False, True)) else ""
    return Expr(f"attend({query}, {keys}, {values}{v})", Level.STREAM, values.degree)


@form(bridged)
def windowed(w: Writer, want: Want) -> Expr:
    """`window(alpha, beta, kappa, places, values)`"""
    size, inside = w.vector(), beyond(w, want)
    alpha, beta, kappa = (expr(w, want.part(shape=size, must=i == 0)) for i in range(3))
    places, values = expr(w, replace(inside, shape=())), expr(w, inside)
    text = f"window(sin({alpha}), exp(tanh({beta})), {kappa}, {places}, {values})"
    return Expr(text, Level.STREAM, values.degree)


@form(lambda w, want: want.level >= Level.SEQUENCE and not want.must and bool(firsts(w, want)))
def first_value(w: Writer, want: Want) -> Expr:
    """`init(h)`"""
    return Expr(f"init({w.pick(firsts(w, want)).text})", Level.SEQUENCE)


def firsts(w: Writer, want: Want) -> list[Entry]:
    """The complete states of this shape."""
    return [e for e in w.cell.entries if e.first and e.shape == want.shape and e.text not in w.cell.pending]


# ------------------------------------------------------------------------------------------------- functions and uses


@form(lambda w, want: bool(functions(w, want)))
def called(w: Writer, want: Want) -> Expr:
    """A function of the file or of the cell."""
    fn = w.pick(functions(w, want))
    if fn.timed:
        found = w.pick(steady(w, want))
        return Expr(f"{fn.name}({found.text})", Level.STREAM, found.degree)
    first = [w.pick(fn.takes.split())] if fn.takes else []
    part = want.part(must=want.must)
    operands = [expr(w, part if i == 0 else replace(part, must=False)) for i in range(fn.arity)]
    text = f"{fn.name}({', '.join([*first, *(o.text for o in operands)])})"
    return Expr(text, max(fn.level, *(o.level for o in operands)), max(1, sum(o.degree for o in operands)))


def functions(w: Writer, want: Want) -> list[Fn]:
    """The functions that can give a value."""
    found = []
    for fn in (*w.file.functions, *w.cell.functions):
        here = fn.level < Level.STREAM or fn.clock in ("", want.clock)
        fits = fn.shape in (None, want.shape) and fn.level <= want.level and (not fn.timed or steady(w, want))
        found += [fn] if here and fits else []
    return found


def steady(w: Writer, want: Want) -> list[Entry]:
    """The complete streams of this shape, which may be read at other steps."""
    if want.level is not Level.STREAM:
        return []
    return [e for e in w.readable(replace(want, must=True, whole=True)) if e.timed]


@form(lambda w, want: want.level is Level.STREAM and len(want.shape) == 1 and bool(usable(w, want)))
def used(w: Writer, want: Want) -> Expr:
    """A use of a cell without a name of its own, made to fit by a parameter."""
    text, streams = use(w, want)
    found = streams[0]
    if found.shape == want.shape:
        return Expr(text, Level.STREAM, 1)
    if len(found.shape) == 1:
        return Expr(f"{w.param((*want.shape, *found.shape))} @ {text}", Level.STREAM, 1, False)
    return Expr(f"sum({text}) * {w.param(want.shape)}", Level.STREAM, 1, False)
