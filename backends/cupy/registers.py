"""What threads of a block keep in registers from one stage of a row kernel to the next: see `rows`.

If each thread computes the same elements in every stage, no other thread needs what it reads of them: no barrier and no
memory lie between the stages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

from ..kernels.index import At
from ..names import Names
from .tiles import WARP

MOST_SLOTS = 8
"""The most elements of one value that a thread has in a stage: its loop over them is unrolled."""

MOST_KEPT = {"float": 56, "double": 56}
"""The most elements that a thread keeps or loads early, of 80 registers (float64: 168, two for an element)."""


@dataclass(frozen=True)
class Grain:
    """How `threads` share the elements of values: thread k has k, k + threads, ... of each `size` neighbours."""

    size: int
    threads: int

    @property
    def turns(self) -> int:
        """How often the threads are needed for `size` elements."""
        return ceil(self.size / self.threads)

    def slots(self, extent: int) -> int:
        """The elements of a thread among `extent`; 0 where they can't be shared so, or are too many."""
        slots = extent // self.size * self.turns
        return slots if extent % self.size == 0 and slots <= MOST_SLOTS else 0

    def index(self, name: str, extent: int) -> list[str]:
        """The lines that find the index `name` of an element among `extent`, within a loop over `turn`."""
        piece, place = "turn", "threadIdx.x"
        if self.turns > 1:
            turn = f"turn % {self.turns}" if extent > self.size else "turn"
            piece, place = f"turn / {self.turns}", f"{turn} * {self.threads} + threadIdx.x"
        text = f"{piece} * {self.size} + {place}" if extent > self.size else place
        full = self.turns * self.threads == self.size
        return [*([] if full else [f"if ({place} >= {self.size}) continue;"]), f"const int {name} = {text};"]


def grain(extents: Sequence[int], most: int, barrier: int) -> Grain | None:
    """The way to share the elements of some stages for which a block is done first, if one is better than none.

    `extents` are the elements of the stages, `most` the greatest number of threads, `barrier` the cost of a stage that
    is not shared like the others, in turns of a loop.
    """
    best: tuple[int, Grain | None] = (barrier * len(extents) + min(_turns(extents, n) for n in _threads(most)), None)
    for size in sorted(set(extents)):
        turns = ceil(size / most)
        made = Grain(size, ceil(ceil(size / turns) / WARP) * WARP)
        costs = (made.slots(extent) or barrier + ceil(extent / made.threads) for extent in extents)
        best = min(best, (sum(costs), made), key=lambda found: found[0])
    return best[1]


def fewest_threads(extents: Sequence[int], most: int) -> int:
    """The fewest threads with which a block is done after the fewest turns."""
    return min(_threads(most), key=lambda n: _turns(extents, n))


def _threads(most: int) -> range:
    return range(WARP, most + 1, WARP)


def _turns(extents: Iterable[int], threads: int) -> int:
    return sum(ceil(extent / threads) for extent in extents)


Key = tuple[object, ...]
"""A value, and those of its elements that a thread may have: all indices but the thread's own."""


@dataclass
class Kept:
    """An array of registers: the slots that have a value, and whether these are read."""

    name: str
    kind: str
    filled: set[int] = field(default_factory=set)
    is_read: bool = False


@dataclass(frozen=True)
class Own:
    """What a thread has of a value: its key, its first slot, and how many slots it has there.

    Without `varies` it is an element that all threads know.
    """

    key: Key
    first: int = 0
    slots: int = 1
    varies: bool = True

    @property
    def range(self) -> set[int]:
        """The slots."""
        return set(range(self.first, self.first + self.slots))


class Registers:
    """The registers of the threads of one kernel; `most` of them may be used."""

    def __init__(self, names: Names, most: int) -> None:
        self.names, self.most = names, most
        self.kept: dict[Key, Kept] = {}

    def read(self, own: Own) -> str | None:
        """The text of an element that the thread has in a register, within a loop over `turn`; None if it has not."""
        found = self.kept.get(own.key)
        if found is None or not own.range <= found.filled:
            return None
        if not found.is_read and self.used + len(found.filled) > self.most:
            return None
        found.is_read = True
        return _slot(found, own)

    def fill(self, own: Own, wish: str, kind: str) -> str:
        """The text of an element that is to be set."""
        found = self.kept.get(own.key)
        if found is None:
            found = self.kept[own.key] = Kept(self.names.new(f"{wish}_kept"), kind)
        found.filled |= own.range
        return _slot(found, own)

    @property
    def used(self) -> int:
        """How many are read."""
        return sum(len(found.filled) for found in self.kept.values() if found.is_read)

    def declared(self) -> list[str]:
        """The lines that declare them."""
        return [f"{k.kind} {k.name}[{max(k.filled) + 1}];" for k in self.kept.values() if k.is_read]

    def needed(self, lines: Iterable[str]) -> Iterator[str]:
        """Some lines without those that set what is never read."""
        unread = {found.name for found in self.kept.values() if not found.is_read}
        for line in lines:
            found = re.match(r" *(\w+)\[[^\]]*\] = ", line)
            if found is None or found[1] not in unread:
                yield line


def _slot(found: Kept, own: Own) -> str:
    if own.slots == 1:
        return f"{found.name}[{own.first}]"
    return f"{found.name}[turn + {own.first}]" if own.first else f"{found.name}[turn]"


def own_of(id: int, at: At, variables: Sequence[str], extent: int, shared: Grain | None) -> Own | None:
    """What a thread has of a value if it has this element; None if another thread may have that.

    `variables` are the indices of the thread's element among `extent`.
    """
    if at.t not in (None, "t") or at.b not in (None, "b"):
        return None
    varying = [ix for ix in at.idx if ix.text != "0"]
    names = [ix.text for ix in varying]
    rest = tuple(str(ix) for ix in at.idx)
    if not varying:
        return Own((id, at.t, at.b, rest), varies=False)
    slots = shared.slots(extent) if shared is not None else 0
    if shared is None or not slots or names != list(variables):
        return None
    if len(names) == 1 and varying[0].offset >= 0 and varying[0].offset % shared.size == 0:
        found = tuple("" if ix.text != "0" else str(ix) for ix in at.idx)
        return Own((id, at.t, at.b, found), varying[0].offset // shared.size * shared.turns, slots)
    if any(ix.offset for ix in varying):
        return None
    sizes = tuple(ix.size for ix in varying)
    return Own((id, at.t, at.b, rest, sizes), 0, slots)
