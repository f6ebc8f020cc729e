#!/usr/bin/env python
"""The cost of resets within sequences: of a model on the backend `c`, and of a module against `nn.LSTM`, on a CPU.

The cell is an LSTM of the equations of `nn.LSTM`, with the same weights. Forward and backward: the gradients of all
weights and of the inputs for a given gradient of the outputs.

- `c`: the model without resets, and with one reset in 20 steps of each sequence on average.
- `module`: the generated module likewise; `nn.LSTM` cut at the resets, which is what one writes today: it runs from one
  step at which any sequence is reset to the next, with the states of the sequences that are reset set to zero; and
  `nn.LSTM` without resets. The outputs are compared first.

All run in one process, in turns; the table gives medians, and medians of the ratios of one round. On one thread times
are CPU time of the process; on several they are wall time.

    python benchmarks/resets.py [--rounds N] [--threads N] [--every STEPS] [--size T B N H] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from _rounds import alternate
from torch import Tensor, nn

import recurrency as rc

SIZE = (100, 32, 32, 128)
"""Steps, sequences, inputs, units."""
EVERY = 20
"""Steps between two resets of a sequence, on average."""
ROUNDS = 12
TOLERANCE = 1e-5
GOAL = 1.05
"""With resets, a model and a module are to take no more than this many times as long."""


def cut(layer: nn.LSTM, x: Tensor, resets: Tensor) -> Tensor:
    """`nn.LSTM` from one step with a reset to the next."""
    bounds = sorted({0, len(x), *resets.any(1).nonzero().flatten().tolist()})
    state, out = None, []
    for start, stop in pairwise(bounds):
        if state is not None:
            kept = (~resets[start]).to(x.dtype)[None, :, None]
            state = tuple(part * kept for part in state)
        y, state = layer(x[start:stop], state)
        out.append(y)
    return torch.cat(out)


def of_model(size: tuple[int, int, int, int], resets: np.ndarray[Any, Any]) -> dict[str, Callable[[], Any]]:
    """Forward and backward pass of a model on `c`."""
    T, B, N, H = size
    model = rc.library.PlainLSTM.compile(backend="c", N=N, H=H)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((T, B, n)).astype(np.float32) for n in (N, H))
    params = model.init(0)

    def job(**how: Any) -> Callable[[], Any]:
        return lambda: model.backward(model.forward(params, x, **how), dy)

    return {"c": job(), "c with resets": job(resets=resets)}


def of_modules(size: tuple[int, int, int, int], flags: np.ndarray[Any, Any]) -> dict[str, Callable[[], Any]]:
    """Forward and backward pass of the generated module and of `nn.LSTM`."""
    T, B, N, H = size
    theirs, resets = nn.LSTM(N, H), torch.tensor(flags)
    ours = rc.library.PlainLSTM.module(N=N, H=H, seed=0)
    ours.load_state_dict(rc.convert.from_torch(ours, theirs, "lstm"))
    x, dy = torch.randn(T, B, N, requires_grad=True), torch.randn(T, B, H)
    ways: dict[str, Callable[[], Tensor]] = {
        "module": lambda: ours(x)[0],
        "module with resets": lambda: ours(x, resets=resets)[0],
        "nn.LSTM": lambda: theirs(x)[0],
        "nn.LSTM cut": lambda: cut(theirs, x, resets),
    }
    if not torch.allclose(ways["module with resets"](), ways["nn.LSTM cut"](), atol=TOLERANCE):
        raise SystemExit("the module with resets and nn.LSTM cut at them compute different outputs")

    def job(output: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            for module in (ours, theirs):
                module.zero_grad(set_to_none=True)
            x.grad = None
            output().backward(dy)

        return run

    return {name: job(way) for name, way in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of resets, CPU, forward + backward")
    parser.add_argument("--size", type=int, nargs=4, default=SIZE, metavar=("T", "B", "N", "H"))
    parser.add_argument("--every", type=int, default=EVERY, help="steps between two resets of a sequence, on average")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch and of the backend c (default 1)")
    parser.add_argument("--json", action="store_true", help="the figures for machines")
    given = parser.parse_args()
    os.environ["RECURRENCY_THREADS"] = str(given.threads)
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    size = tuple(given.size)
    flags = np.random.default_rng(1).random(size[:2]) < 1 / given.every
    jobs = of_model(size, flags) | of_modules(size, flags)
    clock = time.process_time if given.threads == 1 else time.perf_counter
    times = alternate(jobs, given.rounds, clock, least=0.1)
    ratios = {
        "c with resets / c": times["c with resets"] / times["c"],
        "module with resets / module": times["module with resets"] / times["module"],
        "nn.LSTM cut / module with resets": times["nn.LSTM cut"] / times["module with resets"],
    }
    found = {
        "size": size,
        "resets": int(flags.sum()),
        "threads": given.threads,
        "torch": torch.__version__,
        "ms": {name: 1e3 * float(np.median(seconds)) for name, seconds in times.items()},
        "ratios": {name: float(np.median(ratio)) for name, ratio in ratios.items()},
        "goal": GOAL,
    }
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    lines = [f"(T, B, N, H) = {size}, {flags.sum()} resets, torch {torch.__version__}, {given.threads} thread(s)"]
    lines += [f"{name:34}{ms:9.2f} ms" for name, ms in found["ms"].items()]
    lines += [f"{name:34}{ratio:9.3f}" for name, ratio in found["ratios"].items()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
