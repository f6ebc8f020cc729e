"""Steps of `first_hour.py` that look at a device: what it is, whether all plans compute, one case for other tools.

python tools/gpu_checks.py machine FILE | smoke FILE | one [--dry]
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = 1e-4
"""A part of the greatest number: sums over some hundreds of terms and some dozen steps in float32."""
PACKAGES = ("numpy", "torch", "cupy-cuda13x", "cupy-cuda12x", "nvidia-cuda-nvrtc", "nvidia-cublas", "pytest")
DIAGONAL = """
cell Diagonal[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param a : [H]    ~ uniform(0.9)
    state h : [H] = 0
    h = tanh(a * h[t-1] + W @ x)
}"""
CELLS = ("LSTM", "Diagonal")


def said(*command: str) -> str:
    """The first line that a command writes, or why there is none."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]}: {type(error).__name__}"
    return (found.stdout.strip() or found.stderr.strip() or f"status {found.returncode}").partition("\n")[0]


def write_json(path: Path, found: Any) -> None:
    """Write a file at once."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(found, indent=1), encoding="utf-8")
    beside.replace(path)


# ------------------------------------------------------------------------------------------------------------ machine


def machine(dry: bool) -> dict[str, Any]:
    """The device and what drives it, and why `cupy` and `torch` can't run there (None: they can)."""
    found: dict[str, str] = {"date": datetime.date.today().isoformat(), "python": platform.python_version()}
    found["gpu"] = said("nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader")
    found["driver"] = "driver " + said("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    found["commit"] = "commit " + said("git", "rev-parse", "--short", "HEAD")
    for name in PACKAGES:
        try:
            found["cupy" if name.startswith("cupy") else name] = f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    from recurrency.backend import describe

    obstacles = {"cupy": describe()["cupy"], "torch": torch_obstacle()}
    if not obstacles["cupy"]:
        import cupy

        runtime = cupy.cuda.runtime
        found["cuda"] = f"CUDA {runtime.runtimeGetVersion()}, driver's {runtime.driverGetVersion()}"
        found["nvrtc"] = "NVRTC {}.{}".format(*cupy.cuda.nvrtc.getVersion())
        found["devices"] = str(runtime.getDeviceCount())
    return {"dry": dry, "machine": found, "obstacles": obstacles}


def torch_obstacle() -> str | None:
    """Why no module of PyTorch runs on CUDA here."""
    try:
        import torch
    except ImportError as error:
        return f"torch: {error}"
    return None if torch.cuda.is_available() else f"torch {torch.__version__} sees no CUDA device"


# -------------------------------------------------------------------------------------------------------------- smoke


def model_of(cell: str, N: int, H: int, backend: Any) -> Any:
    """A cell, compiled in float32."""
    import recurrency as rc
    from recurrency.model.model import Model

    spec = rc.parse(DIAGONAL) if cell == "Diagonal" else rc.library.spec(cell)
    return Model(spec, spec.elaborate(N=N, H=H), backend, "float32")


def plans_of(dry: bool) -> Iterator[tuple[str, str, Any]]:
    """Each cell with each plan: a backend that runs it."""

    from recurrency.backend import find

    found: Any = find("cupy-emulated" if dry else "cupy")
    for cell in CELLS:
        for plan in found.plans:
            yield cell, plan, type(found)(found.name, found.load, plan)


def results(model: Any, params: Any, x: Any, lengths: Any) -> list[Any]:
    """Output and gradients."""
    run = model.forward(params, x, lengths=lengths)
    back = model.backward(run, {"h": np.cos(run.outputs["h"])})
    return [run.outputs["h"], back.params, back.inputs["x"]]


def worst(cell: str, backend: Any, dry: bool) -> float:
    """The greatest error of one plan, as a part of the greatest number; with and without lengths."""
    from recurrency.backend import find

    T, B, N, H = (5, 3, 3, 7) if dry else (33, 13, 67, 259)
    ours, numpy = (model_of(cell, N, H, on) for on in (backend, find("numpy")))
    rng, most = np.random.default_rng(0), 0.0
    params, x = numpy.init(0).astype("f4"), rng.standard_normal((T, B, N)).astype("f4")
    for lengths in (None, [max(0, T - b) for b in range(B)]):
        for one, other in zip(*(results(m, params, x, lengths) for m in (ours, numpy)), strict=True):
            error = float(np.max(np.abs(one - other)) / np.max(np.abs(other)))
            most = max(most, error if error == error else float("inf"))
    return most


def smoke(path: Path, dry: bool) -> bool:
    """Each plan of each cell against NumPy; whether all are right."""
    rows: list[dict[str, Any]] = []
    for cell, plan, backend in plans_of(dry):
        row: dict[str, Any] = {"cell": cell, "plan": plan, "allowed": ALLOWED}
        try:
            row["worst"] = worst(cell, backend, dry)
            row["state"] = "right" if row["worst"] <= ALLOWED else "wrong"
        except Exception as error:  # whatever fails, the others run
            row["state"], row["failed"] = "failed", f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        rows.append(row)
        print(row, flush=True)
        write_json(path, {"dry": dry, "rows": rows})
    return all(row["state"] == "right" for row in rows)


def one(dry: bool) -> bool:
    """One small forward and backward pass with each plan, for tools that watch kernels."""
    for cell, _, backend in plans_of(dry):
        worst(cell, backend, True)
    return True


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("check", choices=["machine", "smoke", "one"])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()
    if options.check == "machine":
        found = machine(options.dry)
        print(json.dumps(found, indent=1))
        write_json(options.file, found)
        reason = found["obstacles"]["cupy"]
        sys.exit(f"no step can run: {reason}" if reason and not options.dry else 0)
    sys.exit(0 if (smoke(options.file, options.dry) if options.check == "smoke" else one(options.dry)) else 1)


if __name__ == "__main__":
    main()
