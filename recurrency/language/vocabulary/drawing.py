"""How initialisers draw, and which shapes and arguments they accept.

A fan is read from the shape: a matrix is `[out, in]`, and a vector `[n]` is one row of a matrix, `[1, n]`, as in
`dot(w, x)`. More axes are a stack of matrices, `[..., out, in]`, each of which is drawn as one. (Glorot and Bengio 2010
speak of matrices only; a vector that is a bias is better drawn with `zeros`.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recurrency.errors import UsageError
from recurrency.language.vocabulary.matrix_functions import spectral_radius

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
Arguments: TypeAlias = tuple[float, ...]
Check: TypeAlias = Callable[[Sequence[object], Arguments], str | None]


@dataclass(frozen=True)
class Initialiser:
    """One way to draw a parameter.

    `arguments` holds (name, default) pairs, where None marks an argument without a default. `draw(rng, shape,
    arguments)` returns a float64 array. `check(shape, arguments)` returns what is wrong with the request, or None; the
    dimensions need only be comparable, so that it also works with symbols. An argument that is one of `words` counts as
    its place among them. `rescale(array, arguments)` is how it acts as a factor, after what is drawn before it;
    without it, a factor is drawn and multiplied element by element.
    """

    name: str
    arguments: tuple[tuple[str, float | None], ...]
    draw: Callable[[np.random.Generator, Shape, Arguments], Array]
    meaning: str
    check: Check
    words: tuple[str, ...] = ()
    rescale: Callable[[Array, Arguments], Array] | None = None

    @property
    def signature(self) -> str:
        """The row as a user writes it, such as `orthogonal(gain = 1)`."""
        words = [name if default is None else f"{name} = {default:g}" for name, default in self.arguments]
        return f"{self.name}({', '.join(words)})" if words else self.name

    def bind(self, positional: Sequence[float], keywords: Mapping[str, float] | None = None) -> Arguments:
        """All arguments in order, defaults filled in; UsageError where one is missing, unknown or given twice."""
        names = [name for name, _ in self.arguments]
        given = dict(zip(names, positional, strict=False))
        extra = dict(keywords or {})
        if len(positional) > len(names) or set(extra) - set(names) or set(extra) & set(given):
            raise UsageError(f"{self.name} is used as `{self.signature}`")
        values = [{**given, **extra}.get(name, default) for name, default in self.arguments]
        missing = [name for name, value in zip(names, values, strict=True) if value is None]
        if missing:
            raise UsageError(f"{self.name} needs {' and '.join(missing)}: write `{self.signature}`")
        return tuple(value for value in values if value is not None)


# ------------------------------------------------------------------------------------------------------------ draws


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of matrices `[..., out, in]`, or of a vector `[n]`, which is read as `[1, n]`."""
    return (shape[-1], shape[-2]) if len(shape) > 1 else (shape[0], 1)


def mean_fan(shape: Shape) -> float:
    return sum(fans(shape)) / 2


def fan_in(shape: Shape) -> float:
    return fans(shape)[0]


def uniform_by_variance(gain: float, fan: Callable[[Shape], float]) -> Callable[..., Array]:
    """U(-b, b) with variance `gain / fan`, hence b = sqrt(3 gain / fan)."""

    def draw(rng: np.random.Generator, shape: Shape, _: Arguments) -> Array:
        bound = math.sqrt(3 * gain / max(1.0, fan(shape)))
        return rng.uniform(-bound, bound, shape)

    return draw


def normal_by_variance(gain: float, fan: Callable[[Shape], float]) -> Callable[..., Array]:
    """N(0, gain / fan)."""

    def draw(rng: np.random.Generator, shape: Shape, _: Arguments) -> Array:
        return rng.normal(0.0, math.sqrt(gain / max(1.0, fan(shape))), shape)

    return draw


