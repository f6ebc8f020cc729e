"""Every width of vectors on any processor: the C backend, its forecast of memory, and C for other programs.

`RECURRENCY_VECTOR_BYTES` asks for a width. Products are tried at each in `test_c_gemm`, functions in `test_c_math`, and
whole programs under sanitizers in `test_c_machines`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.backend import CBackend
from recurrency.backends.c.runtime import compiler, target
from recurrency.backends.c.sizes import FORCED, VARIABLE, Vectors

import recurrency as rc
from recurrency import backend, library
from recurrency.model.model import Model
from recurrency.testing.conformance import BackendConformance
from tests.backends.c.test_module import check_steps
from tests.model.test_memory import Batch, allocated_by_c
from tests.support.calling import Run
from tests.support.machines import SANITIZED, sanitizer_missing

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

each_width = pytest.mark.parametrize("width", FORCED)


class Forced(CBackend):
    """The C backend by a name of its own, so that nothing is kept from one width to the next."""

    def __init__(self, width: str) -> None:
        super().__init__()
        self.name = f"c, {width}"


def suite(width: str) -> Any:
    """A part of the suite that all backends pass; at the processor's own width it passes the whole."""

    class Suite(BackendConformance):
        backend = Forced(width)
        cells = ("matrix state",)
        dtypes = ("float32",)
        examples = 1

        @pytest.fixture(autouse=True)
        def forced(self, monkeypatch: pytest.MonkeyPatch) -> None:
            monkeypatch.setenv(VARIABLE, width)

    return pytest.mark.long(Suite) if REASON is None and target.vectors() == of(width) else Suite


def of(width: str) -> Vectors:
    """The vectors of a width."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(VARIABLE, width)
        return target.vectors()


for _width in FORCED:
    globals()[f"TestWidth{_width.title()}"] = suite(_width)


def shown(text: str) -> float:
    """The bytes of `peak` in what `show` prints."""
    found = re.search(r"^peak +([\d.]+) (\w+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1]) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[found[2]]


@each_width
def test_show_forecasts_what_is_allocated(width: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, width)
    monkeypatch.setenv("RECURRENCY_CFLAGS", "-O1")
    told = run("show", "LSTM", "-D", "N=64", "-D", "H=512", "--backend", "c", "--steps", "20").out
    forecast, allocated = measured(width, N=64, H=512)
    assert abs(shown(told) - allocated) <= 0.01 * allocated
    assert abs(forecast - allocated) <= ARENAS


@each_width
def test_the_forecast_knows_how_wide_panels_are(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no size is a multiple of them."""
    monkeypatch.setenv(VARIABLE, width)
    forecast, allocated = measured(width, N=33, H=70)
    assert abs(forecast - allocated) <= ARENAS
    other = "32" if width == "64" else "64"
    monkeypatch.setenv(VARIABLE, other)
    assert abs(measured(other, run=False, N=33, H=70)[0] - allocated) > 4 * ARENAS


ARENAS = 512
"""Bytes: what is counted of a line for each piece of memory, whether its beginning needs it or not."""


def measured(width: str, run: bool = True, **dimensions: int) -> tuple[int, int]:
    """The forecast of training an LSTM on 16 sequences of 20 steps, and what is allocated."""
    spec = library.spec("LSTM")
    model = Model(spec, spec.elaborate(**dimensions), Forced(width))
    case = Batch(model, 20, 16, False)
    held = case.train() if run else None
    allocated = case.given + allocated_by_c(model)
    del held
    return model.memory(20, 16).peak, allocated


@each_width
def test_exported_c_computes_the_same(width: str, tmp_path: Path) -> None:
    """Step by step, and at once with gradients: by a program that its sanitizers watch."""
    if (reason := sanitizer_missing()) is not None:
        pytest.skip(reason)
    check_steps(tmp_path, f"-DREC_VECTOR_BYTES={FORCED[width]}", *SANITIZED)


def test_the_compiler_says_which_vectors_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {width: of(width) for width in FORCED}
    assert [rows[width].width for width in FORCED] == [16, 32, 64, 16]
    assert [rows[width].row > 0 for width in FORCED] == [True, True, True, False]
    monkeypatch.delenv(VARIABLE, raising=False)
    assert target.vectors() in rows.values()
    monkeypatch.setenv("RECURRENCY_CFLAGS", "-DREC_VECTOR_BYTES=32")
    assert target.vectors() == Vectors(32, 2), "its own options are asked about as well"


def test_each_width_has_libraries_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for width in ("", *FORCED):
        monkeypatch.setenv(VARIABLE, width)
        keys.add(compiler.key("the same source"))
    assert len(keys) == 1 + len(FORCED)


@pytest.mark.parametrize("wrong", ["48", "avx2", "0", "64 "])
def test_a_width_that_there_is_not_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv(VARIABLE, wrong)
    said = f"{VARIABLE} is 16, 32, 64 or portable, not {wrong!r}"
    spec = library.spec("LSTM")
    model = Model(spec, spec.elaborate(N=2, H=2), Forced(wrong))
    with pytest.raises(rc.UsageError, match=re.escape(said)):
        model.forward(model.init(0), np.zeros((2, 1, 2), np.float32))
    shown = run("show", "LSTM", "-D", "N=2", "-D", "H=2", "--backend", "c")
    assert shown.code == 1
    assert said in " ".join(shown.err.split())
