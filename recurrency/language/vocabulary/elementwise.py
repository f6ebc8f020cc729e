"""The functions that work element by element, or over a vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.value import Value, constant
from recurrency.language.diagnostics import MALFORMED_DIMENSION, NO_SUCH_MEMBER, SHAPE_MISMATCH, WRONG_ARGUMENTS
from recurrency.language.vocabulary.signatures import ELEMENTWISE, VECTOR, Arguments, row, shown

# ----------------------------------------------------------------------------------------------- element by element


def _unary(op: str, number: Callable[[float], float]) -> Callable[[Arguments], Any]:
    return lambda a: a.fold(number) if a.static() else a.value(0).apply(op)


def _sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


for _name, _number, _meaning in (
    ("exp", math.exp, "e to the power of x"),
    ("log", math.log, "natural logarithm"),
    ("sqrt", math.sqrt, "square root"),
    ("tanh", math.tanh, "hyperbolic tangent"),
    ("sigmoid", _sigmoid, "1 / (1 + exp(-x)); also written σ"),
    ("sin", math.sin, "sine"),
    ("cos", math.cos, "cosine"),
    ("abs", abs, "absolute value; its derivative at 0 is taken as 0"),
    ("sign", lambda x: float((x > 0) - (x < 0)), "-1, 0 or 1; its derivative is 0"),
    ("relu", lambda x: max(x, 0.0), "max(x, 0); its derivative at 0 is taken as 0"),
    ("softplus", lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), "log(1 + exp(x))"),
):
    row(ELEMENTWISE, f"{_name}(x)", _meaning, _unary(_name, _number))


def _positive(x: Value, yes: Value, no: Value) -> Value:
    zero = constant(x.graph, 0.0)
    return zero.apply("less", x).where(yes, no)


def _elu(a: Arguments) -> Value:
    x = a.value(0)
    return _positive(x, x, x.apply("minimum", 0.0).apply("expm1"))


FAR = {"gelu": 30.0, "silu": 1000.0}
"""Beyond this both functions equal 0 on the left and x on the right, even in float64."""


def _gelu(a: Arguments) -> Value:
    """x * (1 + tanh(u)) / 2, which is x * sigmoid(2 u): which stays exact where it is small."""
    x = a.value(0).apply("maximum", -FAR["gelu"])
    near = x.apply("minimum", FAR["gelu"])
    return x * ((near + near * near * near * 0.044715) * (2 * math.sqrt(2 / math.pi))).apply("sigmoid")


def _silu(a: Arguments) -> Value:
    x = a.value(0).apply("maximum", -FAR["silu"])
    return x * x.apply("minimum", FAR["silu"]).apply("sigmoid")


def _norm(a: Arguments) -> Value:
    """Scaled by the largest element, so that squares stay in range; the gradient at 0 is 0."""
    x = a.value(0)
    most = x.apply("abs").reduce("peak").apply("stop_grad")
    unit = (constant(x.graph, 0.0).apply("less", most) * most.apply("less", 1e38)).where(most, 1.0)
    scaled = x / unit
    square = (scaled * scaled).reduce("sum")
    return square.where(square.apply("sqrt"), 0.0) * unit


def _clip(a: Arguments) -> Value:
    return a.value(0).apply("maximum", a.value(1)).apply("minimum", a.value(2))


def _fold(op: str) -> Callable[[Arguments], Any]:
    """`max` and `min`: of several values element by element, or over one vector."""

    def lower(a: Arguments) -> Any:
        if a.static():
            return a.fold(lambda *numbers: {"maximum": max, "minimum": min}[op](numbers))
        if len(a) == 1 and not a.collected:
            x = a.value(0)
            return x.reduce("peak") if op == "maximum" else -(-x).reduce("peak")
        total = a.value(0)
        for i in range(1, len(a)):
            total = total.apply(op, a.value(i))
        return total

    return lower


row(ELEMENTWISE, "square(x)", "x * x", lambda a: a.fold(lambda x: x * x) if a.static() else a.value(0) * a.value(0))
row(
    ELEMENTWISE,
    "prelu(x, a)",
    "x where x > 0, else a * x (He et al. 2015)",
    lambda a: _positive(a.value(0), a.value(0), a.value(0) * a.value(1)),
    2,
)
row(ELEMENTWISE, "elu(x)", "x where x > 0, else exp(x) - 1 (Clevert et al. 2016)", _elu)
row(ELEMENTWISE, "gelu(x)", "x times the normal distribution function, by tanh (Hendrycks & Gimpel 2016)", _gelu)
row(ELEMENTWISE, "silu(x)", "x * sigmoid(x)", _silu)
row(
    ELEMENTWISE,
    "hard_sigmoid(x)",
    "clip(0.2 * x + 0.5, 0, 1)",
    lambda a: ((a.value(0) + 2.5) * 0.2).apply("maximum", 0.0).apply("minimum", 1.0),
)
row(ELEMENTWISE, "clip(x, low, high)", "x limited to the interval from low to high", _clip, 3)
row(ELEMENTWISE, "where(c, a, b)", "a where c is not 0, else b", lambda a: a.value(0).where(a.value(1), a.value(2)), 3)
row(
    ELEMENTWISE,
    "max(a, b, ...)",
    "the larger, element by element; for one vector, its largest element",
    _fold("maximum"),
    1,
    None,
    comprehends=True,
)
row(
    ELEMENTWISE,
    "min(a, b, ...)",
    "the smaller, element by element; for one vector, its smallest element",
    _fold("minimum"),
    1,
    None,
    comprehends=True,
)

# ----------------------------------------------------------------------------------------------------- over a vector


def vector(a: Arguments, position: int = 0) -> Value:
    """An argument that has one dimension."""
    x = a.value(position)
    if len(x.type.shape) != 1:
        a.fail(WRONG_ARGUMENTS, f"a vector is needed here, not {shown(x.type)}", position=position)
    return x


def _sum(a: Arguments) -> Any:
    if a.static():
        return a.fold(lambda *numbers: sum(numbers))
    if not a.collected and len(a) == 1:
        return a.value(0).reduce("sum")
    total = a.value(0)
    for i in range(1, len(a)):
        total = total + a.value(i)
    return total


def _size(x: Value) -> float:
    """The number of elements, as far as it is known."""
    return float(math.prod(d if isinstance(d, int) else 1 for d in x.type.shape))


def mean(x: Value) -> Value:
    """The mean of all elements."""
    return x.reduce("sum") * (1.0 / max(_size(x), 1.0))


def _mean(a: Arguments) -> Any:
    return _sum(a) * (1.0 / len(a)) if a.collected else mean(a.value(0))


def _var(x: Value) -> Value:
    centred = x - mean(x)
    return mean(centred * centred)


def _scaled(a: Arguments, x: Value) -> Value:
    """`x`, times a gain and plus a bias where the call has them."""
    for position, op in ((1, "multiply"), (2, "add")):
        if len(a) > position:
            other = a.value(position)
            if other.type.shape not in ((), x.type.shape):
                title = f"a gain or bias of {shown(other.type)} does not fit the vector of {shown(x.type)}"
                a.fail(SHAPE_MISMATCH, title, position=position)
            x = x.apply(op, other)
    return x


def _layer_norm(a: Arguments) -> Value:
    x = vector(a)
    return _scaled(a, (x - mean(x)) / (_var(x) + 1e-5).apply("sqrt"))


def _rms_norm(a: Arguments) -> Value:
    x = vector(a)
    return _scaled(a, x / (mean(x * x) + 1e-5).apply("sqrt"))


def _dot(a: Arguments) -> Value:
    for position in (0, 1):
        if len(a.value(position).type.shape) == 2:
            help = "a matrix is multiplied with @: W @ x"
            title = f"dot takes two vectors, not {shown(a.value(position).type)}"
            a.fail(WRONG_ARGUMENTS, title, position=position, help=help)
    x, y = vector(a, 0), vector(a, 1)
    if x.type.shape != y.type.shape:
        a.fail(SHAPE_MISMATCH, f"dot needs two vectors of one size, not {shown(x.type)} and {shown(y.type)}")
    return x.product(y, "i,i->")


def _maxout(a: Arguments) -> Value:
    x, pieces = vector(a), a.integer(1)
    size = part(a, x, pieces)
    return x.reshape(pieces, size).reduce("peak", (0,))


def part(a: Arguments, x: Value, pieces: int) -> int | Poly:
    """The size of one of some equal pieces of a vector."""
    size = _known(x.type.shape[0])
    one: int | Poly | None = None
    if pieces >= 1 and isinstance(size, Poly):
        one = size.divided(pieces)
    elif pieces >= 1 and isinstance(size, int) and size % pieces == 0:
        one = size // pieces
    if one is None:
        help = f"declare the vector as [{pieces} * {size}]" if isinstance(size, Poly) and pieces > 0 else None
        a.fail(MALFORMED_DIMENSION, f"{size} does not divide into {pieces} equal parts", position=1, help=help)
    return one


def _known(size: Dim) -> int | Poly:
    """A dimension that is not the number of steps of a clock."""
    assert not isinstance(size, str)
    return size


def negative(size: int | Poly) -> bool:
    """Whether a difference of dimensions is negative for all their values."""
    if isinstance(size, Poly):
        return all(factor < 0 for _, factor in size.terms)
    return size < 0


def _split(a: Arguments) -> Value:
    x, pieces, which = vector(a), a.integer(1), a.integer(2)
    size = part(a, x, pieces)
    if not 1 <= which <= pieces:
        a.fail(NO_SUCH_MEMBER, f"there are {pieces} parts, counted from 1; there is no part {which}", position=2)
    return x.slice(size * (which - 1), size * which)


def _slice(a: Arguments) -> Value:
    x, first, last = vector(a), a.position(1), a.position(2)
    if negative(first - 1) or negative(_known(x.type.shape[0]) - last) or negative(last - first):
        title = f"there are no elements {first} to {last} in {shown(x.type)}, whose elements count from 1"
        a.fail(NO_SUCH_MEMBER, title)
    return x.slice(first - 1, last)


def _concat(a: Arguments) -> Value:
    parts = [a.value(i) for i in range(len(a))]
    parts = [p if p.type.shape else p.reshape(1) for p in parts]
    for i, p in enumerate(parts):
        if p.type.shape[1:] != parts[0].type.shape[1:]:
            a.fail(
                SHAPE_MISMATCH,
                f"concat cannot join {shown(parts[0].type)} and {shown(p.type)}: only the first dimension may differ",
                position=i,
            )
    return a.graph.add("concat", [p.id for p in parts]) if len(parts) > 1 else parts[0]


row(VECTOR, "softmax(x)", "exp(x) / sum(exp(x))", lambda a: vector(a).apply("softmax"))
row(VECTOR, "log_softmax(x)", "log(softmax(x)), computed without overflow", lambda a: vector(a).apply("log_softmax"))
row(VECTOR, "sum(x)", "sum of all elements; with `for`, of all terms", _sum, 1, 1, comprehends=True)
row(VECTOR, "mean(x)", "mean of all elements; with `for`, of all terms", _mean, 1, 1, comprehends=True)
row(VECTOR, "var(x)", "mean squared deviation from the mean", lambda a: _var(a.value(0)))
row(VECTOR, "norm(x)", "Euclidean length; its derivative at 0 is taken as 0", _norm)
row(VECTOR, "dot(a, b)", "sum of the products of the elements", _dot, 2)
row(
    VECTOR,
    "layer_norm(x, gain, bias)",
    "(x - mean) / sqrt(var + 1e-5), scaled and shifted if these are given (Ba et al. 2016)",
    _layer_norm,
    1,
    3,
)
row(
    VECTOR,
    "rms_norm(x, gain)",
    "x / sqrt(mean(x * x) + 1e-5), scaled if a gain is given (Zhang & Sennrich 2019)",
    _rms_norm,
    1,
    2,
)
row(VECTOR, "maxout(x, k)", "maximum of k consecutive pieces, element by element (Goodfellow et al. 2013)", _maxout, 2)
row(
    VECTOR,
    "concat(a, b, ...)",
    "joined end to end; matrices along their first dimension",
    _concat,
    1,
    None,
    comprehends=True,
)
row(VECTOR, "split(x, n, k)", "the k-th (from 1) of n equal parts", _split, 3)
row(VECTOR, "slice(x, a, b)", "elements a to b, counted from 1, both included", _slice, 3)
