"""What the texts of NumPy and of PyTorch do not share: words, and how some things are said.

The writer of functions (`python.function` and its neighbours) is one; a dialect is handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Protocol


@dataclass(frozen=True)
class Fused:
    """Nodes that one statement computes together: a last one, and `inner` ones, which nobody else reads.

    `template` is the statement, with letters for values and `out` for the result; where it is empty, the one inner
    node is a product, to which the value `x` is added.
    """

    inner: tuple[int, ...]
    template: str
    letters: Mapping[str, int]


class Dialect(Protocol):
    """How generated Python speaks to one library of arrays. Texts go in, texts come out."""

    @property
    def elementwise(self) -> Mapping[str, tuple[str, ...]]:
        """Statements for each element-wise operation: `{0}`, `{1}`, ... are its arguments, `{out}` is the result."""

    step_padding: str
    """The padding of each step of a clock whose names end in `{s}`, for a loop."""
    length: str
    """Lengths of sequences that are all full, with `{T}` steps."""
    range: str
    """The numbers of `{T}` steps as a column."""
    steps_before: str
    """The numbers of `{T}` steps of `{clock}`, those before the call counted, for random numbers."""
    eye: str
    """The unit matrix of size `{0}`."""
    place: str
    """The statement that puts `{x}` into a stream at a step; names of the clock end in `{s}`."""

    @property
    def if_length(self) -> tuple[str, ...]:
        """The statements that copy `{x}` for sequences of one length, and nothing for others."""

    permute: str
    """The method that puts the axes of an array in another order."""
    view: str
    """A view of the array `{0}` in the shape `{1}`; where that takes a copy, an error."""
    widens: bool
    """Whether a function repeats its arguments where its result has more axes than all of them."""
    hoists: bool
    """Whether pieces of the arrays of a step are better cut out before the loop."""
    apart: bool
    """Whether memory that is lent to the caller is made apart from the rest."""

    def full(self, shape: str, value: str, index: bool = False) -> str:
        """A new array of equal numbers; `index`: of symbols."""

    def empty(self, shape: str, zeros: bool = False, here: bool = False) -> str:
        """A new array of real numbers: where memory is made, or `here` in the function."""

    def buffer(self, shape: str, front: int, behind: int, home: str | None) -> str:
        """Memory with so many rows before and after the steps; `home`: what part of it is lent to the caller as."""

    def given(self, text: str, index: bool) -> str:
        """An array of the caller in our dtype."""

    def assign(self, out: str, value: str, indexed: bool = False, number: bool = False) -> str:
        """Write a value, or a `number`, into an array; `indexed`: the text picks it out of another with an index."""

    def clear(self, out: str, where: str, nothing: str) -> str:
        """Write `nothing` where the first axes of an array are True in `where`."""

    def spread(self, text: str, shape: str) -> str:
        """A view of an array that is repeated to this shape."""

    def each(self, whole: str, backwards: bool) -> str:
        """What a loop over the steps of an array iterates over."""

    def per_step(self, wholes: list[str], backwards: bool) -> str:
        """The same of several arrays of ours at once."""

    def reduced(self, op: str, text: str, axes: str, out: str, fits: bool = True) -> str:
        """The `sum` or `peak` of an array over axes; `fits`: what comes out has the axes of `out`, as it is."""


def number_text(value: float) -> str:
    """A number as Python text; `nan` and `inf` are names of the module."""
    if isnan(value):
        return "nan"
    if value in (inf, -inf):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def listed(names: list[str]) -> str:
    """Names as the inside of a tuple."""
    return ", ".join(names) + ("," if len(names) == 1 else "")
