"""Trained runs in folders: a few epochs of small networks on small data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from recurrency.training.runs.command import Request, run
from recurrency.training.runs.folders import BEST

TRAINING = {"epochs": 2, "batch": 8, "backend": "numpy", "dtype": "float64", "log-form": "quiet"}


def trained(folder: Path, spec: str, data: Path, **dimensions: Any) -> Path:
    """The folder of a run of a cell, the last one of the text `spec`, on a file."""
    folder.mkdir(parents=True, exist_ok=True)
    if "cell" in spec:
        (folder / "my.rnn").write_text(spec, encoding="utf-8")
        spec = str(folder / "my.rnn")
    request = Request(spec, None, dimensions, TRAINING, data=str(data), folder=str(folder / "run"), draws=False)
    run(request, lambda words: None)
    return folder / "run"


def with_weights(folder: Path, epoch: str = "1", **weights: Any) -> None:
    """Give the best parameters of a run other values, by name."""
    arrays = load_file(folder / BEST)
    assert arrays.keys() >= weights.keys(), list(arrays)
    new = {
        name: np.asarray(weights.get(name, array), array.dtype).reshape(array.shape) for name, array in arrays.items()
    }
    save_file(new, folder / BEST, metadata={"epoch": epoch})


def labelled(path: Path, count: int = 24, label: bool = True, each: bool = True) -> Path:
    """Sequences x [2] of two to five steps, whose label at `each` step, or of the whole sequence, is 0, 1 or 2."""
    rng = np.random.default_rng(0)
    lines = ["sequence,x.0,x.1" + ",label" * label]
    for number in range(count):
        kind = number % 3
        for _ in range(2 + number % 4):
            kind = int(rng.integers(3)) if each else kind
            a, b = rng.normal(kind, 0.3), rng.normal()
            lines.append(f"s{number},{a:.3f},{b:.3f}" + f",{kind}" * label)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def rows(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The numbers x of each sequence of such a file, [T, 2]."""
    out: dict[str, list[list[float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        name, a, b, *_ = line.split(",")
        out.setdefault(name, []).append([float(a), float(b)])
    return {name: np.array(found) for name, found in out.items()}
