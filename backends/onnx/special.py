"""Functions that onnxruntime lacks, or has in float32 only: the inverse tangent and the error functions.

They are Chebyshev series, which are computed here from the values of the functions.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .writer import Tensor

SINGLE = "float32"
TERMS = 40
"""Terms of a series before those that add nothing are left out."""
TURN = math.tan(math.pi / 8)
NEAR = 1.0
"""Up to here `erf` is a series in x^2; beyond, it is 1 - erfc."""
FAR = 27.0
"""`erfc` is zero beyond, in float64."""


def series(x: Tensor, terms: tuple[float, ...]) -> Tensor:
    """A Chebyshev series at x in -1 .. 1 (Clenshaw's recurrence)."""
    double, after, last = x * 2.0, None, None
    for term in terms[:0:-1]:
        found = x.writer.number(term) if last is None else double * last + term
        after, last = last, found if after is None else found - after
    assert last is not None
    total = x * last + terms[0]
    return total if after is None else total - after


@cache
def terms(name: str) -> tuple[float, ...]:
    """The terms of a function of this module on -1 .. 1, without those that are too small to matter."""
    function = {"atan": _atan, "erf": _erf, "erfcx": _erfcx}[name]
    angles = np.pi * (np.arange(TERMS + 1) + 0.5) / (TERMS + 1)
    values = np.array([function(float(s)) for s in np.cos(angles)])
    found = 2 / len(angles) * np.array([float(values @ np.cos(k * angles)) for k in range(len(angles))])
    found[0] /= 2
    large = np.flatnonzero(np.abs(found) > 1e-17)
    return tuple(found[: int(large[-1]) + 1].tolist())


def _atan(s: float) -> float:
    """atan(x) / x at x^2 = (s + 1) / 2 tan(pi/8)^2."""
    x = TURN * math.sqrt((s + 1) / 2)
    return math.atan(x) / x if x else 1.0


def _erf(s: float) -> float:
    """erf(x) / x at x^2 = (s + 1) / 2 NEAR^2."""
    x = NEAR * math.sqrt((s + 1) / 2)
    return math.erf(x) / x if x else 2 / math.sqrt(math.pi)


def _erfcx(s: float) -> float:
    """(x + 2) exp(x^2) erfc(x) at s = (x - 2) / (x + 2); by its continued fraction where erfc is too small."""
    if s >= 1:
        return 1 / math.sqrt(math.pi)
    x = 2 * (1 + s) / (1 - s)
    if x < 6:
        return (x + 2) * _exp_square(x) * math.erfc(x)
    rest = x
    for k in range(120, 0, -1):
        rest = x + k / 2 / rest
    return (x + 2) / (math.sqrt(math.pi) * rest)


def _exp_square(x: float) -> float:
    """exp(x^2); the part of x^2 that a float cannot hold is not lost."""
    high = round(x * 1024) / 1024
    return math.exp(high * high) * math.exp((x - high) * (x + high))


def odd(x: Tensor, name: str, reach: float) -> Tensor:
    """x times a series in x^2."""
    return x * series(x * x * (2 / reach**2) - 1.0, terms(name))


def atan(x: Tensor) -> Tensor:
    """In float64: pi/4 + atan((|x| - 1) / (|x| + 1)) around 1, pi/2 - atan(1 / |x|) beyond, and the sign of x."""
    if x.writer.real == SINGLE:
        return x.apply("Atan")
    size = abs(x)
    low, high = size < TURN, size > 1 / TURN
    middle = (size - 1.0) / (size + 1.0)
    reduced = low.where(size, high.where(-1.0 / size, middle))
    base = low.where(0.0, high.where(math.pi / 2, math.pi / 4))
    return signed(x, odd(reduced, "atan", TURN) + base)


def erf(x: Tensor) -> Tensor:
    """In float64: a series near 0, and 1 - erfc beyond."""
    if x.writer.real == SINGLE:
        return x.apply("Erf")
    size = abs(x)
    return (size < NEAR).where(odd(x, "erf", NEAR), signed(x, 1.0 - tail(size)))


def erfc(x: Tensor) -> Tensor:
    """1 - erf near 0, `tail` above, and 2 - `tail` below; the first two keep the digits of small results."""
    size = abs(x)
    far = (x < 0.0).where(2.0 - tail(size), tail(size))
    return far if x.writer.real == SINGLE else (size < 0.25).where(1.0 - odd(x, "erf", NEAR), far)


def tail(x: Tensor) -> Tensor:
    """erfc of x >= 0: exp(-x^2) times a series in (x - 2) / (x + 2). x^2 is exact: it is made of two parts."""
    w = x.writer
    bounded = x.apply("Min", w.number(FAR))
    high = (bounded * 32.0).apply("Round") / 32.0
    squared = (-(high * high)).apply("Exp") * (-((bounded - high) * (bounded + high))).apply("Exp")
    found = squared * series((bounded - 2.0) / (bounded + 2.0), terms("erfcx")) / (bounded + 2.0)
    return (x > FAR).where(0.0, found)


def signed(x: Tensor, size: Tensor) -> Tensor:
    """A size with the sign of x, and NaN of NaN."""
    return (x < 0.0).where(-size, size)
