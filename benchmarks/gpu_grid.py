#!/usr/bin/env python
"""Every plan of the CuPy backend over a grid of units and sequences: forward, and forward with backward, us per step.

Beside an LSTM stand the figures of torch's `nn.LSTM` (cuDNN, float32 without TF32), where there is a torch with CUDA.
MinGRU, whose loops are one kernel each, stands for the plan `loop`. Each case is written to the file as soon as it is
measured; one that fails is recorded with its reason, and the others run.

    python benchmarks/gpu_grid.py --json FILE [--units 128,256,512,768] [--sequences 1,16,64] [--steps 512] [--rounds 5]
    python benchmarks/gpu_grid.py --json FILE --emulate     # without a GPU, tiny: it times nothing of worth
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gpu import MIN_GRU, about, float32_is_float32, write_json  # beside this file

Work = Callable[[], Any]


class Clock:
    """Times work on the device by events of CUDA, elsewhere on the wall."""

    def __init__(self, xp: Any, emulated: bool) -> None:
        self.xp, self.emulated = xp, emulated

    def milliseconds(self, work: Work) -> float:
        """The time of one call."""
        if self.emulated:
            start = time.perf_counter()
            work()
            return (time.perf_counter() - start) * 1e3
        begin, end = self.xp.cuda.Event(), self.xp.cuda.Event()
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(self.xp.cuda.get_elapsed_time(begin, end))


@cache
def text_of(cell: str, H: int) -> Any:
    """The module of a cell with H inputs and H units, as it is written for users, and parameters."""
    from recurrency.backends.cupy.backend import CupyBackend

    import recurrency as rc
    from recurrency.model.export import module_text
    from recurrency.model.model import Model

    spec = rc.parse(MIN_GRU) if cell == "MinGRU" else rc.library.spec(cell)
    model = Model(spec, spec.elaborate(N=H, H=H), CupyBackend())
    return module_text(model), model.init(0).astype("f4")


@cache
def module_of(xp: Any, cell: str, H: int) -> tuple[dict[str, Any], Any]:
    """The module, executed."""
    text, params = text_of(cell, H)
    module: dict[str, Any] = {}
    exec(text, module)
    module["use"](xp)
    return module, xp.asarray(params)


def ours(xp: Any, cell: str, H: int, B: int, T: int, plan: str | None) -> tuple[str, Work, Work]:
    """How the loops run, and a forward pass, and one with its backward pass."""
    module, params = module_of(xp, cell, H)
    module["use"](xp, plan)
    rng = np.random.default_rng(0)
    x, dy = (xp.asarray(rng.standard_normal((T, B, H)).astype("f4")) for _ in range(2))
    ways = module["explain"](T, B)

    def forward() -> Any:
        return module["forward"](params, {"x": x})

    return ways, forward, lambda: module["backward"](forward()[2], {"h": dy})


def theirs(H: int, B: int, T: int) -> tuple[str, Work, Work]:
    """`nn.LSTM` of torch."""
    import torch

    float32_is_float32()
    model = torch.nn.LSTM(H, H).cuda()
    x, dy = (torch.randn(T, B, H, device="cuda") for _ in range(2))
    x.requires_grad_()
    stream = torch.cuda.current_stream()

    def forward() -> None:
        with torch.no_grad():
            model(x)

    def both() -> None:
        model(x)[0].backward(dy)
        stream.synchronize()  # the events are on CuPy's stream

    def waited() -> None:
        forward()
        stream.synchronize()

    return f"cuDNN {torch.backends.cudnn.version()}", waited, both


def cases(units: list[int], sequences: list[int], plans: tuple[str, ...], torch: bool) -> Iterator[tuple[Any, ...]]:
    """Who runs at which sizes, what tells most first: large units, few sequences."""
    for H in sorted(units, reverse=True):
        for B in sorted(sequences, key=lambda B: abs(B - 16)):
            yield from (("PlainLSTM", plan, H, B) for plan in (None, *plans) if plan != "loop")
            yield from [("nn.LSTM", "cuDNN", H, B)] if torch else []
            yield "MinGRU", "loop", H, B


def measured(clock: Clock, make: Callable[[], tuple[str, Work, Work]], rounds: int, T: int) -> dict[str, Any]:
    """The figures of one case, or why there are none."""
    try:
        ways, forward, both = make()
        for work in (forward, both, both):
            work()
        if not clock.emulated:
            clock.xp.cuda.runtime.deviceSynchronize()
        times = np.array([[clock.milliseconds(work) for work in (forward, both)] for _ in range(rounds)])
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    us = np.median(times, axis=0) * 1e3 / T
    return {"ways": ways, "forward": float(us[0]), "both": float(us[1])}


def obstacle() -> str | None:
    """Why nothing can be timed here, or None."""
    from recurrency.backend import describe

    return describe()["cupy"]


def torch_with_cuda() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def array_module(emulated: bool) -> Any:
    from recurrency.backend import find

    backend: Any = find("cupy-emulated" if emulated else "cupy")
    return backend.load()


def row_of(clock: Clock, case: tuple[Any, ...], T: int, rounds: int) -> dict[str, Any]:
    """The figures of a case, with its sizes."""
    cell, plan, H, B = case
    xp = clock.xp
    make = (lambda: theirs(H, B, T)) if cell == "nn.LSTM" else (lambda: ours(xp, cell, H, B, T, plan))
    return {"cell": cell, "plan": plan or "chosen", "H": H, "B": B, "T": T, **measured(clock, make, rounds, T)}


def line_of(row: dict[str, Any]) -> str:
    """A line of the table."""
    name = f"{row['cell']:10}{row['plan']:8}{row['H']:5}{row['B']:5}"
    if "failed" in row:
        return f"{name}  failed: {row['failed']}"
    return f"{name}{row['forward']:10.2f}{row['both']:10.2f}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", required=True)
    parser.add_argument("--units", default="128,256,512,768")
    parser.add_argument("--sequences", default="1,16,64")
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further case after this time")
    parser.add_argument("--emulate", action="store_true", help="run without a GPU, and time nothing of worth")
    options = parser.parse_args()
    reason = None if options.emulate else obstacle()
    if reason:
        raise SystemExit(f"nothing to time: {reason}")
    if options.emulate:
        options.units, options.sequences, options.steps, options.rounds = "5", "1,3", 3, 1
    units, sequences = ([int(n) for n in text.split(",")] for text in (options.units, options.sequences))
    clock = Clock(array_module(options.emulate), options.emulate)
    from recurrency.backends.cupy.runtime.plans import PLANS

    end = time.monotonic() + options.seconds
    table: dict[str, Any] = {"machine": machine(options.emulate), "emulated": options.emulate, "rows": []}
    print(f"{'':10}{'plan':8}{'H':>5}{'B':>5}{'forward':>10}{'both':>10}  us per step")
    for case in cases(units, sequences, PLANS, not options.emulate and torch_with_cuda()):
        late = time.monotonic() > end
        row = row_of(clock, case, options.steps, options.rounds) if not late else None
        table["rows"].append(row or {**dict(zip(("cell", "plan", "H", "B"), case, strict=True)), "failed": "no time"})
        if row:
            print(line_of(row), flush=True)
        write_json(options.json, table)
    if all("failed" in row for row in table["rows"]):
        raise SystemExit("no case could be measured; the reasons are above")


def machine(emulated: bool) -> dict[str, str]:
    """What it ran on; torch need not be there."""
    try:
        found: dict[str, str] = about("cpu" if emulated or not torch_with_cuda() else "cuda")
    except ImportError:
        found = {"python": sys.version.split()[0]}
    return found


if __name__ == "__main__":
    main()
