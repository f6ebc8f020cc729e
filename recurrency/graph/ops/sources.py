"""Where a graph begins: inputs, parameters, numbers, lengths, random numbers and the first values of states."""

from __future__ import annotations

import numpy as np

from recurrency.graph.op import Array, Attrs, Reading, Trait, define
from recurrency.graph.type_rules import same, scalar_of, stated
from recurrency.graph.types import Kind, Type


def _read_start(r: Reading, attrs: Attrs) -> Array:
    """The caller's value, else the declared first value, else zero (or "no symbol")."""
    given = r.given(attrs["name"])
    if given is not None:
        return given
    return r.arg(0) if attrs["count"] else r.zero()


define(
    "input", 0, stated, at=lambda r, a: r.given(a["name"]), group="source", cost=0, traits={Trait.NAMED, Trait.INPUT}
)
define(
    "param",
    0,
    stated,
    at=lambda r, a: r.given(a["name"]),
    group="source",
    cost=0,
    traits={Trait.NAMED, Trait.PARAMETER},
)
define(
    "constant",
    0,
    lambda t, a: Type(Kind.STATIC),
    None,
    lambda *, value: np.float64(value),
    group="source",
    cost=0,
    traits={Trait.LITERAL},
)
define(
    "eye",
    0,
    lambda t, a: Type(Kind.STATIC, (a["size"], a["size"])),
    None,
    lambda *, size: np.eye(size),
    group="source",
    cost=0,
)
define(
    "array",
    0,
    lambda t, a: Type(Kind.STATIC, a["of"].shape),
    None,
    lambda *, of: of.array,
    group="source",
    cost=0,
)
define(
    "length",
    0,
    scalar_of(Kind.SEQUENCE),
    at=lambda r, a: np.float64(r.length(a["clock"])),
    group="source",
    cost=0,
    traits={Trait.COUNTS, Trait.LENGTHS},
)
define("batch", 0, scalar_of(Kind.STATIC), at=lambda r, a: np.float64(r.batch()), group="source", cost=0)
define(
    "random",
    0,
    stated,
    at=lambda r, a: r.draw(a["site"], a["law"], a["p"], a["per"]),
    group="source",
    cost=40,
    traits={Trait.DRAWS},
)
define(
    "start",
    None,
    stated,
    lambda g, y, *x, name, **attrs: tuple(g.unless_given(name) for _ in x),
    at=_read_start,
    group="boundary",
    cost=0,
    traits={Trait.NAMED, Trait.OPTIONAL, Trait.FIRST},
)
define(
    "unless_given",
    1,
    same,
    lambda g, y, x, *, name: (g.unless_given(name),),
    at=lambda r, a: r.arg(0) if r.given(a["name"]) is None else r.zero(),
    group="boundary",
    traits={Trait.OPTIONAL, Trait.MOVES, Trait.PERMUTES, Trait.LINEAR, Trait.ALIGNED},
)
