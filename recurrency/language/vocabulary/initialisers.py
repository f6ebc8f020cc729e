"""Initial values: one row for each initialiser, and draws that depend only on the seed and the name.

A fan is read from the shape: a matrix is `[out, in]`, and a vector `[n]` is one row of a matrix, `[1, n]`, as in
`dot(w, x)`. More axes are a stack of matrices, `[..., out, in]`, each of which is drawn as one. (Glorot and Bengio 2010
speak of matrices only; a vector that is a bias is better drawn with `zeros`.)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recurrency.errors import UsageError

Array: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
Arguments: TypeAlias = tuple[float, ...]
Check: TypeAlias = Callable[[Sequence[object], Arguments], str | None]


class Drawn(Protocol):
    """What `initial_values` reads of a parameter: dotted name, shape, and the initialiser's name and arguments."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def initialiser(self) -> tuple[str, tuple[float, ...]]: ...


@dataclass(frozen=True)
class Initialiser:
    """One way to draw a parameter.

    `arguments` holds (name, default) pairs, where None marks an argument without a default. `draw(rng, shape,
    arguments)` returns a float64 array. `check(shape, arguments)` returns what is wrong with the request, or None; the
    dimensions need only be comparable, so that it also works with symbols.
    """

    name: str
    arguments: tuple[tuple[str, float | None], ...]
    draw: Callable[[np.random.Generator, Shape, Arguments], Array]
    meaning: str
    check: Check

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


def _mean_fan(shape: Shape) -> float:
    return sum(fans(shape)) / 2


def _fan_in(shape: Shape) -> float:
    return fans(shape)[0]


def _uniform_by_variance(gain: float, fan: Callable[[Shape], float]) -> Callable[..., Array]:
    """U(-b, b) with variance `gain / fan`, hence b = sqrt(3 gain / fan)."""

    def draw(rng: np.random.Generator, shape: Shape, _: Arguments) -> Array:
        bound = math.sqrt(3 * gain / max(1.0, fan(shape)))
        return rng.uniform(-bound, bound, shape)

    return draw


def _normal_by_variance(gain: float, fan: Callable[[Shape], float]) -> Callable[..., Array]:
    """N(0, gain / fan)."""

    def draw(rng: np.random.Generator, shape: Shape, _: Arguments) -> Array:
        return rng.normal(0.0, math.sqrt(gain / max(1.0, fan(shape))), shape)

    return draw


