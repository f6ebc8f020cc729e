"""Initial values: one row for each initialiser, and draws that depend only on the seed and the name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from recurrency.errors import UsageError
from recurrency.language.vocabulary.drawing import (
    HIPPO_WORDS,
    Arguments,
    Array,
    Initialiser,
    Shape,
    anything,
    axes,
    chrono,
    dirac,
    fan_in,
    fan_needed,
    hippo,
    hippo_fits,
    interval,
    longest,
    matrix_needed,
    mean_fan,
    normal_by_variance,
    orthogonal,
    probability,
    radius,
    scaled,
    sparse,
    sparse_fits,
    square_needed,
    stacked,
    uniform_by_variance,
    width_of,
)


class Drawn(Protocol):
    """What `initial_values` reads of a parameter: dotted name, shape, and the initialiser's name and arguments."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def initialiser(self) -> tuple[str, tuple[float, ...]]: ...


# ------------------------------------------------------------------------------------------------------------ table

_ROWS = (
    Initialiser("zeros", (), lambda rng, s, a: np.zeros(s), "0", anything),
    Initialiser("ones", (), lambda rng, s, a: np.ones(s), "1", anything),
    Initialiser("constant", (("c", None),), lambda rng, s, a: np.full(s, float(a[0])), "c", anything),
    Initialiser("uniform", (("a", None),), lambda rng, s, a: rng.uniform(-a[0], a[0], s), "U(-a, a)", width_of(0)),
    Initialiser(
        "between",
        (("low", None), ("high", None)),
        lambda rng, s, a: rng.uniform(a[0], a[1], s),
        "U(low, high)",
        interval,
    ),
    Initialiser(
        "normal",
        (("mean", None), ("std", None)),
        lambda rng, s, a: rng.normal(a[0], a[1], s),
        "N(mean, std^2)",
        width_of(1),
    ),
    Initialiser(
        "glorot_uniform",
        (),
        uniform_by_variance(1.0, mean_fan),
        "U(-b, b), b = sqrt(6 / (in + out)) (Glorot and Bengio 2010, eq. 16)",
        fan_needed,
    ),
    Initialiser(
        "glorot_normal",
        (),
        normal_by_variance(1.0, mean_fan),
        "N(0, 2 / (in + out)) (Glorot and Bengio 2010, eq. 12)",
        fan_needed,
    ),
    Initialiser(
        "he_uniform",
        (),
        uniform_by_variance(2.0, fan_in),
        "U(-b, b), b = sqrt(6 / in) (He et al. 2015, eq. 10)",
        fan_needed,
    ),
    Initialiser("he_normal", (), normal_by_variance(2.0, fan_in), "N(0, 2 / in) (He et al. 2015, eq. 10)", fan_needed),
    Initialiser(
        "lecun_uniform",
        (),
        uniform_by_variance(1.0, fan_in),
        "U(-b, b), b = sqrt(3 / in) (LeCun et al. 1998, section 4.6)",
        fan_needed,
    ),
    Initialiser(
        "lecun_normal", (), normal_by_variance(1.0, fan_in), "N(0, 1 / in) (LeCun et al. 1998, section 4.6)", fan_needed
    ),
    Initialiser(
        "standard_uniform",
        (),
        uniform_by_variance(1 / 3, fan_in),
        "U(-b, b), b = 1 / sqrt(in) (Glorot and Bengio 2010, eq. 1)",
        fan_needed,
    ),
    Initialiser(
        "orthogonal",
        (("gain", 1.0),),
        stacked(orthogonal),
        "gain times orthonormal rows or columns, uniformly drawn (Saxe et al. 2014)",
        matrix_needed,
    ),
    Initialiser(
        "identity",
        (("scale", 1.0),),
        stacked(lambda rng, s, a: a[0] * np.eye(s[0])),
        "scale times the identity (Le et al. 2015)",
        square_needed,
    ),
    Initialiser(
        "sparse",
        (("k", None), ("std", None)),
        stacked(sparse),
        "k weights into each unit (all, if there are fewer) from N(0, std^2), the others 0 (Martens 2010)",
        sparse_fits,
    ),
    Initialiser(
        "bernoulli",
        (("p", None),),
        lambda rng, s, a: (rng.random(s) < a[0]).astype(np.float64),
        "1 with probability p, else 0: `normal(0, 1) * bernoulli(0.1)` is sparse",
        probability,
    ),
    Initialiser(
        "spectral",
        (("radius", None),),
        lambda rng, s, a: scaled(rng.normal(size=s), a),
        "N(0, 1), scaled to this spectral radius; as a factor, it scales what is drawn before it (Jaeger 2001)",
        radius,
        rescale=scaled,
    ),
    Initialiser(
        "chrono",
        (("longest", None), ("sign", 1.0)),
        chrono,
        "sign times log U(1, longest - 1), for the bias of a forget gate, with sign = -1 of an input gate "
        "(Tallec and Ollivier 2018, eq. 16)",
        longest,
    ),
    Initialiser(
        "hippo",
        (("kind", None),),
        hippo,
        "A (a matrix) or B (a vector) in dc/dt = A c + B u; kind is legs, legt or lagt (Gu et al. 2020)",
        hippo_fits,
        words=HIPPO_WORDS,
    ),
    Initialiser(
        "dirac",
        (),
        dirac,
        "1 where the indices of output and input agree (and those of a kernel are in the middle), else 0 "
        "(Zagoruyko and Komodakis 2017)",
        axes,
    ),
)

INITIALISERS: Mapping[str, Initialiser] = {row.name: row for row in _ROWS}


PRODUCT = " * "
"""Between the names of initialisers whose draws are multiplied; their arguments follow one another."""


def factors(name: str, arguments: Sequence[float]) -> list[tuple[Initialiser, Arguments]]:
    """The initialisers of a product with the arguments of each; UsageError where there is no such initialiser."""
    out, rest = [], tuple(arguments)
    names = name.split(PRODUCT)
    for one in names:
        row = INITIALISERS.get(one)
        if row is None:
            raise UsageError(f"unknown initialiser {one}; there are {', '.join(INITIALISERS)}")
        count = len(row.arguments) if len(names) > 1 else len(rest)
        out.append((row, row.bind(rest[:count])))
        rest = rest[count:]
    return out


def spelling(name: str, arguments: Sequence[float]) -> str:
    """An initialiser as a user writes it after `~`."""
    texts = []
    for row, own in factors(name, arguments):
        given = ", ".join(row.words[int(a)] if row.words else f"{a:g}" for a in own)
        texts.append(f"{row.name}({given})" if own else row.name)
    return PRODUCT.join(texts)


def draw(name: str, arguments: Sequence[float], shape: Shape, rng: np.random.Generator) -> Array:
    """A float64 array of `shape` drawn by the initialiser `name`; UsageError if the arguments make no sense."""
    result: Array | None = None
    for row, bound in factors(name, arguments):
        wrong = row.check(shape, bound)
        if wrong:
            raise UsageError(f"{row.name} cannot draw {list(shape)}: {wrong}")
        if result is not None and row.rescale is not None:
            result = row.rescale(result, bound)
        else:
            drawn = np.asarray(row.draw(rng, tuple(shape), bound))
            result = drawn if result is None else result * drawn
    assert result is not None
    return result


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
