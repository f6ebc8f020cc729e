"""A long text as parallel streams, cut into consecutive chunks (truncated back-propagation)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recurrency.training.data.sequences import Array, Batch


@dataclass(frozen=True)
class Streams:
    """Symbols [N] in `size` streams of the same length, to one step, in chunks of at most `chunk` steps.

    A last step that only some streams have is read with the chunk before it, so that all of them end in one batch. Each
    batch goes on where the one before it ended, but for the first, and for every one after `reset` of them if
    that is not 0. x [T, B] is the text and target [T, B] what follows on each symbol, at the end of the text none (-1).
    """

    symbols: Array
    size: int
    chunk: int
    reset: int = 0

    @property
    def count(self) -> int:
        """The number of batches."""
        return len(self._starts)

    @property
    def _steps(self) -> list[int]:
        """The length of each stream; the first ones may have one step more than the others."""
        size = max(1, min(self.size, len(self.symbols)))
        return [len(piece) for piece in np.array_split(self.symbols, size)]

    @property
    def _starts(self) -> list[int]:
        """The steps at which batches begin."""
        steps = self._steps
        found = list(range(0, steps[0], self.chunk))
        return found[:-1] if len(found) > 1 and found[-1] == steps[-1] else found

    def __iter__(self) -> Iterator[Batch]:
        return self.read(0, self.count)

    def read(self, first: int, count: int) -> Iterator[Batch]:
        """So many batches from number `first` on; after the last one comes batch 0 again, with new states."""
        steps = np.array(self._steps)
        x, target = (_side_by_side(a, steps) for a in (self.symbols, np.append(self.symbols[1:], -1)))
        starts = [*self._starts, len(x)]
        for number in (place % self.count for place in range(first, first + count)):
            start, end = starts[number : number + 2]
            piece = slice(start, end)
            lengths = np.clip(steps - start, 0, len(x[piece]))
            ragged = None if (lengths == lengths[0]).all() else lengths
            fresh = number == 0 or bool(self.reset and number % self.reset == 0)
            yield Batch({"x": x[piece], "target": target[piece]}, ragged, fresh)


def _side_by_side(symbols: Array, steps: Array) -> Array:
    """Consecutive pieces of these lengths as columns [T, B], zero after their ends."""
    out = np.zeros((int(steps.max()), len(steps)), np.int64)
    for column, piece in enumerate(np.split(symbols, np.cumsum(steps)[:-1])):
        out[: len(piece), column] = piece
    return out
