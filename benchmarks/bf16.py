#!/usr/bin/env python
"""An LSTM with operands of products in bf16 against float32: forward with a tape, backward, and both, in milliseconds.

python benchmarks/bf16.py [--rounds N] [--sizes latency,small]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from cpu import SIZES

import recurrency as rc


def timed(model: Any, params: Any, x: Any, dy: Any) -> tuple[float, float]:
    """Seconds of a forward and of a backward pass."""
    start = time.perf_counter()
    run = model.forward(params, x)
    middle = time.perf_counter()
    model.backward(run, dy)
    return middle - start, time.perf_counter() - middle


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Products in bf16 against float32, an LSTM.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", default="latency,small,medium,large")
    given = parser.parse_args()
    for size in given.sizes.split(","):
        t, b, n, h = SIZES[size]
        cell = rc.library.spec("PlainLSTM")
        models = [cell.compile(backend="c", compute=compute, N=n, H=h) for compute in ("", "bf16")]
        params = models[0].init(seed=0)
        x, dy = (np.random.default_rng(1).standard_normal((t, b, k)).astype(np.float32) for k in (n, h))
        rounds = np.array([[timed(model, params, x, dy) for model in models] for _ in range(given.rounds + 1)])[1:]
        plain, halves = 1e3 * np.median(rounds, axis=0)
        ratios = [np.median(rounds[:, 0, k] / rounds[:, 1, k]) for k in (0, 1)]
        both = np.median(rounds[:, 0].sum(-1) / rounds[:, 1].sum(-1))
        print(
            f"{size:8s} float32 {plain[0]:8.2f} {plain[1]:8.2f}  bf16 {halves[0]:8.2f} {halves[1]:8.2f}  "
            f"float32 / bf16 {ratios[0]:.2f} {ratios[1]:.2f} {both:.2f}"
        )


if __name__ == "__main__":
    main()
