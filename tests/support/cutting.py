"""Sequences with resets as the cut sequences, each of which begins anew: an independent account of resets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Cut:
    """The pieces (sequence, first step, end) that resets [T, B] cut the sequences of a batch into.

    A sequence without steps is one piece, and so is a sequence before its first reset.
    """

    resets: Array
    lengths: Array

    @property
    def pieces(self) -> list[tuple[int, int, int]]:
        """The pieces of all sequences, in order."""
        out = []
        for b, length in enumerate(self.lengths):
            starts = [0, *(int(t) for t in np.flatnonzero(self.resets[:length, b]) if t)]
            out += [(b, start, stop) for start, stop in zip(starts, [*starts[1:], int(length)], strict=True)]
        return out

    @property
    def counts(self) -> Array:
        """The number of steps of each piece."""
        return np.array([stop - start for _, start, stop in self.pieces], np.int64)

    def fresh(self) -> Array:
        """Whether each piece begins from the declared initial values, not from those that a caller passes."""
        return np.array([bool(start or (stop and self.resets[0, b])) for b, start, stop in self.pieces], bool)

    def split(self, stream: Array, nothing: float = 0) -> Array:
        """A stream [T, B, ...] by pieces, [longest, pieces, ...]."""
        out = np.full((max(self.counts, default=0), len(self.pieces), *stream.shape[2:]), nothing, stream.dtype)
        for p, (b, start, stop) in enumerate(self.pieces):
            out[: stop - start, p] = stream[start:stop, b]
        return out

    def joined(self, pieces: Array, nothing: float = 0) -> Array:
        """The stream [T, B, ...] that such pieces are of."""
        out = np.full((*self.resets.shape, *pieces.shape[2:]), nothing, pieces.dtype)
        for p, (b, start, stop) in enumerate(self.pieces):
            out[start:stop, b] = pieces[: stop - start, p]
        return out

    def first_of(self, value: Array) -> Array:
        """A value of each sequence [B, ...] as one of each piece."""
        return value[[b for b, _, _ in self.pieces]]

    def last(self, value: Array) -> Array:
        """The value [B, ...] of the last piece of each sequence, from one of each piece."""
        at = {b: p for p, (b, _, _) in enumerate(self.pieces)}
        return value[[at[b] for b in range(len(self.lengths))]]

    def at_last(self, value: Array) -> Array:
        """A value of each sequence [B, ...] at its last piece, and zero at the others."""
        out = np.zeros((len(self.pieces), *value.shape[1:]), value.dtype)
        at = {b: p for p, (b, _, _) in enumerate(self.pieces)}
        for b in range(len(self.lengths)):
            out[at[b]] = value[b]
        return out


def every(table: Mapping[str, Array], change: Any) -> dict[str, Array]:
    """A dict of changed arrays."""
    return {name: change(array) for name, array in table.items()}


def random_resets(rng: np.random.Generator, steps: int, batch: int, share: float = 0.3) -> Array:
    """Resets at random steps; the last sequence has none."""
    out = rng.random((steps, batch)) < share
    out[:, -1:] = False
    return np.asarray(out)
