#!/usr/bin/env python
"""LSTMs and GRUs on a GPU, forward and backward: those that recurrency generates against other people's.

All run in one process in alternating rounds; the table gives medians, and medians of the ratios of one round to
`nn.LSTM` in float32. Times are those of CUDA events; where a library has a stream of its own, of a clock on the wall
between two synchronisations. float32 is float32: TF32, which cuDNN and JAX take unless told otherwise, is off but for a
row of its own. Every contestant first shows that its gradient of the input is that of `nn.LSTM`. What is not installed,
or computes something else, is named and left out.

    python benchmarks/gpu.py [--rounds N] [--size small|medium|flashrnn|wide] [--only TEXT] [--json FILE]
    python benchmarks/gpu.py --emulate      # without a GPU, tiny: shows that the script works, and times nothing
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SIZES = {
    "emulated": (3, 2, 4, 5),
    "small": (128, 16, 128, 128),
    "medium": (256, 64, 256, 512),
    "flashrnn": (1024, 16, 768, 768),  # that of FlashRNN's own chart
    "wide": (256, 128, 1024, 1024),
}
"""Steps, sequences, inputs, units."""

TOLERANCE = {"TF32": 3e-2, "bfloat16": 2e-1, "float16": 3e-2, "": 1e-3}
"""What gradients of x may differ by from the others', as a part of the greatest: long recurrences in these types."""

BASELINE = "nn.LSTM float32"


class AbsentError(Exception):
    """A contestant that can't run here; the message says what is missing."""


class Contestant(NamedTuple):
    """`step` runs forward and backward once; `gradient` is that of x, where others compute the same.

    `wait` waits for what a step gives; None: its work goes on torch's stream, so that CUDA events time it.
    """

    step: Callable[[], Any]
    gradient: Callable[[], Array] | None
    wait: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Task:
    """What all compute: y of x [T, B, N], and the gradients for a gradient dy [T, B, H] of y."""

    device: str
    x: Array
    dy: Array
    W: Array
    U: Array
    b: Array
    """Of the gates i, f, g, o: [4 H, N], [4 H, H], [4 H]."""

    @property
    def emulated(self) -> bool:
        return self.device == "cpu"

    def tensor(self, name: str, dtype: str = "float32") -> Any:
        """One of the arrays as a tensor that needs no gradient."""
        import torch

        return torch.from_numpy(getattr(self, name)).to(self.device, getattr(torch, dtype))

    def named(self) -> dict[str, Array]:
        """The weights under the names of the shipped `PlainLSTM`."""
        rows = len(self.b) // 4
        return {f"{n}_{k}": getattr(self, n)[i * rows : (i + 1) * rows] for n in "WUb" for i, k in enumerate("ifgo")}


def task(size: str, device: str) -> Task:
    """Random numbers."""
    T, B, N, H = SIZES[size]
    rng = np.random.default_rng(0)
    shapes = ((T, B, N), (T, B, H), (4 * H, N), (4 * H, H), (4 * H,))
    return Task(device, *(rng.standard_normal(s).astype("f4") * (1.0 if len(s) == 3 else H**-0.5) for s in shapes))


# -------------------------------------------------------------------------------------------------- other people's


def of_torch(task: Task, model: Callable[[Any], Any], weights: list[Any], dtype: str) -> Contestant:
    """A function of x in torch, differentiated by torch."""
    x, dy = task.tensor("x", dtype).requires_grad_(), task.tensor("dy", dtype)

    def step() -> None:
        for tensor in (x, *weights):
            tensor.grad = None
        model(x).backward(dy)

    return Contestant(step, lambda: np.asarray(x.grad.float().cpu()))


