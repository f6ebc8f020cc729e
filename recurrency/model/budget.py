"""Memory budgets: how they are written, and the longest chunk of steps that stays within one."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass

from recurrency.errors import UsageError
from recurrency.model.memory import Forecast

UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size_in_bytes(text: str) -> int:
    """The number of bytes in a text such as "512 MB".

    Raises:
        UsageError: the text is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in UNITS:
        raise UsageError(f'checkpoint is a number of steps from 1, or a budget such as "512 MB", not {text!r}')
    return int(float(found[1]) * UNITS[found[2]])


def longest(forecast: Forecast, budget: int, count: int) -> int:
    """The largest chunk, in steps, with which training on `count` steps needs at most `budget` bytes.

    Raises:
        UsageError: there is none (the message gives the least that is needed), or the backend has no forecast.
    """
    search = Search(forecast, count)
    if count < 2 or search.peak(0) <= budget:
        return max(count, 1)
    most = bisect_right(range(1, count), budget, key=search.bound)
    for size in range(most, 0, -1):
        if search.peak(size) <= budget:
            return size
    raise UsageError(
        f"{forecast.interface.name} with {count} steps and {forecast.batch} sequences does not fit in "
        f"{in_words(budget)}: it needs at least {in_words(search.least(), up=True)}"
    )


@dataclass(frozen=True)
class Search:
    """What a batch of `count` steps needs, for different sizes of chunks."""

    forecast: Forecast
    count: int

    def peak(self, size: int, left: int | None = None) -> int:
        """The bytes with chunks of `size` steps (0: in one piece), the last one of `left` steps."""
        ports = self.forecast.interface
        steps = {**dict.fromkeys(ports.clocks, 0), ports.clock: self.count}
        return self.forecast.memory(steps, size, left).peak

    def bound(self, size: int) -> int:
        """A lower bound of `peak` that grows with the size: without the states, and with nothing left over."""
        return self.peak(size, 0) - self.forecast.states * -(-self.count // size)

    def least(self) -> int:
        """The smallest peak. It is found near the size at which chunks and states take the same memory."""
        each = max(self.bound(2) - self.bound(1), 1) if self.count > 2 else 1
        best = math.sqrt(self.count * self.forecast.states / each)
        near = range(max(1, int(best / 3)), min(self.count - 1, int(3 * best) + 3) + 1)
        divisors = [size for size in range(1, self.count) if not self.count % size]
        return min(map(self.peak, {*near, *divisors}))


def in_words(size: float, up: bool = False) -> str:
    """A number of bytes in kB, MB or GB with three digits, rounded to the nearest or, with `up`, upwards."""
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= u), (1.0, "B"))
    shown = size / unit
    digits = 0 if shown >= 100 or unit == 1 else 1 if shown >= 10 else 2
    shown = math.ceil(shown * 10**digits) / 10**digits if up else shown
    return f"{shown:.{digits}f} {name}"
