"""Recurrences of random specs: states that read themselves and one another at other steps, and undeclared feedback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recurrency.testing.specs.expressions import expr, leaf
from recurrency.testing.specs.scope import Writer, at
from recurrency.testing.specs.terms import Entry, Expr, Level, Shape, Want


def wanted(w: Writer, shape: Shape | None = None, **changes: Any) -> Want:
    """A stream over the cell's clock."""
    base = Want(w.shape() if shape is None else shape, Level.STREAM, w.cell.clock, depth=w.cell.depth)
    return replace(base, **changes)


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
    delay = w.cell.direction * w.pick((1, 1, 1, 2, 3, 17))
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
    plain = len(want.shape) not in (1, 2)  # @ is for matrices and vectors
    template = w.pick(("{p} @ {s} + {e:p}", "{p} * {s} + {e:p}", "{s} + {e:p}")[plain:])
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
    delay = direction * w.pick((1, 2, 11))
    w.define(name, shape, Expr(f"-0.7 * {name}{at(delay)} + {new:p}", Level.STREAM, new.degree, False), w.cell.clock)
