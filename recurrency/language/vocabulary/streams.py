"""The functions of matrices, symbols and whole streams, those that draw, and the losses."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.graph.value import Value, constant
from recurrency.language.diagnostics import (
    CLOCK_MISMATCH,
    NO_FINITE_VALUE,
    SHAPE_MISMATCH,
    SYMBOLS_AS_NUMBERS,
)
from recurrency.language.vocabulary.signatures import (
    GRADIENTS,
    INDICES,
    LOSSES,
    MATRICES,
    TIME,
    Arguments,
    row,
    shown,
)
from recurrency.language.vocabulary.vectors import vector

# ---------------------------------------------------------------------------------------------- matrices and indices


def _outer(a: Arguments) -> Value:
    return vector(a, 0).product(vector(a, 1), "i,j->ij")


def _eye(a: Arguments, size: Dim) -> Value:
    return a.graph.add("eye", [], {"size": size})


def _diag(a: Arguments) -> Value:
    x = vector(a)
    return x.expand((1,), x.type.shape) * _eye(a, x.type.shape[0])


row(MATRICES, "outer(a, b)", "the matrix of all products a_i * b_j", _outer, 2)
row(MATRICES, "diag(x)", "the matrix with x on its diagonal", _diag)


def _identity(a: Arguments) -> Value:
    return _eye(a, a.dimension(0)) if a.static() else a.either(0)


row(MATRICES, "identity(n)", "the n by n identity matrix; of a stream or a parameter, itself", _identity)


def _embed(a: Arguments) -> Value:
    table, w = a.value(0), a.symbol(1)
    if not table.type.shape or table.type.shape[0] != w.type.index:
        title = f"a table {shown(table.type)} has no row for each symbol of index[{w.type.index}]"
        a.fail(SYMBOLS_AS_NUMBERS, title, position=0)
    return table.take(w)


def _onehot(a: Arguments) -> Value:
    w = a.symbol(0)
    assert w.type.index is not None
    return constant(a.graph, 1.0).put(w, w.type.index)


row(INDICES, "embed(E, w)", "row w of the matrix E [V, N]; zero before the first step", _embed, 2)
row(INDICES, "onehot(w)", "the vector with a 1 at w; zero before the first step", _onehot)

# ------------------------------------------------------------------------------------------------------ whole streams


def _mean_over_time(a: Arguments) -> Value:
    x = a.stream(0)
    steps = a.graph.add("length", [], {"clock": x.type.clock}).apply("maximum", 1.0)
    return x.sum_time() / steps


def _attend(a: Arguments) -> Value:
    query, keys, values = vector(a, 0), a.stream(1), a.stream(2)
    if keys.type.clock != values.type.clock:
        a.fail(CLOCK_MISMATCH, f"keys run over {keys.type.clock}, values over {values.type.clock}")
    if keys.type.shape != query.type.shape:
        a.fail(SHAPE_MISMATCH, f"query {shown(query.type)} and keys {shown(keys.type)} have different shapes")
    scores = _additive(a, query, keys) if len(a) == 4 else keys.frames().product(query, "sd,d->s")
    return _weighed(a.graph.add("softmax", [scores.id], {"over": keys.type.clock}), values)


def _additive(a: Arguments, query: Value, keys: Value) -> Value:
    v = vector(a, 3)
    if v.type.shape != query.type.shape:
        a.fail(SHAPE_MISMATCH, f"query {shown(query.type)} and v {shown(v.type)} have different shapes", position=3)
    both = keys.frames() + _at_all(query, keys)
    return both.apply("tanh").product(v, "sd,d->s")


def _window(a: Arguments) -> Value:
    alpha, beta, kappa = (vector(a, i) for i in range(3))
    places, values = a.stream(3), a.stream(4)
    if places.type.clock != values.type.clock:
        a.fail(CLOCK_MISMATCH, f"places run over {places.type.clock}, values over {values.type.clock}")
    if not alpha.type.shape == beta.type.shape == kappa.type.shape:
        sizes = ", ".join(shown(v.type) for v in (alpha, beta, kappa))
        a.fail(SHAPE_MISMATCH, f"window needs alpha, beta and kappa of one size, not {sizes}")
    if places.type.shape:
        a.fail(SHAPE_MISMATCH, f"each place must be one number, not {shown(places.type)}", position=3)
    off = _at_all(kappa, places) - places.frames().expand((1,), kappa.type.shape)
    bumps = (-(_at_all(beta, places) * off * off)).apply("exp")
    return _weighed(bumps.product(alpha, "sk,k->s"), values)


def _at_all(x: Value, stream: Value) -> Value:
    """The same for all steps of another clock."""
    return x.expand((0,), (stream.type.clock or "",))


def _weighed(weights: Value, values: Value) -> Value:
    letters = "defgh"[: len(values.type.shape)]
    return weights.product(values.frames(), f"s,s{letters}->{letters}")


row(TIME, "reverse(x)", "each sequence from its end to its start", lambda a: a.stream(0).reverse())
row(TIME, "first(x)", "the value at the first step, one for each sequence", lambda a: a.stream(0).pick(1))
row(TIME, "last(x)", "the value at the last step of each sequence", lambda a: a.stream(0).pick(-1))
row(TIME, "sum_over_time(x)", "sum over the steps of each sequence", lambda a: a.stream(0).sum_time())
row(TIME, "mean_over_time(x)", "mean over the steps of each sequence", _mean_over_time)
row(
    TIME,
    "attend(query, keys, values, v)",
    "sum of the values of all steps of another clock, weighted by softmax(dot(key, query)), not scaled; if v is "
    "given, by softmax(dot(v, tanh(key + query))) (Bahdanau et al. 2015)",
    _attend,
    3,
    4,
    bridges=True,
)
row(
    TIME,
    "window(alpha, beta, kappa, places, values)",
    "sum of the values of all steps of another clock, weighted by sum(alpha * exp(-beta * square(kappa - place))) "
    "(Graves 2013)",
    _window,
    5,
    bridges=True,
)

# ---------------------------------------------------------------------------------------------------------- gradients


def _clip_grad(a: Arguments) -> Value:
    limit = a.number(1)
    if not limit > 0:
        a.fail(NO_FINITE_VALUE, f"the bound of a gradient must be positive, not {limit:g}", position=1)
    return a.graph.add("clip_grad", [a.value(0).id], {"limit": limit})


row(GRADIENTS, "stop_grad(x)", "x; no gradient flows through it", lambda a: a.value(0).apply("stop_grad"))
row(
    GRADIENTS,
    "straight_through(value, x)",
    "value; its gradient is that of x (Bengio et al. 2013)",
    lambda a: a.value(0).apply("stop_grad").with_slope(a.value(1), 1.0),
    2,
)
row(GRADIENTS, "clip_grad(x, c)", "x; its gradient is clipped to -c .. c, element by element", _clip_grad, 2)

# -------------------------------------------------------------------------------------------------------------- losses


def logits_of(graph: Graph, p: int) -> Value | None:
    """z, where node `p` of the graph is computed as sigmoid(z)."""
    node = graph[p]
    if Trait.LOGISTIC in node.op.traits:
        return graph.value(node.args[0])
    if Trait.PICKS in node.op.traits:
        inner = logits_of(graph, node.args[0])
        return inner.pick(node.attrs["step"]) if inner is not None else None
    return None


def _pair(a: Arguments) -> tuple[Value, Value]:
    y, target = a.value(0), a.value(1)
    if y.type.shape != target.type.shape:
        a.fail(SHAPE_MISMATCH, f"prediction {shown(y.type)} and target {shown(target.type)} have different shapes")
    return y, target


def _cross_entropy(a: Arguments) -> Value:
    logits, target = vector(a), a.either(1)
    a.curvature(logits)
    scores = logits.apply("log_softmax")
    if target.type.index is None:
        _pair(a)
        never = target.apply("equal", 0.0) * scores.apply("less", LEAST_SCORE)
        return -(never.where(0.0, scores).product(target, "i,i->"))
    if target.type.index != logits.type.shape[0]:
        a.fail(SHAPE_MISMATCH, f"there are {logits.type.shape[0]} logits for the symbols of index[{target.type.index}]")
    return a.ignoring(-scores.take(target), target)


LEAST_SCORE = -1e37
"""A class with probability 0 that is never the target adds no loss, although its logarithm is infinite."""

LEAST_LOG = -100.0
"""The lower bound of the logarithm of a probability, as in PyTorch."""


def _binary_cross_entropy(a: Arguments) -> Value:
    p, target = _pair(a)
    z = logits_of(a.graph, p.id)
    if z is None:
        a.curvature(p)
        log, log_rest = (v.apply("maximum", LEAST_LOG) for v in (p.apply("log"), (-p).apply("log1p")))
        each = -(target * log + (1.0 - target) * log_rest)
    else:
        a.curvature(z)
        each = target * (-z).apply("softplus") + (1.0 - target) * z.apply("softplus")
    return each.reduce("sum")


def _size_of(op: Callable[[Value], Value]) -> Callable[[Arguments], Value]:
    """A regulariser, of a parameter or of an activity; an activity counts as a prediction, as in other losses."""

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


row(
    LOSSES,
    "cross_entropy(logits, target)",
    "-log softmax(logits)[target]; a target vector holds probabilities",
    _cross_entropy,
    2,
)
row(
    LOSSES,
    "binary_cross_entropy(p, target)",
    "-sum(target * log(p) + (1 - target) * log(1 - p)); exact for p = sigmoid(z), else logarithms are at least -100",
    _binary_cross_entropy,
    2,
)
row(LOSSES, "squared_error(y, target)", "sum of the squared differences", _difference(lambda d: d * d), 2)
row(
    LOSSES,
    "absolute_error(y, target)",
    "sum of the absolute differences",
    _difference(lambda d: d.apply("abs")),
    2,
)
row(LOSSES, "l1(x)", "sum of the absolute values of all elements", _size_of(lambda x: x.apply("abs")))
row(LOSSES, "l2(x)", "sum of the squares of all elements", _size_of(lambda x: x * x))
