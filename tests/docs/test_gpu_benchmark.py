"""`benchmarks/gpu.py` runs on a processor, compares like with like, and leaves out who computes something else."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recurrency.backend import describe

torch = pytest.importorskip("torch")

REASON = describe(emulated=True).get("cupy-emulated", "not installed")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture
def gpu() -> Iterator[ModuleType]:
    """The script as a module; what it sets for the whole of torch is set back."""
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_benchmark"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu_benchmark"]
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = flags


@pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")
def test_it_runs_without_a_gpu_and_says_so(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["gpu.py", "--emulate", "--rounds", "1", "--only", "MinGRU", "--json", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", words)
    gpu.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gpu none: emulated, ")
    assert [line.split()[0] for line in lines[2:]] == ["emulated", "emulated"]
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [gpu.BASELINE, "ours in cupy, MinGRU, loop"]


def test_without_a_gpu_nothing_is_timed(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit, match="nothing to time: torch sees no CUDA device; `--emulate` shows"):
        gpu.main()


def test_float32_means_float32_but_for_one_contestant(gpu: ModuleType) -> None:
    def flag() -> bool:
        return bool(torch.backends.cudnn.allow_tf32)

    torch.backends.cudnn.allow_tf32 = True  # as torch has it
    gpu.float32_is_float32()
    assert not flag()
    assert not torch.backends.cuda.matmul.allow_tf32
    assert gpu.in_tf32(gpu.Contestant(flag, None)).step() is True
    assert not flag()


def test_who_computes_something_else_is_left_out(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def giving(value: float) -> Any:
        return lambda task: gpu.Contestant(lambda: None, lambda: np.full(3, value))

    others = {gpu.BASELINE: giving(1), "right": giving(1.0001), "wrong": giving(1.1), "in bfloat16": giving(1.1)}
    monkeypatch.setattr(gpu, "CONTESTANTS", others)
    task = gpu.task("emulated", "cpu")
    failed: dict[str, str] = {}
    assert list(gpu.present(task, "", failed)) == [gpu.BASELINE, "right", "in bfloat16"]
    assert "without wrong: ValueError: another gradient of x: off by 1.0e-01" in capsys.readouterr().err
    assert list(failed) == ["wrong"]


def test_what_fails_is_recorded_and_the_others_run(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: Any) -> Any:
        raise MemoryError("no room\nat all")

    good = gpu.Contestant(lambda: None, None)
    monkeypatch.setattr(gpu, "CONTESTANTS", {gpu.BASELINE: broken, "ours": lambda task: good})
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--emulate", "--rounds", "1", "--json", str(tmp_path / "out.json")])
    gpu.main()
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["failed"] == {"emulated": {gpu.BASELINE: "MemoryError: no room"}}
    assert [(row["name"], row["against nn.LSTM"]) for row in found["rows"]] == [("ours", None)]
    monkeypatch.setattr(gpu, "CONTESTANTS", {gpu.BASELINE: broken})
    with pytest.raises(SystemExit, match="nothing ran"):
        gpu.main()
