"""The polynomials of the vector functions of generated C, computed again: `python tools/coefficients.py [NAME]`.

Each is a minimax approximation by Remez exchange in 60 digits (Remez 1934). Coefficients are rounded to the type of the
function, the lowest ones one after the other, and the others fitted again to what is left. Prints the coefficients and
the largest error. Needs mpmath: pip install mpmath
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

mp.mp.dps = 60
Number = Any
Function = Callable[[Number], Number]

POINTS = 40
"""Points per coefficient at which an error is looked at."""


@dataclass(frozen=True)
class Fit:
    """`wanted` on an interval by a polynomial of `terms` terms, whose error counts times `weight`."""

    wanted: Function
    low: float
    high: float
    terms: int
    weight: Function = lambda x: mp.mpf(1)
    real: str = "double"
    alone: int = 3
    """So many coefficients are rounded one after the other; none where 0 is within the interval."""


def nodes(low: Number, high: Number, count: int) -> list[Number]:
    """Chebyshev's nodes, from the lowest up."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle - half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def solved(fit: Fit, first: int, points: Sequence[Number], wanted: Function) -> list[Number]:
    """The coefficients of x^first, ... whose weighted errors at these points are equal and alternate."""
    rows = [[fit.weight(x) * x**k for k in range(first, fit.terms)] + [mp.mpf((-1) ** i)] for i, x in enumerate(points)]
    found = mp.lu_solve(mp.matrix(rows), mp.matrix([fit.weight(x) * wanted(x) for x in points]))
    return list(found)[:-1]


def value(coefficients: Sequence[Number], first: int, x: Number) -> Number:
    """The polynomial."""
    return sum((c * x ** (first + k) for k, c in enumerate(coefficients)), mp.mpf(0))


def exchanged(fit: Fit, first: int, wanted: Function, rounds: int = 12) -> list[Number]:
    """Remez exchange: the extrema of the error are the next points."""
    low, high = mp.mpf(fit.low), mp.mpf(fit.high)
    count = fit.terms - first + 1
    points = nodes(low, high, count)
    grid = [low, *nodes(low, high, POINTS * count), high]
    targets = [(x, fit.weight(x), wanted(x)) for x in grid]
    found = solved(fit, first, points, wanted)
    for _ in range(rounds):
        errors = [w * (value(found, first, x) - y) for x, w, y in targets]
        runs: list[tuple[Number, Number]] = []
        for x, e in zip(grid, errors, strict=True):
            if runs and mp.sign(runs[-1][1]) == mp.sign(e):
                runs[-1] = max(runs[-1], (x, e), key=lambda run: abs(run[1]))
            else:
                runs.append((x, e))
        while len(runs) > count:
            del runs[0 if abs(runs[0][1]) < abs(runs[-1][1]) else -1]
        if len(runs) < count:
            break
        found = solved(fit, first, [x for x, _ in runs], wanted)
        sizes = [abs(e) for _, e in runs]
        if max(sizes) < min(sizes) * mp.mpf("1.001"):
            break
    return found


def fitted(fit: Fit) -> tuple[list[float], float]:
    """The rounded coefficients, and the base-2 logarithm of the largest weighted error."""
    dtype: Any = {"float": np.float32, "double": np.float64}[fit.real]
    done: list[Number] = []

    def left(x: Number) -> Number:
        return fit.wanted(x) - value(done, 0, x)

    for first in range(fit.alone):
        done.append(mp.mpf(float(dtype(float(exchanged(fit, first, left)[0])))))
    done += [mp.mpf(float(dtype(float(c)))) for c in exchanged(fit, fit.alone, left)]
    grid = nodes(mp.mpf(fit.low), mp.mpf(fit.high), 2000)
    worst = max(abs(fit.weight(x) * left(x)) for x in grid)
    return [float(c) for c in done], float(mp.log(worst, 2))


def series(x: Number, function: Function, terms: Callable[[int], Number]) -> Number:
    """A function of x, by the sum of `terms(k) x^k` where the formula would cancel."""
    return mp.nsum(lambda k: terms(int(k)) * x ** int(k), [0, 40]) if abs(x) < mp.mpf("1e-3") else function(x)


def _log(z: Number) -> Number:
    """2 atanh(s) / s = 2 + z p(z), z = s^2."""
    s = mp.sqrt(z)
    return series(z, lambda z: (2 * mp.atanh(s) / s - 2) / z, lambda k: mp.mpf(2) / (2 * k + 3))