def stacked(draw: Callable[..., Array]) -> Callable[..., Array]:
    """Draws each matrix `[out, in]` of a stack."""

    def each(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
        matrices = [draw(rng, shape[-2:], arguments) for _ in range(math.prod(shape[:-2]))]
        return np.reshape(matrices, shape)

    return each


def orthogonal(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    rows, columns = shape
    q, r = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
    # Without the signs Q would not be uniform over the orthogonal matrices (Mezzadri 2007, section 5).
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(arguments[0] * (q if rows >= columns else q.T))


def sparse(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    rows, columns = shape
    out = np.zeros(shape)
    for row in range(rows):
        chosen = rng.choice(columns, size=min(int(arguments[0]), columns), replace=False)
        out[row, chosen] = rng.normal(0.0, arguments[1], len(chosen))
    return out


def chrono(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    return arguments[1] * np.log(rng.uniform(1.0, arguments[0] - 1.0, shape))


def scaled(array: Array, arguments: Arguments) -> Array:
    """Square matrices with another spectral radius."""
    out = array.copy().reshape(-1, *array.shape[-2:])
    for matrix in out:
        radius = spectral_radius(matrix)
        if not radius > 1e-12 * np.abs(matrix).max():
            raise UsageError("all eigenvalues of what was drawn are 0, so it can't be scaled to a spectral radius")
        matrix *= arguments[0] / radius
    return out.reshape(array.shape)


def hippo(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    """A (a matrix) or B (a vector) in dc/dt = A c + B u."""
    matrix, vector = HIPPO[HIPPO_WORDS[int(arguments[0])]]
    n = np.arange(shape[0], dtype=np.float64)
    return np.asarray(matrix(n[:, None], n[None, :]) if len(shape) == 2 else vector(n))


HIPPO: dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array], Array]]] = {
    "legs": (
        lambda n, k: -np.where(n > k, np.sqrt((2 * n + 1) * (2 * k + 1)), np.where(n == k, n + 1, 0.0)),
        lambda n: np.sqrt(2 * n + 1),
    ),
    "legt": (
        lambda n, k: (2 * n + 1) * np.where(n < k, -1.0, (-1.0) ** (n - k + 1)),
        lambda n: (2 * n + 1) * (-1.0) ** n,
    ),
    "lagt": (lambda n, k: np.where(n < k, 0.0, -1.0), np.ones_like),
}
"""Kind -> the elements of A and of B, with indices from 0 (Gu, Dao, Ermon, Rudra and Ré 2020, theorems 1 and 2)."""
HIPPO_WORDS = tuple(HIPPO)


def dirac(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    out = np.zeros(shape)
    middle = tuple(size // 2 for size in shape[2:])
    for k in range(min(shape[:2])):
        out[(k, k, *middle)] = 1.0
    return out


# ----------------------------------------------------------------------------------------------------------- checks


def anything(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None


def fan_needed(shape: Sequence[object], arguments: Arguments) -> str | None:
    if shape:
        return None
    return "a fan-in needs a matrix [out, in] or a vector; a scalar has none (use uniform, normal or zeros)"


def matrix_needed(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if len(shape) > 1 else "only a matrix [out, in] can be drawn this way (use zeros, uniform or normal)"


def square_needed(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if len(shape) > 1 and shape[-1] == shape[-2] else "an identity needs a square matrix, such as [H, H]"


def width_of(index: int) -> Check:
    """The argument at `index` is a width or a standard deviation, and cannot be negative."""

    def check(shape: Sequence[object], arguments: Arguments) -> str | None:
        return None if arguments[index] >= 0 else f"a width cannot be negative: {arguments[index]:g}"

    return check


def interval(shape: Sequence[object], arguments: Arguments) -> str | None:
    low, high = arguments
    return None if low <= high else f"low cannot be above high: {low:g} and {high:g}"


def sparse_fits(shape: Sequence[object], arguments: Arguments) -> str | None:
    if arguments[0] < 1 or arguments[0] != int(arguments[0]):
        return f"k is the number of weights into a unit, a whole number from 1; here it is {arguments[0]:g}"
    return matrix_needed(shape, arguments) or width_of(1)(shape, arguments)


def longest(shape: Sequence[object], arguments: Arguments) -> str | None:
    longest, sign = arguments
    if abs(sign) != 1:
        return f"the sign is 1 (forget gates) or -1 (input gates); here it is {sign:g}"
    return None if longest >= 2 else f"the longest dependency has at least 2 steps; here it has {longest:g}"


def radius(shape: Sequence[object], arguments: Arguments) -> str | None:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return "only a square matrix, such as [H, H], has a spectral radius"
    return None if arguments[0] >= 0 else f"a spectral radius cannot be negative: {arguments[0]:g}"


def hippo_fits(shape: Sequence[object], arguments: Arguments) -> str | None:
    if len(shape) == 1 or (len(shape) == 2 and shape[0] == shape[1]):
        return None
    return "it is a square matrix A, such as [N, N], or a vector B, such as [N]"


def axes(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if len(shape) >= 2 else "it needs a matrix [out, in], or a kernel [out, in, width]"


def probability(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if 0 <= arguments[0] <= 1 else f"a probability is between 0 and 1: {arguments[0]:g}"
