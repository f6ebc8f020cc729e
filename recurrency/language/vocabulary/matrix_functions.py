"""Functions of matrices in float64, for constants."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

PADE = [
    *(64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0),
    *(10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0),
]
"""The coefficients of the [13/13] Padé approximant of exp (Higham 2005, eq. 2.2)."""
REACH = 5.371920351148152
"""The 1-norm up to which that approximant has the accuracy of float64 (Higham 2005, table 2.3)."""
GREATEST_CONDITION = 1e15
"""A matrix with a greater condition number counts as singular: no digit of its inverse would be right in float64."""


class SingularError(ArithmeticError):
    """A matrix has no inverse."""


def expm(a: Array) -> Array:
    """exp(a) of a square matrix, by scaling and squaring (Higham 2005, algorithm 2.3).

    Raises:
        OverflowError: an element is not finite.
    """
    norm = float(np.abs(a).sum(0).max())
    if not math.isfinite(norm):
        raise OverflowError("exp of infinity")
    squarings = max(0, math.ceil(math.log2(norm / REACH))) if norm > REACH else 0
    a = a / 2.0**squarings
    one, a2 = np.eye(len(a)), a @ a
    a4 = a2 @ a2
    a6, b = a2 @ a4, PADE
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    result = np.asarray(np.linalg.solve(even - odd, even + odd), np.float64)
    for _ in range(squarings):
        result = result @ result
    return result


def inverse(a: Array) -> Array:
    """The inverse of a square matrix.

    Raises:
        SingularError: it has none.
    """
    _refuse_singular(a)
    return np.asarray(np.linalg.inv(a), np.float64)


def solve(a: Array, b: Array) -> Array:
    """x in `a x = b`, for a vector or a matrix b.

    Raises:
        SingularError: a has no inverse.
    """
    _refuse_singular(a)
    return np.asarray(np.linalg.solve(a, b[:, None])[:, 0] if b.ndim == 1 else np.linalg.solve(a, b), np.float64)


def _refuse_singular(a: Array) -> None:
    condition = float(np.linalg.cond(a)) if np.isfinite(a).all() else math.inf
    if not condition <= GREATEST_CONDITION:
        raise SingularError("singular matrix")


def spectral_radius(a: Array) -> float:
    """The greatest absolute value of the eigenvalues of a square matrix."""
    return float(np.abs(np.linalg.eigvals(a)).max())
