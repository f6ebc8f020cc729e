"""Beam search: keeps a few of the best prefixes at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.kinds import logits
from recurrency.generating.steps import Ahead, Array, Writer
from recurrency.training.tasks.measures import log_softmax


@dataclass(frozen=True)
class Beam:
    """The number of prefixes that are kept, and the exponent of the length penalty; 0 is no penalty."""

    width: int
    penalty: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UsageError(f"the width of a beam must be at least 1, not {self.width}")
        if not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise UsageError(f"the length penalty must be at least 0, not {self.penalty:g}")

    def rank(self, likely: float, length: int) -> float:
        """The rank of a sequence: log-probability / ((5 + n) / 6)^penalty (Wu et al. 2016, section 7)."""
        return float(likely / ((5 + length) / 6) ** self.penalty)


@dataclass(frozen=True)
class Found:
    """A sequence [n] of symbols, its log-probability, and its rank."""

    symbols: Array
    likely: float
    rank: float


def search(writer: Writer, ahead: Ahead, steps: int, beam: Beam, end: int | None, wanted: int = 1) -> list[Found]:
    """The best sequences, best first, of at most `steps` symbols; the symbol `end` ends a sequence before.

    `ahead` has one sequence. A finished sequence leaves the beam, which becomes narrower (Sutskever et al. 2014,
    section 3.2). The search stops when no prefix can become one of the best `wanted` sequences.
    """
    paths, likely = np.zeros((1, 0), np.int64), np.zeros(1)
    found: list[Found] = []
    for step in range(steps):
        totals = likely[:, None] + log_softmax(logits(writer, ahead.outputs))
        rows, symbols = _best(totals, beam.width - len(found))
        paths, likely = np.concatenate([paths[rows], symbols[:, None]], 1), totals[rows, symbols]
        done = (symbols == end) if end is not None and step + 1 < steps else np.full(len(rows), step + 1 == steps)
        found += [Found(p, float(s), beam.rank(s, len(p))) for p, s in zip(paths[done], likely[done], strict=True)]
        paths, likely, rows = paths[~done], likely[~done], rows[~done]
        if not len(paths) or _settled(found, beam.rank(likely[0], steps), wanted):
            break
        ahead = writer.advance(ahead.take(rows), paths[:, -1])
    return sorted(found, key=lambda one: -one.rank)


def _best(totals: Array, count: int) -> tuple[Array, Array]:
    """The rows and columns of the greatest elements, the greatest first, ties in order; without those that are -inf."""
    flat = totals.ravel()
    order = np.argsort(-flat, kind="stable")[:count]
    order = order[flat[order] > -np.inf]
    rows, columns = np.divmod(order, totals.shape[1])
    return rows, columns


def _settled(found: list[Found], limit: float, wanted: int) -> bool:
    """Whether `wanted` finished sequences rank at least as high as any prefix can."""
    return sum(one.rank >= limit for one in found) >= wanted
