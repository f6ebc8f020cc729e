"""The NumPy backend computes what the interpreter says: for all graphs, lengths and types, all pieces on or off."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from recurrency.backends.numpy.backend import backend

from recurrency.backend import Backend, Call
from recurrency.graph.graph import Graph
from recurrency.graph.interpreter import evaluate
from recurrency.graph.types import Kind, Type
from recurrency.passes.cse import cse
from recurrency.passes.differentiate import differentiate
from recurrency.passes.pack import pack
from recurrency.passes.reassociate import reassociate
from recurrency.passes.simplify import simplify
from recurrency.program.layout import layout
from recurrency.program.schedule import PIECES
from tests.support import graphs
from tests.support.checking import directional, real_sources

Array = np.ndarray[Any, Any]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def optimised(graph: Graph) -> Graph:
    """The graph after all passes."""
    for step in (simplify, cse, reassociate, pack, simplify, cse):
        graph = step(graph)
    return graph


@functools.cache
def differentiated(name: str) -> Graph:
    """A graph with the gradients of a weighted sum of its roots by all sources, those of parameters in one vector."""
    graph = graphs.GRAPHS[name]()
    loss = graphs.scalar_loss(graph)
    wrt = real_sources(graph)
    params = graph.sources("param")
    adjoints = differentiate(graph, {loss.id: graph.add("constant", attrs={"value": 1.0})}, wrt.values())
    for source, id in wrt.items():
        kind = "gradient" if params.get(source) == id else "adjoint"
        graph.roots[f"{kind}:{source}"] = adjoints[id].id
    graph.roots["loss"] = loss.id
    return graph


@functools.cache
def twice(name: str) -> Graph:
    """A graph with a second derivative along a direction, by all sources."""
    graph = graphs.GRAPHS[name]()
    wrt = real_sources(graph)
    slope = directional(graph, "loss", graphs.scalar_loss(graph), wrt)
    adjoints = differentiate(graph, {slope.id: graph.add("constant", attrs={"value": 1.0})}, wrt.values())
    graph.roots = {f"adjoint:{source}": adjoints[id].id for source, id in wrt.items()}
    return graph


def split(graph: Graph, arrays: Mapping[str, Array], dtype: str) -> tuple[Array, dict[str, Array]]:
    """The flat vector of the parameters, and the other arrays under the names that runners use."""
    places = layout(graph)
    flat = np.zeros(places.size, dtype)
    for name, (offset, shape) in places.entries.items():
        flat[offset : offset + int(np.prod(shape))] = arrays[name].ravel()
    inputs = {name: np.array(arrays[name]) for name in graph.sources("input")}
    return flat, inputs | {f"start:{name}": np.array(arrays[name]) for name in graph.sources("start") if name in arrays}


def expected(graph: Graph, arrays: Mapping[str, Array], **options: Any) -> dict[str, Array]:
    """What the interpreter says, with the gradients of parameters as one flat vector."""
    found = evaluate(graph, arrays, **options)
    places = layout(graph)
    if any(name.startswith("gradient:") for name in found):
        flat = np.zeros(places.size)
        for name in [n for n in found if n.startswith("gradient:")]:
            offset, shape = places.entries[name.removeprefix("gradient:")]
            flat[offset : offset + int(np.prod(shape))] = found.pop(name).ravel()
        found["gradient"] = flat
    return found


def check(
    original: Graph,
    compiled: Graph | None = None,
    dtype: str = "float64",
    lengths: Mapping[str, list[int]] | None = None,
    steps: Mapping[str, int] | None = None,
    arrays: Mapping[str, Array] | None = None,
    spoil: Callable[[dict[str, Array]], None] | None = None,
    without: frozenset[str] = frozenset(),
    on: Backend = backend,
    **options: Any,
) -> None:
    """Compare a runner with the interpreter, twice in a row so that what a run leaves behind is seen."""
    compiled = original if compiled is None else compiled
    lengths = graphs.lengths(original) if lengths is None else lengths
    steps = {clock: max(counts) for clock, counts in lengths.items()} if steps is None else steps
    arrays = {name: np.asarray(a) for name, a in (arrays or graphs.arrays(original)).items()}
    want = expected_of(original, compiled, arrays, lengths, steps, options)
    flat, given = split(compiled, arrays, dtype)
    if spoil:
        spoil(given)
    run = on.build(compiled, layout(compiled), dtype, without=without)
    full = all(n == steps[clock] for clock, counts in lengths.items() for n in counts)
    batch = len(next(iter(lengths.values())))
    counts = None if full else {clock: np.array(n) for clock, n in lengths.items()}
    draws = options.get("training", False), options.get("seed", 0), options.get("step_offset")
    call = Call(flat, given, counts, steps, batch, *draws)
    before = run(call)
    kept = {name: a.copy() for name, a in before.items()}
    run(call._replace(params=flat * 0, given={name: a * 0 for name, a in given.items()}))
    again = run(call)
    assert set(before) == set(want)
    for name, value in want.items():
        np.testing.assert_array_equal(kept[name], before[name], err_msg=f"{name} has been overwritten")
        np.testing.assert_array_equal(kept[name], again[name], err_msg=f"{name} differs the second time")
        scale = max(1.0, float(abs(value).max(initial=0.0)))
        np.testing.assert_allclose(kept[name], value, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=name)


def expected_of(
    original: Graph, compiled: Graph, arrays: Mapping[str, Array], lengths: Any, steps: Any, options: Mapping[str, Any]
) -> dict[str, Array]:
    """The interpreter's answer for the original, with the flat gradient laid out as for the compiled graph."""
    found = evaluate(original, arrays, lengths=lengths, steps=steps, **options)
    places = layout(compiled)
    gradients = [name for name in found if name.startswith("gradient:")]
    if gradients:
        flat = np.zeros(places.size)
        for name in gradients:
            offset, shape = places.entries[name.removeprefix("gradient:")]
            flat[offset : offset + int(np.prod(shape))] = found.pop(name).ravel()
        found["gradient"] = flat
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_values_and_gradients_are_those_of_the_interpreter(name: str, dtype: str) -> None:
    check(differentiated(name), dtype=dtype)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_sequences_of_equal_length_need_no_lengths(name: str) -> None:
    graph = differentiated(name)
    steps = {clock: max(n) for clock, n in graphs.lengths(graph).items()}
    check(graph, lengths={clock: [n] * 3 for clock, n in steps.items()})


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_passes_change_nothing(name: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph))


