"""Comparing a derivative with differences, along a random direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes.differentiate import differentiate
from tests.support import graphs

Array = np.ndarray[Any, Any]
STEP = 5e-4


def slope(f: Callable[[float], float]) -> float:
    """The derivative at 0 by central differences whose error is of the sixth order."""
    weights = ((1, 45), (2, -9), (3, 1))
    return sum(w * (f(k * STEP) - f(-k * STEP)) for k, w in weights) / (60 * STEP)


def real_sources(graph: Graph) -> dict[str, int]:
    """The inputs, parameters and first values by which one can differentiate."""
    found = {name: id for op in ("input", "param", "start") for name, id in graph.sources(op).items()}
    return {name: id for name, id in found.items() if graph[id].type.index is None}


def directional(graph: Graph, root: str, loss: Value, wrt: Mapping[str, int]) -> Value:
    """The derivative of a scalar along a direction, given as further parameters `d.name`, as a new root."""
    graph.roots[root] = loss.id
    adjoints = differentiate(graph, {loss.id: graph.add("constant", attrs={"value": 1.0})}, wrt.values())
    total = graph.add("constant", attrs={"value": 0.0})
    for name, id in wrt.items():
        g = adjoints[id]
        assert g.type == Type(g.type.kind, graph[id].type.shape, graph[id].type.clock)
        assert g.type.kind == graph[id].type.kind
        d = graph.add("input", attrs={"name": f"d.{name}", "type": g.type})
        total = total + (g * d).reduce("sum").reduced_to(Kind.STATIC)
    graph.roots[f"d{root}"] = total.id
    return total


def check_slope(graph: Graph, root: str, wrt: Iterable[str], given: Mapping[str, Array], tolerance: float) -> None:
    """Hold the root `d` + `root` against differences of `root` along the direction `d.*`."""

    def moved(by: float, wanted: str) -> float:
        arrays = {**given, **{name: given[name] + by * given[f"d.{name}"] for name in wrt}}
        return float(evaluate(graph, arrays, graphs.lengths(graph), roots=[wanted])[wanted])

    exact, measured = moved(0.0, f"d{root}"), slope(lambda by: moved(by, root))
    assert abs(exact - measured) <= tolerance * max(1.0, abs(measured)), f"{root}: {exact} and not {measured}"


def check_gradients(graph: Graph, given: Mapping[str, Array] | None = None, tolerance: float = 1e-7) -> None:
    """Check the first and the second derivative of a weighted sum of all roots by all sources."""
    wrt = real_sources(graph)
    arrays = dict(graphs.arrays(graph) if given is None else given)
    rng = np.random.default_rng(1)
    arrays |= {f"d.{name}": 0.3 * rng.standard_normal(arrays[name].shape) for name in wrt}
    first = directional(graph, "loss", graphs.scalar_loss(graph), wrt)
    check_slope(graph, "loss", wrt, arrays, tolerance)
    second = {name: graph.sources("input")[f"d.{name}"] for name in wrt}
    adjoints = differentiate(graph, {first.id: graph.add("constant", attrs={"value": 1.0})}, wrt.values())
    total = graph.add("constant", attrs={"value": 0.0})
    for name, id in wrt.items():
        total = total + (adjoints[id] * graph.value(second[name])).reduce("sum").reduced_to(Kind.STATIC)
    graph.roots["ddloss"] = total.id
    check_slope(graph, "dloss", wrt, arrays, tolerance)
