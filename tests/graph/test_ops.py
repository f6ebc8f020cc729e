"""Every row of the table of operations: first and second derivatives against differences, and the type rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recurrency.graph.dimensions import symbol
from recurrency.graph.fixed import Fixed
from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.ops import OPS
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.passes.differentiate import differentiate
from tests.support import graphs
from tests.support.checking import check_gradients
from tests.support.graphs import Builder

Case = Callable[[Builder], Value]


def x(b: Builder) -> Value:
    """A stream of vectors."""
    return b.input("x", 3)


def p(b: Builder) -> Value:
    """A static vector."""
    return b.param("p", 3)


def positive(value: Value) -> Value:
    """Something differentiable above zero."""
    return value * value + 0.5


def unary(op: str) -> list[Case]:
    """On a stream, and on a static value that is used at each step."""
    return [lambda b: x(b).apply(op), lambda b: p(b).apply(op) * x(b)]


def binary(op: str) -> list[Case]:
    """Of two streams, of a stream and a static value, of a static value and a stream."""
    return [
        lambda b: x(b).apply(op, b.input("z", 3)),
        lambda b: x(b).apply(op, p(b)),
        lambda b: p(b).apply(op, x(b)),
    ]


def above_zero(op: str) -> list[Case]:
    """For what is defined above zero."""
    return [lambda b: positive(x(b)).apply(op), lambda b: positive(p(b)).apply(op) * x(b)]


def random(b: Builder, kind: Kind, per: str, law: str) -> Value:
    """A random vector."""
    type_ = Type(kind, (3,), "t" if kind is Kind.STREAM else None)
    attrs = {"type": type_, "site": 3, "per": per, "law": law, "p": 0.5, "rest": 0.5}
    return x(b) * b.graph.add("random", attrs=attrs)


def matrix(b: Builder, *shape: int) -> Value:
    """A static array."""
    return b.param("W", *shape)


def frames(b: Builder) -> Value:
    """All steps of a stream as one value."""
    return b.input("s", 2, clock="s").frames()


def lengthy(b: Builder, name: str) -> Value:
    """A source without arguments, against the stream x."""
    attrs = {"length": {"clock": "t"}, "batch": {}, "constant": {"value": 2.5}}[name]
    return x(b) * b.graph.add(name, attrs=attrs).to_shape((3,))


def final(b: Builder, slot: int) -> Value:
    """A state after the last step."""
    firsts = [b.start(f"h{k}", 3, default=p(b) if k == 0 else None) for k in range(slot + 1)]
    return b.graph.add("final", [x(b).id, *(f.id for f in firsts)], {"slot": slot})


def line(b: Builder, rows: int) -> Value:
    """The last values before the first step, one of them declared."""
    above = b.start(f"older{rows}", rows - 1, 3)
    return b.graph.add("concat", [above.id, b.start(f"h{rows}", 3, default=p(b)).reshape(1, 3).id])


CASES: dict[str, list[Case]] = {
    "input": [x],
    "param": [p],
    "constant": [lambda b: lengthy(b, "constant")],
    "array": [lambda b: graphs.times(b.graph.add("array", attrs={"of": Fixed.of(np.arange(6.0).reshape(2, 3))}), x(b))],
    "eye": [lambda b: graphs.times(b.graph.add("eye", attrs={"size": 3}), x(b))],
    "length": [lambda b: lengthy(b, "length")],
    "batch": [lambda b: lengthy(b, "batch")],
    "random": [
        lambda b: random(b, Kind.STREAM, "step", "keep"),
        lambda b: random(b, Kind.SEQUENCE, "sequence", "normal"),
        lambda b: random(b, Kind.STATIC, "sequence", "bernoulli"),
    ],
    "start": [lambda b: x(b).shift(1, b.start("h", 3, default=p(b))), lambda b: b.start("h", 3) * p(b)],
    "unless_given": [lambda b: p(b).unless_given("g") * x(b), lambda b: x(b).unless_given("g")],
    **{op.name: unary(op.name) for op in OPS.values() if op.elementwise and op.arity == 1},
    **{op: binary(op) for op in ("add", "subtract", "multiply", "less", "less_equal", "equal", "minimum", "maximum")},
    **{op: above_zero(op) for op in ("log", "log1p", "sqrt")},
    "divide": [
        lambda b: x(b) / positive(b.input("z", 3)),
        lambda b: p(b) / positive(x(b)),
        lambda b: x(b) / positive(p(b)),
    ],
    "mod": [
        lambda b: x(b).apply("mod", positive(b.input("z", 3))),
        lambda b: p(b).apply("mod", -positive(x(b))),
    ],
    "power": [
        lambda b: positive(x(b)).apply("power", p(b)),
        lambda b: positive(p(b)).apply("power", x(b)),
        lambda b: x(b).apply("power", 3.0),
    ],
    "where": [
        lambda b: x(b).apply("less", 0.1).where(x(b) * p(b), x(b) * x(b)),
        lambda b: p(b).apply("less", 0.1).where(p(b), x(b)),
        lambda b: x(b).apply("less", p(b)).where(p(b), 1.0),
    ],
    "add_slope": [
        lambda b: (x(b) * x(b)).apply("stop_grad").with_slope(x(b), x(b) * 2.0),
        lambda b: (p(b) * x(b)).apply("stop_grad").with_slope(p(b), x(b)).with_slope(x(b), p(b)),
        lambda b: p(b).with_slope(x(b), 0.0),
    ],
    "clip_grad": [lambda b: b.graph.add("clip_grad", [(x(b) * p(b)).id], {"limit": 1e9})],
    "product": [
        lambda b: graphs.times(matrix(b, 2, 3), x(b)),
        lambda b: x(b).product(matrix(b, 3, 2), "j,ji->i"),
        lambda b: x(b).product(p(b), "i,i->"),
        lambda b: x(b).product(b.input("z", 2), "i,j->ij"),
        lambda b: matrix(b, 2, 3).product(b.param("V", 3, 2), "ij,jk->ik"),
        lambda b: matrix(b, 2, 3).product(b.input("Z", 2, 3), "ij,ij->"),
        lambda b: x(b).product(frames(b), "i,sj->sij"),
    ],
    "transpose": [lambda b: matrix(b, 2, 3).transpose() * 2.0, lambda b: b.input("X", 2, 3, 4).transpose()],
    "reshape": [lambda b: b.input("X", 2, 3).reshape(6), lambda b: x(b).reshape(3, 1)],
    "expand": [
        lambda b: x(b).expand((0,), (2,)),
        lambda b: x(b).expand((0, 2), (2, 4)),
        lambda b: b.param("c").to_shape((3,)) * x(b),
        lambda b: p(b).expand((0,), ("t",)),
    ],
    "sum": [
        lambda b: b.input("X", 2, 3).reduce("sum", (1,)),
        lambda b: x(b).reduce("sum"),
        lambda b: frames(b).reduce("sum", (0,)),
    ],
    "peak": [
        lambda b: b.input("X", 2, 3).reduce("peak", (1,)),
        lambda b: p(b).reduce("peak") * x(b).reduce("peak"),
        lambda b: frames(b).reduce("peak", (0,)),
    ],
    "cumsum": [
        lambda b: x(b).cumulated(),
        lambda b: b.input("X", 4, 2).cumulated(back=True),
        lambda b: p(b).cumulated() * x(b),
    ],
    "argmax": [
        lambda b: matrix(b, 3, 2).take(x(b).apply("argmax")),
        lambda b: x(b).take(p(b).apply("argmax")),
    ],
    "softmax": [
        lambda b: x(b).apply("softmax"),
        lambda b: matrix(b, 2, 3).apply("softmax"),
        lambda b: b.graph.add("softmax", [frames(b).product(b.input("q", 2), "sj,j->s").id], {"over": "s"}),
    ],
    "log_softmax": [lambda b: x(b).apply("log_softmax"), lambda b: matrix(b, 2, 3).apply("log_softmax") * 2.0],
    "concat": [lambda b: b.graph.add("concat", [v.id for v in (x(b), p(b), x(b) * x(b))])],
    "slice": [lambda b: x(b).slice(1, 3), lambda b: matrix(b, 4, 2).slice(1, 3) * 2.0],
    "pad": [lambda b: x(b).pad(1, 5), lambda b: matrix(b, 2, 2).pad(0, 3)],
    "take": [lambda b: matrix(b, 5, 3).take(b.input("w", index=5)), lambda b: x(b).take(b.input("w", index=3))],
    "put": [lambda b: x(b).put(b.input("w", index=5), 5), lambda b: p(b).put(b.input("w", index=2), 2)],
    "shift": [
        lambda b: x(b).shift(1),
        lambda b: x(b).shift(-1),
        lambda b: x(b).shift(0),
        lambda b: x(b).shift(2, b.start("h1", 3), p(b)),
        lambda b: x(b).shift(2, line(b, 2)) * p(b) + x(b).shift(3, line(b, 3)),
    ],
    "pick": [lambda b: x(b).pick(1), lambda b: x(b).pick(-2) * p(b)],
    "place": [lambda b: p(b).place(-1, "t"), lambda b: b.start("h", 3).place(2, "t")],
    "final": [lambda b: final(b, 0), lambda b: final(b, 2)],
    "history": [
        lambda b: x(b).history(2, line(b, 2)),
        lambda b: x(b).history(9, line(b, 9)),
        lambda b: x(b).history(3),
    ],
    "unhistory": [lambda b: line(b, 2).unhistory("t"), lambda b: line(b, 9).unhistory("t") * p(b)],
    "opening": [lambda b: x(b).opening(2) * 2.0, lambda b: x(b).opening(9)],
    "unopening": [lambda b: line(b, 2).unopening("t"), lambda b: line(b, 9).unopening("t") * p(b)],
    "slide": [lambda b: line(b, 3).slide(1, "t"), lambda b: line(b, 9).slide(-1, "t") * 2.0],
    "if_length": [lambda b: p(b).if_length(1, "t"), lambda b: b.start("h", 3).if_length(4, "t")],
    "reverse": [lambda b: x(b).reverse() * p(b)],
    "sum_time": [lambda b: x(b).sum_time()],
    "sum_batch": [lambda b: b.start("h", 3).sum_batch()],
    "spread": [
        lambda b: p(b).spread_like(x(b).type),
        lambda b: p(b).as_sequence(),
        lambda b: b.start("h", 3).spread_like(x(b).type),
    ],
    "frames": [frames, lambda b: frames(b).apply("exp")],
    "unframes": [lambda b: frames(b).unframes("s"), lambda b: b.param("c").to_shape(("s", 2)).unframes("s")],
    "valid": [lambda b: x(b).valid()],
}


def graph_of(case: Case) -> Graph:
    """A graph whose only root is the case."""
    b = Builder()
    b.root("y", case(b))
    return b.graph


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == set(OPS)


@pytest.mark.parametrize(
    ("op", "case"), [(op, case) for op in CASES for case in range(len(CASES[op])) if op != "stop_grad"]
)
def test_first_and_second_derivatives_agree_with_differences(op: str, case: int) -> None:
    graph = graph_of(CASES[op][case])
    assert op in {graph[id].op.name for id in graph}
    check_gradients(graph)


@pytest.mark.parametrize("op", OPS)
def test_a_row_says_what_it_means_in_one_of_two_ways(op: str) -> None:
    row = OPS[op]
    assert row.name == op
    assert (row.meaning is None) != (row.at is None)
    assert row.group in ("source", "boundary", "elementwise", "product", "layout", "reduce", "index", "time")


def test_a_stopped_gradient_is_zero_and_its_value_stays() -> None:
    graph = graph_of(CASES["stop_grad"][1])
    static, stream = (graph.sources(op)[name] for op, name in (("param", "p"), ("input", "x")))
    y = graph.roots["y"]
    adjoints = differentiate(graph, {y: constant(graph, 1.0).to_shape((3,))}, [static, stream])
    graph.roots |= {"p": adjoints[static].id, "x": adjoints[stream].id}
    given = graphs.arrays(graph)
    found = evaluate(graph, given, graphs.LENGTHS)
    np.testing.assert_array_equal(found["p"], np.zeros(3))
    np.testing.assert_array_equal(found["x"][0, 0], given["p"])
    np.testing.assert_array_equal(found["y"][0, 0], given["p"] * given["x"][0, 0])


def test_an_added_slope_changes_the_gradient_and_not_the_value() -> None:
    b = Builder()
    y = (x(b) * x(b)).with_slope(x(b), p(b))
    b.root("y", y)
    stream = b.graph.sources("input")["x"]
    b.root("g", differentiate(b.graph, {y.id: constant(b.graph, 1.0).to_shape((3,))}, [stream])[stream])
    given = graphs.arrays(b.graph)
    found = evaluate(b.graph, given, graphs.LENGTHS)
    np.testing.assert_array_equal(found["y"][0, 0], given["x"][0, 0] ** 2)
    np.testing.assert_allclose(found["g"][0, 0], 2 * given["x"][0, 0] + given["p"], rtol=1e-15)


def test_gradients_are_cut_to_their_limit() -> None:
    b = Builder()
    cut = b.graph.add("clip_grad", [x(b).id], {"limit": 0.5})
    from_above = OPS["clip_grad"].gradient
    assert from_above is not None
    (g,) = from_above(b.input("g", 3), cut, x(b), limit=0.5)
    b.root("g", g)
    given = {"g": np.array([[[2.0, -0.3, -7.0]]])}
    assert evaluate(b.graph, given)["g"].tolist() == [[[0.5, -0.3, -0.5]]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda b: x(b) + b.param("q", 2), "shapes differ"),
        (lambda b: x(b) + b.input("s", 3, clock="s"), "clocks s and t do not mix"),
        (lambda b: graphs.times(b.param("W", 2, 4), x(b)), "inner dimensions 4 and 3 differ"),
        (lambda b: graphs.times(p(b), x(b)), "has not 2 axes"),
        (lambda b: p(b).reverse(), "has no steps"),
        (lambda b: b.graph.add("tanh", [0, 0]), "tanh takes 1 values, not 2"),
        (lambda b: b.graph.add("concat", [b.param("A", 1, 2).id, b.param("B", 1, 3).id]), "other dimensions differ"),
    ],
)
def test_values_that_do_not_fit_are_refused(make: Case, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make(Builder())


def test_dimensions_are_units() -> None:
    b = Builder()
    H = symbol("H")
    vector = b.source("param", "v", Type(Kind.STATIC, (H,)))
    double = b.graph.add("concat", [vector.id, vector.id])
    assert double.type.shape == (2 * H,)
    assert double.slice(H, 2 * H).type.shape == (H,)
    assert str(double.type) == "[2 * H] static"
    with pytest.raises(TypeError, match="shapes differ"):
        double + vector


def test_a_value_as_long_as_a_sequence_is_not_static() -> None:
    b = Builder()
    assert constant(b.graph, 1.0).to_shape(("t",)).type.kind is Kind.SEQUENCE
