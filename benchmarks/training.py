#!/usr/bin/env python
"""The figures of docs/training.md and of the README that come of training, with what they were made by.

Each is a command of `recurrency train`, run in a process with one thread; what it says at its end is printed, with its
processor time, the backend and the machine. The numbers follow from the seed, but the last bits of sums differ from
backend to backend and from processor to processor, and training makes much of little: outcomes of single runs differ.

    python benchmarks/training.py [--only sample,jsb,adding,plays] [--backend c]

`sample` and `jsb` take about a minute each, the two of `adding` and of `plays` that are long some ten minutes each.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys

from _machine import about, versions

FIGURES = {
    "sample": ["recurrency train readme-sample --runs 30"],
    "jsb": [
        "recurrency train jsb -D Cell=GRU -D H=46",
        "recurrency train jsb -D Cell=LSTM -D H=36 --rate 0.006 --epochs 400",
    ],
    "adding": [
        "recurrency train addition",
        "recurrency train addition -D Cell=LSTM --rate 0.003",
        "recurrency train addition -D Cell=Elman",
    ],
    "plays": ["recurrency train shakespeare"],
}
"""The commands of each group."""

LINES = 3
"""So many lines at the end of what a command says are its outcome: those that compare seeds, or the one of a run."""


def main(words: list[str] | None = None) -> None:
    """Run the commands, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FIGURES), help=f"some of {','.join(FIGURES)}")
    parser.add_argument("--backend", default="c")
    options = parser.parse_args(words)
    chosen = options.only.split(",")
    if unknown := [name for name in chosen if name not in FIGURES]:
        parser.error(f"there are no figures {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    print(f"one thread of {about()['processor']}; " + ", ".join(f"{k} {v}" for k, v in versions().items()))
    for command in (command for name in chosen for command in FIGURES[name]):
        print(f"\n{command} --backend {options.backend}", flush=True)
        said, seconds = trained(command, options.backend)
        print("\n".join(f"  {line}" for line in said), f"  {seconds:.0f} s of one processor", sep="\n", flush=True)


def trained(command: str, backend: str) -> tuple[list[str], float]:
    """What a command says at its end, and the processor time that it takes."""
    before = _seconds()
    words = [sys.executable, "-m", *shlex.split(command), "--backend", backend, "--log-form", "quiet"]
    one = {"RECURRENCY_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env={**os.environ, **one}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr.strip()}")
    return done.stdout.splitlines()[-LINES:], _seconds() - before


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
