"""What all tests share: the option `--update-golden`, and the comparison with golden files that it rewrites."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.calling import Run, runner

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""The tests run in several processes; small products on several threads each would wait for one another."""

os.environ.setdefault("RECURRENCY_CFLAGS", "-O0")
"""To compile takes longer than to run; tests of what users get ask for more."""

os.environ.setdefault("RECURRENCY_RECORDS", "0")
"""A test is of what works things out, and not of what was worked out before; that is tested where it is switched on."""

os.environ.setdefault("RECURRENCY_TRUST", "0")
"""To try each compiler and its options out takes a second for each cache, of which there are many."""

os.environ.setdefault("RECURRENCY_BACKEND", "numpy")
"""Where no backend is named: it needs no compiler. Tests of all backends name each."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script, and programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.set_threshold(100_000, 50, 100)
"""Graphs are many small objects that live long: to look for garbage among them as often as usual costs a tenth."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what the code says into the golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """`golden(path, text)` compares a text with a golden file, or writes it there under `--update-golden`."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing; pytest --update-golden writes it"
        assert text == path.read_text(encoding="utf-8"), "the golden file says something else (pytest --update-golden)"

    return compare


@pytest.fixture(autouse=True)
def generated_torch_code(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of modules of PyTorch are of generated torch code; those of kernels put theirs in."""
    if request.path.parent.name == "torch" and request.path.name.startswith("test_module"):
        kernels = pytest.importorskip("recurrency.backends.torch.module_kernels")
        monkeypatch.setattr(kernels, "KERNELS", {"cuda": "cupy"})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("show", "LSTM")` runs the console script, and gives its exit code and what it wrote."""
    return runner(monkeypatch, capsys)
