"""The operations: of single elements, of one step and sequence, and across time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from recurrency.graph.graph import Node
from recurrency.graph.types import Type

if TYPE_CHECKING:
    from recurrency_jax.walk import Walk

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(jnp, name)
        for name in "negative add subtract multiply divide power exp expm1 log log1p sqrt".split()
    },
    **{name: getattr(jnp, name) for name in "tanh abs sign sin cos less less_equal equal minimum maximum".split()},
    **{name: getattr(jnp, name) for name in "floor round".split()},
    "atan": jnp.arctan,
    "mod": jnp.remainder,
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "sigmoid": jax.nn.sigmoid,
    "softplus": lambda x: jnp.logaddexp(x, 0.0),
    "relu": lambda x: jnp.maximum(x, 0.0),
    "where": lambda c, a, b: jnp.where(c != 0, a, b),
    "stop_grad": lambda x: x,
    "clip_grad": lambda x: x,
    "add_slope": lambda y, x, slope: y,
}


def _front(x: Any, type_: Type) -> int:
    """How many axes stand before an element's own."""
    return x.ndim - len(type_.shape)


def _product(w: Walk, n: Node, types: list[Type], a: Any, b: Any) -> Any:
    left, out = n.attrs["spec"].split("->")
    first, second = left.split(",")
    return jnp.einsum(f"...{first},...{second}->...{out}", a, b, precision="highest")


def _over(w: Walk, n: Node, types: list[Type], x: Any) -> tuple[int, ...]:
    return tuple(_front(x, types[0]) + a for a in n.attrs["axes"])