def _stacked(draw: Callable[..., Array]) -> Callable[..., Array]:
    """Draws each matrix `[out, in]` of a stack."""

    def each(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
        matrices = [draw(rng, shape[-2:], arguments) for _ in range(math.prod(shape[:-2]))]
        return np.reshape(matrices, shape)

    return each


def _orthogonal(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    rows, columns = shape
    q, r = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
    # Without the signs Q would not be uniform over the orthogonal matrices (Mezzadri 2007, section 5).
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(arguments[0] * (q if rows >= columns else q.T))


def _sparse(rng: np.random.Generator, shape: Shape, arguments: Arguments) -> Array:
    rows, columns = shape
    out = np.zeros(shape)
    for row in range(rows):
        chosen = rng.choice(columns, size=min(int(arguments[0]), columns), replace=False)
        out[row, chosen] = rng.normal(0.0, arguments[1], len(chosen))
    return out


# ----------------------------------------------------------------------------------------------------------- checks


def _anything(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None


def _fan(shape: Sequence[object], arguments: Arguments) -> str | None:
    if shape:
        return None
    return "a fan-in needs a matrix [out, in] or a vector; a scalar has none (use uniform, normal or zeros)"


def _matrix(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if len(shape) > 1 else "only a matrix [out, in] can be drawn this way (use zeros, uniform or normal)"


def _square(shape: Sequence[object], arguments: Arguments) -> str | None:
    return None if len(shape) > 1 and shape[-1] == shape[-2] else "an identity needs a square matrix, such as [H, H]"


def _width(index: int) -> Check:
    """The argument at `index` is a width or a standard deviation, and cannot be negative."""

    def check(shape: Sequence[object], arguments: Arguments) -> str | None:
        return None if arguments[index] >= 0 else f"a width cannot be negative: {arguments[index]:g}"

    return check


def _interval(shape: Sequence[object], arguments: Arguments) -> str | None:
    low, high = arguments
    return None if low <= high else f"low cannot be above high: {low:g} and {high:g}"


def _sparse_check(shape: Sequence[object], arguments: Arguments) -> str | None:
    if arguments[0] < 1 or arguments[0] != int(arguments[0]):
        return f"k is the number of weights into a unit, a whole number from 1; here it is {arguments[0]:g}"
    return _matrix(shape, arguments) or _width(1)(shape, arguments)


# ------------------------------------------------------------------------------------------------------------ table

_ROWS = (
    Initialiser("zeros", (), lambda rng, s, a: np.zeros(s), "0", _anything),
    Initialiser("ones", (), lambda rng, s, a: np.ones(s), "1", _anything),
    Initialiser("constant", (("c", None),), lambda rng, s, a: np.full(s, float(a[0])), "c", _anything),
    Initialiser("uniform", (("a", None),), lambda rng, s, a: rng.uniform(-a[0], a[0], s), "U(-a, a)", _width(0)),
    Initialiser(
        "between",
        (("low", None), ("high", None)),
        lambda rng, s, a: rng.uniform(a[0], a[1], s),
        "U(low, high)",
        _interval,
    ),
    Initialiser(
        "normal",
        (("mean", None), ("std", None)),
        lambda rng, s, a: rng.normal(a[0], a[1], s),
        "N(mean, std^2)",
        _width(1),
    ),
    Initialiser(
        "glorot_uniform",
        (),
        _uniform_by_variance(1.0, _mean_fan),
        "U(-b, b), b = sqrt(6 / (in + out)) (Glorot and Bengio 2010, eq. 16)",
        _fan,
    ),
    Initialiser(
        "glorot_normal",
        (),
        _normal_by_variance(1.0, _mean_fan),
        "N(0, 2 / (in + out)) (Glorot and Bengio 2010, eq. 12)",
        _fan,
    ),
    Initialiser(
        "he_uniform",
        (),
        _uniform_by_variance(2.0, _fan_in),
        "U(-b, b), b = sqrt(6 / in) (He et al. 2015, eq. 10)",
        _fan,
    ),
    Initialiser("he_normal", (), _normal_by_variance(2.0, _fan_in), "N(0, 2 / in) (He et al. 2015, eq. 10)", _fan),
    Initialiser(
        "lecun_uniform",
        (),
        _uniform_by_variance(1.0, _fan_in),
        "U(-b, b), b = sqrt(3 / in) (LeCun et al. 1998, section 4.6)",
        _fan,
    ),
    Initialiser(
        "lecun_normal", (), _normal_by_variance(1.0, _fan_in), "N(0, 1 / in) (LeCun et al. 1998, section 4.6)", _fan
    ),
    Initialiser(
        "standard_uniform",
        (),
        _uniform_by_variance(1 / 3, _fan_in),
        "U(-b, b), b = 1 / sqrt(in) (Glorot and Bengio 2010, eq. 1)",
        _fan,
    ),
    Initialiser(
        "orthogonal",
        (("gain", 1.0),),
        _stacked(_orthogonal),
        "gain times orthonormal rows or columns, uniformly drawn (Saxe et al. 2014)",
        _matrix,
    ),
    Initialiser(
        "identity",
        (("scale", 1.0),),
        _stacked(lambda rng, s, a: a[0] * np.eye(s[0])),
        "scale times the identity (Le et al. 2015)",
        _square,
    ),
    Initialiser(
        "sparse",
        (("k", None), ("std", None)),
        _stacked(_sparse),
        "k weights into each unit (all, if there are fewer) from N(0, std^2), the others 0 (Martens 2010)",
        _sparse_check,
    ),
)

INITIALISERS: Mapping[str, Initialiser] = {row.name: row for row in _ROWS}


def draw(name: str, arguments: Sequence[float], shape: Shape, rng: np.random.Generator) -> Array:
    """A float64 array of `shape` drawn by the initialiser `name`; UsageError if the arguments make no sense."""
    row = INITIALISERS.get(name)
    if row is None:
        raise UsageError(f"unknown initialiser {name}; there are {', '.join(INITIALISERS)}")
    bound = row.bind(arguments)
    wrong = row.check(shape, bound)
    if wrong:
        raise UsageError(f"{row.name} cannot draw {list(shape)}: {wrong}")
    return np.asarray(row.draw(rng, tuple(shape), bound))


def generator(seed: int, name: str) -> np.random.Generator:
    """The generator of the parameter `name` under `seed`: a counter-based one, keyed by a hash of both."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def initial_values(parameters: Iterable[Drawn], seed: int = 0) -> dict[str, Array]:
    """The initial values of all parameters, by dotted name.

    A draw depends only on the seed and the name of the parameter: adding, removing or
    reordering other parameters, or another layout in memory, does not change it.
    """
    return {p.name: draw(p.initialiser[0], p.initialiser[1], p.shape, generator(seed, p.name)) for p in parameters}
