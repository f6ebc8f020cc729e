"""Arrays that a caller hands over, held against what the specification says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.errors import ShapeError
from recurrency.graph.ops import Array
from recurrency.graph.types import Kind, Type


@dataclass(frozen=True)
class Port:
    """An input, output or inner stream of a compiled model.

    `shape` is one element's; in memory a stream is [T, B, *shape] and a value per sequence [B, *shape]. `index` is the size of the
    vocabulary where the port carries symbols. `dimensions` are the shape in the user's words.
    """

    name: str
    shape: tuple[int, ...]
    clock: str | None
    index: int | None
    kind: Kind
    dimensions: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, type_: Type, dimensions: tuple[str, ...] = ()) -> Port:
        """The port of a value of this type."""
        shape = tuple(d if isinstance(d, int) else -1 for d in type_.shape)
        return cls(name, shape, type_.clock, type_.index if isinstance(type_.index, int) else None, type_.kind, dimensions)


def converted(name: str, array: Any, index: int | None, dtype: str) -> Array:
    """An array of real numbers in the model's dtype, or of symbols as int64.

    Raises:
        ShapeError: it holds something else.
    """
    array = np.asarray(array)
    wanted = "biu" if index is not None else "biuf"
    if array.dtype.kind not in wanted:
        kind = f"whole numbers below {index}" if index is not None else "real numbers"
        raise ShapeError(f"{name} holds {array.dtype.name}; it must hold {kind}")
    return array.astype(np.int64 if index is not None else dtype, copy=False)


def described(array: Array, axes: tuple[str, ...]) -> str:
    """A shape with the user's names: `[T=30, B=10, N=3]`."""
    if array.ndim != len(axes):
        return str(list(array.shape))
    return f"[{', '.join(f'{a}={n}' if not a.isdigit() else str(n) for a, n in zip(axes, array.shape, strict=True))}]"


def check_shape(model: str, name: str, array: Array, port: Port, lead: tuple[str, ...]) -> None:
    """Refuse an array that has not the axes `lead` and the shape of its port."""
    axes = (*lead, *(port.dimensions or map(str, port.shape)))
    inner = array.shape[len(lead) :] if array.ndim >= len(lead) else None
    if inner == port.shape:
        return
    found = described(array, axes)
    if array.ndim != len(axes):
        wanted = ", ".join((*lead, *(a if a.isdigit() else f"{a}={n}" for a, n in zip(axes[len(lead) :], port.shape, strict=True))))
        raise ShapeError(f"{name} is {found}; {model} needs [{wanted}]")
    assert inner is not None
    wrong = [(a, n) for a, n, m in zip(axes[len(lead) :], port.shape, inner, strict=True) if n != m]
    said = " and ".join(f"{n} in its place" if a.isdigit() else f"{a}={n}" for a, n in wrong)
    raise ShapeError(f"{name} is {found}; {model} was compiled for {said}")


def check_lengths(lengths: Any, clock: str, steps: int, batch: int) -> Array:
    """The number of steps of each sequence as int64 [B].

    Raises:
        ShapeError: they are not B whole numbers from 0 to T.
    """
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu" or array.shape != (batch,):
        raise ShapeError(f"lengths must be {batch} whole numbers, one for each sequence, not {array.dtype.name} {list(array.shape)}")
    for b in np.flatnonzero((array < 0) | (array > steps))[:1]:
        raise ShapeError(f"lengths[{b}] is {array[b]}, but the batch has {steps} steps on the clock {clock}")
    return array.astype(np.int64)


def check_content(name: str, array: Array, index: int | None, valid: Array | None) -> None:
    """Refuse NaN and unknown symbols, except after the end of a sequence (`valid` [T, B] is False there)."""
    if index is not None:
        bad = (array < -1) | (array >= index)
        what = f"not a symbol: they go from 0 to {index - 1} (-1 for none)"
    else:
        if np.isfinite(array.sum(dtype=np.float64) if array.size else 0.0):
            return
        bad, what = np.isnan(array), "not a number"
    if valid is not None:
        bad = bad & valid.reshape(valid.shape + (1,) * (array.ndim - valid.ndim))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ShapeError(f"{name}{list(place)} is {array[place]}, {what}")


def zeros_like_port(port: Port, steps: Mapping[str, int], batch: int, dtype: str) -> Array:
    """An array of zeros for a port."""
    lead = {Kind.STREAM: (steps.get(str(port.clock), 0), batch), Kind.SEQUENCE: (batch,), Kind.STATIC: ()}[port.kind]
    return np.zeros((*lead, *port.shape), dtype)
