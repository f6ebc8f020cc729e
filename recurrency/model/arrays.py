"""Arrays that a caller passes, checked against the ports of a specification."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import ShapeError, UsageError
from recurrency.graph.types import Kind, Type

if TYPE_CHECKING:
    from recurrency.graph.op import Array

REALS = {name: np.dtype(name) for name in ("float32", "float64")}
"""The dtypes that a model can have, by name."""
_least = np.minimum.reduce
SYMBOLS = np.dtype(np.int64)
"""The dtype of symbols in every model."""


@dataclass(frozen=True)
class Port:
    """An input, output, state or inner stream of a compiled model.

    `shape` is one element's; in memory a stream is [T, B, *shape] and a value per sequence [B, *shape]. `index` is the
    size of the vocabulary where the port carries symbols. `dimensions` are the shape in the user's words.
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
        index = type_.index if isinstance(type_.index, int) else None
        return cls(name, shape, type_.clock, index, type_.kind, dimensions)

    def lead(self, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
        """The leading axes of an array: (T, B) of a stream, (B,) of a sequence value, () of a static value."""
        if self.kind is Kind.STREAM:
            return steps.get(str(self.clock), 0), batch
        return (batch,) if self.kind is Kind.SEQUENCE else ()

    def dtype(self, real: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of its arrays in a model with the dtype `real`."""
        return real if self.index is None else SYMBOLS

    def zeros(self, steps: Mapping[str, int], batch: int, real: np.dtype[Any]) -> Array:
        """An array of zeros for this port, time first."""
        if self.kind is Kind.SEQUENCE:
            return np.zeros((batch, *self.shape), real)
        return np.zeros((*self.lead(steps, batch), *self.shape), real)


def as_array(name: str, array: Any) -> Array:
    """`np.asarray`, with an error that names the array.

    Raises:
        ShapeError: it can't be made an array, such as lists of different lengths.
    """
    try:
        return np.asarray(array)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"{name} can't be made an array: {str(error).split('. ')[0]}") from None


def converted(name: str, array: Any, index: int | None, real: np.dtype[Any]) -> Array:
    """An array of real numbers in the dtype `real`, or of symbols as int64.

    Raises:
        ShapeError: it holds other things.
    """
    array = as_array(name, array)
    if array.dtype.kind not in ("biu" if index is not None else "biuf"):
        kind = f"whole numbers below {index}" if index is not None else "real numbers"
        raise ShapeError(f"{name} holds {array.dtype.name}; it must hold {kind}")
    with np.errstate(over="ignore"):
        out: Array = array.astype(SYMBOLS if index is not None else real, copy=False)
    return out


def whole_seed(seed: Any) -> int:
    """A seed as a Python integer.

    Raises:
        UsageError: it is no whole number.
    """
    try:
        return operator.index(seed)
    except TypeError:
        raise UsageError(f"seed must be a whole number, not {seed!r}") from None


def described(shape: Sequence[int], axes: Sequence[str]) -> str:
    """A shape with the names of its axes: `[T=30, B=10, N=3]`."""
    if len(shape) != len(axes):
        return str(list(shape))
    return f"[{', '.join(f'{a}={n}' if not a.isdigit() else str(n) for a, n in zip(axes, shape, strict=True))}]"


def check_shape(model: str, name: str, shape: tuple[int, ...], port: Port, lead: tuple[str, ...]) -> None:
    """Raise a ShapeError unless an array has the axes `lead` and the shape of its port."""
    if len(shape) == len(lead) + len(port.shape) and shape[len(lead) :] == port.shape:
        return
    inner = port.dimensions or tuple(map(str, port.shape))
    found = described(shape, (*lead, *inner))
    sized = [a if a.isdigit() else f"{a}={n}" for a, n in zip(inner, port.shape, strict=True)]
    if len(shape) != len(lead) + len(port.shape):
        raise ShapeError(f"{name} is {found}; {model} needs [{', '.join((*lead, *sized))}]")
    wrong = [s for s, n, m in zip(sized, port.shape, shape[len(lead) :], strict=True) if n != m]
    raise ShapeError(f"{name} is {found}; {model} was compiled for {' and '.join(wrong)}")


def check_lengths(lengths: Any, clock: str, steps: int, batch: int) -> Array:
    """The number of steps of each sequence as int64 [B].

    Raises:
        ShapeError: they are not B whole numbers from 0 to T.
    """
    array = as_array("lengths", lengths)
    if array.shape != (batch,) or (array.dtype.kind not in "iu" and batch):
        found = f"{array.dtype.name} {list(array.shape)}"
        raise ShapeError(f"lengths must be {batch} whole numbers, one for each sequence, not {found}")
    for b in np.flatnonzero((array < 0) | (array > steps))[:1]:
        raise ShapeError(f"lengths[{b}] is {array[b]}, but the batch has {steps} steps on the clock {clock}")
    return array.astype(np.int64)


def check_flags(name: str, flags: Any, shape: tuple[int, int], axes: tuple[str, str]) -> Array:
    """Flags for each step of each sequence, as booleans of the given shape; `axes` are its words.

    Raises:
        ShapeError: they are no bools or numbers 0 and 1, or have another shape.
    """
    array = as_array(name, flags)
    if array.dtype.kind not in "biuf":
        raise ShapeError(f"{name} holds {array.dtype.name}; it must hold bools, or the numbers 0 and 1")
    if array.shape != shape:
        raise ShapeError(f"{name} is {described(array.shape, axes)}; this call needs {described(shape, axes)}")
    set_ = array != 0
    for place in np.argwhere(set_ & (array != 1))[:1].tolist():
        raise ShapeError(f"{name}{place} is {array[tuple(place)]}; each entry must be 0 or 1")
    return np.asarray(set_)


def check_content(name: str, array: Array, index: int | None, valid: Array | None = None) -> None:
    """Raise a ShapeError for NaN or an unknown symbol, except in padding, where `valid` [T, B] is False."""
    if index is None and not isnan(_least(array, axis=None, initial=0.0)):  # it is NaN if one of them is
        return
    bad = np.isnan(array) if index is None else (array < -1) | (array >= index)
    if not bad.any():
        return
    if valid is not None:
        bad &= valid.reshape(valid.shape + (1,) * (array.ndim - valid.ndim))
    for place in np.argwhere(bad)[:1].tolist():
        what = "not a number" if index is None else f"not a symbol: they go from 0 to {index - 1} (-1 for none)"
        raise ShapeError(f"{name}{place} is {array[tuple(place)]}, {what}")


def real_steps(lengths: Mapping[str, Array], steps: Mapping[str, int], clock: str | None) -> Array | None:
    """Which steps of which sequences are real, [T, B]; None where there is no padding on this clock."""
    ends, count = lengths[str(clock)], steps[str(clock)]
    return np.arange(count)[:, None] < ends if (ends < count).any() else None


def without_padding(array: Array, index: int | None, valid: Array) -> Array:
    """A copy with zero (or no symbol, -1) in padding, where `valid` [T, B] is False."""
    array = array.copy()
    array[~valid] = 0 if index is None else -1
    return array


def words(port: Any, type_: Type) -> tuple[str, ...]:
    """The dimensions of a port as the header of the cell writes them; () where it does not write them all."""
    dimensions = getattr(port.type, "dimensions", ())
    return tuple(" ".join(d.span.text.split()) for d in dimensions) if len(dimensions) == len(type_.shape) else ()
