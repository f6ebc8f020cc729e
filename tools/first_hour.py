"""The first minutes with a GPU: everything that only a device can show, within a limit of time, without a network.

    python tools/first_hour.py FOLDER [--dry] [--wheels FOLDER] [--minutes 8] [--only STEP]

`make gpu OUT=FOLDER` runs this. Each step has a log and a limit of its own, after which it and its children are killed.
`results.json` and `summary.md` are written anew after each step. With `--dry` nothing needs a device: steps run on the
stand-in for one, in small sizes. If there is a folder of wheels (`make gpu-wheels`), they and this checkout are
installed from there, in `.venv-gpu`; otherwise the Python that runs this is used.

It exits with 0 if every step passed or was skipped for a tool that is not there; with 1 if one failed or took too long.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-gpu"
CHECKS = "tools/gpu_checks.py"
GRACE = 3.0
"""Seconds between the wish that a step ends and its end."""
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--durations=5")


@dataclass(frozen=True)
class Step:
    """A command after the name of Python, or of a `tool` that runs Python; `dry` is the one without a device.

    `limit` are its seconds. `needs` is what must be able to run (`cupy`, `torch`), as the step `machine` found out.
    """

    name: str
    says: str
    limit: float
    command: tuple[str, ...]
    dry: tuple[str, ...]
    needs: tuple[str, ...] = ("cupy",)
    tool: tuple[str, ...] = ()


def steps(out: Path) -> list[Step]:
    """All of them, what is worth most first."""
    device, gpu = "tests/backends/torch/test_module_device.py", "tests/backends/cupy/test_gpu.py"
    grid = ("benchmarks/gpu_grid.py", "--json", str(out / "grid.json"))
    machine, smoke = ((CHECKS, name, str(out / f"{name}.json")) for name in ("machine", "smoke"))
    one, ncu = (CHECKS, "one"), ("ncu", "--set", "basic", "--launch-count", "12", "--target-processes", "all")
    return [
        Step("machine", "the device, its driver, versions", 30, machine, (*machine, "--dry"), ()),
        Step("smoke", "every plan of two cells against NumPy", 75, smoke, (*smoke, "--dry")),
        Step(
            "torch",
            "modules on CUDA against the CPU: autograd, autocast, lengths, streams, compile, capture",
            90,
            (*PYTEST, "-m", "gpu", device),
            (*PYTEST, device),
            ("cupy", "torch"),
        ),
        Step(
            "benchmark", "every plan over units and sequences", 120, (*grid, "--seconds", "100"), (*grid, "--emulate")
        ),
        Step("tests", "pytest -m gpu", 75, (*PYTEST, "-m", "gpu", gpu), (*PYTEST, "--collect-only", "-m", "gpu", gpu)),
        Step(
            "sanitizer",
            "compute-sanitizer on one case",
            40,
            one,
            (*one, "--dry"),
            tool=("compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9"),
        ),
        Step("profile", "ncu on one case", 40, one, (*one, "--dry"), tool=ncu),
    ]


@dataclass
class Hour:
    """A run of the steps: where it writes, which Python runs them, and what has come of them."""

    out: Path
    dry: bool
    end: float
    python: str = sys.executable
    results: list[dict[str, Any]] = field(default_factory=list)

    def run(self, step: Step) -> None:
        """Run a step, or say why not, and write what has come so far."""
        reason = self.obstacle(step)
        if reason:
            self.note(step.name, "skipped", reason, step.says)
            return
        command = [self.python, *(step.dry if self.dry else step.command)]
        tool = () if self.dry else step.tool
        self.execute(step.name, step.says, [*tool, *command], min(step.limit, self.end - time.monotonic()))

    def obstacle(self, step: Step) -> str | None:
        """Why a step can't run, or None."""
        if self.end - time.monotonic() < 5:
            return "no time is left"
        if step.tool and shutil.which(step.tool[0]) is None:
            return f"{step.tool[0]} not found"
        found = read(self.out / "machine.json").get("obstacles", {})
        reasons = [str(found[name]) for name in step.needs if found.get(name)]
        return None if self.dry or not reasons else reasons[0]

    def execute(self, name: str, says: str, command: Sequence[str], limit: float) -> bool:
        """Run a command within its time, its output in a log; whether it succeeded."""
        log, start = self.out / f"{name}.log", time.monotonic()
        print(f"{name}: {says} (at most {limit:.0f} s)", flush=True)
        with log.open("w", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            status, why = finished(command, file, limit)
        state = "passed" if status == 0 else "failed" if status is not None else "timed out"
        self.note(name, state, why, says, round(time.monotonic() - start, 1), " ".join(command))
        return state == "passed"

    def note(self, name: str, state: str, why: str, says: str, seconds: float = 0.0, command: str = "") -> None:
        """Add what came of a step, and write everything."""
        row = {"step": name, "state": state, "why": why, "says": says, "seconds": seconds, "command": command}
        self.results.append(row)
        print(f"{name}: {state}{f': {why}' if why else ''} ({seconds:.0f} s)", flush=True)
        write(self.out / "results.json", json.dumps({"dry": self.dry, "steps": self.results}, indent=1))
        write(self.out / "summary.md", summary(self.out, self.dry, self.results))

    @property
    def bad(self) -> bool:
        """Whether a step failed, or took too long."""
        return any(row["state"] in ("failed", "timed out") for row in self.results)


def finished(command: Sequence[str], log: Any, limit: float) -> tuple[int | None, str]:
    """Run a command in a session of its own: its exit status (None: it took too long), and what to say of it."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    env.pop("PYTHONPATH", None)  # this checkout is installed; its folder alone would hide the backends
    try:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env, start_new_session=True
        )
    except OSError as error:
        return 127, f"{command[0]} can't be started: {error.strerror}"
    try:
        status = process.wait(max(1.0, limit))
        return status, "" if status == 0 else f"exit status {status}; see the log"
    except subprocess.TimeoutExpired:
        signalled(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        return None, f"killed after {limit:.0f} s; the log has what came until then"
    finally:
        signalled(process.pid, signal.SIGKILL)
        process.wait()


def signalled(session: int, number: int) -> None:
    """Send a signal to all that is left of a session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, number)


