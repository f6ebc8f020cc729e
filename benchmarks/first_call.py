#!/usr/bin/env python
"""From the text of a cell to its first gradient, in a fresh process with an empty cache.

Each process reads a cell of the library, compiles a model, and computes results and the gradients of parameters and
inputs (`forward` and `backward`). The clock starts before `import recurrency` and after `import numpy`. Python's byte
code is there, as pip leaves it: a process whose time is not counted writes it to a temporary folder. The contestants
are the backend `c` with `optimise="full"` and `"quick"`, and `numpy`; they take turns, and the table gives medians:
seconds of wall time, and of processor time of the process and its compilers.

The test that the first use of a compiler takes (docs/c.md) is left out, as it runs once for each compiler; `--tried`
includes it.

    python benchmarks/first_call.py [--cell NAME ...] [--rounds N] [--tried] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import numpy as np

CELLS: dict[str, dict[str, int]] = {
    "PlainLSTM": {"N": 8, "H": 32},
    "TorchGRU": {"N": 8, "H": 32},
    "GatedFeedbackLSTM": {"N": 8, "H": 32, "L": 3},
    "MultiHeadSLSTM": {"N": 8, "M": 4, "D": 8},
}
"""Cells of the library, and their dimensions."""

TIERS = {"full": ("c", "full"), "quick": ("c", "quick"), "numpy": ("numpy", "full")}
"""Contestant -> backend and tier."""

CODE = """
import json, resource, sys, time
import numpy as np
name, backend, optimise, dimensions = json.loads(sys.argv[1])
start = time.perf_counter()
import recurrency as rc
model = rc.library.spec(name).compile(backend=backend, optimise=optimise, **dimensions)
params, x = model.init(0), np.ones((20, 4, dimensions["N"]), np.float32)
run = model.forward(params, x)
model.backward(run, {name: np.ones_like(y) for name, y in run.outputs.items()})
wall = time.perf_counter() - start
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([wall, sum(u.ru_utime + u.ru_stime for u in used)]))
"""


def once(name: str, dimensions: Mapping[str, int], contestant: str, tried: bool, compiled: str) -> tuple[float, float]:
    """Seconds of wall time and of processor time, in a fresh process with byte code in the folder `compiled`."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"RECURRENCY_CACHE": folder, "RECURRENCY_TRUST": str(int(tried)), "PYTHONPYCACHEPREFIX": compiled}
        words = json.dumps([name, *TIERS[contestant], dict(dimensions)])
        said = subprocess.run(
            [sys.executable, "-c", CODE, words],
            env={**os.environ, **places, "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    wall, processor = json.loads(said.stdout)
    return wall, processor


def measured(name: str, rounds: int, tried: bool) -> dict[str, dict[str, float]]:
    """Medians by contestant."""
    times: dict[str, list[tuple[float, float]]] = {contestant: [] for contestant in TIERS}
    with tempfile.TemporaryDirectory() as compiled:
        for contestant in TIERS:
            once(name, CELLS[name], contestant, tried, compiled)
        for _ in range(rounds):
            for contestant, found in times.items():
                found.append(once(name, CELLS[name], contestant, tried, compiled))
    medians = {contestant: np.median(found, axis=0) for contestant, found in times.items()}
    return {contestant: {"wall": float(both[0]), "processor": float(both[1])} for contestant, both in medians.items()}


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """The figures as lines of text."""
    lines = [f"{'':20}" + "".join(f"{contestant:>20}" for contestant in TIERS)]
    for name, row in rows.items():
        cells = (f"{row[c]['wall']:8.2f} s ({row[c]['processor']:5.2f} s)" for c in TIERS)
        lines.append(f"{name:20}" + "".join(cells))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds from the text of a cell to its first gradient")
    parser.add_argument("--cell", choices=CELLS, action="append", help="only this cell (may be repeated)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds for each cell (default 5)")
    parser.add_argument("--tried", action="store_true", help="include the test of the compiler")
    parser.add_argument("--json", action="store_true", help="the figures for machines")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    rows = {name: measured(name, given.rounds, given.tried) for name in given.cell or CELLS}
    if given.json:
        about = {"processors": os.cpu_count(), "load": load, "tried": given.tried}
        sys.stdout.write(json.dumps({**about, "cells": rows}, indent=2) + "\n")
        return
    head = f"{os.cpu_count()} processors, load before {load:.1f}; wall time (processor time)"
    sys.stdout.write("\n".join([head, *table(rows)]) + "\n")


if __name__ == "__main__":
    main()
