"""`make gpu`: each step has its time, its log and its place in the results, whatever becomes of the others."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recurrency.backend import describe

ROOT = Path(__file__).resolve().parents[2]
REASON = describe(emulated=True).get("cupy-emulated", "not installed")
first = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "first_hour.py")))
wheels = SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "gpu_wheels.py")))


def step(name: str, code: str, limit: float = 120.0, **options: Any) -> Any:
    """A step that runs a line of Python, also without a device."""
    return first.Step(name, f"the step {name}", limit, ("-c", code), ("-c", code), **options)


def hour(out: Path, **options: Any) -> Any:
    return first.Hour(out, **{"dry": False, "end": time.monotonic() + 600, **options})


def is_over(process: int) -> bool:
    """Whether a process has ended; somebody may still have to look at how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_a_step_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    run = hour(tmp_path)
    run.execute("slow", "a command that waits", ["sh", "-c", "sleep 60 & echo $!; wait"], 1.5)
    (row,) = run.results
    assert (row["state"], row["why"]) == ("timed out", "killed after 2 s; the log has what came until then")
    child = int((tmp_path / "slow.log").read_text().splitlines()[-1])
    for _ in range(50):
        if is_over(child):
            break
        time.sleep(0.1)
    assert is_over(child)
    assert run.bad


def test_what_fails_or_is_missing_is_written_and_the_others_run(tmp_path: Path) -> None:
    run = hour(tmp_path)
    first.write(tmp_path / "machine.json", json.dumps({"obstacles": {"cupy": None, "torch": "torch sees no device"}}))
    run.run(step("broken", "raise SystemExit(3)"))
    assert [row["state"] for row in json.loads((tmp_path / "results.json").read_text())["steps"]] == ["failed"]
    run.run(step("tool", "", tool=("no-such-tool", "-x")))
    run.run(step("module", "", needs=("cupy", "torch")))
    run.run(step("good", "print('seen')"))
    run.end = time.monotonic() + 1
    run.run(step("late", ""))
    rows = {row["step"]: (row["state"], row["why"]) for row in run.results}
    assert rows == {
        "broken": ("failed", "exit status 3; see the log"),
        "tool": ("skipped", "no-such-tool not found"),
        "module": ("skipped", "torch sees no device"),
        "good": ("passed", ""),
        "late": ("skipped", "no time is left"),
    }
    assert "| tool | the step tool | skipped: no-such-tool not found | 0 |" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "good.log").read_text().splitlines()[-1] == "seen"
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_the_figures_of_steps_are_in_the_summary(tmp_path: Path) -> None:
    about = {"date": "2030-01-01", "gpu": "A GPU", "python": "3.12"}
    smoke = {"cell": "LSTM", "plan": "step", "allowed": 1e-4, "worst": 2e-6, "state": "right"}
    rows = [
        {"cell": "PlainLSTM", "plan": "step", "H": 768, "B": 16, "forward": 5.5, "both": 12.0},
        {"cell": "PlainLSTM", "plan": "gemm", "H": 768, "B": 16, "failed": "MemoryError: no room"},
    ]
    for name, found in (("machine", {"machine": about}), ("smoke", {"rows": [smoke]}), ("grid", {"rows": rows})):
        first.write(tmp_path / f"{name}.json", json.dumps(found))
    text = first.summary(tmp_path, False, [])
    assert text.startswith("### 2030-01-01, A GPU\n")
    assert "| LSTM | step | 2.0e-06 | 1e-04 | right |" in text
    assert "| PlainLSTM | step | 768 | 16 | 5.50 | 12.00 |" in text
    assert "| PlainLSTM | gemm | 768 | 16 | MemoryError: no room | |" in text
    assert "Dry" in first.summary(tmp_path, True, [])


def test_the_steps_fit_into_eight_minutes(tmp_path: Path) -> None:
    found = first.steps(tmp_path)
    assert sum(one.limit for one in found) <= 8 * 60
    assert [one.name for one in found][:4] == ["machine", "smoke", "torch", "benchmark"]
    for one in found:
        files = [word for word in (*one.command, *one.dry) if word.endswith(".py")]
        assert all((ROOT / file).exists() for file in files)


def test_what_travels_is_what_the_project_and_its_tests_need() -> None:
    found = wheels.requirements("13", torch=False)
    assert {"cupy-cuda13x[ctk]>=14.0", "numpy>=1.26", "pytest>=8.2", "setuptools>=77"} <= set(found)
    assert not any(name.startswith("torch") for name in found)
    assert any(name.startswith("torch") for name in wheels.requirements("12", torch=True))
    words = wheels.command(Path("wheels"), "3.12", found)
    assert words[words.index("--python-version") + 1] == "3.12"
    assert "--only-binary" in words


@pytest.mark.long
@pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")
def test_it_runs_without_a_device(tmp_path: Path) -> None:
    words = [sys.executable, "tools/first_hour.py", str(tmp_path), "--dry", "--wheels", str(tmp_path / "none")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    rows = json.loads((tmp_path / "results.json").read_text())["steps"]
    assert done.returncode == 0, rows
    assert all(row["state"] == "passed" or "not found" in row["why"] for row in rows)
    assert len(json.loads((tmp_path / "grid.json").read_text())["rows"]) >= 8
    assert "on the stand-in for a device" in (tmp_path / "summary.md").read_text()
