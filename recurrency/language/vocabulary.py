"""The functions of the language: one row each, with signature, meaning, and how it is lowered to operations.

`lower` gets the evaluated arguments (`Arguments`) and gives a `Value`, or a number where all of them are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant


class Arguments(Protocol):
    """The evaluated arguments of one call, with the questions that lowerings ask."""

    graph: Graph
    collected: bool
    """Whether they come from a comprehension."""
    clock: str

    def __len__(self) -> int: ...

    def static(self) -> bool:
        """Whether all arguments are numbers that are known when the spec is compiled."""

    def fold(self, function: Callable[..., Any]) -> Any:
        """A function of all arguments, which are numbers."""

    def value(self, position: int) -> Value:
        """An argument as a real value (numbers become constants)."""

    def symbol(self, position: int) -> Value:
        """An argument as a stream of symbols."""

    def either(self, position: int) -> Value:
        """An argument as a value of any sort."""

    def stream(self, position: int) -> Value:
        """An argument that has steps, of any sort."""

    def number(self, position: int) -> float:
        """An argument as a number that is known when the spec is compiled."""

    def dimension(self, position: int) -> int | Poly:
        """An argument as a dimension."""

    def position(self, position: int) -> int | Poly:
        """An argument that counts elements: a dimension, or any whole number."""

    def integer(self, position: int) -> int:
        """An argument as a whole number."""

    def word(self, keyword: str, default: str, allowed: tuple[str, ...]) -> str:
        """A keyword argument that is one of some words."""

    def site(self) -> int:
        """A number for a place where random numbers are drawn."""

    def curvature(self, value: Value) -> None:
        """Remember what the model predicts, as the loss reads it (for Gauss-Newton products)."""

    def fail(self, number: int, title: str, help: str | None = None, position: int | None = None) -> NoReturn:
        """Report a mistake at an argument, or at the call."""


@dataclass(frozen=True)
class Function:
    """A row: how a user writes it, what it means, how many arguments it takes (`most` None: any number)."""

    name: str
    signature: str
    meaning: str
    group: str
    fewest: int
    most: int | None
    lower: Callable[[Arguments], Any]
    keywords: tuple[str, ...] = ()
    comprehends: bool = False
    """Whether it takes a comprehension such as `sum(... for i in 1..L)`."""

    @property
    def wants(self) -> str:
        """How many arguments it takes, in words."""
        if self.most is None:
            return f"at least {self.fewest}"
        return f"{self.fewest}" if self.most == self.fewest else f"{self.fewest} to {self.most}"


FUNCTIONS: dict[str, Function] = {}


def _row(
    group: str,
    signature: str,
    meaning: str,
    lower: Callable[[Arguments], Any],
    fewest: int = 1,
    most: int | None = -1,
    keywords: tuple[str, ...] = (),
    comprehends: bool = False,
) -> None:
    name = signature.split("(")[0]
    most = fewest if most == -1 else most
    FUNCTIONS[name] = Function(name, signature, meaning, group, fewest, most, lower, keywords, comprehends)


# ----------------------------------------------------------------------------------------------- element by element

ELEMENTWISE = "element by element"


def _unary(op: str, number: Callable[[float], float]) -> Callable[[Arguments], Any]:
    return lambda a: a.fold(number) if a.static() else a.value(0).apply(op)


def _sigmoid(x: float) -> float:
    return 0.5 * math.tanh(0.5 * x) + 0.5


for _name, _number, _meaning in (
    ("exp", math.exp, "e to the power of x"),
    ("log", math.log, "natural logarithm"),
    ("sqrt", math.sqrt, "square root"),
    ("tanh", math.tanh, "hyperbolic tangent"),
    ("sigmoid", _sigmoid, "1 / (1 + exp(-x)); also written σ"),
    ("sin", math.sin, "sine"),
    ("cos", math.cos, "cosine"),
    ("abs", abs, "magnitude; its derivative at 0 is taken as 0"),
    ("sign", lambda x: float((x > 0) - (x < 0)), "-1, 0 or 1; its derivative is 0"),
    ("relu", lambda x: max(x, 0.0), "max(x, 0); its derivative at 0 is taken as 0"),
    ("softplus", lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), "log(1 + exp(x))"),
):
    _row(ELEMENTWISE, f"{_name}(x)", _meaning, _unary(_name, _number))


def _positive(x: Value, yes: Value, no: Value) -> Value:
    zero = constant(x.graph, 0.0)
    return zero.apply("less", x).where(yes, no)


def _elu(a: Arguments) -> Value:
    x = a.value(0)
    return _positive(x, x, x.apply("minimum", 0.0).apply("expm1"))


def _gelu(a: Arguments) -> Value:
    x = a.value(0)
    inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
    return x * (inner.apply("tanh") + 1.0) * 0.5


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


_row(ELEMENTWISE, "square(x)", "x * x", lambda a: a.fold(lambda x: x * x) if a.static() else a.value(0) * a.value(0))
_row(
    ELEMENTWISE,
    "prelu(x, a)",
    "x where x > 0, else a * x (He et al. 2015)",
    lambda a: _positive(a.value(0), a.value(0), a.value(0) * a.value(1)),
    2,
)
_row(ELEMENTWISE, "elu(x)", "x where x > 0, else exp(x) - 1 (Clevert et al. 2016)", _elu)
_row(ELEMENTWISE, "gelu(x)", "x times the normal distribution function, by tanh (Hendrycks & Gimpel 2016)", _gelu)
_row(ELEMENTWISE, "silu(x)", "x * sigmoid(x)", lambda a: a.value(0) * a.value(0).apply("sigmoid"))
_row(
    ELEMENTWISE, "hard_sigmoid(x)", "clip(0.2 * x + 0.5, 0, 1)",
    lambda a: (a.value(0) * 0.2 + 0.5).apply("maximum", 0.0).apply("minimum", 1.0),
)  # fmt: skip
_row(ELEMENTWISE, "clip(x, low, high)", "x, cut to the interval from low to high", _clip, 3)
_row(ELEMENTWISE, "where(c, a, b)", "a where c is not 0, else b", lambda a: a.value(0).where(a.value(1), a.value(2)), 3)
_row(
    ELEMENTWISE,
    "max(a, b, ...)",
    "the greater, element by element; of one vector, its greatest element",
    _fold("maximum"),
    1,
    None,
    comprehends=True,
)
_row(
    ELEMENTWISE,
    "min(a, b, ...)",
    "the smaller, element by element; of one vector, its smallest element",
    _fold("minimum"),
    1,
    None,
    comprehends=True,
)

# ----------------------------------------------------------------------------------------------------- over a vector

VECTOR = "over a vector"


def _vector(a: Arguments, position: int = 0) -> Value:
    x = a.value(position)
    if len(x.type.shape) != 1:
        a.fail(27, f"a vector is needed here, not {shown(x.type)}", position=position)
    return x


def shown(type_: Type) -> str:
    """A shape as a user writes it."""
    return f"index[{type_.index}]" if type_.index is not None else f"[{', '.join(map(str, type_.shape))}]"


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
                a.fail(
                    22,
                    f"a gain or bias of {shown(other.type)} does not fit the vector of {shown(x.type)}",
                    position=position,
                )
            x = x.apply(op, other)
    return x


def _layer_norm(a: Arguments) -> Value:
    x = _vector(a)
    return _scaled(a, (x - mean(x)) / (_var(x) + 1e-5).apply("sqrt"))


def _rms_norm(a: Arguments) -> Value:
    x = _vector(a)
    return _scaled(a, x / (mean(x * x) + 1e-5).apply("sqrt"))


def _dot(a: Arguments) -> Value:
    x, y = _vector(a, 0), _vector(a, 1)
    if x.type.shape != y.type.shape:
        a.fail(22, f"dot needs two vectors of one size, not {shown(x.type)} and {shown(y.type)}")
    return x.product(y, "i,i->")


def _maxout(a: Arguments) -> Value:
    x, pieces = _vector(a), a.integer(1)
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
        a.fail(46, f"{size} does not divide into {pieces} equal parts", position=1, help=help)
    return one


def _known(size: Dim) -> int | Poly:
    """A dimension that is not the number of steps of a clock."""
    assert not isinstance(size, str)
    return size


def negative(size: int | Poly) -> bool:
    """Whether a difference of dimensions is negative, whatever they are."""
    if isinstance(size, Poly):
        return all(factor < 0 for _, factor in size.terms)
    return size < 0


def _split(a: Arguments) -> Value:
    x, pieces, which = _vector(a), a.integer(1), a.integer(2)
    size = part(a, x, pieces)
    if not 1 <= which <= pieces:
        a.fail(30, f"there are {pieces} parts, counted from 1; there is no part {which}", position=2)
    return x.slice(size * (which - 1), size * which)


def _slice(a: Arguments) -> Value:
    x, first, last = _vector(a), a.position(1), a.position(2)
    if negative(first - 1) or negative(_known(x.type.shape[0]) - last) or negative(last - first):
        a.fail(30, f"there are no elements {first} to {last} in {shown(x.type)}, whose elements count from 1")
    return x.slice(first - 1, last)


def _concat(a: Arguments) -> Value:
    parts = [a.value(i) for i in range(len(a))]
    parts = [p if p.type.shape else p.reshape(1) for p in parts]
    for i, p in enumerate(parts):
        if p.type.shape[1:] != parts[0].type.shape[1:]:
            a.fail(
                22,
                f"{shown(p.type)} can't stand beside {shown(parts[0].type)}: only the first dimension may differ",
                position=i,
            )
    return a.graph.add("concat", [p.id for p in parts]) if len(parts) > 1 else parts[0]


_row(VECTOR, "softmax(x)", "exp(x) / sum(exp(x))", lambda a: _vector(a).apply("softmax"))
_row(VECTOR, "log_softmax(x)", "log(softmax(x)), computed without overflow", lambda a: _vector(a).apply("log_softmax"))
_row(VECTOR, "sum(x)", "sum of all elements; with `for`, of all terms", _sum, 1, 1, comprehends=True)
_row(VECTOR, "mean(x)", "mean of all elements; with `for`, of all terms", _mean, 1, 1, comprehends=True)
_row(VECTOR, "var(x)", "mean squared deviation from the mean", lambda a: _var(a.value(0)))
_row(VECTOR, "norm(x)", "Euclidean length", lambda a: (a.value(0) * a.value(0)).reduce("sum").apply("sqrt"))
_row(VECTOR, "dot(a, b)", "sum of the products of the elements", _dot, 2)
_row(
    VECTOR,
    "layer_norm(x, gain, bias)",
    "(x - mean) / sqrt(var + 1e-5), scaled and shifted where these are given (Ba et al. 2016)",
    _layer_norm,
    1,
    3,
)
_row(
    VECTOR,
    "rms_norm(x, gain)",
    "x / sqrt(mean(x * x) + 1e-5), scaled where a gain is given (Zhang & Sennrich 2019)",
    _rms_norm,
    1,
    2,
)
_row(
    VECTOR, "maxout(x, k)", "greatest of k consecutive pieces, element by element (Goodfellow et al. 2013)", _maxout, 2
)
_row(
    VECTOR,
    "concat(a, b, ...)",
    "one after the other; matrices along their first dimension",
    _concat,
    1,
    None,
    comprehends=True,
)
_row(VECTOR, "split(x, n, k)", "the k-th (from 1) of n equal parts", _split, 3)
_row(VECTOR, "slice(x, a, b)", "elements a to b, counted from 1, both included", _slice, 3)

# ---------------------------------------------------------------------------------------------- matrices and indices

MATRICES = "matrices"


def _outer(a: Arguments) -> Value:
    return _vector(a, 0).product(_vector(a, 1), "i,j->ij")


def _transpose(a: Arguments) -> Value:
    x = a.value(0)
    if len(x.type.shape) != 2:
        a.fail(27, f"transpose needs a matrix, not {shown(x.type)}", position=0)
    return x.transpose()


def _eye(a: Arguments, size: Dim) -> Value:
    return a.graph.add("eye", [], {"size": size})


def _diag(a: Arguments) -> Value:
    x = _vector(a)
    return x.expand((1,), x.type.shape) * _eye(a, x.type.shape[0])


_row(MATRICES, "outer(a, b)", "the matrix of all products a_i * b_j", _outer, 2)
_row(MATRICES, "transpose(A)", "rows become columns", _transpose)
_row(MATRICES, "diag(x)", "the matrix with x on its diagonal", _diag)
_row(MATRICES, "identity(n)", "the n by n identity matrix", lambda a: _eye(a, a.dimension(0)))

INDICES = "indices"


def _embed(a: Arguments) -> Value:
    table, w = a.value(0), a.symbol(1)
    if not table.type.shape or table.type.shape[0] != w.type.index:
        a.fail(45, f"a table {shown(table.type)} has no row for each symbol of index[{w.type.index}]", position=0)
    return table.take(w)


def _onehot(a: Arguments) -> Value:
    w = a.symbol(0)
    assert w.type.index is not None
    return constant(a.graph, 1.0).put(w, w.type.index)


_row(INDICES, "embed(E, w)", "row w of the matrix E [V, N]; zero before the first step", _embed, 2)
_row(INDICES, "onehot(w)", "the vector with a 1 at w; zero before the first step", _onehot)

# ------------------------------------------------------------------------------------------------------ whole streams

TIME = "whole streams"


def _mean_over_time(a: Arguments) -> Value:
    x = a.stream(0)
    steps = a.graph.add("length", [], {"clock": x.type.clock}).apply("maximum", 1.0)
    return x.sum_time() / steps


def _attend(a: Arguments) -> Value:
    query, keys, values = _vector(a, 0), a.stream(1), a.stream(2)
    if keys.type.clock != values.type.clock:
        a.fail(28, f"keys run over {keys.type.clock}, values over {values.type.clock}")
    if keys.type.shape != query.type.shape:
        a.fail(22, f"query {shown(query.type)} and keys {shown(keys.type)} have different shapes")
    scores = keys.frames().product(query, "sd,d->s")
    weights = a.graph.add("softmax", [scores.id], {"over": keys.type.clock})
    letters = "defgh"[: len(values.type.shape)]
    return weights.product(values.frames(), f"s,s{letters}->{letters}")


_row(TIME, "reverse(x)", "each sequence from its end to its start", lambda a: a.stream(0).reverse())
_row(TIME, "first(x)", "the value at the first step, one for each sequence", lambda a: a.stream(0).pick(1))
_row(TIME, "last(x)", "the value at the last step of each sequence", lambda a: a.stream(0).pick(-1))
_row(TIME, "sum_over_time(x)", "sum over the steps of each sequence", lambda a: a.stream(0).sum_time())
_row(TIME, "mean_over_time(x)", "mean over the steps of each sequence", _mean_over_time)
_row(
    TIME, "attend(query, keys, values)",
    "sum of the values of all steps of another clock, weighted by softmax(dot(key, query)); the softmax is not scaled",
    _attend, 3,
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- randomness

RANDOM = "in training only"


def _random(a: Arguments, like: Type, law: str, p: float, rest: float, per: str) -> Value:
    type_ = like.with_shape(*like.shape)
    if per == "sequence" and like.kind is Kind.STREAM:
        type_ = Type(Kind.SEQUENCE, like.shape)
    attrs = {"type": type_, "site": a.site(), "law": law, "p": p, "rest": rest, "per": per}
    return a.graph.add("random", [], attrs)


def _probability(a: Arguments, position: int) -> float:
    p = a.number(position)
    if not 0 <= p < 1:
        a.fail(50, f"a probability of {p:g} is not between 0 and 1", position=position)
    return p


def _dropout(a: Arguments) -> Value:
    x, p, per = a.value(0), _probability(a, 1), a.word("per", "step", ("step", "sequence"))
    return x * _random(a, x.type, "keep", p, 1.0, per)


def _zoneout(a: Arguments) -> Value:
    new, old, p, per = a.value(0), a.value(1), _probability(a, 2), a.word("per", "step", ("step", "sequence"))
    keep = _random(a, new.type, "bernoulli", p, p, per)
    return keep * old + (1.0 - keep) * new


def _noise(a: Arguments) -> Value:
    x, per = a.value(0), a.word("per", "step", ("step", "sequence"))
    return x + _random(a, x.type, "normal", a.number(1), 0.0, per)


PER = ("per",)
_row(
    RANDOM,
    "dropout(x, p)",
    "each element 0 with probability p, else x / (1 - p); `per = sequence` keeps one mask for all steps",
    _dropout,
    2,
    keywords=PER,
)
_row(
    RANDOM,
    "zoneout(new, old, p)",
    "each element old with probability p, else new; out of training their mean (Krueger et al. 2017)",
    _zoneout,
    3,
    keywords=PER,
)
_row(RANDOM, "noise(x, std)", "x plus normal noise of this standard deviation", _noise, 2, keywords=PER)

GRADIENTS = "of gradients alone"


def _clip_grad(a: Arguments) -> Value:
    limit = a.number(1)
    if not limit > 0:
        a.fail(50, f"the bound of a gradient must be positive, not {limit:g}", position=1)
    return a.graph.add("clip_grad", [a.value(0).id], {"limit": limit})


_row(GRADIENTS, "stop_grad(x)", "x, through which no gradient flows", lambda a: a.value(0).apply("stop_grad"))
_row(GRADIENTS, "clip_grad(x, c)", "x, whose gradient is cut to -c .. c element by element", _clip_grad, 2)

# -------------------------------------------------------------------------------------------------------------- losses

LOSSES = "losses"


def logits_of(p: Value) -> Value | None:
    """z, where p is computed as sigmoid(z)."""
    node = p.graph[p.id]
    if node.op.name == "sigmoid":
        return p.graph.value(node.args[0])
    if node.op.name == "pick":
        inner = logits_of(p.graph.value(node.args[0]))
        return inner.pick(node.attrs["step"]) if inner is not None else None
    return None


def _pair(a: Arguments) -> tuple[Value, Value]:
    y, target = a.value(0), a.value(1)
    if y.type.shape != target.type.shape:
        a.fail(22, f"prediction {shown(y.type)} and target {shown(target.type)} have different shapes")
    return y, target


def _cross_entropy(a: Arguments) -> Value:
    logits, target = _vector(a), a.either(1)
    a.curvature(logits)
    scores = logits.apply("log_softmax")
    if target.type.index is None:
        _pair(a)
        return -(scores.product(target, "i,i->"))
    if target.type.index != logits.type.shape[0]:
        a.fail(22, f"there are {logits.type.shape[0]} logits for the symbols of index[{target.type.index}]")
    return -scores.take(target)


def _binary_cross_entropy(a: Arguments) -> Value:
    p, target = _pair(a)
    z = logits_of(p)
    if z is None:
        a.curvature(p)
        each = -(target * p.apply("log") + (1.0 - target) * (1.0 - p).apply("log"))
    else:
        a.curvature(z)
        each = z.apply("softplus") - target * z
    return each.reduce("sum")


def _size_of(op: Callable[[Value], Value]) -> Callable[[Arguments], Value]:
    """A regulariser: of a parameter, or of an activity, which is then a prediction like those of the other losses."""

    def lower(a: Arguments) -> Value:
        x = a.value(0)
        if x.type.kind is not Kind.STATIC:
            a.curvature(x)
        return op(x).reduce("sum")

    return lower


def _difference(op: Callable[[Value], Value]) -> Callable[[Arguments], Value]:
    def lower(a: Arguments) -> Value:
        y, target = _pair(a)
        a.curvature(y)
        return op(y - target).reduce("sum")

    return lower


_row(
    LOSSES,
    "cross_entropy(logits, target)",
    "-log softmax(logits)[target]; a target vector holds probabilities",
    _cross_entropy,
    2,
)
_row(
    LOSSES,
    "binary_cross_entropy(p, target)",
    "-sum(target * log(p) + (1 - target) * log(1 - p)); exact for p = sigmoid(z)",
    _binary_cross_entropy,
    2,
)
_row(LOSSES, "squared_error(y, target)", "sum of the squared differences", _difference(lambda d: d * d), 2)
_row(
    LOSSES,
    "absolute_error(y, target)",
    "sum of the magnitudes of the differences",
    _difference(lambda d: d.apply("abs")),
    2,
)
_row(LOSSES, "l1(x)", "sum of the magnitudes of all elements", _size_of(lambda x: x.apply("abs")))
_row(LOSSES, "l2(x)", "sum of the squares of all elements", _size_of(lambda x: x * x))
