"""Copies numbers to the places that the equations of parameters give; numbers without a place must be zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from recurrency.equations.matching import Equation, Linear
from recurrency.equations.polynomials import Block
from recurrency.errors import UsageError

Blank: TypeAlias = Callable[[tuple[int, ...]], Any]
"""Makes zeros of a shape with the library (NumPy, torch), dtype and device of the converted arrays."""

Complain: TypeAlias = Callable[[Equation], str]
"""The message for an equation that does not hold."""


def blank_like(arrays: Mapping[str, Any]) -> Blank:
    """Makes zeros with the library, dtype and device of these arrays."""
    some = next(iter(arrays.values()))
    if hasattr(some, "new_zeros"):
        return lambda shape: some.new_zeros(shape)
    return lambda shape: np.zeros(shape, some.dtype)


class Arrays:
    """Arrays by name, and which of their elements have been read or written."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = dict(arrays)
        self.touched = {name: np.zeros(tuple(array.shape), bool) for name, array in arrays.items()}

    def read(self, block: Block) -> Any:
        """A block of an array, transposed if the equation reads it so."""
        value = self.arrays[block.name][_index(block)]
        self.touched[block.name][_index(block)] = True
        return value.T if block.transposed else value

    def write(self, block: Block, value: Any) -> None:
        """Write a block of an array."""
        self.touched[block.name][_index(block)] = True
        self.arrays[block.name][_index(block)] = value.T if block.transposed else value

    def known(self, block: Block) -> bool:
        """Whether a block has been written."""
        touched = self.touched[block.name][_index(block)]
        return bool(touched.all()) and touched.size > 0

    def untouched(self) -> list[str]:
        """The arrays with elements that have been neither read nor written."""
        return [name for name, touched in self.touched.items() if not touched.all()]


def _index(block: Block) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in block.ranges)


def moved(
    equations: Iterable[tuple[Linear, Linear, Equation]],
    given: Arrays,
    wanted: Mapping[str, tuple[int, ...]],
    blank: Blank,
    complain: Complain,
) -> Arrays:
    """The wanted arrays, from equations `sum of wanted blocks = sum of given blocks`.

    If several blocks of an equation are unknown, the first gets the whole sum and the others get zero.

    Raises:
        UsageError: an equation does not hold for the given numbers.
    """
    out = Arrays({name: blank(shape) for name, shape in wanted.items()})
    wrong: dict[frozenset[str], str] = {}
    later = sorted(equations, key=lambda equation: len(equation[0]))
    while later:
        unknown = [len([piece for piece in equation[0] if not out.known(piece[1])]) for equation in later]
        left, right, equation = later.pop(next((i for i, count in enumerate(unknown) if count <= 1), 0))
        if not _settled(left, right, given, out):
            names = frozenset(block.name for _, block in (*left, *right))
            wrong.setdefault(names, complain(equation))
    if wrong:
        raise UsageError("\n  ".join(["these weights can't be converted:", *wrong.values()]))
    return out


def _settled(wanted: Linear, given: Linear, source: Arrays, out: Arrays) -> bool:
    """Write the unknown blocks of an equation; False if all are known and the sums differ."""
    rest: Any = 0.0
    for coefficient, block in given:
        rest = rest + _times(source.read(block), coefficient)
    unknown = []
    for coefficient, block in wanted:
        if out.known(block):
            rest = rest - _times(out.read(block), coefficient)
        else:
            unknown.append((coefficient, block))
    for position, (coefficient, block) in enumerate(unknown):
        value = out.arrays[block.name][_index(block)] * 0.0
        value = value.T if block.transposed else value
        out.write(block, value + _times(rest, 1.0 / coefficient) if position == 0 else value)
    return bool(unknown) or not bool(np.any(np.asarray(rest != 0)))


def _times(value: Any, factor: float) -> Any:
    """The product; for a factor of 1 the value itself, with the same bits."""
    return value if factor == 1 else value * factor
