#!/usr/bin/env python
"""What a delay costs, by its length: the first call, a forward and a backward pass.

    python benchmarks/delays.py [--backend c] [--steps 12000] [--delays 1,30,300,3000] [--rounds 9]

The cell is `h = tanh(W @ x + R @ h[t-D])`, 16 sequences, 8 inputs, 32 units, float32. The first call parses, derives
and compiles, with nothing remembered. Medians of rounds in turn, of processor time (that of the compiler included), so
that other work on the machine counts little; one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

TEXT = """
cell Delayed[N, H, D](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param R : [H, H] ~ orthogonal
    state h : [H] = 0.5
    h = tanh(W @ x + R @ h[t-D])
}
"""
SEQUENCES, INPUTS, UNITS = 16, 8, 32


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of a call and of the processes that it starts, and what it gives."""
    before = spent()
    found = call()
    return spent() - before, found


def spent() -> float:
    """Processor time until now."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    """Measure all delays in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="c")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--delays", default="1,30,300,3000")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    os.environ |= {"RECURRENCY_CACHE": tempfile.mkdtemp(), "RECURRENCY_RECORDS": "0", "RECURRENCY_THREADS": "1"}
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    import numpy as np

    import recurrency as rc

    rng = np.random.default_rng(0)
    x = rng.standard_normal((options.steps, SEQUENCES, INPUTS)).astype("f4")
    dy = {"h": rng.standard_normal((options.steps, SEQUENCES, UNITS)).astype("f4")}

    def both(model: Any, params: Any) -> Any:
        return model.backward(model.forward(params, x), dy)

    def made(delay: int) -> Any:
        model = rc.parse(TEXT).compile(options.backend, N=INPUTS, H=UNITS, D=delay)
        both(model, model.init(0))
        return model

    made(2)  # what is done once in a process: imports, and the trial of the compiler
    delays = [int(word) for word in options.delays.split(",")]
    first = {delay: seconds(lambda d=delay: made(d)) for delay in delays}
    times: dict[tuple[int, str], list[float]] = {}
    for _ in range(options.rounds):
        for delay, (_, model) in first.items():
            params = model.init(0)
            forward, run = seconds(lambda m=model, p=params: m.forward(p, x))
            backward, _ = seconds(lambda m=model, r=run: m.backward(r, dy))
            times.setdefault((delay, "forward"), []).append(forward)
            times.setdefault((delay, "backward"), []).append(backward)
            del run
    print(f"{options.backend}, {options.steps} steps\n")
    print("| D | first call, s | forward, ms | backward, ms |\n|---|---|---|---|")
    for delay in delays:
        row = [f"{first[delay][0]:.2f}"]
        row += [f"{1e3 * statistics.median(times[delay, way]):.1f}" for way in ("forward", "backward")]
        print(f"| {delay} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
