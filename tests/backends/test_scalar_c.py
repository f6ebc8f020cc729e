"""The table of scalar expressions is complete, and compiled C means what the interpreter means, special values too."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.kernels.scalars import SCALAR_C, Scalars

from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS

Array = np.ndarray[Any, Any]
ELEMENTWISE = [op for op in OPS.values() if op.elementwise]
DTYPES = ("float32", "float64")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-30, -1e-30, 20.0, -20.0, 80.0, -300.0, 1e30, -1e30)
SPECIAL += (np.inf, -np.inf, np.nan)
ULPS = {"power": 16, "sigmoid": 8, "softplus": 8, "sin": 8, "cos": 8}
"""Distances from NumPy in units of the last place where functions are put together, or libraries differ."""

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def arguments(op: Any, dtype: str) -> list[Array]:
    """All special values, for several arguments all combinations of some."""
    values = np.array(SPECIAL, dtype)
    if op.arity == 1:
        return [values]
    grid = np.meshgrid(*[values] * op.arity, indexing="ij")
    return [g.ravel() for g in grid]


@pytest.fixture(scope="module", params=DTYPES)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ctypes.CDLL]:
    """All rows of the table as one library: `void OP(const real* a, b, c, real* out, int n)`."""
    scalars = Scalars(request.param)
    real = scalars.real
    text = "#include <math.h>\n"
    for op in ELEMENTWISE:
        args = [f"{name}[i]" for name in "abc"[: op.arity]]
        text += f'extern "C" void run_{op.name}(const {real}* a, const {real}* b, const {real}* c, {real}* out, int n)'
        text += f"{{ for (int i = 0; i < n; ++i) out[i] = {scalars.call(op.name, *args)}; }}\n"
    folder: Path = tmp_path_factory.mktemp("scalar")
    source = folder / "scalar.cpp"
    source.write_text(text)
    subprocess.run(["g++", "-O1", "-shared", "-fPIC", str(source), "-o", str(folder / "s.so")], check=True)
    return request.param, ctypes.CDLL(str(folder / "s.so"))


def test_every_elementwise_operation_has_a_row() -> None:
    assert set(SCALAR_C) == {op.name for op in ELEMENTWISE}


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_a_row_reads_every_argument_and_no_other(op: Any) -> None:
    read = 1 if Trait.FORGETS in op.traits else op.arity
    for position in range(3):
        assert (f"{{{position}}}" in SCALAR_C[op.name]) == (position < read)


@needs_compiler
@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_compiled_c_means_what_the_interpreter_means(op: Any, compiled: tuple[str, ctypes.CDLL]) -> None:
    dtype, library = compiled
    args = arguments(op, dtype)
    found = np.full_like(args[0], 12345.0)
    padded = [*args, *[args[0]] * (3 - len(args))]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (*padded, found)]
    library[f"run_{op.name}"](*pointers, len(found))
    with np.errstate(all="ignore"):
        attrs = {"limit": 1.0} if op.name == "clip_grad" else {}
        wanted = op.meaning(*(a.astype(np.float64) for a in args), **attrs).astype(dtype)
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite])
    least = np.finfo(dtype).tiny
    apart = np.abs(found[finite].astype(np.float64) - wanted[finite])
    allowed = ULPS.get(op.name, 4) * np.finfo(dtype).eps * np.maximum(np.abs(wanted[finite]), least)
    bad = apart > allowed
    assert not bad.any(), [(a[finite][bad][:3], found[finite][bad][:3], wanted[finite][bad][:3]) for a in args]


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_literals_are_the_nearest_numbers(dtype: str, tmp_path: Path) -> None:
    values = [0.1, -2.0, 1e-5, 1 / 3, 123456789.0, 5e-324, 1e300, np.inf, -np.inf, np.nan, -0.0]
    scalars = Scalars(dtype)
    body = " ".join(f"out[{i}] = {scalars.literal(v)};" for i, v in enumerate(values))
    source = tmp_path / "literals.cpp"
    source.write_text(f'extern "C" void fill({scalars.real}* out) {{ {body} }}')
    subprocess.run(["g++", "-shared", "-fPIC", str(source), "-o", str(tmp_path / "l.so")], check=True)
    found = np.zeros(len(values), dtype)
    ctypes.CDLL(str(tmp_path / "l.so")).fill(found.ctypes.data_as(ctypes.c_void_p))
    with np.errstate(over="ignore"):
        wanted = np.array(values).astype(dtype)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found[-1]), True)
