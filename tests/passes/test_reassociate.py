"""Sums and products in recurrences regrouped, products packed; the verifier and the printer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.graph import Graph
from recurrency.graph.ops import OPS
from recurrency.graph.text import graph_text
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.graph.verify import InvalidGraph, verify
from recurrency.model.graphs import SWITCHES
from recurrency.passes import LAST_ORDER, PASSES, optimised
from recurrency.passes.cse import cse
from recurrency.passes.pack import pack
from recurrency.passes.reassociate import reassociate
from recurrency.passes.recurrence import recurrences
from recurrency.passes.simplify import RULES
from tests.support import graphs
from tests.support.graphs import Builder, times
from tests.support.optimising import assert_same, joined, p, through, with_gradients, x

# --------------------------------------------------------------------------------------------- reassociate and pack


def test_what_does_not_depend_on_the_last_step_leaves_the_loop() -> None:
    graph = reassociate(graphs.lstm())
    for loop in recurrences(graph):
        names = {graph[a].attrs.get("name") for i in loop.ids if graph[i].op.name == "add" for a in graph[i].args}
        assert not names & {"bi", "bf", "bo", "bg"}
        outside = [a for i in loop.ids if graph[i].op.name == "add" for a in graph[i].args if a not in loop.ids]
        assert [graph[a].op.name for a in outside] == ["add"] * 4


def test_factors_from_outside_are_multiplied_outside() -> None:
    b = Builder()
    old = b.state("h", 4)
    b.define(old, x(b) * old * p(b) * x(b), "h")
    found = reassociate(b.graph)
    (loop,) = recurrences(found)
    assert [found[id].op.name for id in loop.ids] == ["shift", "multiply"]
    assert_same(b.graph, found)


def test_signs_survive_regrouping() -> None:
    b = Builder()
    old = b.state("h", 4)
    b.define(old, -(old - p(b)) - (x(b) - (old * old - p(b) * p(b))), "h")
    found = reassociate(b.graph)
    assert_same(b.graph, found)


def test_a_matrix_by_input_and_state_together_is_taken_apart() -> None:
    b = Builder()
    old = b.state("h", 3)
    both = joined(b, b.input("a", 2), old, b.input("c", 2))
    b.define(old, times(b.param("W", 3, 7), both).apply("tanh"), "h")
    found = through(b.graph)
    (loop,) = recurrences(found)
    products = [found[id] for id in loop.ids if found[id].op.name == "product"]
    assert [found[n.args[1]].op.name for n in products] == ["shift"]
    assert_same(b.graph, found)


def test_gates_of_input_and_state_together_still_have_one_product_in_the_loop() -> None:
    b = Builder()
    old = b.state("h", 3)
    both = joined(b, b.input("x", 2), old)
    i, z, f, o = (times(b.param(f"W{k}", 3, 5), both).apply("sigmoid") for k in range(4))
    b.define(old, i * z + f * old + o, "h")
    found = optimised(with_gradients(optimised(b.graph)))
    given = with_gradients(b.graph)
    assert products(found, 1) == [1]
    assert products(found, -1) == [1]
    assert_same(given, found)


def test_passes_can_be_left_out_and_watched() -> None:
    seen: list[str] = []
    optimised(graphs.elman(), without=("pack", "simplify"), watch=lambda name, graph: seen.append(name))
    assert seen == ["cse", "reassociate", "cse", "cse"]
    assert set(LAST_ORDER) == set(PASSES)


def products(graph: Graph, direction: int) -> list[int]:
    """How many products each loop of a direction contains."""
    loops = [loop for loop in recurrences(graph) if loop.direction == direction]
    return [sum(graph[id].op.name == "product" for id in loop.ids) for loop in loops]


def test_an_lstm_has_one_product_in_its_loop_and_one_in_the_loop_back() -> None:
    forward = through(graphs.lstm())
    assert products(forward, 1) == [1]
    both = through(with_gradients(forward))
    assert products(both, 1) == [1]
    assert products(both, -1) == [1]


def test_a_gru_has_two_products_in_its_loop_and_two_in_the_loop_back() -> None:
    both = through(with_gradients(through(graphs.gru())))
    assert products(both, 1) == [2]
    assert products(both, -1) == [2]


def test_parts_with_one_aim_lie_side_by_side_and_need_no_copy() -> None:
    b = Builder()
    old = b.state("h", 3)
    gates = [times(b.param(f"W{k}", 3, 2), b.input("x", 2)) + times(b.param(f"U{k}", 3, 3), old) for k in range(4)]
    i, z, f, o = (g.apply(op) for g, op in zip(gates, ("sigmoid", "tanh", "sigmoid", "sigmoid"), strict=True))
    b.define(old, i * z + f * old + o, "h")
    found = through(b.graph)
    (loop,) = recurrences(found)
    inside = [found[id].op.name for id in loop.ids]
    assert inside.count("concat") == 0
    assert [inside.count(op) for op in ("product", "sigmoid", "tanh", "add")] == [1, 1, 1, 3]
    assert_same(b.graph, found)


def test_recurrences_that_differ_some_loops_before_are_not_one() -> None:
    b = Builder()
    zero = constant(b.graph, 0.0).to_shape((4,))

    def loop(op: str, before: Value) -> Value:
        old = b.graph.delayed(Type(Kind.STREAM, (4,), "t"), 1, [zero])
        new = (old + before).apply(op)
        b.graph.bind(old.id, new.id)
        b.root(f"loop {new.id}", new)
        return old

    for scale, copies in ((1.0, (1, 1, 3)), (2.0, (3, 3, 1))):
        before = loop("tanh", x(b) * scale)
        for op, count in zip(("sin", "cos", "sigmoid"), copies, strict=True):
            before = [loop(op, before) for _ in range(count)][-1]
    found = cse(b.graph)
    assert len(set(found.roots.values())) == sum(found[id].delay == 1 for id in found.order()) == 2 * 4
    assert_same(b.graph, found)


def test_pieces_that_lie_further_on_in_the_other_value_are_added_at_once() -> None:
    b = Builder()
    one, other = b.input("one", 4), b.input("other", 6)
    b.root("y", joined(b, *((one.slice(k, k + 2) + other.slice(k + 2, k + 4)).apply("tanh") for k in (0, 2))))
    found = pack(b.graph)
    assert [found[id].op.name for id in found.order()].count("add") == 1
    assert_same(b.graph, found)


def test_half_of_the_biases_are_filled_up_with_zeros() -> None:
    b = Builder()
    parts = [times(b.param(f"W{k}", 3, 4), x(b)) for k in range(4)]
    b.root("y", joined(b, *(part + b.param(f"b{k}", 3) if k % 2 else part * part for k, part in enumerate(parts))))
    found = through(b.graph)
    assert [found[id].op.name for id in found.order()].count("add") == 1
    assert_same(b.graph, found)


def test_products_of_what_depends_on_their_result_are_not_merged() -> None:
    b = Builder()
    first = times(b.param("W", 4, 4), x(b))
    second = times(first.product(first, "i,j->ij").reduced_to(Kind.STATIC), x(b))
    b.root("y", first + second)
    assert_same(b.graph, through(b.graph))


def test_products_whose_rows_have_several_axes_are_merged_with_others() -> None:
    b = Builder()
    wide = b.param("V", 2, 3, 4).product(x(b), "ijk,k->ij").apply("tanh")
    tall = b.param("U", 3, 1, 2, 4).product(x(b), "hijk,k->hij")
    plain = times(b.param("W", 5, 4), x(b)).apply("exp")
    b.root("y", joined(b, wide.reshape(6), plain, tall.reshape(6)))
    packed = pack(b.graph)
    assert [packed[id].op.name for id in packed.order()].count("product") == 1
    assert_same(with_gradients(b.graph), through(with_gradients(packed)))


def test_products_of_each_head_with_its_own_part_are_not_merged() -> None:
    """Pieces of a product with heads would lie apart in memory, which costs more than a second product."""
    b = Builder()
    parts = x(b).reshape(2, 2)
    one, other = (b.param(name, 2, 3, 2).product(parts, "ijk,ik->ij") for name in "UV")
    b.root("y", one * other)
    found = pack(b.graph)
    assert [found[id].op.name for id in found.order()].count("product") == 2
    assert_same(b.graph, found)


def test_a_readout_is_not_pulled_into_the_loop() -> None:
    b = Builder()
    old = b.state("h", 3)
    b.define(old, times(b.param("U", 3, 3), old).apply("tanh"), "h")
    b.root("before", times(b.param("V", 3, 3), old))
    assert products(pack(b.graph), 1) == [1]
    assert [pack(b.graph)[id].op.name for id in pack(b.graph).order()].count("product") == 2


# ---------------------------------------------------------------------------------------------- verifier and printer


def broken(kind: str) -> Graph:
    """A graph that breaks one invariant."""
    b = Builder()
    y = x(b) + p(b)
    b.root("y", y)
    node = b.graph[y.id]
    if kind == "root":
        b.graph.roots["z"] = 99
    elif kind == "pending":
        b.graph.delayed(x(b).type, 1)
    elif kind == "type":
        b.graph.put(y.id, replace(node, type=Type(Kind.STREAM, (5,), "t")))
    elif kind == "cycle":
        b.graph.put(y.id, node.reading((y.id, node.args[1])))
    elif kind == "firsts":
        x(b).shift(2, p(b))
    else:
        old = b.graph.delayed(x(b).type, 1)
        inner = {"signs": old.shift(-1) + x(b), "reverse": old.reverse()}[kind]
        b.graph.bind(old.id, inner.id)
    return b.graph


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("root", "root z is not in the graph: %99"),
        ("pending", r"%3 : .* shift\(\?\[t-1\]\)\n  a delayed use is not bound"),
        ("type", r"%2 : .*add.*\n  its type should be \[4\] over t"),
        ("cycle", "need one another at the same step"),
        ("firsts", "1 first values for a delay of 2"),
        ("signs", "delays of both signs"),
        ("reverse", "reverse inside a recurrence"),
    ],
)
def test_the_verifier_names_what_is_wrong(kind: str, message: str) -> None:
    with pytest.raises(InvalidGraph, match=message):
        verify(broken(kind))


def test_hand_built_graphs_and_their_derivatives_are_valid() -> None:
    for make in graphs.GRAPHS.values():
        verify(with_gradients(with_gradients(make()), "second"))


def test_a_graph_is_printed_line_by_line() -> None:
    assert graph_text(graphs.elman()) == (
        "%3 V : [2, 3] static = param(V)\n"
        "%1 W : [3, 2] static = param(W)\n"
        "%0 x : [2] over t = input(x)\n"
        "%7 : [3] over t = product(%1, %0, spec=ij,j->i)\n"
        "%2 U : [3, 3] static = param(U)\n"
        "%4 h0 : [3] static = param(h0)\n"
        "%5 h : [3] sequence = start(h, %4)\n"
        "%6 : [3] over t = shift(%12[t-1], %5)\n"
        "%8 : [3] over t = product(%2, %6, spec=ij,j->i)\n"
        "%9 : [3] over t = add(%7, %8)\n"
        "%10 b : [3] static = param(b)\n"
        "%11 : [3] over t = add(%9, %10)\n"
        "%12 h : [3] over t = tanh(%11)\n"
        "%14 : [2] over t = product(%3, %12, spec=ij,j->i)\n"
        "%13 : [3] sequence = final(%12, %5, slot=0)\n"
        "root final:h = %13\n"
        "root output:h = %12\n"
        "root output:y = %14\n"
    )


def test_every_rule_is_for_an_operation_that_exists() -> None:
    assert set(RULES) <= {*OPS, "*"}


def test_cse_keeps_the_order_in_which_arguments_get_the_gradient_of_a_tie() -> None:
    text = "cell Tie[H](a, b: [H]) -> (y: [H]) { y = max(a, b) + 2 * max(b, a) + 4 * min(a, b) + 8 * min(b, a) }"
    model = rc.parse(text).compile(backend="numpy", dtype="float64", H=1)
    tie = {"a": np.ones((1, 1, 1)), "b": np.ones((1, 1, 1))}
    found = model.vjp(model.init(), tie, {"y": np.ones((1, 1, 1))}).inputs
    assert (found["a"].item(), found["b"].item()) == (1 + 4, 2 + 8)


ALIKE = {
    "clipped gradients": "y = clip_grad(x, 0.5) + clip_grad(x, 0.5)",
    "later steps": "y = x[t+1] + 10 * x[t+2]",
    "first values": "state a : [H] = 1\n state b : [H] = 2\n a = a[t-1] * x\n b = b[t-1] * x\n y = a + 10 * b",
    "numerators": "param p : [H] ~ constant(2)\n z = p / (x * x + 1)\n y = x + sum_over_time(z) + sum_over_time(x / p)",
    "powers": "z = x * x + 1\n y = z ** -0.5 + 2 * z ** 0.5 + 3 * z ** -1 + 4 * z ** 3 + 5 * z ** 2 + z ** 1 + z ** 0",
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_looks_alike_stays_apart(name: str) -> None:
    spec = rc.parse(f"cell Alike[H](x: [H]) -> (y: [H]) {{\n {ALIKE[name]}\n}}")
    inputs = {"x": np.random.default_rng(0).standard_normal((4, 2, 3))}
    results = []
    for backend, without in (("interpreter", tuple(SWITCHES)), ("numpy", ())):
        model = spec.compile(backend=backend, dtype="float64", without=without, H=3)
        run = model.forward(model.init(), inputs)
        results.append((run.outputs["y"], model.backward(run, {"y": np.ones((4, 2, 3))}).inputs["x"]))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-12)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-12)
