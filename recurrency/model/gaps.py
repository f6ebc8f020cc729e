"""Steps that are not there: sequences with gaps are brought together before a call, and results put apart after it.

A sequence with gaps is the sequence of the steps that are there. Within a gap, streams among the results repeat their
last value; before the first step that is there they are zero (symbols: -1), as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurrency.graph.op import Array


@dataclass(frozen=True)
class Gap:
    """The steps of one clock that are there, [T, B], and how many steps each sequence has with its gaps, [B]."""

    there: Array
    ends: Array

    @cached_property
    def counts(self) -> Array:
        """The number of steps that are there, [B]."""
        return np.asarray(self.there.sum(0, dtype=np.int64))

    @cached_property
    def steps(self) -> int:
        """The most steps that are there in a sequence."""
        return int(self.counts.max(initial=0))

    @cached_property
    def _before(self) -> Array:
        """The number of steps that are there up to each step, [T, B]."""
        return np.asarray(np.cumsum(self.there, 0))

    @cached_property
    def _order(self) -> Array:
        """The places of the steps that are there, in order, [steps, B]; what follows the last one is arbitrary."""
        return np.argsort(~self.there, 0, kind="stable")[: self.steps]

    @property
    def _sequences(self) -> Array:
        return np.arange(self.there.shape[1])

    @cached_property
    def _empty(self) -> Array:
        """Where there is nothing to repeat, [T, B]: before the first step, and after the end of a sequence."""
        return np.asarray((self._before == 0) | (np.arange(len(self.there))[:, None] >= self.ends))

    def together(self, array: Array) -> Array:
        """A stream without its gaps."""
        return np.asarray(array[self._order, self._sequences])

    def resets(self, flags: Array) -> Array:
        """Resets without gaps: one within a gap takes effect at the next step that is there."""
        return after_gaps(flags, self.together)

    def late(self, flags: Array) -> Array:
        """Which sequences, [B], have a reset after their last step that is there: it is the state that begins again."""
        inside = np.arange(len(flags))[:, None] < self.ends
        return np.asarray(((flags != 0) & inside & (self._before == self.counts) & ~self.there).any(0))

    def repeated(self, array: Array, nothing: float) -> Array:
        """A stream without gaps with its last value repeated in the gaps."""
        if not len(array):
            return np.full((*self.there.shape, *array.shape[2:]), nothing, array.dtype)
        out = array[np.maximum(self._before, 1) - 1, self._sequences]
        out[self._empty] = nothing
        return np.asarray(out)

    def summed(self, array: Array) -> Array:
        """The adjoint of `repeated`: each step gets what the gap after it got."""
        out = np.zeros((self.steps, *array.shape[1:]), array.dtype)
        t, b = np.nonzero(~self._empty)
        np.add.at(out, (self._before[t, b] - 1, b), array[t, b])
        return out

    def apart(self, array: Array) -> Array:
        """The adjoint of `together`: zero in the gaps."""
        out = np.zeros((*self.there.shape, *array.shape[2:]), array.dtype)
        t, b = np.nonzero(self.there)
        out[t, b] = array[self._before[t, b] - 1, b]
        return out


def after_gaps(resets: Array, together: Callable[[Array], Array]) -> Array:
    """Resets [T, ...] without gaps: one within a gap takes effect at the next step that `together` keeps."""
    so_far = together(np.cumsum(resets != 0, 0))
    return np.asarray(np.diff(so_far, axis=0, prepend=0) > 0)


Gaps = Mapping[str, Gap]
"""The gaps of a call by clock; clocks without gaps are not there."""


NONE: Gaps = {}
"""No gaps."""


def gaps_of(mask: Mapping[str, Array], lengths: Mapping[str, Array] | None) -> dict[str, Gap]:
    """The gaps that masks [T, B] by clock say, beside the lengths of the sequences."""
    found = {}
    for clock, flags in mask.items():
        ends = np.full(flags.shape[1], len(flags), np.int64) if lengths is None else lengths[clock]
        there = flags & (np.arange(len(flags))[:, None] < ends)
        if (there.sum(0) != ends).any():
            found[clock] = Gap(there, ends)
    return found


def steps_of(steps: Mapping[str, int], gaps: Gaps) -> dict[str, int]:
    """The numbers of steps with gaps, from those without."""
    return {clock: len(gaps[clock].there) if clock in gaps else count for clock, count in steps.items()}


def of(gaps: Gaps, port: Any) -> Gap | None:
    """The gaps of a port; None if it is no stream, or has none."""
    return gaps.get(str(port.clock)) if port.clock is not None else None
