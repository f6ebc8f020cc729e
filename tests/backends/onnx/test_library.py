"""Every shipped cell as ONNX files in onnxruntime equals the interpreter, within the bounds of `verify`."""

from __future__ import annotations

from typing import Any

import pytest

import recurrency as rc
from recurrency.testing.case import Case
from recurrency.testing.compare import compared
from tests.support.cells import CASE, spec_of
from tests.support.onnx_files import Exported
from tests.support.usual import diagonal

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

STEPS = {"t": 5, "s": 4}
LENGTHS = {"t": (5, 1, 3), "s": (2, 4, 1)}
USUAL = 10
"""Every so many cells are usual; the others are long."""

each_cell = pytest.mark.parametrize(("name", "dtype"), diagonal(rc.library.names(), ("float32", "float64"), USUAL))


def case_of(name: str, dtype: str, **settings: Any) -> Case:
    """A case of a shipped cell, with anything in its padding."""
    dimensions = CASE[name].dimensions
    clocks = {str(t.clock) for t in spec_of(name).elaborate(**dimensions).inputs.values()}
    found: dict[str, Any] = {"steps": {c: STEPS[c] for c in clocks}, "batch": 3, "dtype": dtype, **settings}
    if found.pop("ragged", False):
        found["lengths"] = {c: LENGTHS[c] for c in clocks}
    return Case(dimensions, **found)


@each_cell
def test_exported_files_compute_what_the_interpreter_does(name: str, dtype: str) -> None:
    """Whole and ragged sequences with anything in the padding, from declared and given states; chunks; single steps."""
    for settings in ({}, {"ragged": True, "state": True, "seed": 1}):
        exported = Exported(spec_of(name), case_of(name, dtype, **settings))
        assert not exported.wrong(exported.in_one())
        if ".step.onnx" in exported.files:
            assert not exported.wrong(exported.in_pieces(1, 3))
            if not settings:
                assert not exported.wrong(exported.in_steps())


@each_cell
def test_the_backend_computes_what_the_interpreter_does(name: str, dtype: str) -> None:
    wide = {"values": "large"} if dtype == "float64" else {"seed": 3}  # in float32 some cells then divide 0 by 0
    for settings in ({"ragged": True, "state": True}, {"resets": True, "cuts": (2,)}, wide):
        found = compared(spec_of(name), case_of(name, dtype, **settings), "onnx")
        assert not found.differences, "\n".join(map(str, found.differences[:5]))
        assert found.compared
