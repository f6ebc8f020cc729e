"""The PyTorch backend computes what the interpreter says, and hands out tensors that nobody else holds."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from recurrency.backends.python.writers import WRITERS
from recurrency.backends.torch import fusions
from recurrency.backends.torch import helpers as torch_helpers
from recurrency.backends.torch.backend import backend
from recurrency.backends.torch.ops import ELEMENTWISE

from recurrency.backend import Call
from recurrency.graph import draws
from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS
from recurrency.program.layout import layout
from recurrency.program.schedule import PIECES
from tests.backends.numpy import test_backend
from tests.backends.numpy.test_backend import differentiated, optimised, twice
from tests.support import graphs
from tests.support.graphs import Builder
from tests.support.torch_graphs import check, each_graph

torch = pytest.importorskip("torch")


# ------------------------------------------------------------------------------------------------- what is computed


@each_graph
def test_values_and_gradients_are_those_of_the_interpreter(name: str) -> None:
    graph = differentiated(name)
    check(graph)
    check(graph, optimised(graph), dtype="float32")


@each_graph
def test_passes_change_nothing(name: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph))


@pytest.mark.parametrize("piece", sorted(PIECES | backend.switches))
@pytest.mark.parametrize("name", ["lstm", "attention", "embedding", "matrix_state"])
def test_each_piece_of_scheduling_can_be_left_out(name: str, piece: str) -> None:
    graph = differentiated(name)
    check(graph, optimised(graph), without=frozenset({piece}))


@each_graph
def test_second_derivatives_are_those_of_the_interpreter(name: str) -> None:
    graph = twice(name)
    check(graph, optimised(graph))


@each_graph
def test_what_stands_in_padding_reaches_no_result(name: str) -> None:
    graph = differentiated(name)

    def spoil(given: dict[str, Any]) -> None:
        for source, id in graph.sources("input").items():
            clock = str(graph[id].type.clock)
            for b, n in enumerate(graphs.lengths(graph)[clock]):
                given[source][n:, b] = np.nan if graph[id].type.index is None else 0

    check(graph, optimised(graph), spoil=spoil)


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 2, 1]])
@each_graph
def test_sequences_may_be_empty(name: str, counts: list[int]) -> None:
    graph = differentiated(name)
    lengths = {clock: counts if clock == "t" else n for clock, n in graphs.lengths(graph).items()}
    steps = {clock: max(n) for clock, n in lengths.items()}
    arrays = graphs.arrays(graph)
    for source, id in graph.sources("input").items():
        arrays[source] = arrays[source][: steps[str(graph[id].type.clock)]]
    check(graph, optimised(graph), lengths=lengths, steps=steps, arrays=arrays)


@each_graph
def test_a_batch_may_be_empty(name: str) -> None:
    graph = optimised(differentiated(name))
    flat, given = test_backend.split(graph, graphs.arrays(graph), "float64")
    none = {source: array[:0] if source.startswith("start:") else array[:, :0] for source, array in given.items()}
    steps = {clock: max(n) for clock, n in graphs.lengths(graph).items()}
    found = backend.build(graph, layout(graph), "float64")(Call(flat, none, None, steps, 0))
    assert not found["gradient"].any()
    assert all(value.size == 0 for root, value in found.items() if root.startswith("output"))


@pytest.mark.parametrize("offset", [None, {"t": 3}, {"t": np.array([0, 5, 7])}])
def test_random_numbers_are_those_of_the_interpreter(offset: Any) -> None:
    graph = differentiated("dropout")
    check(graph, optimised(graph), training=True, seed=2**63 + 5, step_offset=offset)


@pytest.mark.parametrize("law", draws.LAWS)
@pytest.mark.parametrize("seed", [0, 7, 2**40 + 3, 2**64 - 1, -5])
def test_random_bits_are_those_of_every_other_backend(law: str, seed: int) -> None:
    helpers = executed("random", "random")
    steps = np.array([[0], [1], [2**32 - 1], [2**33 + 5]])
    out = torch.empty((4, 3, 2, 5), dtype=torch.float64)
    helpers["random"](9, law, 0.3, 0.5, torch.from_numpy(steps), 3, (2, 5), True, seed, out)
    wanted = draws.draw(seed & (1 << 64) - 1, 9, steps, np.arange(3)[None], 10, law, 0.3).reshape(4, 3, 2, 5)
    if law in ("normal", "gumbel"):
        np.testing.assert_allclose(out.numpy(), wanted, rtol=1e-14, atol=1e-15)
    else:
        np.testing.assert_array_equal(out.numpy(), wanted)


def executed(*helpers: str) -> dict[str, Any]:
    """Helpers of generated modules."""
    module: dict[str, Any] = {}
    text = "\n".join(torch_helpers.HELPERS[name] for name in helpers)
    exec(f"import math\nfrom sys import getrefcount\nimport torch\nnan, inf = math.nan, math.inf\n{text}", module)
    return module


# ----------------------------------------------------------------------------------------------------------- tables


def test_every_operation_has_its_emission() -> None:
    views = [op.name for op in OPS.values() if Trait.VIEW in op.traits]
    written = {*ELEMENTWISE, *WRITERS, *views, "constant"}
    assert set(OPS) == written, "a row for each operation, and for nothing else"
    assert {name for name, op in OPS.items() if op.elementwise} == {*ELEMENTWISE, "stop_grad", "clip_grad", "add_slope"}


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, -1e300, 40.0, -40.0, 800.0, -800.0]


@pytest.mark.parametrize("op", sorted(ELEMENTWISE))
def test_special_values_are_those_of_the_interpreter(op: str) -> None:
    row = OPS[op]
    count = int(row.arity or 0)
    columns = list(zip(*itertools.product(SPECIAL if count < 3 else SPECIAL[:6], repeat=count), strict=True))
    b = Builder()
    values = [b.input(f"x{k}", len(column)) for k, column in enumerate(columns)]
    b.root("output:y", values[0].apply(op, *values[1:]))
    arrays = {f"x{k}": np.array(column)[None, None] for k, column in enumerate(columns)}
    run = backend.build(b.graph, layout(b.graph), "float64")
    found = run(Call(np.zeros(0), arrays, None, {"t": 1}, 1))["output:y"]
    assert row.meaning is not None
    with np.errstate(all="ignore"):
        wanted = row.meaning(*arrays.values())
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("row", fusions.FUSIONS, ids=lambda row: row[1] or "product")
@pytest.mark.parametrize("swapped", [False, True])
def test_each_fusion_computes_what_its_parts_compute(row: Any, swapped: bool) -> None:
    b = Builder()
    values: dict[str, Any] = {}

    def built(pattern: Any) -> Any:
        if isinstance(pattern, float):
            return pattern
        if pattern == "product":
            return graphs.times(b.param("W", 4, 3), b.input("z", 3))
        if isinstance(pattern, str):
            return values.setdefault(pattern, b.input(pattern, 4))
        op, *args = pattern
        args = [built(a) for a in (args[::-1] if swapped and Trait.COMMUTATIVE in OPS[op].traits else args)]
        if isinstance(args[0], float):
            args[0] = graphs.constant(b.graph, args[0]).like(args[1])
        return args[0].apply(op, *args[1:])

    b.root("output:y", built(row[0]))
    head = row[1].split("(")[0] or "addmm"
    text = backend.build(b.graph, layout(b.graph), "float64").source.split("def run(")[1]
    assert re.search(rf" {head}_?\(", text)
    check(b.graph)


def test_a_value_that_is_written_over_in_between_is_not_fused() -> None:
    b = Builder()
    x, z = b.input("x", 3), b.input("z", 3)
    y = x.apply("tanh")
    product = y * z
    b.root("output:y", y.apply("exp").apply("sin").apply("exp") + product)
    b.root("output:z", y.apply("cos"))
    check(b.graph)


def test_a_product_is_not_computed_on_top_of_its_own_factor() -> None:
    b = Builder()
    y = b.input("x", 3).apply("tanh")
    b.root("output:y", (y + graphs.times(b.param("W", 3, 3), y)).apply("exp"))
    check(b.graph)
