"""Operations element by element: each element of the result depends on the same element of the arguments alone."""

from __future__ import annotations

import math

import numpy as np

from recurrency.graph.op import Array, Trait, define
from recurrency.graph.type_rules import same, selected
from recurrency.graph.value import Value, chosen, constant, unless


def _power_gradient(g: Value, y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """The slope in a is b a^(b-1), and 0 at a = b = 0: it is 0 at b = 0 for every other a."""
    zero = constant(a.graph, 0.0).like(a)
    nothing = a.apply("equal", zero) * b.apply("equal", zero)
    slope = unless(nothing, g * b * a.apply("power", b - 1.0))
    return slope, chosen(zero.apply("less", a), g * y * a.apply("log"))


def _abs_gradient(g: Value, y: Value, x: Value) -> tuple[Value]:
    sign = x.apply("sign")
    return (chosen(sign, g * sign),)


def _bell(x: Value) -> Value:
    """The slope of erf."""
    return (-_square(x)).apply("exp") * (2 / math.sqrt(math.pi))


def _square(x: Value) -> Value:
    """x * x, whose derivative counts as 0 where x is infinite: slopes that vanish there are flat."""
    finite = x.apply("abs").apply("equal", math.inf).where(math.inf, x)
    return finite * finite


def _sigmoid_meaning(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1.0) / (1.0 + e))


def _where_meaning(c: Array, a: Array, b: Array) -> Array:
    """One of two values; of symbols, a symbol, although "no symbol" is written as a number."""
    symbols = "i" in (np.asarray(a).dtype.kind, np.asarray(b).dtype.kind)
    found = np.where(c != 0, a, b)
    return found.astype(np.int64) if symbols else found