# ------------------------------------------------------------------------------------------------------- environment


def environment(hour: Hour, wheels: Path) -> bool:
    """Choose the Python of all steps, in which this checkout is installed; whether there is one."""
    if wheels.is_dir():
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index"]
        packages = [*pip, "--find-links", str(wheels), "--requirement", str(wheels / "requirements.txt")]
        commands = [
            [sys.executable, "-m", "venv", "--system-site-packages", str(VENV)],
            packages,
            [*pip, "--no-build-isolation", "--no-deps", "--editable", str(ROOT)],
        ]
        for number, command in enumerate(commands):
            if not hour.execute(f"install-{number}", "packages from the folder of wheels", command, 150):
                return False
        hour.python = str(VENV / "bin" / "python")
    check = "import recurrency.backends, pytest; print(recurrency.__file__)"
    return hour.execute("environment", "this checkout is installed", [hour.python, "-c", check], 60)


# ------------------------------------------------------------------------------------------------------------ results


def write(path: Path, text: str) -> None:
    """Write a file at once: whoever reads it finds the text before or the one after."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def read(path: Path) -> dict[str, Any]:
    """A file of JSON; nothing if there is none, or only a part of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def summary(out: Path, dry: bool, results: Sequence[Mapping[str, Any]]) -> str:
    """What has come so far, as an entry of `docs/gpu-runs.md`."""
    about = read(out / "machine.json").get("machine", {})
    title = ", ".join(
        str(about[key]) for key in ("date", "gpu", "driver", "cuda", "cupy", "torch", "commit") if key in about
    )
    lines = [f"### {title or 'no machine'}", ""]
    lines += ["**Dry: on the stand-in for a device; no figure says anything of one.**", ""] if dry else []
    lines += ["| step | what | came out | seconds |", "| --- | --- | --- | --- |"]
    for row in results:
        said = f"{row['state']}: {row['why']}" if row["why"] else row["state"]
        lines.append(f"| {row['step']} | {row['says']} | {said} | {row['seconds']:.0f} |")
    return "\n".join([*lines, "", *smoke_table(out), *grid_table(out)]) + "\n"


def smoke_table(out: Path) -> list[str]:
    """The greatest errors of the step `smoke`."""
    rows = read(out / "smoke.json").get("rows", [])
    if not rows:
        return []
    lines = [
        "| cell | plan | greatest error, as a part of the greatest number | allowed | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        worst = f"{row['worst']:.1e}" if "worst" in row else row["failed"]
        lines.append(f"| {row['cell']} | {row['plan']} | {worst} | {row['allowed']:.0e} | {row['state']} |")
    return [*lines, ""]


def grid_table(out: Path) -> list[str]:
    """The figures of the step `benchmark`, in microseconds per step."""
    rows = read(out / "grid.json").get("rows", [])
    if not rows:
        return []
    lines = ["| cell | plan | H | B | forward, us per step | with backward |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        figures = row["failed"] + " |" if "failed" in row else f"{row['forward']:.2f} | {row['both']:.2f}"
        lines.append(f"| {row['cell']} | {row['plan'] or 'chosen'} | {row['H']} | {row['B']} | {figures} |")
    return [*lines, ""]


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, metavar="FOLDER", help="for logs and results")
    parser.add_argument("--dry", action="store_true", help="without a device")
    parser.add_argument("--wheels", type=Path, default=ROOT / "gpu-wheels", metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all steps together")
    parser.add_argument("--only", action="append", metavar="STEP", help="this step alone, besides `machine`")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    known = steps(out)
    unknown = set(options.only or ()) - {step.name for step in known}
    if unknown:
        parser.error(f"no step {', '.join(unknown)}: there are {', '.join(step.name for step in known)}")
    for name in ("machine.json", "smoke.json", "grid.json"):
        (out / name).unlink(missing_ok=True)  # of an earlier run
    hour = Hour(out, options.dry, time.monotonic() + 60 * options.minutes)
    if not environment(hour, options.wheels.resolve()):
        raise SystemExit(f"this checkout is not installed: pip install --editable '.[test]' (see {out})")
    for step in known:
        if not options.only or step.name in (*options.only, "machine"):
            hour.run(step)
    print(f"the summary is in {out / 'summary.md'}")
    raise SystemExit(1 if hour.bad else 0)


if __name__ == "__main__":
    main()
