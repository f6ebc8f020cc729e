"""Passes keep the meaning of every graph, with each of them on and off, and reach the forms that they promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.op import Op, Trait
from recurrency.graph.ops import OPS
from recurrency.graph.text import expression, graph_text
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.graph.verify import verify
from recurrency.passes import PASSES, finished, optimised
from recurrency.passes.cse import cse
from recurrency.passes.recurrence import recurrences
from recurrency.passes.simplify import simplify
from tests.graph.test_ops import CASES, graph_of
from tests.support import graphs
from tests.support.graphs import Builder, times
from tests.support.optimising import CHOICES, assert_same, joined, p, through, with_gradients, x, zero


@pytest.mark.parametrize("names", CHOICES, ids="+".join)
@pytest.mark.parametrize("graph", graphs.GRAPHS)
def test_passes_keep_values_and_gradients(graph: str, names: tuple[str, ...]) -> None:
    original = with_gradients(graphs.GRAPHS[graph]())
    assert_same(original, through(original, names))


@pytest.mark.parametrize("names", CHOICES, ids="+".join)
@pytest.mark.parametrize("graph", graphs.GRAPHS)
def test_passes_before_differentiation_keep_gradients(graph: str, names: tuple[str, ...]) -> None:
    original = with_gradients(graphs.GRAPHS[graph]())
    assert_same(original, through(with_gradients(through(graphs.GRAPHS[graph](), names)), names))


@pytest.mark.parametrize(("op", "case"), [(op, case) for op in CASES for case in range(len(CASES[op]))])
def test_passes_keep_first_and_second_derivatives_of_every_operation(op: str, case: int) -> None:
    original = with_gradients(with_gradients(graph_of(CASES[op][case])), "second")
    assert_same(original, through(original))


ARRANGED: dict[str, Callable[[Value], Value]] = {
    "repeated": lambda v: v.expand((0,), (5,)),
    "at each step": lambda v: v.spread_like(Type(Kind.STREAM, v.type.shape, "t")),
    "for each sequence": lambda v: v.as_sequence(),
    "turned": lambda v: v.expand((1,), (2,)).transpose(),
    "in another shape": lambda v: v.reshape(2, 2),
    "a piece": lambda v: v.slice(1, 3),
    "with zeros": lambda v: v.pad(1, 6),
    "side by side": lambda v: v.graph.add("concat", [v.id, v.id]),
}
"""Values that are made of a vector by moving or repeating its elements."""


@pytest.mark.parametrize("how", ARRANGED)
def test_passes_keep_the_gradients_of_operations_on_arranged_values(how: str) -> None:
    """Their adjoints too are what they would be without passes: `clip_grad` limits that of each repetition."""
    for op in (op for op in OPS.values() if op.elementwise):

        def graph(op: Op = op) -> Graph:
            b = Builder()
            arguments = [ARRANGED[how](b.param(f"p{k}", 4).apply("exp")) for k in range(op.arity or 0)]
            attributes = {"limit": 0.1} if Trait.CLIPS in op.traits else {}
            b.root("y", b.graph.add(op.name, [a.id for a in arguments], attributes))
            return b.graph

        assert_same(with_gradients(graph()), with_gradients(optimised(graph())))


@pytest.mark.parametrize("seed", range(60))
def test_passes_keep_values_and_gradients_of_random_graphs(seed: int) -> None:
    original = with_gradients(graphs.random_graph(seed))
    assert_same(original, through(original))
    assert_same(original, through(with_gradients(through(graphs.random_graph(seed)))))


@pytest.mark.parametrize("name", ["simplify", "cse", "reassociate", "pack"])
@pytest.mark.parametrize("graph", graphs.GRAPHS)
def test_a_pass_has_nothing_to_do_after_itself(graph: str, name: str) -> None:
    once = PASSES[name](with_gradients(graphs.GRAPHS[graph]()))
    assert graph_text(PASSES[name](once)) == graph_text(once)


@pytest.mark.parametrize("graph", graphs.GRAPHS)
def test_passes_leave_the_graph_that_they_are_given(graph: str) -> None:
    original = with_gradients(graphs.GRAPHS[graph]())
    before = graph_text(original)
    through(original)
    assert graph_text(original) == before


# -------------------------------------------------------------------------------------------------------- forget


def test_what_serves_gradients_alone_is_forgotten_at_the_end_and_not_before() -> None:
    b = Builder()
    b.root("y", x(b).apply("sign").apply("stop_grad").with_slope(x(b), p(b).apply("exp")))
    assert "add_slope" in graph_text(optimised(b.graph))
    text = graph_text(finished(b.graph))
    assert "add_slope" not in text
    assert "exp" not in text
    both = finished(with_gradients(optimised(b.graph)))
    assert "exp" in graph_text(both)
    assert_same(with_gradients(b.graph), both)


# ------------------------------------------------------------------------------------------------------ simplify


def M(b: Builder) -> Value:
    """A static matrix."""
    return b.param("M", 4, 6)


FORMS: dict[str, tuple[Callable[[Builder], Value], Callable[[Builder], Value]]] = {
    "x + 0": (lambda b: x(b) + 0.0, x),
    "0 + x": (lambda b: 0.0 + x(b), x),
    "x - 0": (lambda b: x(b) - 0.0, x),
    "0 - x": (lambda b: 0.0 - x(b), lambda b: -x(b)),
    "x * 1": (lambda b: x(b) * 1.0, x),
    "x * 0 + x": (lambda b: x(b) * 0.0 + x(b), x),
    "x * -1": (lambda b: x(b) * -1.0, lambda b: -x(b)),
    "x / 1": (lambda b: x(b) / 1.0, x),
    "x / 4": (lambda b: x(b) / 4.0, lambda b: x(b) * 0.25),
    "x / 3": (lambda b: x(b) / 3.0, lambda b: x(b) / 3.0),
    "x - x": (lambda b: p(b) + (x(b) - x(b)), lambda b: p(b).spread_like(x(b).type)),
    "--x": (lambda b: -(0.0 - x(b)), x),
    "-(x - p)": (lambda b: -(x(b) - p(b)), lambda b: p(b) - x(b)),
    "x + -p": (lambda b: x(b) + -p(b), lambda b: x(b) - p(b)),
    "x - -p": (lambda b: x(b) - -p(b), lambda b: x(b) + p(b)),
    "-x * -p": (lambda b: -x(b) * -p(b), lambda b: x(b) * p(b)),
    "x + x": (lambda b: x(b) + x(b), lambda b: x(b) * 2.0),
    "(x * 2) * 3": (lambda b: x(b) * 2.0 * 3.0, lambda b: x(b) * 6.0),
    "-(x * 2)": (lambda b: -(x(b) * 2.0), lambda b: x(b) * -2.0),
    "2 * 3 * x": (lambda b: x(b) * (constant(b.graph, 2.0) * 3.0).like(x(b)), lambda b: x(b) * 6.0),
    "x^2": (lambda b: x(b).apply("power", 2.0), lambda b: x(b) * x(b)),
    "x^0.5": (lambda b: x(b).apply("power", 0.5), lambda b: x(b).apply("sqrt")),
    "where(1, x, p)": (lambda b: constant(b.graph, 1.0).like(x(b)).where(x(b), p(b)), x),
    "where(p, x, x)": (lambda b: p(b).where(x(b), x(b)), x),
    "transpose twice": (lambda b: M(b).transpose().transpose(), M),
    "reshape twice": (lambda b: M(b).reshape(24).reshape(4, 6), M),
    "slice of slice": (lambda b: x(b).slice(1, 4).slice(1, 2), lambda b: x(b).slice(2, 3)),
    "the whole slice": (lambda b: x(b).slice(0, 4), x),
    "slice of pad, inside": (lambda b: x(b).pad(2, 8).slice(3, 5), lambda b: x(b).slice(1, 3)),
    "slice of pad, outside": (lambda b: x(b).pad(2, 8).slice(0, 2) + x(b).slice(0, 2), lambda b: x(b).slice(0, 2)),
    "slice of concat": (lambda b: joined(b, x(b), p(b)).slice(5, 6), lambda b: p(b).slice(1, 2).spread_like(x(b).type)),
    "concat of slices": (lambda b: joined(b, x(b).slice(0, 1), x(b).slice(1, 4)), x),
    "concat of concat": (lambda b: joined(b, p(b), joined(b, x(b), p(b))), lambda b: joined(b, p(b), x(b), p(b))),
    "pad of pad": (lambda b: x(b).pad(1, 6).pad(1, 8), lambda b: x(b).pad(2, 8)),
    "sum of pads": (lambda b: x(b).pad(4, 8) + p(b).pad(0, 8), lambda b: joined(b, p(b), x(b))),
    "sum of pads and gap": (
        lambda b: (x(b).pad(5, 9) + b.input("z", 9)) + p(b).pad(0, 9),
        lambda b: b.input("z", 9) + joined(b, p(b), zero(b, 1), x(b)),
    ),
    "expand twice": (
        lambda b: x(b).expand((0,), (2,)).expand((2,), (3,)),
        lambda b: x(b).expand((0, 2), (2, 3)),
    ),
    "sum of expand": (lambda b: x(b).expand((0,), (3,)).reduce("sum", (0,)), lambda b: x(b) * 3.0),
    "sum of a number": (
        lambda b: x(b) * constant(b.graph, 2.0).like(x(b)).reduce("sum").like(x(b)),
        lambda b: x(b) * 8.0,
    ),
    "slice of expand": (lambda b: x(b).expand((0,), (3,)).slice(1, 3), lambda b: x(b).expand((0,), (2,))),
    "product with zero": (lambda b: times(M(b), zero(b, 6)) + x(b), x),
    "product with ones": (
        lambda b: times(M(b), constant(b.graph, 1.0).to_shape((6,))),
        lambda b: M(b).reduce("sum", (1,)),
    ),
    "product with a scalar": (
        lambda b: b.param("c").product(x(b), ",i->i"),
        lambda b: b.param("c").expand((0,), (4,)) * x(b),
    ),
    "f(expand)": (lambda b: b.param("c").like(x(b)).apply("exp"), lambda b: b.param("c").apply("exp").like(x(b))),
    "spread of spread": (lambda b: p(b).as_sequence().spread_like(x(b).type), lambda b: p(b).spread_like(x(b).type)),
    "f(spread)": (
        lambda b: p(b).spread_like(x(b).type).apply("exp"),
        lambda b: p(b).apply("exp").spread_like(x(b).type),
    ),
    "spread + x": (lambda b: p(b).spread_like(x(b).type) + x(b), lambda b: p(b) + x(b)),
    "reverse twice": (lambda b: x(b).reverse().reverse(), x),
    "valid twice": (lambda b: x(b).valid().valid(), lambda b: x(b).valid()),
    "shift of zero": (lambda b: (x(b) * 0.0).shift(1) + x(b), x),
    "shift of zero with a first value": (
        lambda b: (x(b) * 0.0).shift(1, b.start("h", 4)),
        lambda b: zero(b, 4).spread_like(x(b).type).shift(1, b.start("h", 4)),
    ),
    "no shift": (lambda b: x(b).shift(0), x),
    "frames and back": (lambda b: x(b).frames().unframes("t"), x),
    "sum over time of a constant": (
        lambda b: b.start("h", 4).spread_like(x(b).type).sum_time(),
        lambda b: b.start("h", 4) * b.graph.add("length", attrs={"clock": "t"}),
    ),
    "sum over time of a multiple": (
        lambda b: (b.start("h", 4) * x(b)).sum_time(),
        lambda b: b.start("h", 4) * x(b).sum_time(),
    ),
    "first value zero": (lambda b: b.start("h", 4, default=zero(b, 4)), lambda b: b.start("h", 4)),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_expression_is_brought_to_its_simplest_form(name: str) -> None:
    given, expected = (graph_of(case) for case in FORMS[name])
    found = simplify(given)
    verify(found)
    assert shape_of(found) == shape_of(cse(expected))
    assert_same_root(given, found)


def shape_of(graph: Graph) -> str:
    """The expression of the root, without numbers of nodes."""
    text: dict[int, str] = {}
    for id in graph.order():
        node = graph[id]
        inner = expression(replace(node, args=()))
        text[id] = f"{inner}<{', '.join(text.get(a, '...') for a in node.args)}>"
    return text[graph.roots["y"]]


def assert_same_root(graph: Graph, other: Graph) -> None:
    """Both roots have the same value."""
    given = graphs.arrays(graph)
    found = [evaluate(g, given, graphs.LENGTHS)["y"] for g in (graph, other)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12, atol=1e-13)


# ----------------------------------------------------------------------------------------------------------- cse


def test_equal_expressions_are_computed_once() -> None:
    b = Builder()
    b.root("a", (x(b) + p(b)).apply("tanh"))
    b.root("b", (p(b) + x(b)).apply("tanh"))
    found = cse(b.graph)
    assert found.roots["a"] == found.roots["b"]
    assert len(found) == 4


def test_equal_recurrences_become_one() -> None:
    b = Builder()
    for name in ("a", "b"):
        old = b.graph.delayed(x(b).type, 1)
        h = (x(b) + old * p(b)).apply("tanh")
        b.graph.bind(old.id, h.id)
        b.root(name, h)
    found = cse(b.graph)
    assert found.roots["a"] == found.roots["b"]
    assert len(recurrences(found)) == 1


def test_recurrences_that_differ_anywhere_stay_apart() -> None:
    b = Builder()
    for name, op in (("a", "tanh"), ("b", "sigmoid")):
        old = b.graph.delayed(x(b).type, 1)
        h = (x(b) + old * p(b)).apply(op)
        b.graph.bind(old.id, h.id)
        b.root(name, h)
    assert len(recurrences(cse(b.graph))) == 2


# ---------------------------------------------------------------------------------------------------- recurrences


EXPECTED = {
    "elman": [(1, "full", ("h",))],
    "lstm": [(1, "full", ("h", "c"))],
    "gru": [(1, "full", ("h",))],
    "matrix_state": [(1, "diagonal, affine", ("S",)), (1, "diagonal, affine", ("n",))],
    "attention": [(1, "full", ("h",))],
    "delay_line": [(1, "diagonal", ("h",))],
    "bidirectional": [(1, "full", ("h",))],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_recurrences_are_found_with_direction_states_and_kind(name: str) -> None:
    found = recurrences(graphs.GRAPHS[name]())
    assert sorted((r.direction, r.kind, tuple(sorted(r.states, reverse=True))) for r in found) == EXPECTED[name]


def test_a_recurrence_from_the_end_runs_backwards() -> None:
    assert [(r.direction, r.clock) for r in recurrences(graphs.backward())] == [(-1, "t")]


def test_a_product_with_the_state_is_affine_and_a_product_of_states_is_not() -> None:
    kinds = []
    for form in (lambda b, old: times(b.param("U", 4, 4), old), lambda b, old: old * old * p(b)):
        b = Builder()
        old = b.graph.delayed(x(b).type, 1)
        h = x(b) + form(b, old)
        b.graph.bind(old.id, h.id)
        b.root("h", h)
        kinds.append(recurrences(b.graph)[0].kind)
    assert kinds == ["affine", "diagonal"]


def test_layers_are_recurrences_in_the_order_in_which_they_run() -> None:
    b = Builder()
    below = x(b)
    for name in ("first", "second"):
        old = b.state(name, 4)
        below = b.define(old, (below + old).apply("tanh"), name)
    assert [r.states for r in recurrences(b.graph)] == [("first",), ("second",)]
