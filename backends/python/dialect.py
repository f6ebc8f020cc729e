"""What differs between generated NumPy and generated PyTorch: names of functions, and the form of some statements.

One writer (`python.function` and its neighbours) serves both; it takes a dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Protocol

from recurrency.graph.fixed import Fixed


@dataclass(frozen=True)
class Fused:
    """Nodes that one statement computes: a last one, and `inner` ones, which no other node reads.

    `template` is the statement, with letters for values and `out` for the result. An empty template means that the
    only inner node is a product, and the last node adds the value `x` to it.
    """

    inner: tuple[int, ...]
    template: str
    letters: Mapping[str, int]


class Dialect(Protocol):
    """How generated Python uses one library of arrays: every member takes source text and returns source text."""

    @property
    def elementwise(self) -> Mapping[str, tuple[str, ...]]:
        """The statements of each element-wise operation: `{0}`, `{1}`, ... are its arguments, `{out}` the result."""

    step_padding: str
    """The padding at each step, for a loop over time; `{s}` is the suffix of the clock's names, here and below."""
    length: str
    """The lengths of sequences that all have `{T}` steps."""
    range: str
    """The numbers of `{T}` steps, as a column."""
    steps_before: str
    """The numbers of `{T}` steps of `{clock}` for random numbers, counted from the first step of the whole sequence."""
    eye: str
    """The identity matrix of size `{0}`."""
    place: str
    """The statement that puts `{x}` into a stream at step `{step}`."""

    @property
    def if_length(self) -> tuple[str, ...]:
        """The statements that give `{x}` for sequences with `{length}` steps, and zero for others."""

    permute: str
    """The method that permutes the axes of an array."""
    view: str
    """A view of the array `{0}` in the shape `{1}`; it raises where that would take a copy."""
    widens: bool
    """Whether an element-wise function broadcasts its arguments to the shape of its result."""
    hoists: bool
    """Whether slices of the arrays of a step are cheaper when made before the loop."""
    apart: bool
    """Whether one function allocates the memory of results, and another one the rest."""

    def fixed(self, elements: str, array: Fixed) -> str:
        """A fixed array in the module: of nested lists, or of the base64 text of little-endian float64 numbers."""

    def full(self, shape: str, value: str, index: bool = False) -> str:
        """A new array with one value everywhere; `index`: of symbols."""

    def empty(self, shape: str, zeros: bool = False, here: bool = False) -> str:
        """A new array of real numbers, where memory is allocated or, with `here`, in the function itself."""

    def buffer(self, shape: str, front: int, behind: int, home: str | None) -> str:
        """Memory with rows before and after the steps; `home`: the caller gets it, in `outputs` or on the `tape`."""

    def given(self, text: str, index: bool) -> str:
        """An array of the caller in the dtype of the module."""

    def assign(self, out: str, value: str, indexed: bool = False, number: bool = False) -> str:
        """Write a value, or a `number`, into an array; `indexed`: `out` ends with an index."""

    def clear(self, out: str, where: str, nothing: str) -> str:
        """Write `nothing` into the elements of an array whose first axes are True in `where`."""

    def spread(self, text: str, shape: str) -> str:
        """A view of an array, broadcast to this shape."""

    def each(self, whole: str, backwards: bool) -> str:
        """The iterable of the steps of an array."""

    def per_step(self, wholes: list[str], backwards: bool) -> str:
        """The iterable of the steps of several of our own arrays at once."""

    def reduced(self, op: str, text: str, axes: str, out: str, fits: bool = True) -> str:
        """The `sum` or `peak` of an array over axes; `fits`: the result has the axes of `out` without broadcasting."""


def number_text(value: float) -> str:
    """A number as Python source; `nan` and `inf` are names in the module."""
    if isnan(value):
        return "nan"
    if value in (inf, -inf):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def listed(names: list[str]) -> str:
    """Names as the content of a tuple: `a, b`, or `a,`."""
    return ", ".join(names) + ("," if len(names) == 1 else "")
