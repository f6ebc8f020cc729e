"""Steps that are not there: sequences with gaps are brought together before a call, and results put apart after it."""

from __future__ import annotations

import torch
from torch import Tensor


class Gap:
    """The steps of one clock that are there, [T, B] bools.

    Shapes stay as they are: the steps that are there come first, and the rest is padding.
    """

    def __init__(self, there: Tensor, lengths: Tensor | None) -> None:
        steps = torch.arange(len(there), device=there.device)[:, None]
        inside = torch.ones_like(there) if lengths is None else steps < lengths.to(there.device)
        there = there & inside
        self.lengths = there.sum(0)
        """The number of steps that are there, [B]."""
        before = there.cumsum(0)
        self.order = torch.argsort(~there, dim=0, stable=True)
        self.at = (before - 1).clamp(min=0)
        self.nothing = (before == 0) | ~inside
        self.behind = inside & ~there & (before == self.lengths)

    def together(self, array: Tensor) -> Tensor:
        """A stream without its gaps."""
        return _taken(array, self.order)

    def resets(self, flags: Tensor) -> Tensor:
        """Resets without gaps: one within a gap takes effect at the next step that is there."""
        so_far = self.together(flags.ne(0).cumsum(0))
        first = so_far.new_zeros(1, so_far.shape[1])
        return torch.diff(so_far, dim=0, prepend=first).gt(0).to(flags.dtype)

    def late(self, flags: Tensor) -> Tensor:
        """Which sequences, [B], have a reset after their last step that is there: it is the state that begins again."""
        return (flags.ne(0) & self.behind).any(0)

    def repeated(self, array: Tensor, nothing: int) -> Tensor:
        """A stream without gaps with its last value repeated in the gaps; `nothing` before the first value."""
        mask = self.nothing.to(array.device)
        return _taken(array, self.at).masked_fill(mask.view(*mask.shape, *(1,) * (array.dim() - 2)), nothing)


def _taken(array: Tensor, at: Tensor) -> Tensor:
    """The elements [T, B, ...] of an array at other steps [T, B]."""
    at = at.to(array.device)
    wide = at.view(*at.shape, *(1,) * (array.dim() - 2)).expand(*at.shape, *array.shape[2:])
    return array.gather(0, wide)