def float32_is_float32() -> None:
    """Switch TF32 off, which cuDNN's recurrent layers take by default."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def in_tf32(made: Contestant) -> Contestant:
    """A contestant of torch's that may round the factors of products to TF32."""
    import torch

    def allowed(work: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            torch.backends.cudnn.allow_tf32 = True
            try:
                return work()
            finally:
                torch.backends.cudnn.allow_tf32 = False

        return run

    return made._replace(step=allowed(made.step))


def cudnn(kind: str, dtype: str) -> Callable[[Task], Contestant]:
    """`nn.LSTM` or `nn.GRU`."""

    def build(task: Task) -> Contestant:
        import torch

        H, N = task.dy.shape[2], task.x.shape[2]
        model = getattr(torch.nn, kind)(N, H)
        if kind == "LSTM":
            own = {"weight_ih_l0": task.W, "weight_hh_l0": task.U, "bias_ih_l0": task.b, "bias_hh_l0": 0 * task.b}
            model.load_state_dict({name: torch.from_numpy(a) for name, a in own.items()})
        model = model.to(task.device, getattr(torch, dtype))
        made = of_torch(task, lambda x: model(x)[0], list(model.parameters()), dtype)
        return made if kind == "LSTM" else made._replace(gradient=None)

    return build


def eager(task: Task) -> Contestant:
    """The loop that people write in torch."""
    import torch

    W, U, b = weights = [task.tensor(name).requires_grad_() for name in "WUb"]
    T, B, H = task.dy.shape

    def model(x: Any) -> Any:
        h = c = x.new_zeros(B, H)
        out = []
        for t in range(T):
            i, f, g, o = torch.nn.functional.linear(x[t], W, b).add(h @ U.T).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return torch.stack(out)

    return of_torch(task, model, weights, "float32")


def jax_scan(task: Task) -> Contestant:
    """`jax.lax.scan`, compiled."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the others need memory, too
    import jax
    import jax.numpy as jnp

    device = jax.devices()[0]
    if device.platform != "gpu" and not task.emulated:
        raise AbsentError("jax sees no GPU; pip install 'jax[cuda13]'")
    jax.config.update("jax_default_matmul_precision", "highest")
    W, U, b, x, dy = (jnp.asarray(getattr(task, name)) for name in ("W", "U", "b", "x", "dy"))
    start = jnp.zeros(dy.shape[1:])

    def cell(W: Any, U: Any, b: Any, state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(x @ W.T + h @ U.T + b, 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def value(W: Any, U: Any, b: Any, x: Any) -> Any:
        return jnp.sum(dy * jax.lax.scan(lambda s, x: cell(W, U, b, s, x), (start, start), x)[1])

    gradients = jax.jit(jax.grad(value, (0, 1, 2, 3)))
    return Contestant(
        lambda: gradients(W, U, b, x), lambda: np.asarray(gradients(W, U, b, x)[3]), jax.block_until_ready
    )


def flashrnn(backend: str, dtype: str) -> Callable[[Task], Contestant]:
    """FlashRNN, whose input products torch computes."""

    def made(task: Task) -> Contestant:
        from flashrnn import flashrnn as function

        T, B, H = task.dy.shape
        W, U, b = (task.tensor(name, dtype).requires_grad_() for name in "WUb")

        def model(x: Any) -> Any:
            inner = (x @ W.T).reshape(T, B, 4, 1, H).transpose(0, 1)
            states, _ = function(inner, U.reshape(4, 1, H, H), b.reshape(4, 1, H), function="lstm", backend=backend)
            return states[0].reshape(B, T, H).transpose(0, 1)

        return of_torch(task, model, [W, U, b], dtype)

    return made


OTHERS: dict[str, Callable[[Task], Contestant]] = {
    BASELINE: cudnn("LSTM", "float32"),
    "nn.LSTM TF32": lambda task: in_tf32(cudnn("LSTM", "float32")(task)),
    "nn.LSTM bfloat16": cudnn("LSTM", "bfloat16"),
    "nn.LSTM float16": cudnn("LSTM", "float16"),
    "nn.GRU float32": cudnn("GRU", "float32"),
    "eager loop in torch": eager,
    "jax.lax.scan": jax_scan,
    "FlashRNN alternating bfloat16": flashrnn("cuda", "bfloat16"),
    "FlashRNN fused bfloat16": flashrnn("cuda_fused", "bfloat16"),
}


# ------------------------------------------------------------------------------------------------------------- ours


def our_torch(cell: str) -> Callable[[Task], Contestant]:
    """A shipped cell as an `nn.Module`; it reports which path it takes."""

    def build(task: Task) -> Contestant:
        import torch

        from recurrency import library

        model = library.spec(cell).module(N=task.x.shape[2], H=task.dy.shape[2], state="tuple").to(task.device)
        if cell == "PlainLSTM":
            with torch.no_grad():
                for name, parameter in model.parameters_by_name().items():
                    parameter.copy_(torch.from_numpy(task.named()[name]))
        made = of_torch(task, lambda x: model(x)[0], list(model.parameters()), "float32")
        print(f"  {cell} in torch takes the path: {model.path}", file=sys.stderr)
        return made if cell == "PlainLSTM" else made._replace(gradient=None)

    return build


MIN_GRU = """
cell MinGRU[N, H](x: [N]) -> (h: [H]) {
    param W_z, W_c : [H, N] ~ glorot_uniform
    param b_z, b_c : [H]    ~ zeros
    state h : [H] = 0
    z = sigmoid(W_z @ x + b_z)
    h = (1 - z) * h[t-1] + z * (W_c @ x + b_c)
}"""
"""Feng et al. 2024: no product reads the state, so that all steps can run in one kernel."""


def our_cupy(cell: str, plan: str | None) -> Callable[[Task], Contestant]:
    """The module as it is written for users, on arrays of the device; without a plan it chooses itself."""

    def build(task: Task) -> Contestant:
        import recurrency as rc
        from recurrency.backend import find
        from recurrency.model.export import module_text
        from recurrency.model.model import Model

        backend: Any = find("cupy-emulated" if task.emulated else "cupy")
        xp = backend.load()
        T, B, N = task.x.shape
        spec = rc.parse(MIN_GRU) if cell == "MinGRU" else rc.library.spec(cell)
        model = Model(spec, spec.elaborate(N=N, H=task.dy.shape[2]), backend)
        module: dict[str, Any] = {}
        exec(module_text(model), module)
        module["use"](xp, plan)
        plain = cell == "PlainLSTM"
        params = xp.asarray(model.pack(task.named()) if plain else model.init(0))
        x, dy = {"x": xp.asarray(task.x)}, {"h": xp.asarray(task.dy)}

        def step() -> Any:
            return module["backward"](module["forward"](params, x)[2], dy)[1]["x"]

        print(f"  {cell}, {plan or 'chosen'}:\n{module['explain'](T, B)}", file=sys.stderr)
        return Contestant(step, (lambda: xp.asnumpy(step())) if plain else None)

    return build


OURS: dict[str, Callable[[Task], Contestant]] = {
    "ours in torch, PlainLSTM": our_torch("PlainLSTM"),
    "ours in torch, GRUAfter": our_torch("GRUAfter"),
    "ours in cupy, PlainLSTM": our_cupy("PlainLSTM", None),
    "ours in cupy, PlainLSTM, gemm": our_cupy("PlainLSTM", "gemm"),
    "ours in cupy, PlainLSTM, step": our_cupy("PlainLSTM", "step"),
    "ours in cupy, GRUAfter": our_cupy("GRUAfter", None),
    "ours in cupy, MinGRU, loop": our_cupy("MinGRU", "loop"),
}
CONTESTANTS = OTHERS | OURS


# ----------------------------------------------------------------------------------------------------------- timing


def obstacle() -> str | None:
    """Why nothing can be timed here, or None."""
    try:
        import torch
    except ImportError:
        return "torch is not installed; pip install torch"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device; `--emulate` shows on the processor that the script works"
    from recurrency.backend import describe

    return describe()["cupy"]


def milliseconds(contestant: Contestant, repeats: int, task: Task) -> float:
    """The time of one step."""
    if task.emulated or contestant.wait is not None:
        start, last = time.perf_counter(), None
        for _ in range(repeats):
            last = contestant.step()
        if contestant.wait is not None:
            contestant.wait(last)
        return (time.perf_counter() - start) / repeats * 1e3
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(repeats):
        contestant.step()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / repeats


def present(task: Task, only: str, failed: dict[str, str]) -> dict[str, Contestant]:
    """Those who can run here, and agree with one another; `failed` gets why the others do not."""
    found: dict[str, Contestant] = {}
    wanted: Array | None = None
    for name, build in CONTESTANTS.items():
        if only not in name and name != BASELINE:
            continue
        try:
            contestant = build(task)
            contestant.step()
            if contestant.gradient is not None:
                gradient = contestant.gradient()
                wanted = gradient if wanted is None else wanted
                compare(name, gradient, wanted)
        except Exception as error:  # whatever is missing or fails, the others still run
            said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            failed[name] = said
            print(f"  without {name}: {said}", file=sys.stderr)
            continue
        found[name] = contestant
    return found


def compare(name: str, found: Array, wanted: Array) -> None:
    """Complain of a contestant that computes something else.

    Raises:
        ValueError: it does.
    """
    part = float(np.max(np.abs(found - wanted)) / np.max(np.abs(wanted)))
    allowed = next(value for dtype, value in TOLERANCE.items() if dtype in name)
    if not part <= allowed:
        raise ValueError(f"another gradient of x: off by {part:.1e} of the greatest, {allowed:.0e} allowed")


def rounds(task: Task, contestants: dict[str, Contestant], count: int, failed: dict[str, str]) -> dict[str, Array]:
    """The times of all, in alternating rounds of about 50 ms each; who fails is out, and `failed` gets why."""
    repeats: dict[str, int] = {}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(count + 1):
        for name in list(times):
            try:
                ms = milliseconds(contestants[name], repeats.get(name, 2), task)
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
                del times[name]
                continue
            if turn:
                times[name].append(ms)
            else:
                repeats[name] = 1 if task.emulated else max(1, min(1000, int(50 / max(1e-3, ms))))
    return {name: np.array(ms) for name, ms in times.items()}


def rows(task: Task, size: str, times: dict[str, Array]) -> list[dict[str, Any]]:
    """What the table shows."""
    base, steps = times.get(BASELINE), task.x.shape[0]
    return [
        {
            "size": size,
            "name": name,
            "ms": float(np.median(ms)),
            "us per step": float(np.median(ms)) * 1e3 / steps,
            "against nn.LSTM": None if base is None else float(np.median(base / ms)),
        }
        for name, ms in times.items()
    ]


def about(device: str) -> dict[str, str]:
    """What it ran on."""
    import torch

    gpu = torch.cuda.get_device_name() if device == "cuda" else "none: emulated"
    found = {"gpu": gpu, "python": platform.python_version(), "torch": torch.__version__}
    for name in ("cupy-cuda13x", "cupy-cuda12x", "jax", "flashrnn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["cuda of torch"], found["cudnn"] = str(torch.version.cuda), str(torch.backends.cudnn.version())
    if device == "cuda":
        import cupy

        found["driver for cuda"] = str(cupy.cuda.runtime.driverGetVersion())
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", choices=[s for s in SIZES if s != "emulated"], action="append")
    parser.add_argument("--only", default="", metavar="TEXT", help="contestants with this in their name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here, too")
    parser.add_argument("--emulate", action="store_true", help="run without a GPU, and time nothing of worth")
    options = parser.parse_args()
    reason = None if options.emulate else obstacle()
    if reason:
        raise SystemExit(f"nothing to time: {reason}")
    float32_is_float32()
    device, sizes = (
        ("cpu", ["emulated"]) if options.emulate else ("cuda", options.size or ["small", "medium", "flashrnn"])
    )
    found: dict[str, Any] = {"machine": about(device), "emulated": options.emulate, "rows": [], "failed": {}}
    print(", ".join(f"{what} {which}" for what, which in found["machine"].items()))
    print(f"{'size':10}{'':32}{'ms':>10}{'us/step':>10}{'nn.LSTM/it':>12}")
    for size in sizes:
        work, failed = task(size, device), found["failed"].setdefault(size, {})
        for row in rows(work, size, rounds(work, present(work, options.only, failed), options.rounds, failed)):
            found["rows"].append(row)
            *names, ms, us, ratio = row.values()
            print(f"{names[0]:10}{names[1]:32}{ms:10.3f}{us:10.2f}{ratio or float('nan'):12.2f}", flush=True)
        if options.json:
            write_json(options.json, found)
    if not found["rows"]:
        raise SystemExit("nothing ran; the reasons are above")


def write_json(path: Path, found: Any) -> None:
    """Write figures at once: whoever reads the file finds those before or those after."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(found, indent=1))
    beside.replace(path)


if __name__ == "__main__":
    main()
