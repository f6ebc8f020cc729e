"""Operations across time and sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurrency.graph.op import Array, Attrs, Reading, Trait, define
from recurrency.graph.type_rules import clocked, sequence_of, stepped
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value


def _shift_gradient(g: Value, y: Value, x: Value, *first: Value, delay: int) -> tuple[Value, ...]:
    if is_line(first, y):
        return g.shift(-delay), g.opening(delay)
    return (g.shift(-delay), *(g.pick(step) for step in range(1, len(first) + 1)))


def is_line(first: Sequence[Value], y: Value) -> bool:
    """Whether the first values are one value with a row for each step of the delay, the oldest first."""
    return len(first) == 1 and len(first[0].type.shape) > len(y.type.shape)


def _history_gradient(g: Value, y: Value, x: Value, *before: Value, rows: int) -> tuple[Value, ...]:
    clock = x.type.clock
    return g.unhistory(clock), *(g.slide(-1, clock) for _ in before)


def _final_gradient(g: Value, y: Value, x: Value, *first: Value, slot: int) -> tuple[Value, ...]:
    clock = x.type.clock
    return (g.place(-1 - slot, clock), *(g.if_length(slot - k, clock) for k in range(slot + 1)))


def _read_shift(r: Reading, attrs: Attrs) -> Array:
    """The value `delay` steps before; a first value, or zero, before the first step.

    First values are argument k at step k, or row k of a single argument with a row for each step.
    """
    step = r.step - attrs["delay"]
    if step < 0 and attrs["count"] == 2:
        first = r.arg(1)
        return np.asarray(first[r.step]) if first.ndim > r.zero().ndim else first
    if step < 0:
        return r.arg(1 + r.step) if attrs["count"] > 1 else r.zero()
    return r.arg(0, step) if step < r.length(attrs["clock"]) else r.zero()


def _read_pick(r: Reading, attrs: Attrs) -> Array:
    step = _place(attrs["step"], r.length(attrs["clock"]))
    return r.zero() if step is None else r.arg(0, step)


def _read_place(r: Reading, attrs: Attrs) -> Array:
    return r.arg(0) if _place(attrs["step"], r.length(attrs["clock"])) == r.step else r.zero()


def _place(step: int, length: int) -> int | None:
    """The step (from 0) for `1` (first), `2`, ..., `-1` (last), `-2`, ...; None if there is no such step."""
    found = step - 1 if step > 0 else length + step
    return found if 0 <= found < length else None


def _read_final(r: Reading, attrs: Attrs) -> Array:
    step = r.length(attrs["clock"]) - 1 - attrs["slot"]
    return r.arg(0, step) if step >= 0 else r.arg(-step)


def _read_history(r: Reading, attrs: Attrs) -> Array:
    length, out = r.length(attrs["clock"]), r.zero()
    rows = len(out)
    for k in range(rows):
        if k + length >= rows:
            out[k] = r.arg(0, k + length - rows)
        elif attrs["count"] == 2:
            out[k] = r.arg(1)[k + length]
    return out


def _read_opening(r: Reading, attrs: Attrs) -> Array:
    out = r.zero()
    for k in range(min(len(out), r.length(attrs["clock"]))):
        out[k] = r.arg(0, k)
    return out


def _read_row(r: Reading, row: int) -> Array:
    """A row of the argument; zero if there is none."""
    line = r.arg(0)
    return np.asarray(line[row]) if 0 <= row < len(line) else r.zero()


def _read_slide(r: Reading, attrs: Attrs) -> Array:
    line, out, by = r.arg(0), r.zero(), attrs["by"] * r.length(attrs["clock"])
    low, high = max(0, -by), min(len(line), len(line) - by)
    if low < high:
        out[low:high] = line[low + by : high + by]
    return out


def _read_sum_time(r: Reading, attrs: Attrs) -> Array:
    return sum((r.arg(0, t) for t in range(r.length(attrs["clock"]))), r.zero())


def _spread_type(types: tuple[Type, ...], attrs: Attrs) -> Type:
    clock = attrs["clock"]
    return Type(Kind.SEQUENCE if clock is None else Kind.STREAM, types[0].shape, clock, types[0].index)


def _stack(rows: list[Array], zero: Array) -> Array:
    return np.stack(rows) if rows else zero


define(
    "shift",
    None,
    stepped,
    _shift_gradient,
    at=_read_shift,
    cost=0,
    group="time",
    traits={Trait.VIEW, Trait.DELAYS, Trait.DISPLACES, Trait.LOOPS, Trait.MOVES, Trait.LINEAR, Trait.CHOOSES},
)
define(
    "pick",
    1,
    sequence_of,
    lambda g, y, x, *, step: (g.place(step, x.type.clock),),
    at=_read_pick,
    cost=0,
    group="time",
    traits={Trait.PICKS, Trait.WHOLE, Trait.MOVES, Trait.CHOOSES, Trait.LINEAR},
)
define(
    "place",
    1,
    clocked,
    lambda g, y, x, *, step, clock: (g.pick(step),),
    at=_read_place,
    cost=0,
    group="time",
    traits={Trait.MOVES, Trait.LINEAR},
)
define(
    "final",
    None,
    sequence_of,
    _final_gradient,
    at=_read_final,
    cost=0,
    group="time",
    traits={Trait.FINAL, Trait.CHOOSES, Trait.LINEAR},
)
define(
    "history",
    None,
    lambda t, a: Type(Kind.SEQUENCE, (a["rows"], *t[0].shape), None, t[0].index),
    _history_gradient,
    at=_read_history,
    cost=0,
    group="time",
    traits={Trait.KEEPS_ROWS, Trait.LINEAR},
)
define(
    "unhistory",
    1,
    lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]),
    lambda g, y, x, *, clock: (g.history(x.type.shape[0]),),
    at=lambda r, a: _read_row(r, r.step + len(r.arg(0)) - r.length(a["clock"])),
    cost=0,
    group="time",
    traits={Trait.LINEAR},
)
define(
    "opening",
    1,
    lambda t, a: Type(Kind.SEQUENCE, (a["rows"], *t[0].shape)),
    lambda g, y, x, *, rows: (g.unopening(x.type.clock),),
    at=_read_opening,
    cost=0,
    group="time",
    traits={Trait.LINEAR},
)
define(
    "unopening",
    1,
    lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]),
    lambda g, y, x, *, clock: (g.opening(x.type.shape[0]),),
    at=lambda r, a: _read_row(r, r.step),
    cost=0,
    group="time",
    traits={Trait.LINEAR},
)
define(
    "slide",
    1,
    sequence_of,
    lambda g, y, x, *, by, clock: (g.slide(-by, clock),),
    at=_read_slide,
    cost=0,
    group="boundary",
    traits={Trait.LINEAR},
)
define(
    "if_length",
    1,
    sequence_of,
    lambda g, y, x, *, length, clock: (g.if_length(length, clock),),
    at=lambda r, a: r.arg(0) if r.length(a["clock"]) == a["length"] else r.zero(),
    group="boundary",
    traits={Trait.LENGTHS, Trait.MOVES, Trait.PERMUTES, Trait.CHOOSES, Trait.LINEAR, Trait.ALIGNED},
)
define(
    "reverse",
    1,
    stepped,
    lambda g, y, x: (g.reverse(),),
    at=lambda r, a: r.arg(0, r.length(a["clock"]) - 1 - r.step),
    cost=0,
    group="time",
    traits={Trait.WHOLE, Trait.LINEAR},
)
define(
    "sum_time",
    1,
    sequence_of,
    lambda g, y, x: (g,),
    at=_read_sum_time,
    group="time",
    traits={Trait.ACCUMULATES, Trait.ALL_STEPS, Trait.WHOLE, Trait.LINEAR},
)
define(
    "sum_batch",
    1,
    lambda t, a: Type(Kind.STATIC, t[0].shape),
    lambda g, y, x: (g,),
    at=lambda r, a: sum((r.arg(0, sequence=b) for b in range(r.batch())), r.zero()),
    group="time",
    traits={Trait.ACCUMULATES, Trait.LINEAR},
)
define(
    "spread",
    1,
    _spread_type,
    lambda g, y, x, **attrs: (g,),
    at=lambda r, a: r.arg(0),
    cost=0,
    group="time",
    traits={Trait.VIEW, Trait.SAME, Trait.UNIFORM, Trait.MOVES, Trait.LINEAR, Trait.ALIGNED},
)
define(
    "frames",
    1,
    lambda t, a: Type(Kind.SEQUENCE, (t[0].clock or "", *t[0].shape)),
    lambda g, y, x: (g.unframes(x.type.clock),),
    at=lambda r, a: _stack([r.arg(0, t) for t in range(r.length(a["clock"]))], r.zero()),
    cost=0,
    group="time",
    traits={Trait.VIEW, Trait.DISPLACES, Trait.ALL_STEPS, Trait.WHOLE, Trait.MOVES, Trait.LINEAR, Trait.GATHERS},
)
define(
    "unframes",
    1,
    lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]),
    lambda g, y, x, *, clock: (g.frames(),),
    at=lambda r, a: r.arg(0)[r.step],
    cost=0,
    group="time",
    traits={Trait.VIEW, Trait.DISPLACES, Trait.MOVES, Trait.LINEAR},
)
define(
    "valid",
    1,
    stepped,
    lambda g, y, x: (g.valid(),),
    at=lambda r, a: r.arg(0),
    cost=0,
    group="time",
    traits={
        Trait.VIEW,
        Trait.SAME,
        Trait.CLEANS,
        Trait.LOOPS,
        Trait.MOVES,
        Trait.PERMUTES,
        Trait.LINEAR,
        Trait.ALIGNED,
    },
)
