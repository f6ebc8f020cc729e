"""Your own cells and functions in shipped networks: by file, as a spec, and functions of PyTorch and NumPy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import ShapeError, UsageError
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import RUN

LEM = """fn half(a) = {factor} * a

cell LEM[N, H](x: [N]) -> (h: [H]) {{
    param W : [H, N] ~ glorot_uniform

    state h : [H] = 0

    h = half(h[t-1]) + tanh(W @ x)
}}
"""
X = np.random.default_rng(0).normal(size=(5, 2, 1))


def outputs(**how: Any) -> Any:
    model = rc.library.FirstElement.compile(backend="numpy", dtype="float64", H=3, **how)
    return model.forward(model.init(0), X).outputs["y"]


def lem(factor: float = 0.5) -> rc.Spec:
    return rc.parse(LEM.format(factor=factor))


def test_a_cell_is_named_by_its_file_or_given_as_a_spec(tmp_path: Path) -> None:
    (tmp_path / "lem.rnn").write_text(LEM.format(factor=0.5))
    expected = outputs(Cell=lem())
    np.testing.assert_array_equal(outputs(Cell=f"{tmp_path / 'lem.rnn'}:LEM"), expected)
    np.testing.assert_array_equal(outputs(Cell=tmp_path / "lem.rnn"), expected)
    assert not np.array_equal(outputs(), expected)


def test_two_cells_of_one_name_are_two_models() -> None:
    one, other = (outputs(Cell=lem(factor)) for factor in (0.5, 0.25))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(outputs(Cell=lem(0.5)), one)


def test_functions_of_other_libraries_are_known_by_name() -> None:
    elman = rc.library.Elman

    def h(**how: Any) -> Any:
        model = elman.compile(backend="numpy", dtype="float64", N=1, H=3, **how)
        return model.forward(model.init(0), X).outputs["h"]

    np.testing.assert_array_equal(h(squash=np.sin), h(squash="sin"))
    np.testing.assert_array_equal(h(squash=math.tanh), h())
    with pytest.raises(UsageError, match="squash: log2 is not known to be a function of the language"):
        h(squash=np.log2)
    with pytest.raises(UsageError, match="squash: relu is not known"):
        h(squash=relu)


def relu(x: float) -> float:
    return x


def test_torch_functions_too() -> None:
    torch = pytest.importorskip("torch")
    model = rc.library.Elman.compile(backend="numpy", N=1, H=3, squash=torch.relu)
    assert model.dimensions["squash"] == "relu"


def test_a_cell_in_the_place_of_a_number_is_refused() -> None:
    with pytest.raises((UsageError, ShapeError), match="H must be a whole number"):
        rc.library.FirstElement.compile(backend="numpy", H=lem())


def test_a_run_folder_keeps_the_cell(tmp_path: Path) -> None:
    (tmp_path / "lem.rnn").write_text(LEM.format(factor=0.5))
    options = {"epochs": 1, "length": 3, "batch": 50, "log-form": "quiet", "backend": "numpy"}
    sizes = {"H": 3, "Cell": f"{tmp_path / 'lem.rnn'}:LEM"}
    request = Request("first-element", None, sizes, options, folder=str(tmp_path / "run"), draws=False)
    run(request, lambda text: None)
    assert 'Cell = "spec/cells/Cell/lem.rnn:LEM"' in (tmp_path / "run" / RUN).read_text()
    (tmp_path / "lem.rnn").write_text(LEM.format(factor=0.25))
    with pytest.raises(UsageError, match="holds a run of another spec"):
        run(request, lambda text: None)
    (tmp_path / "lem.rnn").unlink()
    said: list[str] = []
    run(Request(str(tmp_path / "run")), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"