def _expand(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    front = _front(x, types[0])
    sizes = [w.steps[s] if isinstance(s, str) else s for s in n.attrs["sizes"]]
    if n.type.kind is not types[0].kind:
        x, front = jnp.broadcast_to(x, (w.batch, *x.shape)), 1
    for axis, size in zip(n.attrs["axes"], sizes, strict=True):
        x = jnp.repeat(jnp.expand_dims(x, front + axis), size, axis=front + axis)
    return x


def _concat(w: Walk, n: Node, types: list[Type], *parts: Any) -> Any:
    fronts = [p.shape[: _front(p, t)] for p, t in zip(parts, types, strict=True)]
    front = jnp.broadcast_shapes(*fronts)
    whole = [jnp.broadcast_to(p, (*front, *p.shape[len(f) :])) for p, f in zip(parts, fronts, strict=True)]
    return jnp.concatenate(whole, axis=len(front))


def _pad(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    axis, start = _front(x, types[0]), n.attrs["start"]
    widths = [(0, 0)] * x.ndim
    widths[axis] = (start, n.attrs["size"] - start - x.shape[axis])
    return jnp.pad(x, widths)


def _slice(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    return jax.lax.slice_in_dim(x, n.attrs["start"], n.attrs["stop"], axis=_front(x, types[0]))


def _reshape(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    return x.reshape(*x.shape[: _front(x, types[0])], *n.attrs["shape"])


def _transpose(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    front = _front(x, types[0])
    order = n.attrs.get("axes") or tuple(reversed(range(x.ndim - front)))
    return x.transpose(*range(front), *(front + axis for axis in order))


def _softmax(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    return jnp.nan_to_num(jax.nn.softmax(x, -1)) if isinstance(types[0].shape[-1], str) else jax.nn.softmax(x, -1)


def _cumsum(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    axis = _front(x, types[0])
    return jnp.flip(jnp.cumsum(jnp.flip(x, axis), axis), axis) if n.attrs["back"] else jnp.cumsum(x, axis)


def _chosen(symbols: Any, size: int, rank: int) -> Any:
    """True in the row that a symbol names, and nowhere for "no symbol"."""
    hit = symbols[..., None] == jnp.arange(size)
    return hit.reshape(hit.shape + (1,) * rank)


def _take(w: Walk, n: Node, types: list[Type], x: Any, symbols: Any) -> Any:
    rank = len(n.type.shape)
    hit = _chosen(symbols, x.shape[x.ndim - rank - 1], rank)
    return jnp.where(hit, x, 0.0).sum(-1 - rank)


def _put(w: Walk, n: Node, types: list[Type], x: Any, symbols: Any) -> Any:
    rank = len(types[0].shape)
    return jnp.where(_chosen(symbols, n.attrs["size"], rank), jnp.expand_dims(x, x.ndim - rank), 0.0)


INSIDE: dict[str, Callable[..., Any]] = {
    "product": _product,
    "transpose": _transpose,
    "reshape": _reshape,
    "expand": _expand,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "take": _take,
    "put": _put,
    "softmax": _softmax,
    "cumsum": _cumsum,
    "argmax": lambda w, n, types, x: jnp.argmax(x, -1),
    "sum": lambda w, n, types, x: x.sum(_over(w, n, types, x)),
    "peak": lambda w, n, types, x: x.max(_over(w, n, types, x)),
    "log_softmax": lambda w, n, types, x: jax.nn.log_softmax(x, -1),
}


# ---------------------------------------------------------------------------------------------------- across time


def _at(w: Walk, type_: Type, x: Any, step: Any) -> Any:
    """The values at a step of each sequence, [B]; nothing where the step is out of range."""
    count = x.shape[0]
    longer = jnp.concatenate([x, w.zero(type_, step=True)[None].astype(x.dtype)])
    return longer[jnp.where((step >= 0) & (step < count), step, count), jnp.arange(w.batch)]


def _place(w: Walk, n: Node, clock: str | None) -> Any:
    """The step (from 0) that 1, 2, ... or -1, -2, ... stands for in each sequence; -1 for none."""
    length, step = w.lengths[str(clock)], n.attrs["step"]
    found = jnp.where(step > 0, step - 1, length + step)
    return jnp.where((found >= 0) & (found < length), found, -1)


def _where(mask: Any, x: Any, other: Any) -> Any:
    """Chosen by sequence, or by step and sequence."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (other.ndim - mask.ndim)), x, other)


def is_line(firsts: tuple[Any, ...], types: list[Type]) -> bool:
    """Whether the first values of a delayed use are the rows of one value."""
    return len(firsts) == 1 and len(types[1].shape) > len(types[0].shape)


def _rows(w: Walk, type_: Type, x: Any) -> Any:
    """A value with all its axes, [B, rows, ...]."""
    return jnp.broadcast_to(x, (w.batch, *(int(d) for d in type_.shape)))


def _gathered(w: Walk, x: Any, row: Any, zero: Any) -> Any:
    """Row `row` [n, B] of x [m, B, ...], zero where there is none."""
    longer = jnp.concatenate([x, zero[None].astype(x.dtype)])
    there = jnp.where((row >= 0) & (row < len(x)), row, len(x))
    return longer[there, jnp.arange(w.batch)]


def _history(w: Walk, n: Node, types: list[Type], x: Any, *before: Any) -> Any:
    rows = n.attrs["rows"]
    line = _rows(w, n.type, before[0]) if before else w.zero(n.type)
    joined = jnp.concatenate([jnp.moveaxis(line, 1, 0).astype(x.dtype), x])
    at = jnp.arange(rows)[:, None] + w.lengths[str(types[0].clock)]
    return jnp.moveaxis(joined[at, jnp.arange(w.batch)], 0, 1)


def _opening(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    at = jnp.arange(n.attrs["rows"])[:, None]
    inside = jnp.where(at < w.lengths[str(types[0].clock)], at, -1)
    return jnp.moveaxis(_gathered(w, x, inside, w.zero(types[0], step=True)), 0, 1)


def _moved(shift: Callable[[Walk, Node, int], Any]) -> Callable[..., Any]:
    """Rows of a value at places that depend on the lengths."""

    def op(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
        rows = jnp.moveaxis(_rows(w, types[0], x), 1, 0)
        found = _gathered(w, rows, shift(w, n, len(rows)), jnp.zeros(rows.shape[1:], rows.dtype))
        return found if n.type.clock else jnp.moveaxis(found, 0, 1)

    return op


def _steps(w: Walk, n: Node) -> Any:
    return jnp.arange(w.steps[n.attrs["clock"]])[:, None]


def _shift(w: Walk, n: Node, types: list[Type], x: Any, *firsts: Any) -> Any:
    zero, count = w.zero(types[0], step=True)[None].astype(x.dtype), x.shape[0]
    if n.delay < 0:
        return jnp.concatenate([x[-n.delay :], *[zero] * min(-n.delay, count)])
    if is_line(firsts, types):
        before = [jnp.moveaxis(_rows(w, types[1], firsts[0]), 1, 0).astype(x.dtype)]
    else:
        before = [jnp.broadcast_to(f, zero.shape).astype(x.dtype) for f in firsts] or [zero] * n.delay
    return jnp.concatenate([*before, x])[:count]


def _final(w: Walk, n: Node, types: list[Type], x: Any, *firsts: Any) -> Any:
    step = w.lengths[str(types[0].clock)] - 1 - n.attrs["slot"]
    out = _at(w, types[0], x, step)
    for k, first in enumerate(firsts, start=1):
        out = _where(step == -k, first, out)
    return out


def _start(w: Walk, n: Node, types: list[Type], *default: Any) -> Any:
    given = w.arrays["given"].get(f"start:{n.attrs['name']}")
    zero = w.zero(n.type)
    return jnp.broadcast_to(jnp.asarray(given) if given is not None else default[0] if default else zero, zero.shape)


def _is_given(w: Walk, n: Node) -> bool:
    return f"start:{n.attrs['name']}" in w.arrays["given"]


def _reverse(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    step = w.lengths[str(n.type.clock)] - 1 - jnp.arange(x.shape[0])[:, None]
    return x[jnp.clip(step, 0), jnp.arange(w.batch)] if x.shape[0] else x


def _spread(w: Walk, n: Node, types: list[Type], x: Any) -> Any:
    return jnp.broadcast_to(x, w.zero(n.type).shape)


TIME: dict[str, Callable[..., Any]] = {
    "shift": _shift,
    "final": _final,
    "start": _start,
    "reverse": _reverse,
    "spread": _spread,
    "pick": lambda w, n, types, x: _at(w, types[0], x, _place(w, n, types[0].clock)),
    "place": lambda w, n, types, x: _where(
        jnp.arange(w.steps[n.type.clock])[:, None] == _place(w, n, n.type.clock), x, w.zero(n.type)
    ),
    "history": _history,
    "opening": _opening,
    "unhistory": _moved(lambda w, n, rows: _steps(w, n) + rows - w.lengths[n.attrs["clock"]]),
    "unopening": _moved(lambda w, n, rows: jnp.where(_steps(w, n) < w.lengths[n.attrs["clock"]], _steps(w, n), -1)),
    "slide": _moved(lambda w, n, rows: jnp.arange(rows)[:, None] + n.attrs["by"] * w.lengths[n.attrs["clock"]]),
    "if_length": lambda w, n, types, x: _where(w.lengths[n.attrs["clock"]] == n.attrs["length"], x, w.zero(n.type)),
    "unless_given": lambda w, n, types, x: w.zero(n.type) if _is_given(w, n) else x,
    "sum_time": lambda w, n, types, x: x.sum(0),
    "sum_batch": lambda w, n, types, x: x.sum(0),
    "frames": lambda w, n, types, x: jnp.moveaxis(x, 0, 1),
    "unframes": lambda w, n, types, x: jnp.moveaxis(x, 1, 0),
    "valid": lambda w, n, types, x: _where(w.rows(n.type.clock), x, w.zero(n.type)),
}
