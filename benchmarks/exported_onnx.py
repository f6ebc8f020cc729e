#!/usr/bin/env python
"""Exported ONNX files in onnxruntime against the backend `c`: forward pass on one thread, float32.

Each cell is exported with `Model.export`, and both compute the same sequences of full length; first they must agree.
Times are medians of alternating rounds, ratios medians of the ratios of one round: onnxruntime divided by `c`.

    python benchmarks/exported_onnx.py [--rounds N] [--sizes small,medium] [--cells LSTM,GRU] [--cpu-time]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RECURRENCY_THREADS", "1")

import numpy as np
import onnxruntime
from _rounds import alternate

import recurrency as rc

SIZES = {"small": (100, 32, 32, 128), "medium": (100, 64, 256, 512)}
"""T, B, N, H."""
CELLS: dict[str, Callable[[int, int], dict[str, int]]] = {
    "LSTM": lambda n, h: {"N": n, "H": h},
    "GRU": lambda n, h: {"N": n, "H": h},
    "LRU": lambda n, h: {"N": n, "K": h, "H": h},
}
"""Cell -> its dimensions."""
LEAST = 0.05
"""Seconds of a contestant in a round."""


def session(path: Path) -> Any:
    """A session of onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def jobs(cell: str, size: str, folder: Path) -> dict[str, Callable[[], Any]]:
    """The contestants of a cell and a size, which agree."""
    steps, batch, inputs, hidden = SIZES[size]
    model = rc.library.spec(cell).compile(backend="c", dtype="float32", **CELLS[cell](inputs, hidden))
    params = model.init(seed=0)
    model.export(folder / f"{cell}.onnx", params)
    exported, (name, *_) = session(folder / f"{cell}.onnx"), model.outputs
    x = np.random.default_rng(0).standard_normal((steps, batch, inputs), np.float32)

    def ours() -> Any:
        return model.forward(params, x, keep=False).outputs[name]

    def theirs() -> Any:
        return exported.run(None, {"x": x})[0]

    np.testing.assert_allclose(theirs(), ours(), rtol=1e-3, atol=1e-4)
    return {"c": ours, "onnxruntime": theirs}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--cpu-time", action="store_true", help="count the time of the processor")
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    print(f"onnxruntime {onnxruntime.__version__}, one thread; T, B, N, H")
    print(f"{'cell':8}{'size':24}{'c, ms':>10}{'onnxruntime, ms':>17}{'ratio':>8}")
    for cell in options.cells.split(","):
        for size in options.sizes.split(","):
            with tempfile.TemporaryDirectory() as folder:
                times = alternate(jobs(cell, size, Path(folder)), options.rounds, clock, LEAST)
            ours, theirs = (1000 * float(np.median(times[name])) for name in ("c", "onnxruntime"))
            ratio = float(np.median(times["onnxruntime"] / times["c"]))
            print(f"{cell:8}{SIZES[size]!s:24}{ours:10.3f}{theirs:17.3f}{ratio:8.2f}", flush=True)


if __name__ == "__main__":
    main()