@pytest.mark.parametrize("piece", sorted(PIECES))
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_each_piece_of_scheduling_can_be_left_out(name: str, piece: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph), without=frozenset({piece}))


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_second_derivatives_are_those_of_the_interpreter(name: str) -> None:
    graph = twice(name)
    arrays = graphs.arrays(graph)
    check(graph, arrays=arrays)
    check(graph, optimised(graph), arrays=arrays)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_what_stands_in_padding_reaches_no_result(name: str) -> None:
    graph = differentiated(name)

    def spoil(given: dict[str, Array]) -> None:
        for source, id in graph.sources("input").items():
            clock = str(graph[id].type.clock)
            for b, n in enumerate(graphs.lengths(graph)[clock]):
                given[source][n:, b] = np.nan if graph[id].type.index is None else 0

    check(graph, spoil=spoil)
    check(graph, optimised(graph), spoil=spoil)


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 2, 1]])
@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_sequences_may_be_empty(name: str, counts: list[int]) -> None:
    graph = differentiated(name)
    lengths = {clock: counts if clock == "t" else n for clock, n in graphs.lengths(graph).items()}
    steps = {clock: max(n) for clock, n in lengths.items()}
    arrays = graphs.arrays(graph)
    for source, id in graph.sources("input").items():
        arrays[source] = arrays[source][: steps[str(graph[id].type.clock)]]
    check(graph, lengths=lengths, steps=steps, arrays=arrays)
    check(graph, optimised(graph), lengths=lengths, steps=steps, arrays=arrays)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_a_batch_may_be_empty(name: str) -> None:
    graph = optimised(differentiated(name))
    arrays = graphs.arrays(graph)
    flat, given = split(graph, arrays, "float64")
    none = {}
    for source, array in given.items():
        id = graph.sources("start" if source.startswith("start:") else "input")[source.removeprefix("start:")]
        none[source] = array[:, :0] if graph[id].type.kind is Kind.STREAM else array[:0]
    steps = {clock: max(n) for clock, n in graphs.lengths(graph).items()}
    found = backend.build(graph, layout(graph), "float64")(Call(flat, none, None, steps, 0))
    assert not found["gradient"].any()
    assert all(value.size == 0 for root, value in found.items() if root.startswith("output"))


