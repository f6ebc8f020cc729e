"""Derivatives of whole graphs: against differences, of all kinds of values, twice, and of nothing at all."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import Source, Span
from recurrency.graph.interpreter import evaluate
from recurrency.graph.types import Kind
from recurrency.passes.differentiate import differentiate, zeros
from tests.support import graphs
from tests.support.checking import check_gradients, real_sources


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_first_and_second_derivatives_agree_with_differences(name: str) -> None:
    check_gradients(graphs.GRAPHS[name]())


def test_declared_first_values_get_a_gradient_where_the_caller_gave_none() -> None:
    graph = graphs.elman()
    given = graphs.arrays(graph, starts=False)
    wanted = real_sources(graph)
    loss = graphs.scalar_loss(graph)
    adjoints = differentiate(graph, {loss.id: graph.add("constant", attrs={"value": 1.0})}, wanted.values())
    graph.roots = {name: adjoints[id].id for name, id in wanted.items()}
    found = evaluate(graph, given, graphs.LENGTHS)
    np.testing.assert_allclose(found["h0"], found["h"].sum(0), rtol=1e-12)
    assert found["h0"].any()
    taken = evaluate(graph, {**given, "h": np.tile(given["h0"], (3, 1))}, graphs.LENGTHS)
    np.testing.assert_allclose(taken["h"], found["h"], rtol=1e-12)
    assert not taken["h0"].any()


def test_what_nothing_depends_on_has_a_zero_gradient_of_its_type() -> None:
    b = graphs.Builder()
    x, p, w = b.input("x", 2), b.param("p", 3, 2), b.input("w", index=4)
    loss = (x.reduce("sum") * 1.0).reduced_to(Kind.STATIC)
    stopped = p.reduce("sum").apply("stop_grad")
    seed = b.graph.add("constant", attrs={"value": 1.0})
    adjoints = differentiate(b.graph, {(loss + stopped).id: seed}, [x.id, p.id])
    assert adjoints[p.id].type == p.type
    assert adjoints[x.id].type == x.type
    b.graph.roots = {"p": adjoints[p.id].id, "x": adjoints[x.id].id, "w": zeros(b.graph, w.type.with_shape()).id}
    found = evaluate(b.graph, graphs.arrays(b.graph) | {"w": np.zeros((4, 3), int)}, graphs.LENGTHS)
    assert found["p"].tolist() == [[0, 0]] * 3
    assert found["x"][:, 1].tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


def test_a_loop_whose_gradient_is_stopped_sends_nothing_back() -> None:
    b = graphs.Builder()
    x, old = b.input("x", 2), b.state("h", 2)
    h = (x + old.apply("stop_grad")).apply("tanh")
    b.define(old, h, "h")
    adjoints = differentiate(b.graph, {h.id: b.graph.add("constant", attrs={"value": 1.0}).like(h)}, [x.id, old.id])
    b.graph.roots = {"x": adjoints[x.id].id, "old": adjoints[old.id].id, "y": h.id}
    found = evaluate(b.graph, graphs.arrays(b.graph), graphs.LENGTHS)
    np.testing.assert_allclose(found["x"][0], 1 - found["y"][0] ** 2)
    assert not found["old"].any()


def test_leaves_are_not_looked_through() -> None:
    graph = graphs.elman()
    h, x = graph.roots["output:h"], graph.sources("input")["x"]
    seed = {graph.roots["output:y"]: graph.add("constant", attrs={"value": 1.0}).to_shape((2,))}
    adjoints = differentiate(graph, seed, [h, x], leaves={h})
    graph.roots = {"h": adjoints[h].id, "x": adjoints[x].id}
    given = graphs.arrays(graph)
    found = evaluate(graph, given, graphs.LENGTHS)
    assert not found["x"].any()
    np.testing.assert_allclose(found["h"][0], np.tile(given["V"].sum(0), (3, 1)))


def test_a_constant_adjoint_counts_at_each_step() -> None:
    b = graphs.Builder()
    p, x = b.param("p", 2), b.input("x", 2)
    adjoints = differentiate(
        b.graph, {(p * x).id: b.graph.add("constant", attrs={"value": 1.0}).to_shape((2,))}, [p.id]
    )
    b.graph.roots = {"p": adjoints[p.id].id}
    given = graphs.arrays(b.graph)
    total = sum(given["x"][:n, b].sum(0) for b, n in enumerate(graphs.LENGTHS["t"]))
    np.testing.assert_allclose(evaluate(b.graph, given, graphs.LENGTHS)["p"], total)


def test_adjoint_nodes_carry_the_place_of_their_equation() -> None:
    b = graphs.Builder()
    place = Span(Source("cell.rnn", "y = tanh(x)"), 4, 11, 1, 5, 1, 12)
    x = b.input("x", 2)
    y = b.graph.add("tanh", [x.id], span=place)
    before = len(b.graph)
    differentiate(b.graph, {y.id: y.id}, [x.id])
    new = [b.graph[id] for id in range(before, len(b.graph))]
    assert new
    assert {node.span for node in new} == {place}
    assert b.graph.span is None


TWINS = """
cell Twins[N](x: [N], goal: [N]) -> (y: [N], z: [N]) {
    param a, b : [N] ~ normal(0, 1)
    h = tanh(a + b + x)
    y = h
    z = h
    loss squared_error(h, goal)
}
"""


def test_results_and_gradients_that_are_one_node_are_added_up() -> None:
    model = rc.parse(TWINS).compile(backend="numpy", dtype="float64", N=2)
    rng = np.random.default_rng(0)
    inputs = {name: rng.standard_normal((3, 2, 2)) for name in model.inputs}
    params, both, other = rng.standard_normal(4), rng.standard_normal((2, 2)), np.zeros((2, 2))
    other[0] = both.sum(0)
    for product in (model.hvp, model.gnvp):
        found = product(params, inputs, both.ravel())
        assert found.any()
        np.testing.assert_allclose(found, product(params, inputs, other.ravel()), rtol=1e-12)
    tangents, wanted = (model.jvp(params, inputs, params_tangent=v.ravel())[0] for v in (both, other))
    np.testing.assert_allclose(tangents["z"], wanted["y"], rtol=1e-12)
    y, z = rng.standard_normal((2, 3, 2, 2))
    run = model.forward(params, inputs)
    summed = model.backward(run, {"y": y + z, "z": 0 * z}).params
    np.testing.assert_allclose(model.backward(run, {"y": y, "z": z}).params, summed, rtol=1e-12)
