"""Races: threads of one launch run in any order, so none may read what another one writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .arrays import Array
from .pieces import Store
from .values import Read


class RaceError(Exception):
    """Threads of one launch would read elements that others write."""

    def __init__(self, read: Read, written: Collection[str]) -> None:
        self.written = written
        self.stores: list[Store] = []
        """The stores that write what is read, if they are known."""
        super().__init__(f"{read.element} is read while other threads write {read.array}")


class NotDiagonalError(Exception):
    """A thread would need what another one computed at the step before."""


@dataclass(frozen=True)
class Written:
    """An element that a kernel writes: its array, the text of the value, and the range of rows that it is in."""

    array: Array
    text: str
    span: tuple[int, int]

    def meets(self, read: Read) -> bool:
        """Whether another thread may write an element that is read."""
        return bool(read.array == self.array.name and read.span[0] < self.span[1] and self.span[0] < read.span[1])


def by_array(written: Mapping[str, Written]) -> dict[str, list[tuple[str, Written]]]:
    """The written elements of each array."""
    found: dict[str, list[tuple[str, Written]]] = {}
    for element, w in written.items():
        found.setdefault(w.array.name, []).append((element, w))
    return found


def race(reads: Iterable[Read], written: Mapping[str, Written], stepped: bool) -> RaceError | None:
    """The first race of a kernel, or None; `written` has what it writes, by element.

    A kernel that writes an array may read from it the elements that the same thread writes, other rows, and
    (`stepped`: it computes one step) other steps, unless the array holds one step only.
    """
    arrays = by_array(written)
    for read in reads:
        places = arrays.get(read.array, ())
        apart = read.late and not any(w.array.carried for _, w in places)
        own = stepped if apart else read.element in written
        met = () if own else [element for element, w in places if w.meets(read)]
        if met:
            return RaceError(read, met)
    return None
