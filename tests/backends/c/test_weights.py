"""Parameters in generated C: the bits are those of the file, and a mistake is one line and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from recurrency import UsageError, backend, library
from recurrency.model.export import ModuleFiles, module_files
from recurrency.model.model import Model
from tests.support.calling import Outcome, Run

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

DTYPES = ("float32", "float64")
SIZES = ("-D", "N=2", "-D", "H=3")

DUMP = """
#include <stdio.h>
#include "gru.h"
int main(void) { return fwrite(gru_weights, sizeof gru_weights, 1, stdout) != 1; }
"""


def model_of(dtype: str) -> Model:
    """The cell of these tests."""
    return library.GRU.compile(backend="c", dtype=dtype, N=2, H=3)


def hard(model: Model) -> np.ndarray[Any, Any]:
    """Parameters of which some are at the ends of the range or need every digit."""
    info = np.finfo(model.real)
    ends = [
        -0.0,
        info.smallest_subnormal,
        -7 * info.smallest_subnormal,
        info.tiny,
        info.max,
        info.min,
        1 / 3,
        1 + info.eps,
    ]
    out = np.random.default_rng(0).standard_normal(model.size).astype(model.real)
    out[: len(ends)] = ends
    return out


def dumped(files: ModuleFiles, folder: Path) -> bytes:
    """What a program finds in the array."""
    assert files.header is not None
    for name, text in (("gru.c", files.source), ("gru.h", files.header), ("main.c", DUMP)):
        (folder / name).write_text(text)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    done = subprocess.run(["cc", *strict, "gru.c", "main.c", "-lm", "-o", "main"], cwd=folder, capture_output=True)
    assert not done.returncode, done.stderr.decode()
    return subprocess.run([folder / "main"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_array_has_the_bits_of_the_parameters(dtype: str, tmp_path: Path) -> None:
    model = model_of(dtype)
    weights = hard(model)
    assert dumped(module_files(model, weights=weights), tmp_path) == weights.tobytes()


def test_source_without_weights_declares_none() -> None:
    files = module_files(model_of("float32"))
    assert "gru_weights" not in files.source
    assert "gru_weights" not in str(files.header)


def test_weights_that_c_has_no_constants_for_are_refused() -> None:
    model = model_of("float32")
    for value, said in ((np.nan, "nan"), (np.inf, "inf"), (-1e300, "-inf")):
        weights = np.zeros(model.size)
        weights[model.parameters["U_c"].offset + 5] = value
        with pytest.raises(
            UsageError, match=rf"^U_c\[1, 2\] is {said} in float32; weights in a source must be finite$"
        ):
            module_files(model, weights=weights)


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def arrays(tmp_path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The parameters by name, which also lie in good.safetensors."""
    model = model_of("float32")
    out = {name: np.array(view) for name, view in model.views(hard(model)).items()}
    save_file(out, tmp_path / "good.safetensors")
    return out


def compile_with(run: Run, folder: Path, weights: str, *more: str) -> Outcome:
    """`recurrency compile GRU --backend c -o FOLDER/gru.c --weights ...`."""
    return run("compile", "GRU", *SIZES, "--backend", "c", "-o", folder / "gru.c", "--weights", folder / weights, *more)


def test_the_command_writes_the_weights_of_a_file(run: Run, tmp_path: Path, arrays: dict[str, Any]) -> None:
    assert compile_with(run, tmp_path, "good.safetensors").code == 0
    files = ModuleFiles((tmp_path / "gru.c").read_text(), (tmp_path / "gru.h").read_text())
    assert dumped(files, tmp_path) == model_of("float32").pack(arrays).tobytes()


def test_the_command_takes_a_run_folder(run: Run, tmp_path: Path) -> None:
    train = ("train", "first-element", "-D", "H=2", "--epochs", "1", "--length", "3", "--backend", "numpy")
    assert run(*train, "--run", tmp_path / "run").code == 0
    sizes = ("-D", "H=2", "--backend", "c")
    one = run("compile", "FirstElement", *sizes, "--weights", tmp_path / "run")
    other = run("compile", "FirstElement", *sizes, "--weights", tmp_path / "run" / "best.safetensors")
    assert one.code == 0
    assert "const float firstelement_weights[FIRSTELEMENT_PARAMETERS_] = {" in one.out
    assert one == other


