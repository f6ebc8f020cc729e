"""The backend on the small cells of `recurrency.testing`, and in `verify`."""

from __future__ import annotations

import pytest

import recurrency as rc
from recurrency.testing.cells import CELLS, cell
from recurrency.testing.compare import compared
from recurrency.testing.conformance import FULLY, SITUATIONS, case_of
from tests.support.onnx_files import Exported, Reference
from tests.support.usual import diagonal

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

each_cell = pytest.mark.parametrize(("name", "dtype"), diagonal(CELLS, ("float64", "float32")))


@each_cell
def test_small_cells_compute_what_the_interpreter_does(name: str, dtype: str) -> None:
    for settings in (*FULLY.values(), *SITUATIONS.values()):
        found = compared(cell(name), case_of(name, dtype, **settings), "onnx")
        assert not found.differences, "\n".join(map(str, found.differences[:5]))


@pytest.mark.parametrize("name", [name for name in CELLS if name not in ("later steps", "random")])
def test_files_mean_the_same_by_the_definition_of_onnx(name: str) -> None:
    """Not in onnxruntime alone. (The evaluator of the package onnx has no `Scan` backwards in time.)"""
    case = case_of(name, batch=3, lengths={"t": (5, 1, 2), "s": (2, 4, 1)}, state=True)
    exported = Exported(cell(name), case)
    session = Reference(exported.files[".onnx"])
    given = exported.call.data
    assert not exported.wrong(exported.run(session, given.inputs, given.state or {}, case.ragged))


def test_verify_says_what_it_left_out() -> None:
    report = rc.verify(rc.library.Elman, backends=["onnx"], examples=4)
    assert report.ok
    assert report.limited == {
        "onnx": "no gradients (backward, vjp, loss_gradients, jvp, hvp, gnvp, damped), no training"
    }
    drawn = rc.parse("cell Drawn[N](x: [N]) -> (y: [N]) {\n    y = sample(x, 1)\n}\n")
    (row, _) = rc.verify(drawn, backends=["onnx"], examples=2).rows
    assert row.verdict == "left out: it draws random numbers out of training"
