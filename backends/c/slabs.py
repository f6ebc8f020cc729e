"""Arrays of compiled functions as callers see them: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Slab:
    """An array that a caller passes or gets: [T + rows, B, *shape], [B, *shape] or [*shape].

    `clock` is the clock of its axis of steps, if any; a size that is a string is the number of steps of that clock.
    """

    name: str
    real: bool
    clock: str | None
    batched: bool
    shape: tuple[int | str, ...]
    front: int
    behind: int

    def sizes(self, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
        """The shape of the array with all its rows."""
        lead: tuple[int, ...] = (batch,) if self.batched else ()
        if self.clock is not None:
            lead = (steps[self.clock] + self.front + self.behind, batch)
        return (*lead, *(steps[d] if isinstance(d, str) else d for d in self.shape))
