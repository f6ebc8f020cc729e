#!/usr/bin/env python
"""The generated `nn.Module` of an LSTM with peepholes against the loops that people write in PyTorch, on a CPU.

Forward and backward: the gradients of all weights and of the inputs for a given gradient of the outputs. There are
three loops: `per gate` has a product for each gate and step, in the words of the equations; `per step` has one `Linear`
for the inputs and one for the state at each step, for all gates together; `before` takes the one for the inputs out of
the loop as well. `nn.LSTM`, which has no peepholes, is there as an anchor. All give the same outputs (checked first)
and run in one process, taking turns; the table gives medians, and medians of the ratios of one round. On one thread
times are CPU time of the process, so that other work on the machine counts for little; on several they are wall time.

With --training a step of training is timed instead: forward, the mean squared error of the outputs, backward, and an
update by `torch.optim.Adam`. There the generated LSTM stands against `nn.LSTM`, and a generated GRU of the same
equations against `nn.GRU`, with the same weights at the start: the first losses must be the same. (Later ones differ,
as the layers of PyTorch have a second vector of biases, which learns as well.) `flat` is the generated module with
`flat=True`: one parameter.

    python benchmarks/torch_module.py [--training [--fused]] [--rounds N] [--threads N]
                                      [--size tiny|latency|small|medium|large] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from _rounds import alternate
from torch import Tensor, nn

import recurrency as rc

SIZES = {"tiny": (30, 10, 1, 10), "small": (100, 32, 32, 128), "medium": (100, 64, 256, 512)}
"""Steps, sequences, inputs, units."""

TARGETS = {"tiny": 2.0, "small": 1.5, "medium": 1.3}
"""How many times faster than the loop `per step` the generated module is to be."""

ROUNDS = {"tiny": 60, "latency": 20, "small": 12, "medium": 5, "large": 5}

TRAINED = {**SIZES, "latency": (100, 1, 64, 256), "large": (50, 64, 1024, 1024)}
"""Those of a step of training."""

PAIRS = {"LSTM": ("PlainLSTM", nn.LSTM, "lstm"), "GRU": ("TorchGRU", nn.GRU, "gru")}
"""A cell of the library, the layer of PyTorch with its equations, and what `recurrency.convert` calls that."""

FORMS = ("generated", "flat")
"""The module as it is by default, and with one parameter."""

LEAST = 0.02
"""So many seconds each trains in a round, as the steps of a training follow on one another."""

TOLERANCE = 1e-5
GATES = "ifgo"


class PerGate(nn.Module):
    """A product for each gate and step."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.W = nn.ParameterDict({k: nn.Parameter(torch.empty(units, inputs)) for k in GATES})
        self.U = nn.ParameterDict({k: nn.Parameter(torch.empty(units, units)) for k in GATES})
        self.b = nn.ParameterDict({k: nn.Parameter(torch.empty(units)) for k in GATES})
        self.p = nn.ParameterDict({k: nn.Parameter(torch.empty(units)) for k in "ifo"})

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [T, B, H] for inputs [T, B, N]."""
        W, U, b, p = self.W, self.U, self.b, self.p
        h = c = x.new_zeros(x.shape[1], len(b["i"]))
        out = []
        for x_t in x:
            i = torch.sigmoid(x_t @ W["i"].T + h @ U["i"].T + p["i"] * c + b["i"])
            f = torch.sigmoid(x_t @ W["f"].T + h @ U["f"].T + p["f"] * c + b["f"])
            g = torch.tanh(x_t @ W["g"].T + h @ U["g"].T + b["g"])
            c = f * c + i * g
            o = torch.sigmoid(x_t @ W["o"].T + h @ U["o"].T + p["o"] * c + b["o"])
            h = o * torch.tanh(c)
            out.append(h)
        return torch.stack(out)

    def take(self, given: Mapping[str, Tensor]) -> None:
        """The weights of the spec."""
        for letter in "WUbp":
            for gate, parameter in getattr(self, letter).items():
                parameter.data.copy_(given[f"{letter}_{gate}"])


class PerStep(nn.Module):
    """A product with the input and one with the state at each step, for all gates together."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.inputs, self.state = nn.Linear(inputs, 4 * units), nn.Linear(units, 4 * units, bias=False)
        self.p_i, self.p_f, self.p_o = (nn.Parameter(torch.empty(units)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [T, B, H] for inputs [T, B, N]."""
        h = c = x.new_zeros(x.shape[1], len(self.p_i))
        out = []
        for x_t in x:
            h, c = self.step(self.inputs(x_t) + self.state(h), c)
            out.append(h)
        return torch.stack(out)

    def step(self, sums: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The next output and memory."""
        i, f, g, o = sums.chunk(4, dim=1)
        c = torch.sigmoid(f + self.p_f * c) * c + torch.sigmoid(i + self.p_i * c) * torch.tanh(g)
        return torch.sigmoid(o + self.p_o * c) * torch.tanh(c), c

    def take(self, given: Mapping[str, Tensor]) -> None:
        """The weights of the spec."""
        self.inputs.weight.data.copy_(torch.cat([given[f"W_{k}"] for k in GATES]))
        self.inputs.bias.data.copy_(torch.cat([given[f"b_{k}"] for k in GATES]))
        self.state.weight.data.copy_(torch.cat([given[f"U_{k}"] for k in GATES]))
        for gate in "ifo":
            getattr(self, f"p_{gate}").data.copy_(given[f"p_{gate}"])


class Before(PerStep):
    """The same with the products of the inputs before the loop."""

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [T, B, H] for inputs [T, B, N]."""
        h = c = x.new_zeros(x.shape[1], len(self.p_i))
        out = []
        for sums in self.inputs(x):
            h, c = self.step(sums + self.state(h), c)
            out.append(h)
        return torch.stack(out)


def rivals(N: int, H: int) -> dict[str, nn.Module]:
    """The generated module and those it is compared with, all with the same weights (`nn.LSTM`: as far as it has them).

    The peepholes are drawn too, or else they would be zero at the start.
    """
    ours = rc.library.spec("LSTM").module(N=N, H=H, seed=0)
    given = {name: parameter.detach() for name, parameter in ours.parameters_by_name().items()}
    generator = torch.Generator().manual_seed(0)
    for name in ("p_i", "p_f", "p_o"):
        given[name].copy_(0.1 * torch.randn(H, generator=generator))
    out: dict[str, Any] = {
        "generated": ours,
        "per step": PerStep(N, H),
        "before": Before(N, H),
        "per gate": PerGate(N, H),
    }
    for name in ("per step", "before", "per gate"):
        out[name].take(given)
    return {**out, "nn.LSTM": nn.LSTM(N, H)}


def output(module: nn.Module, x: Tensor) -> Tensor:
    """The stream h, however a module gives it."""
    found = module(x)
    found = found[0] if isinstance(found, tuple) else found
    return found["h"] if isinstance(found, dict) else found


def job(module: nn.Module, x: Tensor, dy: Tensor) -> Callable[[], None]:
    """Forward and backward of one module."""

    def run() -> None:
        module.zero_grad(set_to_none=True)
        x.grad = None
        output(module, x).backward(dy)

    return run


def agree(modules: Mapping[str, nn.Module], x: Tensor) -> None:
    """Refuse to time what does not compute the same."""
    wanted = output(modules["generated"], x)
    for name, module in modules.items():
        if name != "nn.LSTM" and not torch.allclose(output(module, x), wanted, atol=TOLERANCE):
            raise SystemExit(f"{name} computes something else")


def measured(size: str, rounds: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Medians in milliseconds, and medians of the ratios to the generated module."""
    T, B, N, H = SIZES[size]
    modules = rivals(N, H)
    x, dy = torch.randn(T, B, N, requires_grad=True), torch.randn(T, B, H)
    agree(modules, x)
    jobs = {name: job(module, x, dy) for name, module in modules.items()}
    times = alternate(jobs, rounds, clock)
    ratios = {name: float(np.median(seconds / times["generated"])) for name, seconds in times.items()}
    return {
        **dict(zip(("size", "T", "B", "N", "H"), (size, T, B, N, H), strict=True)),
        "path": getattr(modules["generated"], "path", ""),
        "rounds": rounds,
        "ms": {name: 1e3 * float(np.median(t)) for name, t in times.items()},
        "ratios": ratios,
        "target": TARGETS[size],
        "reached": ratios["per step"] >= TARGETS[size],
    }


def training(module: nn.Module, x: Tensor, target: Tensor, fused: bool) -> Callable[[], float]:
    """One step of training, which gives the loss before it."""
    adam = torch.optim.Adam(module.parameters(), lr=1e-3, fused=fused or None)

    def run() -> float:
        adam.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(output(module, x), target)
        loss.backward()
        adam.step()
        return loss.item()

    return run


def trained(size: str, rounds: int, clock: Callable[[], float], fused: bool = False) -> dict[str, Any]:
    """Medians in milliseconds of a step of training, and of the ratios of PyTorch's layer to the generated module."""
    T, B, N, H = TRAINED[size]
    x, target = torch.randn(T, B, N), 0.1 * torch.randn(T, B, H)
    out: dict[str, Any] = {"size": size, "T": T, "B": B, "N": N, "H": H, "rounds": rounds, "ms": {}, "ratios": {}}
    for name, (cell, layer, kind) in PAIRS.items():
        theirs = layer(N, H)
        jobs = {}
        for form in FORMS:
            ours = rc.library.spec(cell).module(N=N, H=H, flat=form == "flat")
            ours.load_state_dict(rc.convert.from_torch(ours, theirs, kind))
            jobs[form] = training(ours, x, target, fused)
        jobs[f"nn.{name}"] = training(theirs, x, target, fused)
        losses = {key: run() for key, run in jobs.items()}
        if not np.allclose([*losses.values()], losses[f"nn.{name}"], rtol=TOLERANCE):
            raise SystemExit(f"the generated {name} computes something else than nn.{name}: {losses}")
        times = alternate(jobs, rounds, clock, LEAST)
        out["ms"] |= {f"{name} {key}": 1e3 * float(np.median(seconds)) for key, seconds in times.items()}
        for form in FORMS:
            out["ratios"][f"{name} {form}"] = float(np.median(times[f"nn.{name}"] / times[form]))
    return out


def training_table(rows: list[dict[str, Any]]) -> list[str]:
    """The same as lines of text."""
    heads = [f"{name:>20}" for name in rows[0]["ms"]] + [f"{f'nn / {name}':>20}" for name in rows[0]["ratios"]]
    lines = [f"{'(T, B, N, H)':22}" + "".join(heads)]
    for row in rows:
        sizes = f"({row['T']}, {row['B']}, {row['N']}, {row['H']})"
        cells = "".join(f"{ms:17.2f} ms" for ms in row["ms"].values())
        lines.append(f"{sizes:22}{cells}" + "".join(f"{ratio:20.2f}" for ratio in row["ratios"].values()))
    return lines


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The figures as lines of text."""
    names = list(rows[0]["ms"])
    lines = [f"{'(T, B, N, H)':22}" + "".join(f"{name:>20}" for name in names) + f"{'target':>10}"]
    for row in rows:
        sizes = f"({row['T']}, {row['B']}, {row['N']}, {row['H']})"
        cells = "".join(f"{row['ms'][n]:11.2f} ms {row['ratios'][n]:5.2f}" for n in names)
        lines.append(f"{sizes:22}{cells}{row['target']:8.1f} {'✓' if row['reached'] else '✗'}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="The generated module against eager loops, CPU, forward + backward")
    parser.add_argument("--training", action="store_true", help="a step of training against nn.LSTM and nn.GRU")
    parser.add_argument("--fused", action="store_true", help="with --training: Adam(fused=True), on both sides")
    parser.add_argument("--size", choices=TRAINED, action="append", help="only this size (may be repeated)")
    parser.add_argument("--rounds", type=int, help="rounds for each size (by default more for smaller ones)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default 1)")
    parser.add_argument("--json", action="store_true", help="the figures for machines")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    clock = time.process_time if given.threads == 1 else time.perf_counter
    measure, sizes = (partial(trained, fused=given.fused), TRAINED) if given.training else (measured, SIZES)
    if wrong := [size for size in given.size or () if size not in sizes]:
        parser.error(f"the size {wrong[0]} is one of --training")
    rows = [measure(size, given.rounds or ROUNDS[size], clock) for size in given.size or sizes]
    about = {"threads": given.threads, "torch": torch.__version__, "clock": clock.__name__}
    if given.json:
        sys.stdout.write(json.dumps({**about, "sizes": rows}, indent=2) + "\n")
        return
    head = f"torch {about['torch']}, {given.threads} thread(s), {about['clock']}"
    head += "" if given.training else f"; path: {rows[0]['path']}"
    sys.stdout.write("\n".join([head, *(training_table if given.training else table)(rows)]) + "\n")


if __name__ == "__main__":
    main()
