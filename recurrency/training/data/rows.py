"""The first row of the data that does not fit, as a message for the user."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError, nearest
from recurrency.training.data.sequences import Array, InputPort


@dataclass(frozen=True)
class How:
    """How a file is read: silently without the inputs `others`.

    Symbols of the inputs `texts` are texts, even if they look like numbers; inputs of `whole` may have one value for
    each sequence.
    """

    others: Collection[str] = ()
    texts: Collection[str] = ()
    whole: Collection[str] = ()


PLAIN = How()


def shown(port: InputPort, *lead: str) -> str:
    """The shape of a port in a message: `[sequences, steps, 3]`."""
    return f"[{', '.join([*lead, *map(str, port.shape)])}]"


def first_wrong(rows: Array, port: InputPort, real: str = "float64") -> tuple[int, str] | None:
    """The first of the rows [count, *shape] that does not fit the port, and what is wrong with it.

    `real` is the dtype in which numbers are computed.
    """
    if rows.dtype.kind not in "biuf":
        return 0, not_numbers(rows.dtype, port)
    if port.index is None:
        bad = ~np.isfinite(rows) if rows.dtype.kind == "f" else np.zeros(rows.shape, bool)
        words = "is not a finite number"
        if not bad.any() and rows.dtype.kind != "b":
            bad = np.abs(rows.astype(np.float64)) > np.finfo(real).max
            words = f"is larger than any {real}; scale the data, or train with --dtype float64"
    else:
        bad = (rows < -1) | (rows >= port.index) | (rows != np.floor(rows))
        words = f"is not one of the symbols 0 to {port.index - 1} of the spec"
    if not bad.any():
        return None
    place = np.argwhere(bad)[0].tolist()
    return place[0], f"{element(place[1:], rows.shape[1:])}{rows[tuple(place)]:g} {words}{_more(rows, port, bad)}"


def element(place: Sequence[int], shape: Sequence[int]) -> str:
    """The place of an element in a step as the beginning of a message; "" where a step has only one."""
    return f"element {', '.join(map(str, place))}: " if np.prod(shape, dtype=int) > 1 else ""


def not_numbers(dtype: np.dtype[np.generic], port: InputPort) -> str:
    """The hint for values that are not numbers."""
    found = "texts" if dtype.kind in "US" else f"{dtype} values"
    if port.index is None:
        return f"{found} are not numbers"
    return f"{found} are not symbols, which are whole numbers from 0, or texts (numpy.str_)"


def _more(rows: Array, port: InputPort, bad: Array) -> str:
    """What the spec would need if the symbols themselves are right."""
    if port.index is None or not np.isfinite(rows).all() or rows.min() < -1 or (rows != np.floor(rows)).any():
        return ""
    return f"; the data have {int(rows.max()) + 1}"


def sized(port: InputPort) -> str:
    """The size of a step in the user's words: `N=2`, or `2` where the header has a number."""
    names: tuple[str, ...] = getattr(port, "dimensions", ()) or ("",) * len(port.shape)
    pairs = zip(names, port.shape, strict=True)
    return " ".join(f"{name}={size}" if name.isidentifier() else str(size) for name, size in pairs) or "1"


def would_fit(port: InputPort, shape: tuple[int, ...]) -> str:
    """The dimensions for which a spec takes steps of this shape, as the end of a message.

    It is "" where there are none, and for a trained model, whose dimensions are fixed.
    """
    names: tuple[str, ...] = getattr(port, "dimensions", ())
    if len(shape) != len(names) or 0 in shape or getattr(port, "trained", False):
        return ""
    said = [f"-D {name}={size}" for name, size in zip(names, shape, strict=True) if name.isidentifier()]
    return f"; compile it with {' '.join(said)}" if said else ""


def unread(path: str | Path, what: str, names: Iterable[str], absent: Iterable[str]) -> None:
    """Name what a file has and nobody reads, for it may be a mistake.

    Raises:
        UsageError: one is spelt almost like something that would be read, were it there (`absent`).
    """
    names, absent = list(names), list(absent)
    for name in names:
        if near := nearest(name, absent):
            raise UsageError(f"{path} has the {what} {name}, which nothing reads; did you mean {near}? Else remove it")
    if names:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        those = f"is the {what}" if len(names) == 1 else f"are the {what}s"
        warnings.warn(f"{path}: not read {those} {shown}: no input of the spec has such a name", stacklevel=2)


def check_sequences(name: str, sequences: Sequence[Array], port: InputPort, where: str, real: str = "float64") -> None:
    """Refuse sequences [T_i, *shape] of which the port cannot take a step.

    Raises:
        UsageError: one has another shape, no steps, a number that is not finite, or a symbol that the spec has not.
    """
    check_shapes(name, sequences, port, where)
    for number, rows in enumerate(sequences):
        found = first_wrong(rows, port, real)
        if found is not None:
            raise UsageError(f"{name} of {where}, sequence {number}, step {found[0]}: {found[1]}")


def check_shapes(name: str, sequences: Sequence[Array], port: InputPort, where: str) -> None:
    """Refuse sequences [T_i, *shape] without steps, or with steps of another shape.

    Raises:
        UsageError: there is one.
    """
    for number, rows in enumerate(sequences):
        place = f"{name} of {where}, sequence {number}"
        if rows.ndim == 0 or len(rows) == 0:
            raise UsageError(f"{place}: it has no steps")
        if rows.shape[1:] != tuple(port.shape):
            raise UsageError(f"{place}: a step is {list(rows.shape[1:])}; the spec needs {shown(port)}")