def _log2(z: Number) -> Number:
    """3 atanh(s) / s = 3 + z + z^2 p(z)."""
    s = mp.sqrt(z)
    return series(z, lambda z: (3 * mp.atanh(s) / s - 3 - z) / z**2, lambda k: mp.mpf(3) / (2 * k + 5))


def _exp2(t: Number) -> Number:
    """2^t = 1 + t p(t)."""
    return series(t, lambda t: mp.expm1(t * mp.log(2)) / t, lambda k: mp.log(2) ** (k + 1) / mp.factorial(k + 1))


def _sin(z: Number) -> Number:
    """sin(r) = r + r z p(z), z = r^2."""
    r = mp.sqrt(z)
    return series(z, lambda z: (mp.sin(r) / r - 1) / z, lambda k: (-1) ** (k + 1) / mp.factorial(2 * k + 3))


def _cos(z: Number) -> Number:
    """cos(r) = 1 - z / 2 + z^2 p(z)."""
    r = mp.sqrt(z)
    return series(z, lambda z: (mp.cos(r) - 1 + z / 2) / z**2, lambda k: (-1) ** k / mp.factorial(2 * k + 4))


def _atan(z: Number) -> Number:
    """atan(t) = t + t z p(z), z = t^2."""
    t = mp.sqrt(z)
    return series(z, lambda z: (mp.atan(t) / t - 1) / z, lambda k: mp.mpf((-1) ** (k + 1)) / (2 * k + 3))


def _erf(z: Number) -> Number:
    """erf(x) = x + x p(z), z = x^2."""
    x = mp.sqrt(z)
    scale = 2 / mp.sqrt(mp.pi)
    return (
        scale * mp.nsum(lambda k: (-z) ** int(k) / (mp.factorial(int(k)) * (2 * int(k) + 1)), [0, 30]) - 1
        if abs(z) < mp.mpf("1e-3")
        else mp.erf(x) / x - 1
    )


def erfcx(x: Number) -> Number:
    """exp(x^2) erfc(x)."""
    return mp.exp(x * x) * mp.erfc(x)


def _erfc(center: float) -> Function:
    """(1 + 2 x) exp(x^2) erfc(x) = p(t), t = (x - center) / (x + center)."""
    return lambda t: (lambda x: (1 + 2 * x) * erfcx(x))(center * (1 + t) / (1 - t))


def _end(center: float, x: float) -> float:
    return (x - center) / (x + center)


QUARTER = float(mp.pi / 4) ** 2 * 1.0001
EIGHTH = float(mp.tan(mp.pi / 8)) ** 2 * 1.0001
LOG = float((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * 1.0001

FITS: dict[str, Fit] = {
    "log double": Fit(_log, 0, LOG, 8, lambda z: z),
    "log2 double": Fit(_log2, 0, LOG, 7, lambda z: z**2),
    "log2 float": Fit(_log, 0, LOG, 5, lambda z: z),
    "exp2 float": Fit(_exp2, -0.5001, 0.5001, 7, alone=0),
    "sin double": Fit(_sin, 0, QUARTER, 6, lambda z: z),
    "cos double": Fit(_cos, 0, QUARTER, 6, lambda z: z**2),
    "sin float": Fit(_sin, 0, QUARTER, 3, lambda z: z),
    "cos float": Fit(_cos, 0, QUARTER, 3, lambda z: z**2),
    "atan double": Fit(_atan, 0, EIGHTH, 11, lambda z: z),
    "atan float": Fit(_atan, 0, EIGHTH, 5, lambda z: z, "float"),
    "erf double": Fit(_erf, 0, 0.75**2, 12, alone=1),
    "erf float": Fit(_erf, 0, 0.75**2, 6, real="float", alone=5),
    "erfc double": Fit(_erfc(3.8125), -1, _end(3.8125, 27.5), 24, alone=0),
    "erfc float": Fit(_erfc(2.578125), -1, _end(2.578125, 10.1), 11, real="float", alone=0),
}
"""Each weight makes the error one of the function, relative to what the polynomial is added to."""


def main(names: Sequence[str]) -> None:
    """Print the polynomials whose names begin so."""
    for name, fit in FITS.items():
        if not names or any(name.startswith(n) for n in names):
            found, error = fitted(fit)
            digits = [repr(np.float32(c).item() if fit.real == "double" else float(str(np.float32(c)))) for c in found]
            shown = [repr(c) for c in found] if fit.real == "double" else digits
            print(f"{name}: error 2^{error:.1f}\n    ({', '.join(shown)})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