def test_the_functions_of_source_and_header_are_made_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recurrency.backends.c.backend import CBackend

    calls, made = [], CBackend._written
    monkeypatch.setattr(CBackend, "_written", lambda *args: calls.append(args) or made(*args))
    assert run("compile", "GRU", *SIZES, "--backend", "c", "-o", tmp_path / "gru.c").code == 0
    assert (tmp_path / "gru.h").exists()
    assert len(calls) == 1


def test_float64_is_rounded_where_the_dtype_is_stated(run: Run, tmp_path: Path, arrays: dict[str, Any]) -> None:
    wide = {name: array.astype(float) for name, array in arrays.items()}
    wide["b_z"] += 1e-12
    save_file(wide, tmp_path / "wide.safetensors")
    said = compile_with(run, tmp_path, "wide.safetensors").err
    assert said == (
        f"error: {tmp_path / 'wide.safetensors'} holds float64; say --dtype float32 to have it rounded, or "
        "--dtype float64\n"
    )
    assert not (tmp_path / "gru.c").exists()
    for dtype in DTYPES:
        assert compile_with(run, tmp_path, "wide.safetensors", "--dtype", dtype).code == 0
        files = ModuleFiles((tmp_path / "gru.c").read_text(), (tmp_path / "gru.h").read_text())
        assert dumped(files, tmp_path) == model_of(dtype).pack(wide).tobytes()


def spoilt(arrays: dict[str, Any], name: str, array: Any) -> dict[str, Any]:
    """The arrays with another one in the place of one of them; None takes it away."""
    return {n: a for n, a in {**arrays, name: array}.items() if a is not None}


MISTAKES: dict[str, tuple[str, Any, str]] = {
    "missing": ("b_z", None, "given are no b_z"),
    "unknown": ("other", np.zeros(3, np.float32), "given are an unknown other"),
    "misshapen": ("b_z", np.zeros(4, np.float32), "b_z is [4]; GRU was compiled for [3]"),
    "not a number": ("b_z", np.array([0, np.nan, 0], np.float32), "b_z[1] is nan in float32"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_parameters_that_do_not_fit_are_named(mistake: str, run: Run, tmp_path: Path, arrays: dict[str, Any]) -> None:
    name, array, wanted = MISTAKES[mistake]
    save_file(spoilt(arrays, name, array), tmp_path / "bad.safetensors")
    code, out, said = compile_with(run, tmp_path, "bad.safetensors")
    assert (code, out, said.count("\n")) == (1, "", 1)
    assert said.startswith("error: ")
    assert wanted in said
    assert not list(tmp_path.glob("gru.*"))


def test_what_is_no_file_of_weights_is_refused(run: Run, tmp_path: Path, arrays: dict[str, Any]) -> None:
    (tmp_path / "text.safetensors").write_text("These are no weights.")
    (tmp_path / "folder").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.toml").write_text("")
    for name, wanted in (
        ("text.safetensors", "cannot read weights from"),
        ("none.safetensors", "No such file"),
        ("folder", "holds no run (no run.toml in it)"),
        ("begun", "has no best parameters yet"),
    ):
        code, out, said = compile_with(run, tmp_path, name)
        assert (code, out, said.count("\n")) == (1, "", 1)
        assert wanted in said
    code, _, said = run("compile", "GRU", *SIZES, "--weights", tmp_path / "good.safetensors")
    assert (code, said) == (1, "error: the backend numpy writes no weights into its source; c and onnx do\n")
    assert not list(tmp_path.glob("gru.*"))


def test_a_place_that_can_not_be_written_is_told_before_anything_is(run: Run, tmp_path: Path) -> None:
    """Neither of the two files is written where one can't be."""
    (tmp_path / "gru.h").mkdir()
    code, _, said = run("compile", "GRU", *SIZES, "--backend", "c", "-o", tmp_path / "gru.c")
    assert (code, said) == (1, f"error: {tmp_path / 'gru.h'} is a folder; name a file in it\n")
    assert not (tmp_path / "gru.c").exists()
