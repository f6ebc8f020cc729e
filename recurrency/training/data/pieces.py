"""Sequences in consecutive pieces: truncated back-propagation through time with carried states."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch

CLOCKS = "sequences whose inputs run over several clocks cannot be read in pieces; leave --truncate out"


def count(batch: Batch, steps: int) -> int:
    """The number of pieces of at most `steps` steps that a batch is read in."""
    return max(1, -(-int(_lengths(batch).max(initial=0)) // steps))


def pieces(batch: Batch, steps: int) -> Iterator[Batch]:
    """A batch in the fewest pieces of at most `steps` steps, each of which continues the sequences of the one before.

    Every sequence is cut into as many even pieces as the longest one needs, so that all of them end in the last piece.
    A sequence with fewer steps than pieces has no step in some of the earlier ones, which do not change its states.

    Raises:
        UsageError: the inputs run over several clocks.
    """
    lengths, number = _lengths(batch), count(batch, steps)
    if number == 1:
        yield batch
        return
    bounds = [k * lengths // number for k in range(number + 1)]
    for k, (starts, ends) in enumerate(pairwise(bounds)):
        own = ends - starts
        inputs, flags = (
            {name: _cut(array, starts, own) for name, array in table.items()} for table in (batch.inputs, batch.flags)
        )
        yield Batch(inputs, None if (own == own[0]).all() else own, batch.fresh and k == 0, flags)


def _lengths(batch: Batch) -> Array:
    if isinstance(batch.lengths, dict):
        raise UsageError(CLOCKS)
    return batch.steps(next(iter(batch.inputs)))


def _cut(array: Array, starts: Array, lengths: Array) -> Array:
    """The steps of each sequence from its start on, [T, B, *shape], zero after their ends."""
    steps = np.arange(int(lengths.max()))[:, None]
    rows = np.minimum(starts + steps, len(array) - 1)
    out: Array = array[rows, np.arange(len(starts))]
    out[steps >= lengths] = 0
    return out
