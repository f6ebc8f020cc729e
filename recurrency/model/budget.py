"""A budget of memory: how it is written, and the longest chunk of steps that is within it."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recurrency.errors import UsageError
from recurrency.model.memory import of_chunks, states_in_bytes

if TYPE_CHECKING:
    from recurrency.model.model import Model

UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size_in_bytes(text: str) -> int:
    """The bytes that a text such as "512 MB" says.

    Raises:
        UsageError: it says none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        raise UsageError(f'checkpoint is a number of steps from 1, or a budget such as "512 MB", not {text!r}')
    return int(float(found[1]) * UNITS[found[2]])


def longest(model: Model, budget: int, count: int, batch: int, ragged: bool) -> int:
    """The greatest number of steps of a chunk with which training on a batch stays within a budget of bytes.

    Raises:
        UsageError: there is none (the message says what is needed at least), or the backend knows no forecast.
    """
    search = Search(model, count, batch, ragged)
    if count < 2 or search.peak(0) <= budget:
        return max(count, 1)
    most = bisect_right(range(1, count), budget, key=search.bound)
    for size in range(most, 0, -1):
        if search.peak(size) <= budget:
            return size
    raise UsageError(
        f"{model.spec.name} with {count} steps and {batch} sequences is not within {in_words(budget)}: "
        f"it needs {in_words(search.least(), up=True)} at least"
    )


@dataclass(frozen=True)
class Search:
    """What a batch needs with chunks of one size or another."""

    model: Model
    count: int
    batch: int
    ragged: bool

    def peak(self, size: int, left: int | None = None) -> int:
        """With chunks of this size (0: with none), and of so many steps at the end."""
        steps = {**dict.fromkeys(self.model.clocks, 0), self.model.clock: self.count}
        return of_chunks(self.model, steps, self.batch, self.ragged, size, left).peak

    def bound(self, size: int) -> int:
        """Less than that, and never less with a greater size: without states, and with nothing left over."""
        return self.peak(size, 0) - states_in_bytes(self.model, self.batch) * -(-self.count // size)

    def least(self) -> int:
        """The least of all, which is where chunks and the states between them need about the same."""
        each = max(self.bound(2) - self.bound(1), 1) if self.count > 2 else 1
        best = math.sqrt(self.count * states_in_bytes(self.model, self.batch) / each)
        near = range(max(1, int(best / 3)), min(self.count - 1, int(3 * best) + 3) + 1)
        divisors = [size for size in range(1, self.count) if not self.count % size]
        return min(map(self.peak, {*near, *divisors}))


def in_words(size: float, up: bool = False) -> str:
    """A number of bytes in kB, MB or GB with three digits, rounded up if it is to be enough."""
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= u), (1.0, "B"))
    shown = size / unit
    digits = 0 if shown >= 100 or unit == 1 else 1 if shown >= 10 else 2
    shown = math.ceil(shown * 10**digits) / 10**digits if up else shown
    return f"{shown:.{digits}f} {name}"
