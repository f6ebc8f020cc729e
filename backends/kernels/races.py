"""Whether the threads of one launch disturb each other: they run in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .arrays import Array
from .pieces import Store
from .values import Read


class RaceError(Exception):
    """In one launch some threads would read elements that others write: what is read, and what is written there."""

    def __init__(self, read: Read, written: Collection[str]) -> None:
        self.written = written
        self.stores: list[Store] = []
        """The stores that write it, if they are known."""
        super().__init__(f"{read.element} is read while other threads write {read.array}")


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


def by_array(written: Mapping[str, Written]) -> dict[str, list[tuple[str, Written]]]:
    """What is written, by the array in which it lies."""
    found: dict[str, list[tuple[str, Written]]] = {}
    for element, w in written.items():
        found.setdefault(w.array.name, []).append((element, w))
    return found


def race(reads: Iterable[Read], written: Mapping[str, Written], stepped: bool) -> RaceError | None:
    """Where threads of one launch would disturb each other, if they would; `written`: what is written, by element.

    A kernel may write an array and read it only at the elements that the same thread writes, in other rows, or
    (`stepped`: it computes one step) at other steps.
    """
    arrays = by_array(written)
    for read in reads:
        own = stepped if read.late else read.element in written
        met = () if own else [element for element, w in arrays.get(read.array, ()) if w.meets(read)]
        if met:
            return RaceError(read, met)
    return None
