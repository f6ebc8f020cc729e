"""Whether the threads of one launch disturb each other: they run in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recurrency.backends._cuda_memory import Array
from recurrency.backends._cuda_values import Read


class RaceError(Exception):
    """In one launch some threads would read elements that others write: `array` is what they are elements of."""

    def __init__(self, array: str, element: str) -> None:
        self.array = array
        super().__init__(f"{element} is read while other threads write {array}")


class NotDiagonalError(Exception):
    """A thread would have to read what another one computed one step before."""


@dataclass(frozen=True)
class Written:
    """An element that a kernel writes: of which array, the value's text, between which rows it lies."""

    array: Array
    text: str
    span: tuple[int, int]

    def meets(self, read: Read) -> bool:
        """Whether an element that is read may be one that another thread writes."""
        return bool(read.array == self.array.name and read.span[0] < self.span[1] and self.span[0] < read.span[1])


def race(reads: Iterable[Read], written: Mapping[str, Written], stepped: bool) -> RaceError | None:
    """Where threads of one launch would disturb each other, if they would; `written`: what is written, by element.

    A kernel may write an array and read it only at the elements that the same thread writes, in other rows, or
    (`stepped`: it computes one step) at other steps.
    """
    for read in reads:
        own = stepped if read.late else read.element in written
        if not own and any(w.meets(read) for w in written.values()):
            return RaceError(read.array, read.element)
    return None
