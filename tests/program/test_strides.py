"""What is planned as a view is one: strides are what NumPy finds, and generated code makes no copy for later use."""

from __future__ import annotations

import re
from math import prod
from random import Random
from typing import Any

import numpy as np
import pytest
from recurrency.backends.numpy.helpers import HELPERS
from recurrency.backends.python.function import Function
from recurrency.backends.torch.dialect import Torch

import recurrency as rc
from recurrency.backend import find
from recurrency.graph.types import Kind, Type
from recurrency.passes.lengths import lengths
from recurrency.program.layout import computed_there, gradients, layout
from recurrency.program.program import Buffer, Place, View
from recurrency.program.schedule import PIECES, schedule
from recurrency.program.strides import BATCH, Axis, NoViewError, joined, start, strides
from tests.regressions.test_regressions import FILES, loaded, sizes
from tests.support import graphs

SIZES = {"t": 5, BATCH: 3}
SHAPES = ((4,), (2, 3), (2, 2), (3, 1, 2), (1,), (2, 3, 2), ())
FORMS = {6: ((6,), (2, 3), (3, 2), (1, 6), (2, 1, 3)), 4: ((4,), (2, 2), (4, 1)), 12: ((12,), (3, 4), (2, 2, 3))}


def evaluated(count: tuple[int, tuple[str, ...]]) -> int:
    return count[0] * prod(SIZES[clock] for clock in count[1])


def view_of(array: Any, lead: int, dice: Random) -> tuple[Any, View]:
    """A random view of an array with so many axes before those of an element, by NumPy, and its description."""
    shape = array.shape[lead:]
    ops = ["slice", "transpose", "expand", "reshape"] if shape else ["expand"]
    op = dice.choice(ops)
    if op == "slice":
        first = dice.randrange(shape[0])
        last = dice.randint(first + 1, shape[0])
        return array[(slice(None),) * lead + (slice(first, last),)], View(op, (last - first, *shape[1:]), (first, last))
    if op == "transpose":
        axes = (*range(lead), *reversed(range(lead, array.ndim)))
        return array.transpose(axes), View(op, shape[::-1])
    if op == "expand":
        axis = dice.randint(0, len(shape))
        wide = np.expand_dims(array, lead + axis)
        new = (*shape[:axis], 3, *shape[axis:])
        return np.broadcast_to(wide, (*array.shape[:lead], *new)), View(op, new, (axis,))
    new = dice.choice(FORMS.get(prod(shape), (shape,)))
    return array.reshape((*array.shape[:lead], *new)), View(op, new)


@pytest.mark.parametrize("kind", list(Kind))
def test_strides_are_those_that_numpy_finds(kind: Kind) -> None:
    views = refused = merged = 0
    for seed in range(400):
        dice = Random(seed)
        shape = dice.choice(SHAPES)
        buffer = Buffer(0, 0, Type(kind, shape, "t" if kind is Kind.STREAM else None))
        lead = (SIZES["t"], SIZES[BATCH])[2 - int(kind) :]
        whole: Any = np.arange(prod((*lead, *shape)), dtype=np.int64).reshape((*lead, *shape))
        array, place = whole, Place(0, kind)
        for _ in range(dice.randint(0, 4)):
            array, view = view_of(array, int(kind), dice)
            place = place.then(view)
            try:
                axes = strides(buffer, place)
            except NoViewError:
                assert not np.may_share_memory(whole, array)
                refused += 1
                break
            assert np.may_share_memory(whole, array)
            assert [SIZES.get(str(a.size), a.size) for a in axes] == list(array.shape)
            assert all(
                n == 1 or evaluated(a.stride) * 8 == s for a, n, s in zip(axes, array.shape, array.strides, strict=True)
            )
            merged += merges(axes, array)
            if kind is Kind.STATIC:
                assert int(array.flat[0]) == start(buffer, place)
            views += 1
    assert views > 500
    assert refused >= 20
    assert merged > 50


def merges(axes: tuple[Axis, ...], array: Any) -> int:
    """Whether two neighbouring axes can be made one as NumPy says; how often they can."""
    found = 0
    for k in range(array.ndim - 1):
        shape = (*array.shape[:k], array.shape[k] * array.shape[k + 1], *array.shape[k + 2 :])
        shared = bool(np.may_share_memory(array, array.reshape(shape)))
        assert (joined(axes[k : k + 2]) is not None) is shared
        found += shared
    return found


