"""Beam search: keeps a few of the best prefixes at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.kinds import logits
from recurrency.generating.steps import Ahead, Array, Writer


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


class _Search:
    """The beams of several texts, side by side: row i of `paths` [R, n] belongs to the text `owners[i]`.

    The rows of a text are next to each other, the most likely one first.
    """

    def __init__(self, beam: Beam, texts: int) -> None:
        self.beam = beam
        self.owners, self.paths, self.likely = np.arange(texts), np.zeros((texts, 0), np.int64), np.zeros(texts)
        self.found: list[list[Found]] = [[] for _ in range(texts)]

    def grow(self, scores: Array, never: Sequence[int]) -> Array:
        """Continue each text by its best symbols, for logits [R, V]; returns the row that each continues."""
        room = np.array([self.beam.width - len(found) for found in self.found])
        base = self.likely - _log_sum_exp(scores)
        scores = scores if scores.flags.writeable else scores.copy()
        scores[:, list(never)] = -np.inf
        columns, values = _greatest(scores, int(room[self.owners].max(initial=1)))
        values = (values + base[:, None]).ravel()
        rows = np.repeat(np.arange(len(scores)), columns.shape[1])
        order = np.lexsort((columns.ravel(), rows, -values, self.owners[rows]))
        owners = self.owners[rows[order]]
        place = np.arange(len(order)) - np.searchsorted(owners, owners)  # among the candidates of the same text
        order = order[(place < room[owners]) & (values[order] > -np.inf)]
        rows, symbols = rows[order], columns.ravel()[order]
        self.owners, self.likely = self.owners[rows], values[order]
        self.paths = np.concatenate([self.paths[rows], symbols[:, None]], 1)
        return rows

    def finish(self, done: Array, steps: int, wanted: int) -> Array:
        """Move what is `done` [R] out of the beams, and close those that nothing can improve; returns which rows stay.

        A prefix ranks at most as high as if it had `steps` symbols without becoming less likely.
        """
        for row in np.flatnonzero(done):
            rank = self.beam.rank(self.likely[row], self.paths.shape[1])
            self.found[self.owners[row]].append(Found(self.paths[row], float(self.likely[row]), rank))
        stays = ~done
        texts, firsts = np.unique(self.owners[stays], return_index=True)
        for text, first in zip(texts, np.flatnonzero(stays)[firsts], strict=True):
            limit = self.beam.rank(self.likely[first], steps)
            if sum(one.rank >= limit for one in self.found[text]) >= wanted:
                stays &= self.owners != text
        self.owners, self.paths, self.likely = self.owners[stays], self.paths[stays], self.likely[stays]
        return np.asarray(stays)


def search(
    writer: Writer, ahead: Ahead, steps: int, beam: Beam, end: int | None, wanted: int = 1, never: Sequence[int] = ()
) -> list[list[Found]]:
    """The best sequences of each text, best first, of at most `steps` symbols; the symbol `end` ends one before.

    `ahead` has a row for each text; all are searched at once. The symbols `never` are not written. A finished sequence
    leaves its beam, which becomes narrower (Sutskever et al. 2014, section 3.2). The search of a text stops when no
    prefix can become one of its best `wanted` sequences.
    """
    texts = len(next(iter(ahead.outputs.values())))
    beams = _Search(beam, texts)
    for step in range(steps):
        rows = beams.grow(logits(writer, ahead.outputs, writer.model.real), never)
        last = step + 1 == steps
        done = beams.paths[:, -1] == end if end is not None and not last else np.full(len(rows), last)
        stays = beams.finish(done, steps, wanted)
        if not stays.any():
            break
        ahead = writer.advance(ahead.take(rows[stays]), beams.paths[:, -1])
    return [sorted(found, key=lambda one: -one.rank) for found in beams.found]


def _log_sum_exp(scores: Array) -> Array:
    """The logarithm of the sum of exp over each row, [R]; exponentials in the type of the scores, sums in float64."""
    peak = scores.max(1)
    return np.asarray(peak + np.log(np.exp(scores - peak[:, None]).sum(1, dtype=np.float64)))


FEW = 32
"""So many greatest elements are found one after the other; vectors make that faster than sorting."""


def _greatest(scores: Array, count: int) -> tuple[Array, Array]:
    """The columns of the `count` greatest elements of each row, and these, [R, count]; `scores` are overwritten."""
    count = min(count, scores.shape[1])
    if count > FEW:
        columns = np.argsort(-scores, 1, kind="stable")[:, :count]
        return columns, np.take_along_axis(scores, columns, 1)
    rows, found = np.arange(len(scores)), []
    for _ in range(count):
        column = scores.argmax(1)
        found.append((column, scores[rows, column]))
        scores[rows, column] = -np.inf
    return np.stack([column for column, _ in found], 1), np.stack([value for _, value in found], 1)
