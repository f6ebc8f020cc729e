#!/usr/bin/env python
"""Cells with M heads against one head of the same total size, on the backend `c` with one thread.

Times are CPU time of the process, medians of alternating rounds: loss and all gradients at (T, B, N, H), where H is
the width of all heads together. `compile` is the time from the spec to the first result, without the C compiler.

    python benchmarks/heads.py [--rounds N] [--size tiny|small|wide] [--heads M]
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

os.environ.setdefault("RECURRENCY_THREADS", "1")
os.environ.setdefault("RECURRENCY_RECORDS", "0")  # what is compiled is to be compiled each time

import numpy as np

import recurrency as rc
from recurrency.model.model import Model

SIZES = {"tiny": (10, 4, 16, 32), "small": (100, 32, 32, 128), "wide": (50, 32, 64, 256)}
CLOCK = time.process_time
CELLS = {
    "MultiHeadMLSTM": lambda m, h: {"M": m, "K": h // m, "V": h // m},
    "MultiHeadSLSTM": lambda m, h: {"M": m, "D": h // m},
    "Mamba2": lambda m, h: {"M": m, "P": h // m, "K": 16},
    "GLA": lambda m, h: {"M": m, "K": h // m, "V": h // m, "R": 16},
    "RWKV7": lambda m, h: {"M": m, "D": h // m, "R": 16},
}
"""The dimensions of each cell with m heads of h numbers together."""


def compiled(cell: str, sizes: dict[str, int], steps: int, batch: int) -> tuple[Model, float]:
    """A model that computes a loss, and the CPU seconds until its program is written."""
    spec = rc.library.spec(cell)
    (output,) = spec.cell.outputs
    width = "N" if output.name == "y" else "M * V" if "V" in sizes else "M * D"
    free = [name for name in sizes if name != "N"]
    text = f"""
        use {cell} from library

        cell Probe[N, {", ".join(free)}](x: [N], target: [{width}]) -> (y: [{width}]) {{
            y = {cell}[{", ".join(f"{name} = {name}" for name in free)}](x)
            loss squared_error(y, target)
        }}"""
    start = CLOCK()
    model = rc.parse(text).compile(backend="c", dtype="float32", **sizes)
    model.memory(steps, batch)  # plans and writes all programs, and compiles none
    return model, CLOCK() - start


def timed(model: Model, steps: int, batch: int) -> float:
    """The CPU seconds of one call that returns the loss and all gradients."""
    rng = np.random.default_rng(0)
    given = {
        name: rng.standard_normal((steps, batch, *port.shape)).astype("float32") for name, port in model.inputs.items()
    }
    params = model.init(seed=0)
    start = CLOCK()
    model.loss_and_gradients(params, given)
    return CLOCK() - start


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--cells", nargs="*", choices=CELLS, default=list(CELLS))
    options = parser.parse_args()
    steps, batch, inputs, hidden = SIZES[options.size]
    print(f"T, B, N, H = {steps}, {batch}, {inputs}, {hidden}; {options.heads} heads against one")
    print(f"{'cell':16}{'one, ms':>10}{'heads, ms':>11}{'ratio':>8}{'compile, s':>12}{'heads, s':>10}{'ratio':>8}")
    compiled("GLA", {"N": 2, **CELLS["GLA"](2, 4)}, 1, 1)  # loads what all compilations need
    for cell in options.cells:
        sizes = [{"N": inputs, **CELLS[cell](m, hidden)} for m in (1, options.heads)]
        made = [[compiled(cell, own, steps, batch) for own in sizes] for _ in range(options.rounds)]
        written = [median(pair[k][1] for pair in made) for k in (0, 1)]
        compiling = median(pair[1][1] / pair[0][1] for pair in made)
        models = [model for model, _ in made[0]]
        for model in models:
            timed(model, steps, batch)
        rounds = [[timed(model, steps, batch) for model in models] for _ in range(options.rounds)]
        one, many = (1000 * median(pair[k] for pair in rounds) for k in (0, 1))
        ratio = median(pair[1] / pair[0] for pair in rounds)
        print(
            f"{cell:16}{one:10.2f}{many:11.2f}{ratio:8.2f}{written[0]:12.2f}{written[1]:10.2f}{compiling:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
