"""The operations of the stream graph: one row each, with everything that is to know about it.

A row states name, number of arguments, meaning, type rule, gradient rule and cost. `meaning` works on single elements
(no time, no batch): arrays of the shapes in the types. The gradient rule gets the adjoint `g` of the result, the
result `y` and the arguments as `Value`s and gives the adjoint of each argument (None: no gradient). What crosses time
or batch has no meaning for an element alone; its row says instead at which places the arguments are read (`Reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind, Type, join
from recurrency.graph.value import Value, constant

Attrs: TypeAlias = dict[str, Any]
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Reading(Protocol):
    """The place where an operation is evaluated: sequence, step (from 0), and the values around it."""

    sequence: int
    step: int

    def arg(self, position: int, step: int | None = None, sequence: int | None = None) -> Array:
        """The value of an argument here, or at another step or sequence."""

    def zero(self) -> Array:
        """A zero (or "no symbol") of the type of the result."""

    def length(self, clock: str) -> int:
        """How many steps this sequence has on a clock."""

    def batch(self) -> int:
        """How many sequences there are."""

    def given(self, name: str) -> Array | None:
        """The value handed over by the caller under this name, if there is one (of this sequence and step)."""

    def draw(self, site: int, law: str, p: float, per: str) -> Array:
        """Random numbers of the shape of the result for this site, step and sequence."""


@dataclass(frozen=True, eq=False)
class Op:
    """A row of the table; see the module's text."""

    name: str
    arity: int | None
    typing: Callable[[tuple[Type, ...], Attrs], Type]
    gradient: Callable[..., tuple[Value | None, ...]] | None = None
    meaning: Callable[..., Any] | None = None
    at: Callable[[Reading, Attrs], Array] | None = None
    cost: int = 1
    """Arithmetic operations for each element of the result."""
    group: str = "elementwise"

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        """Pickled by its name: a row holds functions, and is one for all graphs of a process."""
        return _row, (self.name,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self

    @property
    def elementwise(self) -> bool:
        """Whether each element of the result depends on the same element of the arguments alone."""
        return self.group == "elementwise"


OPS: dict[str, Op] = {}


def _row(name: str) -> Op:
    return OPS[name]


def _op(name: str, arity: int | None, typing: Any, gradient: Any = None, meaning: Any = None, **rest: Any) -> Op:
    OPS[name] = Op(name, arity, typing, gradient, meaning, **rest)
    return OPS[name]


# ------------------------------------------------------------------------------------------------------ type rules


def same(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """All arguments have one shape, and so has the result."""
    shapes = {t.shape for t in types}
    if len(shapes) != 1:
        raise TypeError(f"shapes differ: {' and '.join(str(t) for t in types)}")
    return Type(join(*types)[0], types[0].shape, join(*types)[1])


def stated(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type stands in the attributes."""
    result: Type = attrs["type"]
    return result


def scalar_of(kind: Kind) -> Callable[[tuple[Type, ...], Attrs], Type]:
    """A number of this kind."""
    return lambda types, attrs: Type(kind)


def product_type(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """Letters name the axes; equal letters have equal sizes."""
    left, result = attrs["spec"].split("->")
    sizes: dict[str, Dim] = {}
    for letters, type_ in zip(left.split(","), types, strict=True):
        if len(letters) != len(type_.shape):
            raise TypeError(f"{type_} has not {len(letters)} axes")
        for letter, size in zip(letters, type_.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise TypeError(f"the inner dimensions {sizes[letter]} and {size} differ")
    return Type(join(*types)[0], tuple(sizes[letter] for letter in result), join(*types)[1])


def reduced(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """Without the axes that are named."""
    return types[0].with_shape(*(d for i, d in enumerate(types[0].shape) if i not in attrs["axes"]))


def expanded(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """With new axes at the positions `axes` of the result, of the sizes `sizes`."""
    shape = list(types[0].shape)
    for axis, size in zip(attrs["axes"], attrs["sizes"], strict=True):
        shape.insert(axis, size)
    return _of_sequence(types[0].with_shape(*shape))


def _of_sequence(type_: Type) -> Type:
    """At least a sequence value where an axis has as many rows as a sequence has steps."""
    timed = type_.kind is Kind.STATIC and any(isinstance(d, str) for d in type_.shape)
    return replace(type_, kind=Kind.SEQUENCE) if timed else type_


def concatenated(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """Side by side along the first axis."""
    if len({t.shape[1:] for t in types}) != 1:
        raise TypeError("the other dimensions differ")
    total: Dim = 0
    for type_ in types:
        total = total + type_.shape[0]  # type: ignore[operator]
    kind, clock = join(*types)
    symbols = {type_.index for type_ in types}
    return Type(kind, (total, *types[0].shape[1:]), clock, types[0].index if len(symbols) == 1 else None)


def arranged(type_: Type, *shape: Dim) -> Type:
    """The same elements, be they symbols, in another shape."""
    return replace(type_, shape=shape)


def resized(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """Another extent of the first axis."""
    return _of_sequence(types[0].with_shape(attrs["size"], *types[0].shape[1:]))


def stepped(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type of the first argument, which must be a stream."""
    if types[0].kind is not Kind.STREAM:
        raise TypeError(f"{types[0]} has no steps")
    return types[0]


def sequence_of(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """One value for each sequence."""
    return Type(Kind.SEQUENCE, types[0].shape, None, types[0].index)


def clocked(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """A stream over the clock that is named."""
    return Type(Kind.STREAM, types[0].shape, attrs["clock"], types[0].index)


# ------------------------------------------------------------------------------------------------- gradient helpers


def _spread_axes(g: Value, x: Value, axes: tuple[int, ...]) -> Value:
    return g.expand(axes, tuple(x.type.shape[a] for a in axes))


def _product_gradient(g: Value, y: Value, a: Value, b: Value, *, spec: str) -> tuple[Value, Value]:
    left, out = spec.split("->")
    first, second = left.split(",")
    return g.product(b, f"{out},{second}->{first}"), a.product(g, f"{first},{out}->{second}")


def _softmax_gradient(g: Value, y: Value, x: Value, **attrs: Any) -> tuple[Value]:
    last = (len(x.type.shape) - 1,)
    return (y * (g - _spread_axes((g * y).reduce("sum", last), x, last)),)


def _log_softmax_gradient(g: Value, y: Value, x: Value) -> tuple[Value]:
    """g - exp(y) sum(g), in which no digits are lost where exp(y) is nearly 1 and only one adjoint is not 0."""
    last = (len(x.type.shape) - 1,)
    others = _spread_axes(g.reduce("sum", last), x, last) - g
    return (-(g * y.apply("expm1")) - y.apply("exp") * others,)


def _peak_gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...]) -> tuple[Value]:
    hit = x.apply("equal", _spread_axes(y, x, axes))
    return (_chosen(hit, _spread_axes(g / hit.reduce("sum", axes), x, axes)),)


def _concat_gradient(g: Value, y: Value, *parts: Value) -> tuple[Value, ...]:
    out, start = [], 0
    for part in parts:
        size = part.type.shape[0]
        out.append(g.slice(start, start + size))  # type: ignore[operator]
        start = start + size  # type: ignore[operator,assignment]
    return tuple(out)


def _chosen(mask: Value, g: Value) -> Value:
    """An adjoint where the mask is not zero: chosen, not multiplied, for zero times infinity is no number."""
    return mask.where(g, constant(g.graph, 0.0).like(g))


def _unless(mask: Value, g: Value) -> Value:
    """An adjoint where the mask is zero."""
    return mask.where(constant(g.graph, 0.0).like(g), g)


def _power_gradient(g: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """At a = b = 0 the first is taken as 0: it is 0 at b = 0 wherever a is not."""
    zero = constant(a.graph, 0.0).like(a)
    nothing = a.apply("equal", zero) * b.apply("equal", zero)
    slope = _unless(nothing, g * b * a.apply("power", b - 1.0))
    return slope, _chosen(zero.apply("less", a), g * y * a.apply("log"))


def _abs_gradient(g: Value, y: Value, x: Value) -> tuple[Value]:
    sign = x.apply("sign")
    return (_chosen(sign, g * sign),)


def _sigmoid_meaning(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1.0) / (1.0 + e))


def _shift_gradient(g: Value, y: Value, x: Value, *first: Value, delay: int) -> tuple[Value, ...]:
    if is_line(first, y):
        return g.shift(-delay), g.opening(delay)
    return (g.shift(-delay), *(g.pick(step) for step in range(1, len(first) + 1)))


def is_line(first: Sequence[Value], y: Value) -> bool:
    """Whether the first values of a delayed use are one value with a row for each step, the oldest first."""
    return len(first) == 1 and len(first[0].type.shape) > len(y.type.shape)


def _history_gradient(g: Value, y: Value, x: Value, *before: Value, rows: int) -> tuple[Value, ...]:
    clock = x.type.clock
    return g.unhistory(clock), *(g.slide(-1, clock) for _ in before)


def _final_gradient(g: Value, y: Value, x: Value, *first: Value, slot: int) -> tuple[Value, ...]:
    clock = x.type.clock
    return (g.place(-1 - slot, clock), *(g.if_length(slot - k, clock) for k in range(slot + 1)))


# ---------------------------------------------------------------------------------------------------- sources

INPUT = _op("input", 0, stated, at=lambda r, a: r.given(a["name"]), group="source", cost=0)
PARAM = _op("param", 0, stated, at=lambda r, a: r.given(a["name"]), group="source", cost=0)
CONSTANT = _op(
    "constant", 0, lambda t, a: Type(Kind.STATIC), None, lambda *, value: np.float64(value), group="source", cost=0
)
EYE = _op(
    "eye",
    0,
    lambda t, a: Type(Kind.STATIC, (a["size"], a["size"])),
    None,
    lambda *, size: np.eye(size),
    group="source",
    cost=0,
)
LENGTH = _op(
    "length", 0, scalar_of(Kind.SEQUENCE), at=lambda r, a: np.float64(r.length(a["clock"])), group="source", cost=0
)
BATCH = _op("batch", 0, scalar_of(Kind.STATIC), at=lambda r, a: np.float64(r.batch()), group="source", cost=0)
RANDOM = _op(
    "random", 0, stated, at=lambda r, a: r.draw(a["site"], a["law"], a["p"], a["per"]), group="source", cost=40
)
START = _op(
    "start", None, stated, lambda g, y, *x, name, **attrs: tuple(g.unless_given(name) for _ in x),
    at=lambda r, a: _read_start(r, a), group="boundary", cost=0,
)  # fmt: skip
UNLESS_GIVEN = _op(
    "unless_given", 1, same, lambda g, y, x, *, name: (g.unless_given(name),),
    at=lambda r, a: r.arg(0) if r.given(a["name"]) is None else r.zero(), group="boundary",
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ element by element

NEGATIVE = _op("negative", 1, same, lambda g, y, x: (-g,), np.negative)
ADD = _op("add", 2, same, lambda g, y, a, b: (g, g), np.add)
SUBTRACT = _op("subtract", 2, same, lambda g, y, a, b: (g, -g), np.subtract)
MULTIPLY = _op("multiply", 2, same, lambda g, y, a, b: (g * b, g * a), np.multiply)
DIVIDE = _op("divide", 2, same, lambda g, y, a, b: (g / b, -(g * y) / b), np.divide, cost=4)
POWER = _op("power", 2, same, _power_gradient, np.power, cost=20)
EXP = _op("exp", 1, same, lambda g, y, x: (g * y,), np.exp, cost=10)
EXPM1 = _op("expm1", 1, same, lambda g, y, x: (g * x.apply("exp"),), np.expm1, cost=10)
LOG = _op("log", 1, same, lambda g, y, x: (g / x,), np.log, cost=10)
LOG1P = _op("log1p", 1, same, lambda g, y, x: (g / (x + 1.0),), np.log1p, cost=10)
SQRT = _op("sqrt", 1, same, lambda g, y, x: (g / (y * 2.0),), np.sqrt, cost=4)
TANH = _op("tanh", 1, same, lambda g, y, x: (g * (1.0 - y * y),), np.tanh, cost=10)
SIGMOID = _op("sigmoid", 1, same, lambda g, y, x: (g * (y * (1.0 - y)),), lambda x: _sigmoid_meaning(x), cost=10)
SOFTPLUS = _op("softplus", 1, same, lambda g, y, x: (g * x.apply("sigmoid"),), lambda x: np.logaddexp(0.0, x), cost=20)
RELU = _op(
    "relu",
    1,
    same,
    lambda g, y, x: (_chosen(constant(g.graph, 0.0).like(x).apply("less", x), g),),
    lambda x: np.maximum(x, 0.0),
)
ABS = _op("abs", 1, same, _abs_gradient, np.abs)
SIGN = _op("sign", 1, same, lambda g, y, x: (None,), np.sign)
SIN = _op("sin", 1, same, lambda g, y, x: (g * x.apply("cos"),), np.sin, cost=10)
COS = _op("cos", 1, same, lambda g, y, x: (-(g * x.apply("sin")),), np.cos, cost=10)
LESS = _op("less", 2, same, lambda g, y, a, b: (None, None), lambda a, b: np.less(a, b) * 1.0)
LESS_EQUAL = _op("less_equal", 2, same, lambda g, y, a, b: (None, None), lambda a, b: np.less_equal(a, b) * 1.0)
EQUAL = _op("equal", 2, same, lambda g, y, a, b: (None, None), lambda a, b: np.equal(a, b) * 1.0)
MINIMUM = _op(
    "minimum", 2, same, lambda g, y, a, b: (_unless(b.apply("less", a), g), _chosen(b.apply("less", a), g)), np.minimum
)
MAXIMUM = _op(
    "maximum", 2, same, lambda g, y, a, b: (_unless(a.apply("less", b), g), _chosen(a.apply("less", b), g)), np.maximum
)
WHERE = _op(
    "where", 3, same, lambda g, y, c, a, b: (None, _chosen(c, g), _unless(c, g)),
    lambda c, a, b: np.where(c != 0, a, b),
)  # fmt: skip
STOP_GRAD = _op("stop_grad", 1, same, lambda g, y, x: (None,), lambda x: x, cost=0)
CLIP_GRAD = _op("clip_grad", 1, same, lambda g, y, x, *, limit: (g.clip(limit),), lambda x, *, limit: x, cost=0)

# ---------------------------------------------------------------------------------------- across the axes of an element

PRODUCT = _op(
    "product", 2, product_type, _product_gradient,
    lambda a, b, *, spec: np.einsum(spec, a, b), cost=2, group="product",
)  # fmt: skip
TRANSPOSE = _op(
    "transpose", 1, lambda t, a: t[0].with_shape(*reversed(t[0].shape)), lambda g, y, x: (g.transpose(),), np.transpose,
    cost=0, group="layout",
)  # fmt: skip
RESHAPE = _op(
    "reshape", 1, lambda t, a: arranged(t[0], *a["shape"]), lambda g, y, x, *, shape: (g.reshape(*x.type.shape),),
    lambda x, *, shape: np.reshape(x, shape), cost=0, group="layout",
)  # fmt: skip
EXPAND = _op(
    "expand", 1, expanded, lambda g, y, x, *, axes, sizes: (g.reduce("sum", axes),),
    lambda x, *, axes, sizes: _expand_meaning(x, axes, sizes), cost=0, group="layout",
)  # fmt: skip
SUM = _op(
    "sum", 1, reduced, lambda g, y, x, *, axes: (_spread_axes(g, x, axes),),
    lambda x, *, axes: np.sum(x, axis=axes), group="reduce",
)  # fmt: skip
PEAK = _op("peak", 1, reduced, _peak_gradient, lambda x, *, axes: np.max(x, axis=axes), group="reduce")
SOFTMAX = _op(
    "softmax", 1, same, _softmax_gradient, lambda x, *, over=None: _softmax_meaning(x), cost=25, group="reduce"
)
LOG_SOFTMAX = _op(
    "log_softmax", 1, same, _log_softmax_gradient, lambda x: _log_softmax_meaning(x), cost=25, group="reduce"
)
CONCAT = _op("concat", None, concatenated, _concat_gradient, lambda *parts: np.concatenate(parts), group="layout")
SLICE = _op(
    "slice", 1, lambda t, a: arranged(t[0], a["stop"] - a["start"], *t[0].shape[1:]),
    lambda g, y, x, *, start, stop: (g.pad(start, x.type.shape[0]),),
    lambda x, *, start, stop: x[start:stop], cost=0, group="layout",
)  # fmt: skip
PAD = _op(
    "pad", 1, resized, lambda g, y, x, *, start, size: (g.slice(start, start + x.type.shape[0]),),
    lambda x, *, start, size: _pad_meaning(x, start, size), group="layout",
)  # fmt: skip
TAKE = _op(
    "take", 2, lambda t, a: Type(join(*t)[0], t[0].shape[1:], join(*t)[1]),
    lambda g, y, x, w: (g.put(w, x.type.shape[0]), None),
    lambda x, w: x[int(w)] if w >= 0 else np.zeros_like(x[0]), group="index",
)  # fmt: skip
PUT = _op(
    "put", 2, lambda t, a: Type(join(*t)[0], (a["size"], *t[0].shape), join(*t)[1]),
    lambda g, y, x, w, *, size: (g.take(w), None),
    lambda x, w, *, size: _put_meaning(x, w, size), group="index",
)  # fmt: skip


def _expand_meaning(x: Array, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    for axis, size in zip(axes, sizes, strict=True):
        x = np.repeat(np.expand_dims(x, axis), size, axis=axis)
    return x


def _softmax_meaning(x: Array) -> Array:
    if x.shape[-1] == 0:
        return x
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _log_softmax_meaning(x: Array) -> Array:
    z = x - x.max(-1, keepdims=True)
    most = z == 0  # where others are small, the logarithm of 1 and their sum has to keep it
    rest = np.where(most, 0.0, np.exp(z)).sum(-1, keepdims=True) + (most.sum(-1, keepdims=True) - 1.0)
    return np.asarray(z - np.log1p(rest))


def _pad_meaning(x: Array, start: int, size: int) -> Array:
    out = np.zeros((size, *x.shape[1:]))
    out[start : start + x.shape[0]] = x
    return out


def _put_meaning(x: Array, w: Array, size: int) -> Array:
    out = np.zeros((size, *np.shape(x)))
    if w >= 0:
        out[int(w)] = x
    return out


# ---------------------------------------------------------------------------------------------------- across time


def _read_shift(r: Reading, attrs: Attrs) -> Array:
    """The value `delay` steps before; before the first step the first values, else zero.

    These are argument k at step k, or row k of the one argument that has a row for each of them.
    """
    step = r.step - attrs["delay"]
    if step < 0 and attrs["count"] == 2:
        first = r.arg(1)
        return np.asarray(first[r.step]) if first.ndim > r.zero().ndim else first
    if step < 0:
        return r.arg(1 + r.step) if attrs["count"] > 1 else r.zero()
    return r.arg(0, step) if step < r.length(attrs["clock"]) else r.zero()


def _read_start(r: Reading, attrs: Attrs) -> Array:
    """What the caller hands over, else the declared first value, else zero (or "no symbol")."""
    given = r.given(attrs["name"])
    if given is not None:
        return given
    return r.arg(0) if attrs["count"] else r.zero()


def _read_pick(r: Reading, attrs: Attrs) -> Array:
    step = _place(attrs["step"], r.length(attrs["clock"]))
    return r.zero() if step is None else r.arg(0, step)


def _read_place(r: Reading, attrs: Attrs) -> Array:
    return r.arg(0) if _place(attrs["step"], r.length(attrs["clock"])) == r.step else r.zero()


def _place(step: int, length: int) -> int | None:
    """The step (from 0) that `1` (first), `2`, ... or `-1` (last), `-2`, ... stand for; None where there is none."""
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
    """A row of a line, or nothing."""
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


SHIFT = _op("shift", None, stepped, _shift_gradient, at=_read_shift, cost=0, group="time")
PICK = _op(
    "pick", 1, sequence_of, lambda g, y, x, *, step: (g.place(step, x.type.clock),), at=_read_pick, cost=0, group="time"
)
PLACE = _op("place", 1, clocked, lambda g, y, x, *, step, clock: (g.pick(step),), at=_read_place, cost=0, group="time")
FINAL = _op("final", None, sequence_of, _final_gradient, at=_read_final, cost=0, group="time")
HISTORY = _op(
    "history", None, lambda t, a: Type(Kind.SEQUENCE, (a["rows"], *t[0].shape), None, t[0].index), _history_gradient,
    at=_read_history, cost=0, group="time",
)  # fmt: skip
UNHISTORY = _op(
    "unhistory", 1, lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]),
    lambda g, y, x, *, clock: (g.history(x.type.shape[0]),),
    at=lambda r, a: _read_row(r, r.step + len(r.arg(0)) - r.length(a["clock"])), cost=0, group="time",
)  # fmt: skip
OPENING = _op(
    "opening", 1, lambda t, a: Type(Kind.SEQUENCE, (a["rows"], *t[0].shape)),
    lambda g, y, x, *, rows: (g.unopening(x.type.clock),), at=_read_opening, cost=0, group="time",
)  # fmt: skip
UNOPENING = _op(
    "unopening", 1, lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]),
    lambda g, y, x, *, clock: (g.opening(x.type.shape[0]),), at=lambda r, a: _read_row(r, r.step),
    cost=0, group="time",
)  # fmt: skip
SLIDE = _op(
    "slide", 1, sequence_of, lambda g, y, x, *, by, clock: (g.slide(-by, clock),), at=_read_slide, cost=0,
    group="boundary",
)  # fmt: skip
IF_LENGTH = _op(
    "if_length", 1, sequence_of, lambda g, y, x, *, length, clock: (g.if_length(length, clock),),
    at=lambda r, a: r.arg(0) if r.length(a["clock"]) == a["length"] else r.zero(), group="boundary",
)  # fmt: skip
REVERSE = _op(
    "reverse", 1, stepped, lambda g, y, x: (g.reverse(),),
    at=lambda r, a: r.arg(0, r.length(a["clock"]) - 1 - r.step), cost=0, group="time",
)  # fmt: skip
SUM_TIME = _op("sum_time", 1, sequence_of, lambda g, y, x: (g,), at=_read_sum_time, group="time")
SUM_BATCH = _op(
    "sum_batch", 1, lambda t, a: Type(Kind.STATIC, t[0].shape), lambda g, y, x: (g,),
    at=lambda r, a: sum((r.arg(0, sequence=b) for b in range(r.batch())), r.zero()), group="time",
)  # fmt: skip
SPREAD = _op(
    "spread",
    1,
    lambda t, a: _spread_type(t[0], a),
    lambda g, y, x, **attrs: (g,),
    at=lambda r, a: r.arg(0),
    cost=0,
    group="time",
)
FRAMES = _op(
    "frames", 1, lambda t, a: Type(Kind.SEQUENCE, (t[0].clock or "", *t[0].shape)),
    lambda g, y, x: (g.unframes(x.type.clock),),
    at=lambda r, a: _stack([r.arg(0, t) for t in range(r.length(a["clock"]))], r.zero()), cost=0, group="time",
)  # fmt: skip
UNFRAMES = _op(
    "unframes", 1, lambda t, a: Type(Kind.STREAM, t[0].shape[1:], a["clock"]), lambda g, y, x, *, clock: (g.frames(),),
    at=lambda r, a: r.arg(0)[r.step], cost=0, group="time",
)  # fmt: skip
VALID = _op("valid", 1, stepped, lambda g, y, x: (g.valid(),), at=lambda r, a: r.arg(0), cost=0, group="time")


def _spread_type(type_: Type, attrs: Attrs) -> Type:
    clock = attrs["clock"]
    return Type(Kind.SEQUENCE if clock is None else Kind.STREAM, type_.shape, clock, type_.index)


def _stack(rows: list[Array], zero: Array) -> Array:
    return np.stack(rows) if rows else zero
