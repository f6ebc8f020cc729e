"""Operations across the axes of an element: products, sums, pieces and new shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurrency.graph.dimensions import Dim, plus
from recurrency.graph.op import Array, Trait, define
from recurrency.graph.type_rules import (
    arranged,
    concatenated,
    expanded,
    inverse,
    permuted,
    product_type,
    reduced,
    resized,
    same,
)
from recurrency.graph.types import Type, join
from recurrency.graph.value import Value, chosen


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
    """g - exp(y) sum(g), without cancellation where exp(y) is nearly 1 and only one adjoint is not 0."""
    last = (len(x.type.shape) - 1,)
    others = _spread_axes(g.reduce("sum", last), x, last) - g
    return (-(g * y.apply("expm1")) - y.apply("exp") * others,)


def _peak_gradient(g: Value, y: Value, x: Value, *, axes: tuple[int, ...]) -> tuple[Value]:
    hit = x.apply("equal", _spread_axes(y, x, axes))
    return (chosen(hit, _spread_axes(g / hit.reduce("sum", axes), x, axes)),)


def _concat_gradient(g: Value, y: Value, *parts: Value) -> tuple[Value, ...]:
    out: list[Value] = []
    start: Dim = 0
    for part in parts:
        stop = plus(start, part.type.shape[0])
        out.append(g.slice(start, stop))
        start = stop
    return tuple(out)


def _expand_meaning(x: Array, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    for axis, size in zip(axes, sizes, strict=True):
        x = np.repeat(np.expand_dims(x, axis), size, axis=axis)
    return x


def _softmax_meaning(x: Array, over: str | None = None) -> Array:
    if x.shape[-1] == 0:
        return x
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _log_softmax_meaning(x: Array) -> Array:
    z = x - x.max(-1, keepdims=True)
    most = z == 0  # log(1 + rest) keeps its digits where all others are small
    rest = np.where(most, 0.0, np.exp(z)).sum(-1, keepdims=True) + (most.sum(-1, keepdims=True) - 1.0)
    return np.asarray(z - np.log1p(rest))


def _cumsum_meaning(x: Array, back: bool) -> Array:
    return np.cumsum(x[::-1], 0)[::-1] if back else np.cumsum(x, 0)


def _pad_meaning(x: Array, start: int, size: int) -> Array:
    out = np.zeros((size, *x.shape[1:]))
    out[start : start + x.shape[0]] = x
    return out


def _put_meaning(x: Array, w: Array, size: int) -> Array:
    out = np.zeros((size, *np.shape(x)))
    if w >= 0:
        out[int(w)] = x
    return out


define(
    "product",
    2,
    product_type,
    _product_gradient,
    lambda a, b, *, spec: np.einsum(spec, a, b),
    cost=2,
    group="product",
    traits={Trait.CONTRACTS, Trait.MULTIPLIES, Trait.ADDS_UP, Trait.MIXES, Trait.FACTORS},
    linear_in=(0, 1),
)
define(
    "transpose",
    1,
    permuted,
    lambda g, y, x, *, axes=None: (g.transpose(inverse(axes)),),
    np.transpose,
    cost=0,
    group="layout",
    traits={Trait.VIEW, Trait.UNIFORM, Trait.PERMUTES, Trait.LINEAR, Trait.AFTER_SUMS},
)
define(
    "reshape",
    1,
    lambda t, a: arranged(t[0], *a["shape"]),
    lambda g, y, x, *, shape: (g.reshape(*x.type.shape),),
    lambda x, *, shape: np.reshape(x, shape),
    cost=0,
    group="layout",
    traits={Trait.VIEW, Trait.CONTIGUOUS, Trait.UNIFORM, Trait.PERMUTES, Trait.LINEAR, Trait.AFTER_SUMS},
)
define(
    "expand",
    1,
    expanded,
    lambda g, y, x, *, axes, sizes: (g.reduce("sum", axes),),
    _expand_meaning,
    cost=0,
    group="layout",
    traits={Trait.VIEW, Trait.UNIFORM, Trait.LINEAR, Trait.REPEATS, Trait.AFTER_SUMS},
)
define(
    "sum",
    1,
    reduced,
    lambda g, y, x, *, axes: (_spread_axes(g, x, axes),),
    lambda x, *, axes: np.sum(x, axis=axes),
    group="reduce",
    traits={Trait.LINEAR, Trait.REDUCES},
)
define(
    "peak",
    1,
    reduced,
    _peak_gradient,
    lambda x, *, axes: np.max(x, axis=axes, initial=-np.inf),
    group="reduce",
    traits={Trait.KINKED, Trait.INCREASING, Trait.MIXES, Trait.CHOOSES, Trait.REDUCES},
)
define(
    "cumsum",
    1,
    same,
    lambda g, y, x, *, back: (g.cumulated(not back),),
    _cumsum_meaning,
    group="reduce",
    traits={Trait.LINEAR, Trait.CUMULATES},
)
define(
    "argmax",
    1,
    lambda t, a: Type(t[0].kind, (), t[0].clock, t[0].shape[0]),
    lambda g, y, x: (None,),
    lambda x: np.argmax(x),
    group="reduce",
    traits={Trait.MIXES},
)
define(
    "softmax",
    1,
    same,
    _softmax_gradient,
    _softmax_meaning,
    cost=25,
    group="reduce",
    traits={Trait.BOUNDED, Trait.MIXES, Trait.NORMALISES, Trait.DISTRIBUTION},
    in_place=(0,),
)
define(
    "log_softmax",
    1,
    same,
    _log_softmax_gradient,
    _log_softmax_meaning,
    cost=25,
    group="reduce",
    traits={Trait.CONCAVE, Trait.MIXES, Trait.NORMALISES},
)
define(
    "concat",
    None,
    concatenated,
    _concat_gradient,
    lambda *parts: np.concatenate(parts),
    group="layout",
    traits={Trait.JOINS, Trait.TILES, Trait.PERMUTES, Trait.LINEAR},
)
define(
    "slice",
    1,
    lambda t, a: arranged(t[0], a["stop"] - a["start"], *t[0].shape[1:]),
    lambda g, y, x, *, start, stop: (g.pad(start, x.type.shape[0]),),
    lambda x, *, start, stop: x[start:stop],
    cost=0,
    group="layout",
    traits={Trait.VIEW, Trait.ROWS, Trait.CONTIGUOUS, Trait.UNIFORM, Trait.PERMUTES, Trait.LINEAR, Trait.CHOOSES},
)
define(
    "pad",
    1,
    resized,
    lambda g, y, x, *, start, size: (g.slice(start, start + x.type.shape[0]),),
    _pad_meaning,
    group="layout",
    traits={Trait.JOINS, Trait.PERMUTES, Trait.LINEAR, Trait.AFTER_SUMS},
)
define(
    "take",
    2,
    lambda t, a: Type(join(*t)[0], t[0].shape[1:], join(*t)[1]),
    lambda g, y, x, w: (g.put(w, x.type.shape[0]), None),
    lambda x, w: x[int(w)] if w >= 0 else np.zeros_like(x[0]),
    group="index",
    traits={Trait.CHOOSES},
    linear_in=(0,),
)
define(
    "put",
    2,
    lambda t, a: Type(join(*t)[0], (a["size"], *t[0].shape), join(*t)[1]),
    lambda g, y, x, w, *, size: (g.take(w), None),
    _put_meaning,
    group="index",
    traits={Trait.INSERTS, Trait.ADDS_UP},
    linear_in=(0,),
)
