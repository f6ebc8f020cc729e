"""What a caller gives besides dimensions: arrays of constants, and the seed by which other constants are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.fixed import GREATEST_FIXED, Fixed
from recurrency.language import syntax
from recurrency.language.given_files import is_file

SEED = "const_seed"
"""The seed of drawn constants, among the dimensions that a caller gives."""
GIVEN = "given"
"""The value of a constant whose array the caller gives."""


class MissingArrayError(UsageError):
    """Constants have no array; `shapes` are the shapes that they need, by dotted name."""

    def __init__(self, cell: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        first = next(iter(shapes))
        listed = " and ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        keyword = f"compile({first}=array)" if first.isidentifier() else f'compile(dimensions={{"{first}": array}})'
        super().__init__(
            f"{cell} needs {listed}: give an array, {keyword} (on the command line: --const {first}=FILE.npy)"
        )


@dataclass
class Handed:
    """Arrays by the dotted names of constants, and the seed of drawn ones.

    `computes`: constants have elements, because all dimensions are numbers. `used` are the names that constants have
    asked for, `missing` the shapes of those that had no array.
    """

    arrays: Mapping[str, Fixed] = field(default_factory=dict)
    seed: int = 0
    computes: bool = True
    used: set[str] = field(default_factory=set)
    missing: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def refuse_rest(self, cell: str) -> None:
        """Check that each constant has its array, and each array its constant.

        Raises:
            UsageError: one has none.
        """
        if self.missing:
            raise MissingArrayError(cell, self.missing)
        for name in self.arrays:
            if name not in self.used:
                known = f"it has {', '.join(sorted(self.used))}" if self.used else "it has none"
                hint = nearest_hint(name, sorted(self.used))
                raise UsageError(f"{cell} has no constant {name} whose array is given ({known}){hint}")


def array_of(name: str, value: Any) -> Any:
    """An array, a list or a .npy file as `Fixed`; numbers and names as they are.

    Raises:
        UsageError: the elements are no finite real numbers, there are too many of them, or the file can't be read.
    """
    if isinstance(value, Path) or is_file(value):
        value = _read(name, value)
    is_array = hasattr(value, "__array__") and len(getattr(value, "shape", "")) > 0
    if not is_array and not isinstance(value, list | tuple):
        return value
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.size > GREATEST_FIXED:
            raise UsageError(f"{name} has {array.size} elements; at most {GREATEST_FIXED} are allowed")
        real = array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except (TypeError, ValueError):
        real = None
    if real is None:
        raise UsageError(f"{name} must be an array of real numbers")
    if not np.isfinite(real).all():
        place = ", ".join(str(k + 1) for k in np.argwhere(~np.isfinite(real))[0])
        raise UsageError(f"{name} must be finite; element [{place}] (counted from 1) is not")
    return Fixed.of(real)


def _read(name: str, path: str | Path) -> Any:
    """The array in a file.

    Raises:
        UsageError: it can't be read, or holds objects.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UsageError(f"{name}: there is no file {path}") from None
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{name}: {path} is no file of numpy.save ({error})") from None


def apart(cell: syntax.Cell, given: Mapping[str, Any]) -> tuple[dict[str, Any], Handed]:
    """Dimensions, and the arrays and the seed among what a caller gives.

    Raises:
        UsageError: the seed is no whole number from 0.
    """
    own, fixed = {d.name for d in cell.dimensions}, set(_constants(cell.body))
    sizes, arrays = dict[str, Any](), dict[str, Fixed]()
    seed: Any = 0
    for name, value in given.items():
        if name in own:
            sizes[name] = value
        elif name == SEED:
            seed = value
        elif isinstance(value, Fixed):
            arrays[name] = value
        elif name in fixed and isinstance(value, int | float):
            arrays[name] = _number(name, value)
        else:
            sizes[name] = value
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"{SEED} must be a whole number from 0, not {seed!r}")
    return sizes, Handed(arrays, seed)


def _number(name: str, value: float) -> Fixed:
    """The array of a constant that is a number."""
    if not np.isfinite(value):
        raise UsageError(f"{name} must be finite, not {value}")
    return Fixed.of(np.asarray(value, np.float64))


def _constants(body: Iterable[syntax.Statement]) -> Iterable[str]:
    """The names of the constants of a cell."""
    for statement in body:
        if isinstance(statement, syntax.For):
            yield from _constants(statement.body)
        elif isinstance(statement, syntax.Const):
            yield from (target.name for target in statement.targets)