@pytest.mark.parametrize("name", ["elman", "delay_line"])
def test_first_values_that_are_not_given_are_the_declared_ones(name: str) -> None:
    graph = differentiated(name)
    check(graph, arrays=graphs.arrays(graph, starts=False))


@pytest.mark.parametrize("offset", [None, {"t": 3}, {"t": np.array([0, 5, 7])}])
def test_random_numbers_are_those_of_the_interpreter(offset: Any) -> None:
    graph = differentiated("dropout")
    check(graph, training=True, seed=2**63 + 5, step_offset=offset)
    check(graph, optimised(graph), training=True, seed=3, step_offset=offset)


def test_names_of_a_specification_are_never_code() -> None:
    b = graphs.Builder()
    x = b.input("x'];import os#", 2)
    W = b.param("__class__\n", 3, 2)
    y = graphs.times(W, x).apply("tanh")
    b.graph.rename(y.id, "lambda")
    b.root("output:\"'\\", y)
    source = backend.build(b.graph, layout(b.graph), "float64").source
    assert "import os" not in source.replace("'x\\'];import os#'", "").replace('"x\'];import os#"', "")
    check(b.graph)


def test_a_gradient_that_nothing_is_computed_for_is_zero() -> None:
    b = graphs.Builder()
    b.root("gradient:b", b.param("b", 2) * 2.0)
    b.root("output:a", b.param("a", 3) * 1.0)
    places = layout(b.graph)
    found = backend.build(b.graph, places, "float64")(Call(np.ones(5), {}, None, {}, 1))
    start = places.offset("b")
    assert found["gradient"][start : start + 2].tolist() == [2.0, 2.0]
    assert found["gradient"].sum() == 4.0


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("x_kind", list(Kind))
def test_symbols_select_rows_of_any_kind(kind: Kind, x_kind: Kind) -> None:
    b = graphs.Builder()
    x = b.source("input", "x", Type(x_kind, (5, 2), "t" if x_kind is Kind.STREAM else None))
    w = b.source("input", "w", Type(kind, (), "t" if kind is Kind.STREAM else None, 5))
    b.root("output:rows", x.take(w))
    b.root("output:back", x.take(w).put(w, 5))
    b.root("output:sum", x.take(w).put(w, 5).reduced_to(Kind.STATIC) * 1.0)
    check(b.graph)


def test_the_module_stands_alone() -> None:
    graph = optimised(differentiated("lstm"))
    text = backend.emit([("forward", graph), ("again", graph)], layout(graph), "float32", "Made for a test.")
    assert "recurrency" not in text
    module: dict[str, Any] = {}
    exec(text, module)
    assert callable(module["forward"])
    assert callable(module["again"])


def test_a_generated_function_takes_the_fields_of_a_call() -> None:
    graph = optimised(graphs.elman())
    function = backend.build(graph, layout(graph), "float64").function
    assert tuple(inspect.signature(function).parameters) == Call._fields
