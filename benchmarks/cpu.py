#!/usr/bin/env python
"""The C backend on a CPU against the NumPy backend and other people's: torch, JAX and ONNX Runtime.

A shipped cell is run forward (inference), and forward and backward (`train`: the gradients of x and of all weights for
a random gradient of the output at every step), in float32. All contestants run in one process in alternating rounds;
the tables give medians, and medians of the ratios of one round, the time of others divided by ours. Each number of
threads has a process of its own, kept on as many processors. Every contestant first shows that it computes what the
NumPy backend does in float64: output, and all gradients. What is not installed, or computes something else, is named
and left out.

    python benchmarks/cpu.py [--sizes tiny,small] [--cells LSTM] [--peers torch-loop] [--threads 1,2] [--rounds N]
                             [--out FOLDER] [--cpu-time]

`torch-loop` is the loop that people write: products of x and of the state at every step, one for all gates;
`torch-hoisted` has those of x before the loop, likewise `jax-scan` and `jax-hoisted`. `torch.compile` unrolls the loop,
which takes minutes: it runs at the smallest size only. What is short is called for some 50 ms in a round; packing of
weights and memory for results belong to each call. `of the peak` are the operations of the products alone (forward
2 T B G H (N + H) for G gates, three times as many with the backward pass) over what the processor does in registers.

With --out `cpu.json`, `cpu.md` and pictures of the ratios land in a folder; a later run into the same folder replaces
what it measures again. On a machine that does other work, --cpu-time counts the time of the processor where there is
one thread; use it with several rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _machine
import _report
import numpy as np
from _loops import LOOPS
from _peers import BASE, CONTESTANTS, Array, Arrays, Contestant, Entry, Task, ours, task
from _rounds import alternate

SIZES = {
    "tiny": (30, 10, 1, 10),
    "latency": (100, 1, 64, 256),
    "small": (100, 32, 32, 128),
    "medium": (100, 64, 256, 512),
    "large": (50, 64, 1024, 1024),
}
"""Steps, sequences, inputs, units."""

GATES = {"PlainLSTM": 4, "TorchGRU": 3, "Elman": 1}
"""Of the cells whose floor is known: products of [G H, N] and [G H, H] at every step, and little else."""

LEAST, PAUSE, BUDGET = 0.05, 0.01, 120.0
"""Seconds: of a contestant in a round, between two of them, and of all rounds of one cell, size and mode."""

SLACK, LOOSE = 32.0, 32.0
"""How far results may be from those in float64: so many units in the last place of the greatest for each step, or so
many times as far as those of the NumPy backend."""

DTYPES = ("float64", "float32")


def environment(threads: int) -> dict[str, str]:
    """Of a process with so many threads; most libraries read it when they are loaded."""
    out = dict(os.environ)
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RECURRENCY"):
        out[f"{name}{'' if name == 'RECURRENCY' else '_NUM'}_THREADS"] = str(threads)
    out |= {"NPROC": str(threads), "PJRT_NPROC": str(threads), "JAX_PLATFORMS": "cpu"}  # how many threads XLA starts
    if threads == 1:
        out["XLA_FLAGS"] = f"{out.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    return out


def operations(work: Task, mode: str) -> float | None:
    """Of the products, where they are known."""
    if work.cell not in GATES:
        return None
    T, B, N = work.x.shape
    H = work.sizes["H"]
    return (1 if mode == "forward" else 3) * 2.0 * T * B * GATES[work.cell] * H * (N + H)


# ---------------------------------------------------------------------------------------------------------- agreement


@dataclass(frozen=True)
class Answers:
    """What has to be found: results by mode and name in float64, and how far they may be missed."""

    right: Mapping[str, Arrays]
    allowed: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, work: Task) -> Answers:
        """From the NumPy backend. Where its own float32 is far from float64, others may be so, too."""
        right, near = ({mode: job.read(job.run()) for mode, job in ours("numpy", t)(work).items()} for t in DTYPES)
        least = SLACK * float(np.finfo(np.float32).eps) * len(work.x)
        own = {mode: distances(near[mode], arrays) for mode, arrays in right.items()}
        return cls(right, {m: {n: max(least, LOOSE * part) for n, part in parts.items()} for m, parts in own.items()})


def distances(found: Arrays, right: Arrays) -> dict[str, float]:
    """How far results are apart, as parts of the greatest number of an array."""
    out = {}
    for name, array in found.items():
        apart = np.max(np.abs(array - right[name])) / (np.max(np.abs(right[name])) or 1.0)
        out[name] = float(np.inf if np.isnan(apart) else apart)
    return out


def compare(contestant: Contestant, answers: Answers) -> None:
    """Complain of a contestant that computes something else.

    Raises:
        ValueError: it does.
    """
    for mode, job in contestant.items():
        found, right = job.read(job.run()), answers.right[mode]
        shapes, wanted = ({name: array.shape for name, array in arrays.items()} for arrays in (found, right))
        if shapes != wanted:
            names = {name for name, _ in shapes.items() ^ wanted.items()}
            raise ValueError(f"other results ({mode}): {', '.join(sorted(names))}")
        for name, apart in distances(found, right).items():
            allowed = answers.allowed[mode][name]
            if not apart <= allowed:
                raise ValueError(f"another {name} ({mode}): off by {apart:.1e} of the greatest, {allowed:.0e} allowed")


def present(work: Task, entries: Mapping[str, Entry]) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Those who can run here and compute the same; of the others, why not."""
    found: dict[str, Contestant] = {}
    absent: dict[str, str] = {}
    answers = Answers.of(work)
    for name, entry in entries.items():
        if work.cell not in entry.cells or (entry.smallest and work.size != next(iter(SIZES))):
            continue
        try:
            contestant = entry.build(work)
            compare(contestant, answers)
            found[name] = contestant
        except ModuleNotFoundError as error:
            absent[name] = f"{error.name} is not installed"
        except Exception as error:  # other people's code: whatever is wrong with it, the others still run
            said = str(error).strip().partition("\n")[0]
            absent[name] = f"{type(error).__name__}: {said}"
    return found, absent


