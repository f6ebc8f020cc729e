"""Exported C x {resets, mask, lengths}: whole sequences and single steps have the numbers of the interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import find
from recurrency.model.export import module_files
from tests.support.exported_c import Library, aligned, arrays_of
from tests.support.forms import BAD, SIZES, Array, B, Form, T, cases, flags, inputs, params, seeds, spec, wanted

SOURCES = {"resets": "1 where a sequence begins again", "mask": "0 at steps that are not there"}
"""What the header says of the fields for resets and masks."""


def values_of(library: Library, function: str, given: Mapping[str, Any], known: Mapping[str, Array]) -> dict[str, Any]:
    """The fields of a call in C."""
    out: dict[str, Any] = {"T_t": T, "B": B, "params": params()}
    for field in library.fields(function):
        for name, says in SOURCES.items():
            if says in field.says and (name in given or name == "resets"):
                out[field.name] = np.ascontiguousarray(given.get(name, np.zeros((T, B))), float)
        if field.name == "n_t" and "lengths" in given:
            out[field.name] = np.asarray(given["lengths"], np.int64)
    return out | arrays_of(library.fields(function), {"T_t": T, "B": B}, known)


def results_of(library: Library, function: str, values: Mapping[str, Any]) -> dict[str, Array]:
    """The results by root; those of a mask instead of those without gaps."""
    out = {}
    for field in library.fields(function):
        masked = field.name.startswith("masked_")
        for root, row in field.roots.items():
            if not masked or "mask_t" in values:
                array = values[field.name]
                out[root] = array[row : row + T] if array.ndim and len(array) > T else array
    return out


@cache
def c_library() -> Library:
    if why := find("c", run=False).available():
        pytest.skip(why)
    model = spec().compile(backend="c", **SIZES)
    return Library(module_files(model, resets=True, masks=True), "form", Path(mkdtemp()))


def c_form() -> Form:
    library = c_library()

    def called(function: str, values: dict[str, Any]) -> dict[str, Array]:
        if wrong := library.call(function, values):
            raise ValueError({4: "lengths", 5: "resets or mask"}[wrong])
        return results_of(library, function, values)

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        first = called("forward", values_of(library, "forward", given, inputs()))
        inferred = called("infer", values_of(library, "infer", given, inputs()))
        for name, array in inferred.items():
            np.testing.assert_allclose(array, first[name], rtol=0, atol=1e-15)
        known = {**inputs(), **{n: a for n, a in first.items() if n.startswith("tape:")}}
        known |= {f"d:output:{n}": a for n, a in seeds().items()}
        known |= {f"d:{n}": np.ones(a.shape) for n, a in first.items() if n.startswith("final:")}
        values = values_of(library, "backward", given, known) | {"gradient": np.zeros(params().size)}
        second = called("backward", values)
        out = {n: a for n, a in first.items() if n.startswith(("output:", "final:"))}
        return {**out, "gradient": values["gradient"], "gradient:x": second["gradient:input:x"]}

    return run


@pytest.mark.parametrize("case", cases())
def test_a_file_of_c_has_the_numbers_of_the_interpreter(case: str) -> None:
    found = c_form()(cases()[case])
    assert found.keys() == wanted(case).keys()
    for name, array in wanted(case).items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("what", BAD)
def test_what_c_can_see_not_to_fit_is_an_error(what: str) -> None:
    run = c_form()
    for array in BAD[what]:
        if array.shape == ((B,) if what == "lengths" else (T, B)):
            with pytest.raises(ValueError, match=what):
                run({what: array})


def test_a_loss_in_c_with_a_mask_is_that_of_the_interpreter() -> None:
    library, given = c_library(), cases()["all"]
    values = values_of(library, "loss", given, inputs()) | {"gradient": np.zeros(params().size)}
    assert library.call("loss", values) == 0
    model = spec().compile(backend="interpreter", **SIZES)
    loss, gradients, state = model.loss_and_gradients(params(), inputs(), **given)
    found = results_of(library, "loss", values)
    assert float(found["loss"]) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(values["gradient"], gradients.params, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["final:h"], state["h"], rtol=0, atol=1e-12)


class Steps:
    """Steps of some sequences in C, each with a state of its own."""

    def __init__(self, count: int = B) -> None:
        self.c, self.count = c_library().c, count
        self.c.form_step_workspace.restype = ctypes.c_longlong
        self.bytes = int(self.c.form_step_workspace())
        self.work = aligned(self.bytes)
        self.states = np.full((count, 3 + 2 + 4 + 3 + 2), np.nan)
        self.rest = (self.work.ctypes.data_as(ctypes.c_void_p), ctypes.c_longlong(self.bytes))
        for b in range(count):
            assert self.c.form_first(at(params()), at(self.states[b]), *self.rest) == 0

    def step(self, t: int, b: int, reset: float = 0, mask: float = 1) -> tuple[int, Array, Array]:
        h, y, flags = np.full(3, np.nan), np.full(2, np.nan), np.array([reset, mask], float)
        x, w = inputs()["x"][t, b].copy(), inputs()["w"][t, b : b + 1].copy()
        given = (at(x), at(w), at(flags[:1]), at(flags[1:]), at(h), at(y))
        return self.c.form_step(at(params()), at(self.states[b]), *given, *self.rest), h, y

    def reset(self, chosen: Array | None, count: int | None = None) -> int:
        where = None if chosen is None else at(chosen)
        many = ctypes.c_longlong(self.count if count is None else count)
        return int(self.c.form_reset(at(params()), at(self.states), many, where, *self.rest))


def at(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("case", ["resets", "mask", "all"])
def test_steps_in_c_have_the_numbers_of_whole_sequences(case: str) -> None:
    given = {n: a for n, a in cases()[case].items() if n != "lengths"}
    resets, mask = given.get("resets", np.zeros((T, B))), given.get("mask", np.ones((T, B)))
    run = spec().compile(backend="interpreter", **SIZES).forward(params(), inputs(), **given)
    steps = Steps()
    for t, b in np.ndindex(T, B):
        wrong, h, y = steps.step(t, b, resets[t, b], mask[t, b])
        assert wrong == 0
        np.testing.assert_allclose(h, run.outputs["h"][t, b], rtol=0, atol=1e-14)
        np.testing.assert_allclose(y, run.outputs["y"][t, b], rtol=0, atol=1e-14)


def test_chosen_sequences_in_c_begin_again() -> None:
    steps, fresh = Steps(), Steps()
    assert all(steps.step(t, b)[0] == 0 for t, b in np.ndindex(5, B))
    before = steps.states.copy()
    assert steps.reset(np.array([0.0, 1.0, 0.0])) == 0
    np.testing.assert_array_equal(steps.states[1], fresh.states[1])
    np.testing.assert_array_equal(steps.states[[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(steps.step(5, 1)[1], fresh.step(5, 1)[1])
    assert steps.reset(None) == 0
    np.testing.assert_array_equal(steps.states, Steps().states)


def test_resets_and_masks_that_are_no_flags_are_errors_of_c_and_change_nothing() -> None:
    steps = Steps()
    assert steps.step(0, 0)[0] == 0
    before = steps.states.copy()
    for bad in (np.nan, 0.5, -1, 2):
        assert steps.step(1, 0, reset=bad)[0] == 5
        assert steps.step(1, 0, mask=bad)[0] == 5
        assert steps.step(1, 0, reset=bad, mask=0)[0] == 5
        assert steps.reset(np.array([0, 1, bad])) == 5
    assert steps.reset(None, -1) == 4
    assert steps.c.form_reset(None, at(steps.states), ctypes.c_longlong(1), None, *steps.rest) == 2
    assert steps.c.form_reset(at(params()), None, ctypes.c_longlong(1), None, *steps.rest) == 2
    short = (steps.rest[0], ctypes.c_longlong(0))
    assert steps.c.form_reset(at(params()), at(steps.states), ctypes.c_longlong(1), None, *short) == 1
    np.testing.assert_array_equal(steps.states, before)


TWO = """
cell Two[H](src: [H] over s, x: [H]) -> (h: [H]) {
    enc = Elman[H](src)
    h = Elman[H](x) from (h = last(enc))
}"""


@pytest.mark.long
def test_a_file_of_c_for_several_clocks_takes_a_mask_for_each(tmp_path: Path) -> None:
    cell = rc.parse(f"use Elman from library\n{TWO}")
    model = cell.compile(backend="c", H=2, dtype="float64")
    library, rng = Library(module_files(model, masks=True), "two", tmp_path), np.random.default_rng(0)
    arrays = {"src": rng.standard_normal((4, B, 2)), "x": rng.standard_normal((T, B, 2))}
    masks = {"s": np.ones((4, B)), "t": flags()[1]}
    masks["s"][1, 0] = masks["s"][3, 1] = masks["s"][:, 2] = 0
    values = {"T_t": T, "T_s_": 4, "B": B, "params": model.init(0), "mask_s_": masks["s"], "mask_t": masks["t"]}
    values |= arrays_of(library.fields("infer"), {"T_t": T, "T_s_": 4, "B": B}, arrays)
    assert library.call("infer", values) == 0
    run = cell.compile(backend="interpreter", H=2, dtype="float64").forward(model.init(0), arrays, mask=masks)
    np.testing.assert_allclose(values["masked_h_"], run.output, rtol=0, atol=1e-14)