def test_what_would_be_a_copy_is_refused_where_the_code_runs() -> None:
    module: dict[str, Any] = {"np": np}
    exec(HELPERS["view"], module)
    x = np.arange(12.0).reshape(2, 3, 2)
    assert np.may_share_memory(module["view"](x, (6, 2)), x)
    assert module["view"](x[:0], (0, 6)).shape == (0, 6)
    with pytest.raises(ValueError, match="without a copy"):
        module["view"](x.transpose(0, 2, 1), (4, 3))


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_what_is_made_once_or_written_is_no_copy(name: str, backend: str) -> None:
    """`reshape` copies where it must: it stands in what is read at once, and never where memory is made."""
    model = loaded(name).compile(backend="interpreter", **sizes(loaded(name)))
    for kind in ("forward", "vjp"):
        graph = model.programs.graph(kind, ("output:y",) if kind == "vjp" else ())
        source = find(backend).build(graph, model.programs.layout, "float64", kind).source
        made = re.findall(rf"(?ms)^def {kind}_(?:memory|results)\(.*?^    return", source)
        assert not any(".reshape(" in text for text in made)
        assert not re.search(
            r"out=[^,)]*\.reshape\(|\.reshape\([^)]*\)\)?\[\.\.\.\] =|\.reshape\([^)]*\)\.copy_", source
        )


def symmetric(transposed: bool) -> Any:
    """The sum of a matrix and its transpose, or itself."""
    b = graphs.Builder()
    m = b.input("x", 2, 2).apply("tanh")
    b.root("output:y", m + m.transpose() if transposed else m + m)
    return b.graph


def test_nothing_is_written_over_what_is_read_in_another_order() -> None:
    for transposed in (False, True):
        program = schedule(symmetric(transposed))
        y = program.graph.roots["output:y"]
        m = program.graph[y].args[0]
        assert (program.places[m].buffer == program.places[y].buffer) is not transposed


def test_a_gradient_that_is_a_view_of_another_is_not_taken_for_computed_in_its_place() -> None:
    spec = loaded("transposed_gradient")
    graph = spec.compile(**sizes(spec), backend="interpreter").programs.graph("vjp", ("output:y",))
    places = layout(graph)
    program = schedule(lengths(graph), places)
    roots = gradients(program.graph, places)
    homes = {program.buffers[program.places[id].buffer].home for id in roots.values()}
    assert homes == {"gradient"}
    assert sum(computed_there(program, places, name, id) for name, id in roots.items()) == 1


def test_without_views_every_value_has_memory_of_its_own() -> None:
    graph = symmetric(True)
    program = schedule(graph, without=frozenset({"views"}))
    assert not any(place.views for place in program.places.values())
    assert len(program.copies) == 1
    assert {"views", "in place", "in-place gradients"} <= PIECES


def test_a_product_whose_result_is_no_matrix_is_copied_there() -> None:
    spec = loaded("products_put_together")
    graph = spec.compile(**sizes(spec), backend="interpreter").programs.graph("forward", ())
    places = layout(graph)
    text = Function("forward", schedule(lengths(graph), places), places, Torch()).text()
    assert re.search(r"y_part\w*\.copy_\(matmul\(.*\)\.view\(\(T, B, 2, 4\)\)\)", text)


def test_arrays_of_any_strides_are_read_right() -> None:
    spec = rc.parse("cell C(x: [2]) -> (y: [2]) { y = 2 * x }")
    plain = np.arange(12.0).reshape(3, 2, 2)
    padded = np.zeros(97, np.uint8)[1:].view(np.float64).reshape(3, 2, 2)
    padded[...] = plain
    kinds = [
        plain[:1][::-1],
        plain[::-1],
        plain[:, ::-1],
        plain[:, :1][:, ::-1],
        plain.transpose(1, 0, 2),
        np.asfortranarray(plain),
        plain.astype(">f8"),
        padded,
        plain[::2],
        np.broadcast_to(plain[:1], (4, 2, 2)),
        plain[..., ::-1],
    ]
    for backend in ("numpy", "torch", "c"):
        if find(backend).available() is None:
            model = spec.compile(backend=backend, dtype="float64")
            for x in kinds:
                np.testing.assert_array_equal(model.forward(model.init(0), {"x": x}).outputs["y"], 2 * np.array(x))