# ------------------------------------------------------------------------------------------------------------- timing


def measured(work: Task, contestants: Mapping[str, Contestant], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each contestant and mode."""
    clock = time.process_time if options["cpu_time"] and work.threads == 1 else time.perf_counter
    for mode in _report.MODES:
        jobs = {name: jobs[mode].run for name, jobs in contestants.items() if mode in jobs}
        times = alternate(jobs, options["rounds"], clock, LEAST, PAUSE, BUDGET)
        count = operations(work, mode)
        for name, seconds in times.items():
            yield row(work, mode, name, seconds, times[BASE], count, options["peak"]) | {"clock": clock.__name__}


def row(
    work: Task, mode: str, name: str, seconds: Array, base: Array, count: float | None, peak: float | None
) -> dict[str, Any]:
    """What is kept of the rounds of one contestant; `share` is that of the peak of all threads."""
    median = float(np.median(seconds))
    return {
        "cell": work.cell,
        "size": work.size,
        "threads": work.threads,
        "mode": mode,
        "name": name,
        "median": median,
        "minimum": float(np.min(seconds)),
        "ratio": float(np.median(seconds / base)),
        "share": count / median / (peak * work.threads) if count and peak else None,
        "rounds": len(seconds),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def work_through(options: dict[str, Any], write: Callable[[dict[str, Any]], None]) -> None:
    """All cells and sizes with one number of threads, in this process."""
    options["peak"] = _machine.fma_peak(options["threads"])
    write({"peak": options["peak"]})
    entries = {name: entry for name, entry in CONTESTANTS.items() if name in (BASE, *options["peers"])}
    for size in options["sizes"]:
        for cell in options["cells"]:
            work = task(cell, size, options["threads"], *SIZES[size])
            contestants, absent = present(work, entries)
            if BASE not in contestants:
                absent[BASE] += "; nothing to compare with"
            for name, reason in absent.items():
                place = {"threads": work.threads, "cell": cell, "size": size}
                write({"absent": place | {"name": name, "reason": reason}})
            if BASE in contestants:
                for found in measured(work, contestants, options):
                    write({"row": found})


def worker(options: dict[str, Any]) -> None:
    """What a process with one number of threads does: lines for the process that started it, and words on the way."""
    _machine.pin(options["threads"])
    with Path(options["lines"]).open("a") as lines:

        def write(line: dict[str, Any]) -> None:
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            tell(line)

        work_through(options, write)


def tell(line: dict[str, Any]) -> None:
    """One line of the result in words."""
    if found := line.get("row"):
        share = f"{_report.percent(found['share']):>6}"
        title = f"{found['size']:8}{found['cell']:20}{found['mode']:8} {found['threads']} {found['name']:16}"
        print(f"{title}{found['median'] * 1e3:12.4f} ms{found['ratio']:9.2f}{share}", flush=True)
    elif found := line.get("absent"):
        print(f"  {found['size']} {found['cell']} without {found['name']}: {found['reason']}", flush=True)
    elif line.get("peak"):
        print(f"peak of a thread: {line['peak'] / 1e9:.0f} GFLOP/s", flush=True)


def measure(options: dict[str, Any], threads: int) -> tuple[list[dict[str, Any]], str]:
    """The lines of a process with so many threads, and why it ended early ("": it has not)."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        lines.touch()
        words = json.dumps({**options, "threads": threads, "lines": str(lines)})
        command = [sys.executable, __file__, "--worker", words]
        try:
            code = subprocess.run(command, env=environment(threads)).returncode
            why = f"the process with {threads} thread(s) ended with {code}" if code else ""
        except KeyboardInterrupt:
            why = "interrupted"
        return [json.loads(line) for line in lines.read_text().splitlines()], why


# --------------------------------------------------------------------------------------------------------------- all


def gather(lines: Mapping[int, Sequence[dict[str, Any]]], earlier: dict[str, Any] | None) -> dict[str, Any]:
    """What is written down: this run, by numbers of threads, and what is left of an earlier one."""
    earlier = earlier or {"peaks": {}, "rows": [], "absent": []}
    every = [line for found in lines.values() for line in found]
    rows, absent = ([line[kind] for line in every if kind in line] for kind in ("row", "absent"))
    peaks = {str(threads): line["peak"] for threads, found in lines.items() for line in found if line.get("peak")}
    again = {_report.rounds_of(row) for row in (*rows, *absent)}
    old = {kind: [row for row in earlier[kind] if _report.rounds_of(row) not in again] for kind in ("rows", "absent")}
    return {
        "base": BASE,
        "cells": list(LOOPS),
        "names": list(CONTESTANTS),
        "sizes": SIZES,
        "machine": _machine.about(),
        "versions": _machine.versions(),
        "peaks": earlier["peaks"] | peaks,
        "absent": old["absent"] + absent,
        "rows": old["rows"] + rows,
    }


def several(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Names between commas."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names, peers = ",".join(SIZES), [name for name in CONTESTANTS if name != BASE]
    parser.add_argument("--sizes", type=several(list(SIZES)), default=list(SIZES), help=f"some of {names}")
    parser.add_argument("--cells", type=several(list(LOOPS)), default=list(LOOPS), help=f"some of {','.join(LOOPS)}")
    parser.add_argument("--peers", type=several(peers), default=peers, help=f"some of {','.join(peers)}")
    parser.add_argument("--threads", type=several([str(n) for n in range(1, 257)]), default=["1", "2"], metavar="N,M")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for cpu.json, cpu.md and pictures")
    parser.add_argument("--cpu-time", action="store_true", help="with one thread, count processor time")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    """Measure, and write down what was found."""
    given = arguments()
    if given.worker:
        worker(given.worker)
        return
    earlier = _report.read(given.out) if given.out else None
    if earlier and earlier["machine"] != _machine.about():
        raise SystemExit(f"{given.out} holds figures of another machine; name another folder")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
    options = {name: getattr(given, name) for name in ("sizes", "cells", "peers", "rounds", "cpu_time")}
    lines: dict[int, list[dict[str, Any]]] = {}
    for threads in map(int, given.threads):
        lines[threads], why = measure(options, threads)
        if given.out:
            for message in _report.write(given.out, gather(lines, earlier)):
                print(message, file=sys.stderr)
        if why:
            raise SystemExit(f"{why}; what was measured before that is written down" if given.out else why)
    if not given.out:
        print(_report.page(gather(lines, None)))


if __name__ == "__main__":
    main()
