"""Source code whose functions take resets, and training data that have them."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.model.export import module_files
from recurrency.training.data import read_user
from recurrency.training.data.sequences import joined
from tests.support.cutting import random_resets

T, B = 7, 3
RESETS = random_resets(np.random.default_rng(0), T, B).astype(float)
X = np.random.default_rng(1).standard_normal((T, B, 3))


def executed(model: Any) -> Any:
    module = ModuleType("generated")
    exec(compile(module_files(model, resets=True).source, "generated.py", "exec"), module.__dict__)
    return module


def test_a_module_of_numpy_takes_resets() -> None:
    model = rc.library.QRNN.compile(backend="numpy", dtype="float64", N=3, H=4)
    module, params = executed(model), model.init(0)
    run = model.forward(params, X, resets=RESETS)
    outputs, state, call = module.forward(params, {"x": X}, resets=RESETS)
    np.testing.assert_array_equal(outputs["h"], run.output)
    seeds = np.ones_like(run.output)
    np.testing.assert_array_equal(module.backward(call, {"h": seeds})[0], model.backward(run, seeds).params)
    np.testing.assert_array_equal(module.forward(params, {"x": X})[0]["h"], model.forward(params, X).output)
    state = None
    for t in range(T):
        outputs, state = module.step(params, {"x": X[t]}, state, resets=RESETS[t])
        np.testing.assert_allclose(outputs["h"], run.output[t], rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match=r"resets are \[3, 7\]; they must be \[7, 3\]"):
        module.forward(params, {"x": X}, resets=RESETS.T)


def test_a_module_file_without_resets_says_so() -> None:
    torch = pytest.importorskip("torch")
    model = rc.library.QRNN.compile(backend="torch", dtype="float64", N=3, H=4)
    module = ModuleType("generated")
    exec(compile(module_files(model).source, "generated.py", "exec"), module.__dict__)
    with pytest.raises(module.UsageError, match="QRNN was written without resets"):
        module.QRNN(seed=0)(torch.tensor(X), resets=torch.tensor(RESETS))


def test_sources_without_resets_do_not_know_them() -> None:
    for backend in ("numpy", "c"):
        model = rc.library.QRNN.compile(backend=backend, N=3, H=4)
        assert not re.search(r"\bresets_?\b", module_files(model).source)
        assert re.search(r"\bresets_?\b", module_files(model, resets=True).source)


def test_a_cell_that_cannot_be_reset_is_not_written_with_resets() -> None:
    with pytest.raises(rc.UsageError, match=r"Tagger can't be reset within sequences: .* needs the whole sequence"):
        module_files(rc.library.Tagger.compile(backend="numpy", V=4, K=3, N=2, H=2), resets=True)


# ------------------------------------------------------------------------------------------------------------- data

SPEC = """
cell Mine[N, H](x: [N], target: []) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    h = tanh(W @ x + h[t-1])
    loss squared_error(sum(h), target)
}"""


def test_a_column_and_an_array_of_data_say_where_sequences_begin_again(tmp_path: Path) -> None:
    model = rc.parse(SPEC).compile(backend="numpy", N=2, H=3)
    rng = np.random.default_rng(0)
    x, target, resets = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3)), rng.random((4, 3)) < 0.5
    rows = ["sequence,split,x.0,x.1,target,resets"]
    for s, t in np.ndindex(4, 3):
        rows.append(
            f"{s},{('train', 'train', 'valid', 'test')[s]},{x[s, t, 0]},{x[s, t, 1]},{target[s, t]},{int(resets[s, t])}"
        )
    (tmp_path / "d.csv").write_text("\n".join(rows))
    parts = {"": slice(0, 2), "valid_": slice(2, 3), "test_": slice(3, 4)}
    arrays = {p + n: a[s] for p, s in parts.items() for n, a in (("x", x), ("target", target), ("resets", resets))}
    np.savez(tmp_path / "d.npz", **arrays)
    for name in ("d.csv", "d.npz"):
        batch = joined(read_user(tmp_path / name, model.inputs)["train"], "float64")
        np.testing.assert_array_equal(batch.flags["resets"], resets[:2].T)
        assert list(batch.inputs) == ["x", "target"]
        assert batch.part([1]).flags["resets"].shape == (3, 1)
        params = model.init(0)
        wanted = model.loss(params, batch.inputs, resets=resets[:2].T)
        assert model.loss(params, batch.inputs, **batch.keywords) == wanted


def test_a_reset_that_is_neither_0_nor_1_is_named_by_its_line(tmp_path: Path) -> None:
    model = rc.parse(SPEC).compile(backend="numpy", N=1, H=3)
    (tmp_path / "d.csv").write_text("sequence,x,target,resets\na,0,0,0\na,0,0,2\n")
    with pytest.raises(rc.UsageError, match="line 3, resets: 2 is not one of the symbols 0 to 1"):
        read_user(tmp_path / "d.csv", model.inputs)
