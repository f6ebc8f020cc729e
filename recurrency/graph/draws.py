"""Random numbers that depend only on where they are used: Philox4x32-10, a generator without state.

For one seed, a place (site, sequence, step, element) has the same number on every backend, whatever the order of
computation and the division into calls. Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
2, 3" (2011).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Words: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"

ROUNDS = 10
FACTORS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

BITS = 24
"""Uniform numbers have 24 bits, so that they are equal in float32 and in float64."""


def philox(counter: tuple[Words, Words, Words, Words], seed: int) -> tuple[Words, Words, Words, Words]:
    """Four random 32-bit words for each counter of four 32-bit words; all are arrays of one shape."""
    a, b, c, d = counter
    low, high = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(ROUNDS):
        left, right = a * np.uint64(FACTORS[0]), c * np.uint64(FACTORS[1])
        a, b, c, d = (
            (right >> HALF) ^ b ^ np.uint64(low),
            right & WORD,
            (left >> HALF) ^ d ^ np.uint64(high),
            left & WORD,
        )
        low, high = (low + INCREMENTS[0]) & 0xFFFFFFFF, (high + INCREMENTS[1]) & 0xFFFFFFFF
    return a, b, c, d


def threshold(p: float) -> int:
    """The probability `p` in units of 2^-24: an event happens where the first 24 bits are below it."""
    return round(p * (1 << BITS))


def _keep(first: Words, second: Words, p: float) -> Floats:
    kept = first >= np.uint64(threshold(p))
    return np.where(kept, 1.0 / (1.0 - p) if p < 1 else 0.0, 0.0)


def _bernoulli(first: Words, second: Words, p: float) -> Floats:
    return np.where(first < np.uint64(threshold(p)), 1.0, 0.0)


def _normal(first: Words, second: Words, p: float) -> Floats:
    radius = np.sqrt(-2.0 * np.log((first + np.uint64(1)) * 2.0**-BITS))
    return np.asarray(p * radius * np.cos(second * (2.0**-BITS * 2.0 * np.pi)))


def _gumbel(first: Words, second: Words, p: float) -> Floats:
    return np.asarray(-p * np.log(-np.log((first + 0.5) * 2.0**-BITS)))


LAWS: dict[str, Callable[[Words, Words, float], Floats]] = {
    "keep": _keep,
    "bernoulli": _bernoulli,
    "normal": _normal,
    "gumbel": _gumbel,
}
"""`keep`: 0 with probability p, else 1/(1-p); `bernoulli`: 1 with probability p, else 0; `normal`: of deviation p;
`gumbel`: p times the standard Gumbel distribution, of which the greatest of many draws is one."""


def draw(seed: int, site: int, step: Any, sequence: Any, count: int, law: str, p: float) -> Floats:
    """Random numbers in float64, of the common shape of `step` and `sequence` and then [count]."""
    words = _words(seed, site, step, sequence, count)
    return LAWS[law](words[0] >> np.uint64(8), words[1] >> np.uint64(8), p)


def _words(seed: int, site: int, step: Any, sequence: Any, count: int) -> tuple[Words, Words]:
    """Two random words for each place."""
    places = [np.asarray(number, np.uint64)[..., None] for number in (step, sequence)]
    steps, sequences, elements = np.broadcast_arrays(*places, np.arange(count, dtype=np.uint64))
    first, second, _, _ = philox((elements, sequences, steps & WORD, np.full(elements.shape, site, np.uint64)), seed)
    return first, second


def uniforms(seed: int, site: int, step: Any, sequence: Any, count: int) -> Floats:
    """Numbers in [0, 1) with all bits that a float64 has; places as in `draw`."""
    first, second = _words(seed, site, step, sequence, count)
    return np.asarray(((first >> np.uint64(5)) * 2.0**26 + (second >> np.uint64(6))) * 2.0**-53)