define(
    "negative", 1, same, lambda g, y, x: (-g,), np.negative, traits={Trait.LINEAR, Trait.KEEPS_ZERO, Trait.AFTER_SUMS}
)
define("add", 2, same, lambda g, y, a, b: (g, g), np.add, traits={Trait.LINEAR, Trait.COMMUTATIVE, Trait.KEEPS_ZERO})
define("subtract", 2, same, lambda g, y, a, b: (g, -g), np.subtract, traits={Trait.LINEAR, Trait.KEEPS_ZERO})
define(
    "multiply",
    2,
    same,
    lambda g, y, a, b: (g * b, g * a),
    np.multiply,
    traits={Trait.COMMUTATIVE, Trait.MULTIPLIES, Trait.ADDS_UP, Trait.FACTORS, Trait.KEEPS_ZERO},
    linear_in=(0, 1),
)
define(
    "divide",
    2,
    same,
    lambda g, y, a, b: (g / b, -(g * y) / b),
    np.divide,
    cost=4,
    traits={Trait.SINGULAR, Trait.FACTORS},
    linear_in=(0,),
)
define("power", 2, same, _power_gradient, np.power, cost=20, traits={Trait.SINGULAR})
define(
    "exp", 1, same, lambda g, y, x: (g * y,), np.exp, cost=10, traits={Trait.CONVEX, Trait.INCREASING, Trait.SINGULAR}
)
define(
    "expm1",
    1,
    same,
    lambda g, y, x: (g * x.apply("exp"),),
    np.expm1,
    cost=10,
    traits={Trait.CONVEX, Trait.INCREASING, Trait.SINGULAR, Trait.KEEPS_ZERO},
)
define(
    "log", 1, same, lambda g, y, x: (g / x,), np.log, cost=10, traits={Trait.CONCAVE, Trait.INCREASING, Trait.SINGULAR}
)
define(
    "log1p",
    1,
    same,
    lambda g, y, x: (g / (x + 1.0),),
    np.log1p,
    cost=10,
    traits={Trait.CONCAVE, Trait.INCREASING, Trait.SINGULAR, Trait.KEEPS_ZERO},
)
define(
    "sqrt",
    1,
    same,
    lambda g, y, x: (g / (y * 2.0),),
    np.sqrt,
    cost=4,
    traits={Trait.CONCAVE, Trait.INCREASING, Trait.SINGULAR, Trait.KEEPS_ZERO},
)
define(
    "tanh",
    1,
    same,
    lambda g, y, x: (g * (1.0 - y * y),),
    np.tanh,
    cost=10,
    traits={Trait.BOUNDED, Trait.KEEPS_ZERO, Trait.SQUASHES},
)
define(
    "sigmoid",
    1,
    same,
    lambda g, y, x: (g * (y * (1.0 - y)),),
    _sigmoid_meaning,
    cost=10,
    traits={Trait.BOUNDED, Trait.LOGISTIC, Trait.SQUASHES},
)
define(
    "softplus",
    1,
    same,
    lambda g, y, x: (g * x.apply("sigmoid"),),
    lambda x: np.logaddexp(0.0, x),
    cost=20,
    traits={Trait.CONVEX, Trait.INCREASING},
)
define(
    "relu",
    1,
    same,
    lambda g, y, x: (chosen(constant(g.graph, 0.0).like(x).apply("less", x), g),),
    lambda x: np.maximum(x, 0.0),
    traits={Trait.KINKED, Trait.INCREASING, Trait.CHOOSES, Trait.KEEPS_ZERO},
)
define("abs", 1, same, _abs_gradient, np.abs, traits={Trait.KINKED, Trait.KEEPS_ZERO})
define("sign", 1, same, lambda g, y, x: (None,), np.sign, traits={Trait.BOUNDED, Trait.KEEPS_ZERO})
define("floor", 1, same, lambda g, y, x: (None,), np.floor, traits={Trait.KEEPS_ZERO})
define("round", 1, same, lambda g, y, x: (None,), np.rint, traits={Trait.KEEPS_ZERO})
define(
    "mod",
    2,
    same,
    lambda g, y, a, b: (g, -(g * ((a - y) / b).apply("round"))),
    np.remainder,
    cost=20,
    traits={Trait.SINGULAR},
)
define(
    "atan",
    1,
    same,
    lambda g, y, x: (g / (_square(x) + 1.0),),
    np.arctan,
    cost=20,
    traits={Trait.BOUNDED, Trait.INCREASING, Trait.KEEPS_ZERO},
)
define(
    "erf",
    1,
    same,
    lambda g, y, x: (g * _bell(x),),
    np.vectorize(math.erf, [float]),
    cost=20,
    traits={Trait.BOUNDED, Trait.INCREASING, Trait.KEEPS_ZERO},
)
define(
    "erfc",
    1,
    same,
    lambda g, y, x: (-(g * _bell(x)),),
    np.vectorize(math.erfc, [float]),
    cost=20,
    traits={Trait.BOUNDED},
)
define("sin", 1, same, lambda g, y, x: (g * x.apply("cos"),), np.sin, cost=10, traits={Trait.BOUNDED, Trait.KEEPS_ZERO})
define("cos", 1, same, lambda g, y, x: (-(g * x.apply("sin")),), np.cos, cost=10, traits={Trait.BOUNDED})
define(
    "less",
    2,
    same,
    lambda g, y, a, b: (None, None),
    lambda a, b: np.less(a, b) * 1.0,
    traits={Trait.BOUNDED, Trait.MASK},
)
define(
    "less_equal",
    2,
    same,
    lambda g, y, a, b: (None, None),
    lambda a, b: np.less_equal(a, b) * 1.0,
    traits={Trait.BOUNDED, Trait.MASK},
)
define(
    "equal",
    2,
    same,
    lambda g, y, a, b: (None, None),
    lambda a, b: np.equal(a, b) * 1.0,
    traits={Trait.BOUNDED, Trait.MASK, Trait.COMMUTATIVE},
)
define(
    "minimum",
    2,
    same,
    lambda g, y, a, b: (unless(b.apply("less", a), g), chosen(b.apply("less", a), g)),
    np.minimum,
    traits={Trait.KINKED, Trait.INCREASING, Trait.CHOOSES},
)
define(
    "maximum",
    2,
    same,
    lambda g, y, a, b: (unless(a.apply("less", b), g), chosen(a.apply("less", b), g)),
    np.maximum,
    traits={Trait.KINKED, Trait.INCREASING, Trait.CHOOSES},
)
define(
    "where",
    3,
    selected,
    lambda g, y, c, a, b: (None, chosen(c, g), unless(c, g)),
    _where_meaning,
    traits={Trait.LINEAR, Trait.CONDITIONAL},
    linear_in=(1, 2),
    in_place=(),
)
define(
    "stop_grad",
    1,
    same,
    lambda g, y, x: (None,),
    lambda x: x,
    cost=0,
    traits={Trait.VIEW, Trait.SAME, Trait.CONTIGUOUS, Trait.PERMUTES, Trait.LINEAR, Trait.SILENT},
)
define(
    "add_slope",
    3,
    same,
    lambda g, y, value, x, slope: (g, g * slope, None),
    lambda value, x, slope: value,
    cost=0,
    in_place=(0,),
    traits={Trait.VIEW, Trait.SAME, Trait.CONTIGUOUS, Trait.SILENT, Trait.FORGETS},
)
define(
    "clip_grad",
    1,
    same,
    lambda g, y, x, *, limit: (g.clip(limit),),
    lambda x, *, limit: x,
    cost=0,
    traits={Trait.VIEW, Trait.SAME, Trait.CONTIGUOUS, Trait.PERMUTES, Trait.LINEAR, Trait.SILENT, Trait.CLIPS},
)
